"""A conversation on a stage: the real engine, kernel and policies, with simulated time and backends that follow a
script.

What `.chat` files run on. Deterministic: everything that is random is drawn from a seed, and time passes only when it
is told to. Timers, retries and jobs happen in the order of their times on the way.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from random import Random
from typing import Final, Literal, TypeVar

from flowc.runtime.engine.engine import Engine
from flowc.runtime.engine.message import Message, Sent, Turn, Whereabouts
from flowc.runtime.engine.stored import Notes
from flowc.runtime.engine.surroundings import Understanding
from flowc.runtime.engine.turn import ms_of
from flowc.runtime.environment import Environment
from flowc.runtime.kernel import Asking
from flowc.runtime.kernel.events import Transition, Understood, User
from flowc.runtime.program import Program
from flowc.runtime.services.calls import Services
from flowc.runtime.services.scripted import Outcome, ScriptedAdapter
from flowc.runtime.simulate.clock import SimulatedClock
from flowc.runtime.store.memory import MemoryStore
from flowc.runtime.store.port import Store
from flowc.runtime.store.rows import Address, Wanted
from flowc.runtime.understanding.port import Heard
from flowc.runtime.values import Shapes, Value, decode

ROUNDS: Final = 100  # of the loop without an end, after which what is under way waits for time to pass
CONVERSATION: Final = "stage"

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Written:
    """A write that a backend was asked for, with all its attempts."""

    service: str
    operation: str
    arguments: Mapping[str, Value]
    key: str | None


@dataclass(slots=True)
class Told:
    """Understanding that can be told what the next message means."""

    otherwise: Understanding
    next: Understood | None = None

    def hear(self, heard: Heard, asking: Asking) -> Understood | None:
        told, self.next = self.next, None
        return told if told is not None else self.otherwise.hear(heard, asking)

    async def understand(self, heard: Heard, asking: Asking) -> Understood:
        told, self.next = self.next, None
        return told if told is not None else await self.otherwise.understand(heard, asking)


@dataclass(slots=True)
class Backends:
    """The scripted services, one adapter each."""

    adapters: dict[str, ScriptedAdapter]
    writes: dict[str, frozenset[str]] = field(default_factory=dict)

    def made(self) -> tuple[Written, ...]:
        """Writes in the order of their first attempts, within a service."""
        found: dict[tuple[str, str | None, int], Written] = {}
        for name, adapter in self.adapters.items():
            for number, each in enumerate(adapter.attempts):
                if each.operation in self.writes[name]:
                    key = (name, each.key, 0 if each.key is not None else number)
                    found.setdefault(key, Written(name, each.operation, each.arguments, each.key))
        return tuple(found.values())


class Stage:
    """One conversation. Every method lets happen what happens at once; `replies` gives what was said since it was last
    asked."""

    def __init__(self, engine: Engine, store: Store, clock: SimulatedClock, told: Told, backends: Backends) -> None:
        self._engine = engine
        self._store = store
        self._clock = clock
        self._told = told
        self._backends = backends
        self._heard: str | None = None
        self._user: User | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        program: Program,
        *,
        start: datetime,
        understanding: Understanding,
        user: User | None = None,
        seed: int = 0,
        store: Store | None = None,
    ) -> AsyncIterator["Stage"]:
        """`start` is aware: the time on stage when it opens."""
        clock, rng = SimulatedClock(ms_of(start)), Random(seed)
        shapes = Shapes(program.records, program.zone, program.currency)
        adapters = {name: ScriptedAdapter(service, shapes, clock) for name, service in program.services.items()}
        writes = {
            service.name: frozenset(each.name for each in service.operations.values() if each.kind == "write")
            for service in program.services.values()
        }
        kept, told = store or MemoryStore(clock), Told(understanding)
        opened = Engine.open(
            program,
            Environment("stage"),
            store=kept,
            services=Services(program, adapters, clock=clock, draw=rng.random),
            understanding=told,
            clock=clock,
            rng=rng,
            sweep_every_s=inf,
            drain_s=0,
        )
        async with opened as engine:
            stage = cls(engine, kept, clock, told, Backends(adapters, writes))
            stage._user = user
            yield stage

    # ---------------------------------------------------------------------------------------------------- what happens

    def script(self, service: str, operation: str, outcomes: Sequence[Outcome]) -> None:
        """What a backend answers from now on. Raises NoSuchOutcome."""
        self._backends.adapters[service].script(operation, outcomes)

    async def begin(self) -> Turn:
        """The channel opens the conversation."""
        return await self._now(self._engine.open_conversation(CONVERSATION, self._user))

    async def say(self, text: str, understood: Understood | None = None) -> Turn:
        """The user says something; `understood` instead of what understanding makes of it."""
        self._told.next = understood
        return await self._now(self._engine.handle(Message(CONVERSATION, text, user=self._user)))

    async def send_event(self, name: str, fields: Mapping[str, object]) -> Turn:
        """`fields` as JSON."""
        number = self._clock.now_ms()
        turn = (await self.whereabouts()).turn
        return await self._now(self._engine.send_event(CONVERSATION, name, fields, f"{number}.{turn}.{name}"))

    async def answer_handoff(self, answer: Literal["returned", "unavailable"]) -> Turn:
        return await self._now(self._engine.answer_handoff(CONVERSATION, answer))

    async def after(self, duration: timedelta) -> None:
        """Lets time pass: timers, retries and jobs happen at their times."""
        await self._pass_to(self._clock.now_ms() + duration / timedelta(milliseconds=1))

    async def at(self, moment: datetime) -> None:
        """The same until a moment, which must not be past."""
        await self._pass_to(ms_of(moment))

    # ------------------------------------------------------------------------------------------------- what there is

    @property
    def now_ms(self) -> int:
        return self._clock.now_ms()

    async def replies(self) -> tuple[Sent, ...]:
        """What was said since the last time."""
        said = await self._engine.recorded(CONVERSATION, self._heard)
        self._heard = said[-1].id if said else self._heard
        return said

    def writes(self) -> tuple[Written, ...]:
        """All writes that backends were asked for."""
        return self._backends.made()

    async def whereabouts(self) -> Whereabouts:
        """Raises NotFound before it begins."""
        return await self._engine.conversation(CONVERSATION)

    async def transitions(self) -> tuple[Transition, ...]:
        """All that was passed, for coverage."""
        return tuple(passed for notes in await self._notes() for passed in notes.transitions)

    async def outcome(self) -> str | None:
        """With what the last incarnation ended."""
        notes = await self._notes()
        return notes[-1].outcome if notes else None

    async def _notes(self) -> tuple[Notes, ...]:
        address = Address(CONVERSATION)
        last = (await self._store.load([Wanted(address)]))[0].row.incarnation
        found: list[Notes] = []
        for incarnation in range(1, last + 1):
            rows = await self._store.journal(address, incarnation, 0, 1_000_000)
            found += [decode(row.entry.notes, Notes) if row.entry.notes else Notes() for row in rows]
        return tuple(found)

    # -------------------------------------------------------------------------------------------------------- time

    async def _now(self, work: Coroutine[None, None, Result]) -> Result:
        """The result, with as much time as it takes: backends that answer later, retries."""
        task = asyncio.ensure_future(work)
        await self._settle(task)
        while not task.done():
            first = self._clock.next_ms
            if first is None:
                break
            self._clock.pass_to(first)
            await self._settle(task)
        result = await task
        await self._settle()
        return result

    async def _settle(self, until: asyncio.Future[Result] | None = None) -> None:
        """Lets happen what does not wait for time."""
        for _ in range(ROUNDS):
            await asyncio.sleep(0)
            if until.done() if until is not None else self._engine.is_quiet:
                return

    async def _pass_to(self, at_ms: float) -> None:
        await self._settle()
        while (due := await self._next_due()) is not None and due <= at_ms:
            self._clock.pass_to(due)
            self._engine.sweep()
            await self._settle()
        self._clock.pass_to(at_ms)
        await self._settle()

    async def _next_due(self) -> float | None:
        """When something happens by itself: who sleeps, a silence, a job."""
        now_ms = self._clock.now_ms()
        loaded = (await self._store.load([Wanted(Address(CONVERSATION))]))[0]
        dues: list[float] = [timer.due_ms for timer in loaded.row.timers]
        dues += [command.wait_ms for command in await self._store.commands(Address(CONVERSATION))]
        if self._clock.next_ms is not None:
            dues.append(self._clock.next_ms)
        return min((due for due in dues if due > now_ms), default=None)
