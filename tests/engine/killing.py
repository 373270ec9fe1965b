"""Kills a server at every place where it crosses to its store or a backend, one place after the other, and lets
another one go on. Prints one line a place, `ok` or what was lost or doubled.

A process of its own: it forks each server, and the server kills itself with SIGKILL.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from flowc.runtime.bundle import from_bytes
from flowc.runtime.engine.engine import Engine
from flowc.runtime.engine.message import Message
from flowc.runtime.environment import Environment
from flowc.runtime.kernel import Asking
from flowc.runtime.kernel.events import CallFailure, CallResult, RankedIntent, Succeeded, Understood
from flowc.runtime.services.port import Call, Claim, Later
from flowc.runtime.simulate.clock import SimulatedClock
from flowc.runtime.store.rows import Outcome, Result, Settlement, Start, Unit
from flowc.runtime.store.sqlite import SqliteStore
from flowc.runtime.understanding.port import Heard

START_MS = 1_790_000_000_000
MESSAGES = ("look", "slow", "pay", "once", "later", "many")


class Steps:
    """Counts the places; the server dies at the one it was made for."""

    def __init__(self, dies_at: int) -> None:
        self.left = dies_at

    def pass_by(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class Ledger:
    """The backend's own book of effects: one line each, by key where there is one. It honours keys."""

    def __init__(self, path: Path, steps: Steps) -> None:
        self.path = path
        self._steps = steps

    async def read(self, call: Call) -> CallResult:
        return Succeeded(f"{call.operation}ed")

    async def write(self, call: Call, claim: Claim) -> CallResult | Later:
        if call.operation == "once" and claim.in_doubt:
            return CallFailure("unknown")
        self._steps.pass_by()
        if call.operation == "once" or claim.key not in self.path.read_text():
            with self.path.open("a") as book:
                print(call.operation, call.arguments["amount"], claim.key, file=book, flush=True)
        self._steps.pass_by()
        return Succeeded("receipt")


class Words:
    async def understand(self, heard: Heard, asking: Asking) -> Understood:
        return self.hear(heard, asking)

    def hear(self, heard: Heard, asking: Asking) -> Understood:
        return Understood((RankedIntent(heard.text, 1.0),))


class Killing(SqliteStore):
    steps: Steps

    async def commit(self, units: Sequence[Unit]) -> Sequence[Outcome]:
        return await self._between(lambda: super(Killing, self).commit(units))

    async def settle(self, results: Sequence[Result], holder: object) -> Sequence[Settlement]:
        return await self._between(lambda: super(Killing, self).settle(results, holder))  # type: ignore[arg-type]  # as the port

    async def start(self, starts: Sequence[Start]) -> Sequence[int | None]:
        return await self._between(lambda: super(Killing, self).start(starts))

    async def _between(self, work: Callable[[], object]) -> object:
        self.steps.pass_by()
        done = await work()  # type: ignore[misc]  # one of the coroutines above
        self.steps.pass_by()
        return done


async def serve(bundle: bytes, folder: Path, dies_at: int, at_ms: int) -> None:
    """Sends what was not answered yet, as a client would that repeats until it is."""
    steps = Steps(dies_at)
    clock = SimulatedClock(at_ms)
    store = Killing.open(folder / "store.db", clock)
    store.steps = steps
    answered = folder / "answered"
    opened = Engine.open(
        bundle, Environment(), store=store, services=Ledger(folder / "ledger", steps), understanding=Words(), drain_s=5
    )
    async with opened as engine:
        for number, text in enumerate(MESSAGES):
            if f"{number}\n" in answered.read_text():
                continue
            turn = await asyncio.wait_for(engine.handle(Message("c", text, id=str(number))), 10)
            with answered.open("a") as book:
                print(number, file=book, flush=True)
            (folder / f"said{number}").write_text("\n".join(reply.text for reply in turn.replies))
        for _ in range(2_000):
            if not await store.commands("c") and engine.is_quiet:  # type: ignore[arg-type]  # an address
                break
            engine.sweep()
            await asyncio.sleep(0.001)
        (folder / "all").write_text("\n".join([reply.text for reply in await engine.recorded("c")]))
    await store.close()


def forked(bundle: bytes, folder: Path, dies_at: int, at_ms: int) -> bool:
    """Whether it lived to the end."""
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(serve(bundle, folder, dies_at, at_ms))
        except BaseException as error:  # noqa: BLE001 - reported by the exit status
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False
    if os.WEXITSTATUS(status) != 0:
        raise SystemExit(f"the server failed when it was to die at {dies_at}")
    return True


def problems(folder: Path) -> list[str]:
    """What is lost or doubled, by the ledger and by what the user read."""
    effects = [line.split()[:2] for line in (folder / "ledger").read_text().splitlines()]
    said = (folder / "all").read_text().splitlines()
    found = [f"doubled {effect}" for effect in effects if effects.count(effect) > 1]
    for effect, words in (
        (["pay", "1"], "Paid receipt."),
        (["pay", "3"], "Later paid receipt."),
        (["pay", "4"], "After all"),
    ):
        if effect not in effects:
            found.append(f"lost {effect}")
        if not any(line.startswith(words) for line in said):
            found.append(f"nobody was told {words!r}")
    if "Done receipt." in said and ["once", "2"] not in effects:
        found.append("told of a write that was not done")
    if "Not done: overloaded." in said and ["once", "2"] in effects:
        found.append("a failure was told of what was done")
    if not {"Done receipt.", "Nobody knows.", "Not done: overloaded."} & set(said):
        found.append("nobody was told of the write without a key")
    for number, words in enumerate(
        ("Found finded and othered.", "Found finded.", "Paid receipt.", "", "Queued.", "goodbye")
    ):
        if words not in (folder / f"said{number}").read_text():
            found.append(f"message {number} was answered without {words!r}")
    if len(said) != len([line for line in said if line]) or said.count("Paid receipt.") != 1:
        found.append("a reply is missing or there twice")
    return found


def main() -> None:
    bundle = Path(sys.argv[1]).read_bytes()
    from_bytes(bundle)
    place = 0
    while True:
        place += 1
        with TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "ledger").touch()
            (folder / "answered").touch()
            lived = forked(bundle, folder, place, START_MS)
            if not lived:
                assert forked(bundle, folder, 0, START_MS + 31_000)
            print(place, "; ".join(problems(folder)) or "ok", flush=True)
            if lived:
                return


if __name__ == "__main__":
    main()
