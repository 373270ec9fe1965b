"""What outlives a server: the store, the clock and the backends. Servers come and go; a stopped one is gone in the
middle of whatever it did."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from math import inf
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from flowc.compiler.compile import compile_project
from flowc.compiler.project import open_project
from flowc.runtime.engine.engine import Engine
from flowc.runtime.engine.message import Message, Turn
from flowc.runtime.environment import Environment
from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.kernel import Asking
from flowc.runtime.kernel.events import CallResult, Found, RankedIntent, Succeeded, Understood
from flowc.runtime.program import Program
from flowc.runtime.services.port import Call, Claim, Later
from flowc.runtime.simulate.clock import SimulatedClock
from flowc.runtime.store.port import Store
from flowc.runtime.store.rows import Address, Holder, JournalRow, Loaded, Outcome, Unit, Unknown, Wanted
from flowc.runtime.telemetry import silent
from flowc.runtime.telemetry.metrics import Metrics
from flowc.runtime.understanding.port import Heard

START_MS = 1_790_000_000_000
LEASE_S = 30.0
Result = TypeVar("Result")


@cache
def probe() -> Program:
    outcome = compile_project(open_project(Path(__file__).parent / "probe"))
    assert outcome.program is not None, outcome.diagnostics
    return outcome.program


class Words:
    """Understands a message that is an intent's name, and takes four digits for the slot that is asked."""

    async def understand(self, heard: Heard, asking: Asking) -> Understood:
        return self.hear(heard, asking)

    def hear(self, heard: Heard, asking: Asking) -> Understood:
        if heard.text == "poison":
            raise RuntimeError("poison")
        names = {candidate.intent.name for candidate in asking.candidates}
        intents = (RankedIntent(heard.text, 1.0),) if heard.text in names else ()
        found = (Found(heard.text, asking.asked.name),) if asking.asked is not None and heard.text.isdigit() else ()
        return Understood(intents, found, "words")


@dataclass(slots=True)
class Gate:
    """An answer that comes when the test says so."""

    answer: asyncio.Future[CallResult | Later] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def give(self, result: CallResult | Later) -> None:
        self.answer.set_result(result)


Answer = CallResult | Later | Gate | Exception


@dataclass(frozen=True, slots=True)
class Asked:
    operation: str
    arguments: dict[str, object]
    claim: Claim | None = None

    @property
    def key(self) -> str | None:
        return None if self.claim is None else self.claim.key


class Backends:
    """Answers by script, each once, the last for ever; without one with a text. Keeps a ledger."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, list[Answer]] = {}
        self.paused: set[str] = set()

    def pause(self, service: str) -> None:
        self.paused.add(service)

    def resume(self, service: str) -> None:
        self.paused.discard(service)

    def hold(self, operation: str) -> Gate:
        gate = Gate()
        self.answers.setdefault(operation, []).append(gate)
        return gate

    def script(self, operation: str, *answers: Answer) -> None:
        self.answers[operation] = list(answers)

    def of(self, operation: str) -> list[Asked]:
        return [each for each in self.asked if each.operation == operation]

    async def read(self, call: Call) -> CallResult:
        self.asked.append(Asked(call.operation, dict(call.arguments)))
        result = await self._answer(call.operation)
        assert not isinstance(result, Later)
        return result

    async def write(self, call: Call, claim: Claim) -> CallResult | Later:
        self.asked.append(Asked(call.operation, dict(call.arguments), claim))
        return await self._answer(call.operation)

    async def _answer(self, operation: str) -> CallResult | Later:
        script = self.answers.get(operation, [])
        answer = (script.pop(0) if len(script) > 1 else script[0]) if script else Succeeded(f"{operation}ed")
        if isinstance(answer, Gate):
            if answer in script:
                script.remove(answer)
            return await asyncio.shield(answer.answer)
        if isinstance(answer, Exception):
            raise answer
        return answer


class World:
    def __init__(self, store: Store, clock: SimulatedClock) -> None:
        self.store = store
        self.clock = clock
        self.backends = Backends()
        self.logged: list[tuple[str, str]] = []
        self.metrics = Metrics()
        self._servers = 0

    @asynccontextmanager
    async def serving(
        self, store: Store | None = None, *, program: Program | None = None, environment: Environment | None = None
    ) -> AsyncIterator["Server"]:
        """A server; at the end of the block it is gone as by a crash, but for what the store has begun."""
        self._servers += 1
        opened = Engine.open(
            program or probe(),
            environment or Environment(),
            store=store or self.store,
            services=self.backends,
            understanding=Words(),
            clock=self.clock,
            rng=Random(self._servers),
            log=lambda severity, event, facts: self.logged.append((severity, event)),
            metrics=self.metrics,
            sweep_every_s=inf,
            drain_s=0,
        )
        async with opened as engine:
            server = Server(self, engine)
            await server.settle()
            yield server

    async def loaded(self, conversation: str = "c") -> Loaded:
        return (await self.store.load([Wanted(Address(conversation))]))[0]

    async def journal(self, conversation: str = "c", incarnation: int | None = None) -> Sequence[JournalRow]:
        return await self.store.journal(Address(conversation), incarnation)


class Server:
    def __init__(self, world: World, engine: Engine) -> None:
        self.world = world
        self.engine = engine
        self._tasks: list[asyncio.Task[Any]] = []

    async def say(self, text: str, id: str | None = None, conversation: str = "c", scope: str = "") -> Turn:
        return await within_reason(self.engine.handle(Message(conversation, text, id, scope=scope)))

    async def texts(self, text: str, id: str | None = None, conversation: str = "c") -> list[str]:
        return [reply.text for reply in (await self.say(text, id, conversation)).replies]

    def keep(self, work: Coroutine[None, None, Any]) -> None:
        """Begins work whose results are asked for later."""
        self._tasks.append(asyncio.ensure_future(within_reason(work)))

    async def kept(self) -> list[Any]:
        return [await task for task in self._tasks]

    def saying(self, text: str, id: str | None = None, conversation: str = "c") -> asyncio.Task[Turn]:
        return asyncio.ensure_future(self.say(text, id, conversation))

    async def settle(self) -> None:
        """Lets happen what does not wait for time or a backend."""
        for _ in range(300):
            await asyncio.sleep(0)

    async def wait(self, seconds: float) -> None:
        """Lets time pass, then the server looks for what is due."""
        self.world.clock.pass_to(self.world.clock.now_ms() + seconds * 1000)
        self.engine.sweep()
        await self.settle()

    async def said(self, conversation: str = "c") -> list[str]:
        return [reply.text for reply in await self.engine.recorded(conversation)]


Fail = Callable[[Unit], bool]


class Trouble:
    """A store whose commits fail where the test says so: `before`, nothing is there; `after`, it is there and nobody
    learns it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.before: list[Fail] = []
        self.after: list[Fail] = []
        self.gate: asyncio.Event | None = None
        self.answers: asyncio.Event | None = None  # what is committed is told when it is set
        self.is_gone = False
        self.untold_tries = 0

    def __getattr__(self, name: str) -> object:
        found = getattr(self._store, name)
        return self._refusing if self.is_gone and asyncio.iscoroutinefunction(found) else found

    def vanish(self) -> bool:
        self.is_gone = True
        return True

    async def _refusing(self, *arguments: object, **named: object) -> None:
        raise StoreUnavailable("the test took it away")

    async def tried(self, address: Address, number: int, holder: Holder) -> int | None:
        """Counted, but for the first `untold_tries` nobody learns it."""
        tries = await self._store.tried(address, number, holder)
        if self.untold_tries > 0:
            self.untold_tries -= 1
            raise StoreUnavailable("the test took it away")
        return tries

    async def commit(self, units: Sequence[Unit]) -> Sequence[Outcome]:
        if self.gate is not None:
            await self.gate.wait()
        if self.is_gone or any(_once(self.before, unit) for unit in units):
            return tuple(Unknown() for _ in units)
        outcomes = await self._store.commit(units)
        if self.answers is not None:
            await self.answers.wait()
        return tuple(Unknown() for _ in units) if any(_once(self.after, unit) for unit in units) else outcomes


def _once(fails: list[Fail], unit: Unit) -> bool:
    for fail in fails:
        if fail(unit):
            fails.remove(fail)
            return True
    return False


async def within_reason(work: Coroutine[None, None, Result]) -> Result:
    """The result of work that waits for nothing outside; a test that hangs says where."""
    return await asyncio.wait_for(work, 5)


__all__ = ["LEASE_S", "START_MS", "Asked", "Gate", "Server", "Trouble", "World", "probe", "silent", "within_reason"]
