"""A simulated world: servers over one store, backends, users and a clock, all from one seed.

It runs in two parts. In the first everything may go wrong that its plan has; in the second nothing does any more, and
everything has to come to its end: each message answered, each write settled, each conversation where somebody outside
moves it next.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from random import Random
from typing import Final, Literal

from flowc.runtime.services.port import LoopClock
from flowc.runtime.simulate.backends import Ledger, SimulatedBackend
from flowc.runtime.simulate.book import Book, Violation
from flowc.runtime.simulate.channel import converse, listen
from flowc.runtime.simulate.disk import FileStore, SimulatedDisk, fresh
from flowc.runtime.simulate.doubts import Doubts
from flowc.runtime.simulate.game import Game
from flowc.runtime.simulate.phrases import Phrases
from flowc.runtime.simulate.plan import Faults, Plan
from flowc.runtime.simulate.server import SimulatedServer
from flowc.runtime.store.memory import MERCY_MS, MemoryStore
from flowc.runtime.store.port import Store
from flowc.runtime.store.recent import EventHash
from flowc.runtime.store.rows import Address

START_MS: Final = 1_790_000_000_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST_S: Final = 26 * 3600.0  # until all is done after the last fault: a job is tried for 24 h
DISK_SHARE: Final = 0.1  # of the chance to die, at a write: a commit has ten
SILENCES: Final = 12  # of the end that are waited for
OVERDUE_MS: Final = 5_000  # a wake-up for what should have been done is repeated, later and later
LONGEST_OVERDUE_MS: Final = 40_000


class StoreClock:
    """The store's time: that of the loop, and what it jumped. Does not go back, as the port says: when the machine's
    is set back, time goes on from where it was."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ahead_ms = START_MS

    def now_ms(self) -> int:
        return self._ahead_ms + int(self._loop.time() * 1000 + 1e-6)

    def until_s(self, at_ms: int) -> float:
        """How long until it is that late, if it does not jump."""
        return (at_ms - self.now_ms()) / 1000

    def jump(self, by_ms: int) -> None:
        self._ahead_ms += max(0, by_ms)


@dataclass(slots=True)
class World:
    """Made inside of its loop. `trace` is the digest of everything that anybody outside could see."""

    game: Game
    plan: Plan
    rng: Random
    clock: StoreClock = field(default_factory=StoreClock)
    servers: list[SimulatedServer | None] = field(default_factory=list)
    faults: Faults = field(init=False)
    book: Book = field(init=False)
    doubts: Doubts = field(init=False)
    phrases: Phrases = field(init=False)
    ledger: Ledger = field(default_factory=Ledger)
    backends: dict[str, SimulatedBackend] = field(default_factory=dict)
    trace: "blake2b" = field(default_factory=lambda: blake2b(digest_size=16))
    log: list[str] | None = None
    disk: SimulatedDisk | None = None
    _store: MemoryStore | FileStore | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _up: asyncio.Event = field(default_factory=asyncio.Event)
    _started: int = 0
    _up_ms: int = 0
    _is_over: bool = False

    def __post_init__(self) -> None:
        game, draw = self.game, self.rng.getrandbits
        self.faults = Faults(self.plan, Random(draw(64)))
        self.book = Book(game.loaded, game.operations)
        self.faults.endless = lambda: self.book.broken("a server goes round and round")
        self.book.changed = self._changed.set
        self.doubts = Doubts(self.book)
        self.phrases = Phrases(game.loaded, game.shapes, self.plan.poison)
        self.ledger.seen = self._done
        if self.plan.store == "sqlite":
            self.disk = SimulatedDisk(Random(draw(64)))
            self.disk.begin_with(fresh())
        for name, service in game.program.services.items():
            self.backends[name] = SimulatedBackend(service, game.shapes, Random(draw(64)), self.ledger, self.now)

    def now(self) -> datetime:
        return EPOCH + timedelta(milliseconds=self.clock.now_ms())

    def note(self, *facts: object) -> None:
        """What is seen from outside, in its order."""
        line = f"{asyncio.get_running_loop().time():.6f} {' '.join(map(str, facts))}"
        self.trace.update(line.encode())
        if self.log is not None:
            self.log.append(line)

    def _done(self, effect: object) -> None:
        self.note("done", effect)
        self.book.done(effect)  # type: ignore[arg-type]  # an Effect

    # -------------------------------------------------------------------------------------------------------- the store

    def open_store(self, server: SimulatedServer) -> Store:
        """For a server that starts. Raises what a store raises that cannot be opened."""
        if self.disk is None:
            self._store = self._store or MemoryStore(self.clock)
        else:
            self.disk.meets = partial(self._meet, server)
            self._store = FileStore.on(self.disk, self.clock)
        self.doubts.store = self._store
        return self._store

    async def left_store(self, server: SimulatedServer) -> None:
        """A server is gone, however it went: a store in memory outlives it, a file is closed."""
        if self.disk is None:
            return
        store, self.doubts.store, self._store = self._store, None, None
        if isinstance(store, FileStore):
            if server.is_dead:
                store.leave()
            else:
                await store.close()
        if server.is_dead:
            self.disk.start()

    def _meet(self, server: SimulatedServer, operation: Literal["write", "sync"]) -> Literal["full", "io"] | None:
        """At each write and sync of the disk."""
        if self.faults.crashes(DISK_SHARE):
            server.die()
            return None
        if not self.faults.happens(self.faults.plan.disk):
            return None
        return "full" if operation == "write" and self.faults.rng.random() < 0.5 else "io"

    # ------------------------------------------------------------------------------------------------------ its servers

    def came_up(self) -> None:
        self._up_ms = self.clock.now_ms()
        self._up.set()
        self._changed.set()
        self.doubts.look_everywhere()

    async def up(self) -> SimulatedServer:
        """A server that takes requests, as soon as there is one."""
        while True:
            alive = [server for server in self.servers if server is not None and server.engine is not None]
            if alive:
                return self.faults.rng.choice(alive) if len(alive) > 1 else alive[0]
            self._up.clear()
            await self._up.wait()

    async def _keep_up(self, place: int) -> None:
        """Starts a server, and another one when it is gone."""
        while not self._is_over:
            self._started += 1
            server = self.servers[place] = SimulatedServer(self, self._started)
            await server.live()
            await self.left_store(server)
            self.doubts.look_everywhere()
            await asyncio.sleep(self.faults.rng.random() * (0.01 if self.faults.is_over else 40.0))

    async def _stop_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(30.0 if not self.faults.is_over else 1e9)
            if self.faults.happens(self.faults.plan.stops):
                server = await self.up()
                server.stop()

    # -------------------------------------------------------------------------------------------------------- waking up

    def jump(self, rng: Random) -> None:
        """The machine's clock is set."""
        by_ms = rng.choice((-3_600_000, 500, 5_000, 600_000, 7_200_000))
        self.clock.jump(by_ms)
        self.note("jump", by_ms)
        self._changed.set()

    async def _wake(self) -> None:
        """Wakes the servers when something is due, as their sweepers do by themselves; exactly then, so that a time in
        which nothing happens costs nothing."""
        rung_ms, again_ms = 0, OVERDUE_MS
        while True:
            self._changed.clear()
            now_ms, due_ms = self.clock.now_ms(), self._next_ms(rung_ms, again_ms)
            if due_ms is not None and due_ms <= now_ms:
                rung_ms, again_ms = now_ms, min(2 * again_ms, LONGEST_OVERDUE_MS)
                self._ring()
                continue
            with LoopClock().timeout(float("inf") if due_ms is None else self.clock.until_s(due_ms)):
                await self._changed.wait()
                again_ms = OVERDUE_MS

    def _next_ms(self, rung_ms: int, again_ms: int) -> int | None:
        """When something is due; what was due when it rang last is due again a little later."""
        dues = [command.wait_ms for command in self.book.commands.values() if command.result is None]
        for one in self.book.of.values():
            dues += [timer.due_ms for timers in one.timers.values() for timer in timers]
            is_with_people = one.position is not None and one.position.expects == "people"
            if any(event.kind == "message" or not is_with_people for event in one.inbox.values()):
                dues.append(rung_ms)
        return min([due if due > rung_ms else rung_ms + again_ms for due in dues if due >= 0], default=None)

    def _ring(self) -> None:
        faults, loop = self.faults, asyncio.get_running_loop()
        for server in self.servers:
            if server is None or server.engine is None or faults.happens(faults.plan.bells):
                continue
            server.engine.sweep()
            if faults.happens(faults.plan.bells):
                loop.call_later(faults.rng.random() * 3, server.engine.sweep)

    # ---------------------------------------------------------------------------------------------------------- the run

    def close(self) -> None:
        """Nothing of it is left."""
        if isinstance(self._store, FileStore):
            self._store.leave()
        if self.disk is not None:
            self.disk.remove()

    async def run(self) -> None:
        """Raises Violation."""
        broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.book.told = lambda: None if broken.done() else broken.set_result(None)
        self.servers = [None] * self.plan.servers
        background = [asyncio.ensure_future(self._keep_up(place)) for place in range(self.plan.servers)]
        background += [asyncio.ensure_future(self._wake()), asyncio.ensure_future(self._stop_now_and_then())]
        story = asyncio.ensure_future(self._story())
        await asyncio.wait([story, broken, *background], return_when=asyncio.FIRST_COMPLETED)
        errors = [task.exception() for task in (story, *background) if task.done() and not task.cancelled()]
        if self.book.violations:
            raise Violation(self.book.violations[0])
        for error in errors:
            if error is not None:
                raise error

    async def _story(self) -> None:
        names = [f"c{number}" for number in range(self.plan.conversations)]
        users = [asyncio.ensure_future(converse(self, name, Random(self.rng.getrandbits(64)))) for name in names]
        streams = [asyncio.ensure_future(listen(self, name)) for name in names]
        await self._within(LONGEST_S, asyncio.gather(*users), "a message is not answered")
        self.faults.end()
        self.note("calm")
        for stream in streams:
            stream.cancel()
        await self._within(LONGEST_S, self._settled(), "something never ends")
        await self._silence()
        await self._within(LONGEST_S, self._settled(), "something never ends after a silence")
        self.doubts.look_everywhere()
        await self._heard(names)

    async def _within(self, seconds: float, work: Awaitable[object], complaint: str) -> None:
        with LoopClock().timeout(seconds) as scope:
            await work
        if scope.cancelled_caught:
            raise self.book.broken(f"{complaint}: {self._open_ends()}")

    async def _settled(self) -> None:
        """Until nothing moves by itself but silence."""
        wait_s = 1.0
        while self._open_ends():
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, 60.0)

    def _open_ends(self) -> list[str]:
        found = []
        for one in self.book.of.values():
            if one.is_erased:
                continue
            position = one.position
            is_with_people = position is not None and position.expects == "people"
            if any(not is_with_people or event.kind == "message" for event in one.inbox.values()):
                found.append(f"{one.address} has {[event.kind for event in one.inbox.values()]} in its inbox")
            if self.book.outstanding(one):
                found.append(f"{one.address} waits for {sorted(self.book.outstanding(one))}")
            if position is not None and not position.ended and position.expects in ("write", "reads"):
                found.append(f"{one.address} expects {position.expects}")
        if not any(server is not None and server.engine is not None for server in self.servers):
            found.append("no server is up")
        return found

    async def _silence(self) -> None:
        """Nobody says anything any more: timers end what they end."""
        for _ in range(SILENCES):
            dues = [due for one in self.book.of.values() for due in self._dues(one.timers.get(one.current, ()))]
            if not dues:
                return
            await asyncio.sleep(max(0.0, self.clock.until_s(min(dues))) + 50.0)
            dues = [due for one in self.book.of.values() for due in self._dues(one.timers.get(one.current, ()))]
            now_ms = self.clock.now_ms()
            # One that was overdue when a server came up is due again a minute later.
            if any(max(due, self._up_ms + MERCY_MS) < now_ms - LONGEST_OVERDUE_MS - 1000 for due in dues):
                raise self.book.broken(f"a timer does not fire: {dues}, now {now_ms}")

    @staticmethod
    def _dues(timers: tuple[object, ...]) -> list[int]:
        return [timer.due_ms for timer in timers]  # type: ignore[attr-defined]  # SilenceTimers

    async def _heard(self, names: list[str]) -> None:
        """What the servers tell of the past is all that was said."""
        server = await self.up()
        for name in names:
            assert server.engine is not None
            if not self.book.kept(Address(name)).is_erased:
                all_ = await server.engine.recorded(name)
                self.book.streamed(Address(name), all_)
                if len(all_) != len(self.book.kept(Address(name)).replies):
                    raise self.book.broken(f"{name}: a reply is lost")
            self.note(name, self.book.kept(Address(name)).replies)

    def refused(self, name: EventHash) -> None:
        """A client was told that nobody knows of its event any more, which must be true: the conversation was erased,
        or what it asked for was so already."""
        if not any(one.is_erased or name in one.dropped for one in self.book.of.values()):
            raise self.book.broken(f"{name.hex()} is refused as if it was erased")
