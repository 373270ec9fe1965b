"""Hours in which nobody says anything, in simulated time: silences end and jobs are tried again when they are due,
never early, never twice, and at most a second late, whatever server is there."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

import pytest

from flowc.compiler.compile import compile_project
from flowc.compiler.project import open_project
from flowc.runtime.engine.engine import Engine
from flowc.runtime.engine.message import Message
from flowc.runtime.engine.stored import Recorded
from flowc.runtime.environment import Environment
from flowc.runtime.kernel.events import MessageReceived, SilenceFired
from flowc.runtime.policy.verdict import Answered, NotSent, RawAnswer
from flowc.runtime.program import Program
from flowc.runtime.services.calls import Services
from flowc.runtime.services.port import AttemptRequest, LoopClock
from flowc.runtime.simulate.forecast import StoreClock
from flowc.runtime.simulate.loop import SimulatedLoop, simulated
from flowc.runtime.simulate.quick import QuickStore
from flowc.runtime.store.rows import Address, JournalRow, Postponed
from flowc.runtime.values import decode

LATE_MS = 1_000
MERCY_MS = 60_000  # an overdue silence, after a stop
SILENCES_MS = {"start": 60_000, "minute": 2_400_000, "more": 3_600_000}
HOUR_S = 3_600.0


@cache
def silences() -> Program:
    program = compile_project(open_project(Path(__file__).parent / "silences")).program
    assert program is not None
    return program


@dataclass
class Tickets:
    """Down until `up_at`. Notes each attempt by its key."""

    up_at: float
    attempts: list[tuple[float, str]] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield

    async def attempt(self, request: AttemptRequest) -> RawAnswer:
        now = asyncio.get_running_loop().time()
        assert request.key is not None
        self.attempts.append((now, request.key))
        if now < self.up_at:
            return NotSent("down")
        self.made[request.key] += 1
        return Answered("T-1")


class Parking(QuickStore):
    """Notes until when commands are parked."""

    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__(StoreClock(loop))
        self.loop = loop
        self.parked: list[tuple[float, str, float]] = []

    async def postpone(self, commands: Sequence[Postponed]) -> None:
        now_ms = self._clock.now_ms()
        self.parked += [(self.loop.time(), each.key, (each.due_ms - now_ms) / 1000) for each in commands]
        await super().postpone(commands)


@dataclass
class Day:
    """What a day left behind. `stops` are when a server went, and when the next came."""

    store: Parking
    tickets: Tickets
    begun_ms: int
    stops: list[tuple[float, float]] = field(default_factory=list)

    def late_ms(self, due_ms: int) -> int:
        """The latest that what is due then may happen: a second later, or a minute after the start that it met."""
        latest = due_ms + LATE_MS
        for stop, start in self.stops:
            stop_ms, start_ms = self.begun_ms + stop * 1000, self.begun_ms + start * 1000
            if stop_ms <= latest and due_ms <= start_ms:
                latest = max(latest, round(start_ms) + MERCY_MS + LATE_MS)
        return latest


async def lived(loop: SimulatedLoop, hours: float, conversations: int, seed: int) -> Day:
    """People come in the first half, and a server is stopped in the middle of its work again and again."""
    rng, seconds = Random(seed), hours * HOUR_S
    clock = LoopClock()
    day = Day(Parking(loop), Tickets(seconds / 3), StoreClock(loop).now_ms())
    people = sorted((rng.uniform(0, seconds / 2), number) for number in range(conversations))
    while clock.now() < seconds:
        services = Services(silences(), {"tickets": day.tickets}, clock=clock, draw=rng.random)
        ends = min(seconds, clock.now() + rng.uniform(seconds / 20, seconds / 5))
        environment = Environment("silences")
        opened = Engine.open(
            silences(), environment, store=day.store, services=services, clock=clock, rng=rng, drain_s=0
        )
        async with opened as engine:
            while people and people[0][0] < ends - 1:
                at, number = people.pop(0)
                await clock.sleep(max(0.0, at - clock.now()))
                text = "report" if number % 5 == 0 else "hello"
                await engine.handle(Message(f"c{number}", text))
            await clock.sleep(ends - clock.now())
        day.stops.append((clock.now(), clock.now() + rng.choice([0.1, 5.0, 200.0])))
        await clock.sleep(day.stops[-1][1] - clock.now())
    return day


def silences_of(rows: Sequence[JournalRow]) -> list[tuple[int, int, int]]:
    """Of each silence that ended: what the user's last message was at, how long it was, and when it was over."""
    found, said_ms = [], 0
    for row in rows:
        event = decode(row.entry.event, Recorded).event
        if isinstance(event, MessageReceived):
            said_ms = row.entry.now_ms
        elif isinstance(event, SilenceFired):
            found.append((said_ms, event.after_ms, row.entry.now_ms))
    return found


@pytest.mark.parametrize("hours", [4, pytest.param(24, marks=pytest.mark.soak)])
@pytest.mark.parametrize("seed", range(2))
def test_silences_and_parked_jobs_keep_their_times(hours: int, seed: int) -> None:
    loop, conversations = SimulatedLoop(), 60

    async def checked() -> None:
        day = await lived(loop, hours, conversations, seed)
        assert len(day.stops) > 4
        for number in range(conversations):
            rows = await day.store.journal(Address(f"c{number}"))
            ended = silences_of(rows)
            assert [after_ms for _, after_ms, _ in ended] == list(SILENCES_MS.values())  # each of them, once
            for said_ms, after_ms, at_ms in ended:
                assert said_ms + after_ms <= at_ms <= day.late_ms(said_ms + after_ms)
        assert len(day.tickets.made) == conversations / 5
        assert set(day.tickets.made.values()) == {1}
        assert await day.store.census() == ()
        parked_until: dict[str, float] = {}
        events = [(at, "attempt", key, 0.0) for at, key in day.tickets.attempts]
        events += [(at, "parked", key, at + wait) for at, key, wait in day.store.parked]
        for at, what, key, until in sorted(events):
            if what == "attempt":
                assert at >= parked_until.get(key, 0.0) - 0.001  # due times are whole milliseconds
            else:
                parked_until[key] = until

    simulated(checked(), loop)
