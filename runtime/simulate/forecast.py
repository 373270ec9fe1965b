"""What a crowd would meet: the real engine, kernel, policies and store in simulated time, against backends that are
queues.

The work of the server is one figure, the processor's time of a turn: turns wait for each other as they do where one
core has too much to do, and admission sees it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Final, Literal

from msgspec import Struct

from flowc.runtime.engine.engine import Engine
from flowc.runtime.engine.errors import Refusal
from flowc.runtime.engine.message import Accepted, Message
from flowc.runtime.environment import Environment
from flowc.runtime.kernel.events import CallResult, Succeeded
from flowc.runtime.program import Operation, PriorityClass, Program
from flowc.runtime.services.backend import Backend
from flowc.runtime.services.calls import Services
from flowc.runtime.services.port import Call, Claim, Later, LoopClock, Seen
from flowc.runtime.simulate.crowd import Visit
from flowc.runtime.simulate.loop import SimulatedLoop, simulated
from flowc.runtime.simulate.profile import Operating
from flowc.runtime.simulate.queueing import QueueingBackend
from flowc.runtime.simulate.quick import QuickStore
from flowc.runtime.store.rows import Address, Outcome, Unit, Wanted
from flowc.runtime.values import Shapes

__all__ = ["Called", "Forecast", "Heard", "Job", "forecast"]

BEGINS_MS: Final = 1_767_225_600_000  # 2026-01-01 UTC: a forecast is the same whenever it is made
LONGEST_REST_S: Final = 3_600  # after the last answer, for jobs
SAMPLE_S: Final = 1.0

Ending = Literal["answered", "refused", "failed"]


class Heard(Struct, frozen=True):
    """What came of a message that was sent at `at_s`. `first_s` until the first words; `done_s` until all replies,
    which are of these `states`."""

    at_s: float
    conversation: str
    priority: PriorityClass
    ending: Ending
    first_s: float
    done_s: float
    states: tuple[str, ...] = ()
    handed_over: bool = False


class Called(Struct, frozen=True):
    """A call of a turn as it ended: `ok`, or a kind of failure. `cached`: it failed so, and an earlier answer was
    served."""

    at_s: float
    service: str
    operation: str
    outcome: str
    took_s: float
    cached: bool = False


class Job(Struct, frozen=True):
    """A deferred write that is settled at `at_s`, `waited_s` after its turn."""

    at_s: float
    service: str
    operation: str
    priority: PriorityClass
    outcome: str
    waited_s: float


@dataclass(slots=True)
class Forecast:
    """What was noted. `attempts` with the second in which they ended; `waiting` is how many jobs there were, once a
    second; `busy_s` is what the processor worked in each
    second; `seconds` until all had an answer; `jobs_left` when it ended."""

    heard: list[Heard] = field(default_factory=list)
    calls: list[Called] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    attempts: list[tuple[float, Seen]] = field(default_factory=list)
    waiting: list[tuple[float, int]] = field(default_factory=list)
    backends: dict[str, QueueingBackend] = field(default_factory=dict)
    busy_s: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    seconds: float = 0.0
    jobs_left: int = 0


class StoreClock:
    """The store's clock on a simulated loop."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop

    def now_ms(self) -> int:
        return BEGINS_MS + round(self._loop.time() * 1000)


class WorkingStore(QuickStore):
    """Each turn takes the processor's time before it is committed, one after the other."""

    def __init__(self, loop: SimulatedLoop, turn_s: float, busy_s: defaultdict[int, float]) -> None:
        super().__init__(StoreClock(loop))
        self._loop = loop
        self._turn_s = turn_s
        self._busy_s = busy_s
        self._free_at = 0.0

    async def commit(self, units: Sequence[Unit]) -> Sequence[Outcome]:
        takes_s, now = len(units) * self._turn_s, self._loop.time()
        if takes_s > 0:
            begins = max(now, self._free_at)
            self._free_at = begins + takes_s
            self._busy_s[int(begins)] += takes_s
            await asyncio.sleep(self._free_at - now)
        return await super().commit(units)


def forecast(
    program: Program,
    visits: Sequence[Visit],
    operations: Mapping[tuple[str, str], Operating],
    at_once: Mapping[str, float],
    *,
    turn_s: float = 0.0,
    seed: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> Forecast:
    """What `visits` meet; `progress` is called with the number of them that are over. The same arguments, the same
    forecast."""
    loop, found = SimulatedLoop(), Forecast()
    shapes = Shapes(program.records, program.zone, program.currency)
    for name, service in program.services.items():
        of_service = {op: operations.get((name, op), Operating()) for op in service.operations}
        places = at_once.get(name, inf)
        found.backends[name] = QueueingBackend(of_service, places, shapes, LoopClock(), Random(f"{seed} {name}"))
    crowd = Crowd(WorkingStore(loop, turn_s, found.busy_s), LoopClock(), found, progress)
    simulated(crowd.play(program, visits, Random(f"{seed} engine")), loop)
    return found


@dataclass(frozen=True, slots=True)
class Crowd:
    """Users on their way through one engine."""

    store: QuickStore
    clock: LoopClock
    found: Forecast
    progress: Callable[[int], None]

    async def play(self, program: Program, visits: Sequence[Visit], rng: Random) -> None:
        """Until all have their answers, and the jobs are done."""
        services = Noted(program, self.clock, rng, self.found)
        environment, found, clock = Environment("simulate"), self.found, self.clock
        async with Engine.open(
            program, environment, store=self.store, services=services, clock=clock, rng=rng, drain_s=0
        ) as engine:
            sampling = asyncio.ensure_future(self._sample())
            guests = [asyncio.ensure_future(self._visit(engine, visit)) for visit in visits]
            for done, guest in enumerate(asyncio.as_completed(guests), 1):
                await guest
                self.progress(done)
            found.seconds = clock.now()
            while self.store.jobs and clock.now() < found.seconds + LONGEST_REST_S:
                await clock.sleep(SAMPLE_S)
            found.jobs_left = self.store.jobs
            sampling.cancel()

    async def _visit(self, engine: Engine, visit: Visit) -> None:
        """One user, from the first message to the last answer."""
        await self.clock.sleep(visit.at_s)
        answers = []
        for number, (wait_s, text) in enumerate(visit.messages):
            await self.clock.sleep(wait_s)
            message = Message(visit.conversation, text, id=str(number), user=visit.user)
            answer = asyncio.ensure_future(self._send(engine, message))
            answers.append(answer)
            if not visit.is_open:
                await answer
        for answer in answers:
            await answer

    async def _send(self, engine: Engine, message: Message) -> None:
        began, first = self.clock.now(), 0.0
        ending: Ending = "answered"
        handed_over, states = False, tuple[str, ...]()
        try:
            answer = await engine.accept(message)
            if isinstance(answer, Accepted):
                first = self.clock.now()
                answer = await engine.handle(message)  # the same id: it is attached to the turns that run
            ending = "failed" if answer.outcome == "fault" else "answered"
            handed_over = answer.state == "handoff"
            states = tuple(dict.fromkeys(reply.state for reply in answer.replies))
        except Refusal as refusal:
            ending = "refused" if refusal.status in (429, 503) else "failed"
        now = self.clock.now()
        row = (await self.store.load([Wanted(Address(message.conversation))]))[0].row
        times = (first or now) - began, now - began
        heard = Heard(began, message.conversation, row.priority, ending, *times, states, handed_over)
        self.found.heard.append(heard)

    async def _sample(self) -> None:
        while True:
            self.found.waiting.append((self.clock.now(), self.store.jobs))
            await self.clock.sleep(SAMPLE_S)


class Noted(Services):
    """The services, with a note of what each call and each job came to."""

    def __init__(self, program: Program, clock: LoopClock, rng: Random, found: Forecast) -> None:
        super().__init__(program, found.backends, clock=clock, draw=rng.random, watch=self._seen)
        self._time = clock
        self._found = found
        self._outcomes: dict[int, str] = {}  # of the calls under way, before any cache

    async def read(self, call: Call) -> CallResult:
        began = self._time.now()
        result = await super().read(call)
        outcome, took_s = self._outcomes.pop(id(call)), self._time.now() - began
        is_cached = isinstance(result, Succeeded) and outcome != "ok"
        self._found.calls.append(Called(began, call.service, call.operation, outcome, took_s, is_cached))
        return result

    async def _fresh(self, backend: Backend, operation: Operation, call: Call) -> CallResult:
        result = await super()._fresh(backend, operation, call)
        self._outcomes[id(call)] = _outcome(result)
        return result

    async def write(self, call: Call, claim: Claim) -> CallResult | Later:
        began = self._time.now()
        result = await super().write(call, claim)
        if isinstance(result, Later):
            return result
        now = self._time.now()
        if claim.deferred:
            waited_s = claim.waited_s + now - began
            self._found.jobs.append(Job(now, call.service, call.operation, call.priority, _outcome(result), waited_s))
        else:
            self._found.calls.append(Called(began, call.service, call.operation, _outcome(result), now - began))
        return result

    def _seen(self, seen: Seen) -> None:
        self._found.attempts.append((self._time.now(), seen))


def _outcome(result: CallResult) -> str:
    return "ok" if isinstance(result, Succeeded) else result.kind
