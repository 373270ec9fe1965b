"""Every way through a bot, up to a bound: simulated users and backends on the kernel alone.

A stand is a conversation that waits. From each, everything that may happen next happens (`possible`), and in each turn
every call comes to everything that it can come to, one call differently at a time and then two. A stand that cannot
be told from one before is not gone on from: the same waits, the same values as far as a flow tells them apart. The
search is breadth first, so what is found is shown on a shortest way. Every call takes as long as it may, so a
reply that comes too late is found too.
"""

from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final, Literal, NamedTuple

from flowc.compiler.chats import SayStep
from flowc.compiler.coverage import Goal, reached_by
from flowc.compiler.play import CONVERSATION, Made, Playing, Unmet
from flowc.compiler.possible import Input, answers_of, inputs_at
from flowc.runtime.kernel import Asking, LoadedProgram
from flowc.runtime.kernel.events import Opened, Understood
from flowc.runtime.program import Program
from flowc.runtime.values import Shapes, Value

__all__ = ["Explored", "Fault", "Trail", "explore"]

MOST_CHANGES: Final = 2  # calls of one turn that come to something else than the plainest
Outcomes = tuple[Made, ...]


class Fault(NamedTuple):
    """What is wrong on a trail. `fault`: the flow failed; `loop`: it goes on for ever; `silent`: a message without an
    answer; `late`: the answer took longer than is promised."""

    kind: Literal["fault", "loop", "silent", "late"]
    words: str
    trail: "Trail"


@dataclass(frozen=True, slots=True, eq=False)
class Trail:
    """How a conversation came to where it stands: what happened last (None: it was opened), what its calls came to, and
    what was before."""

    happened: Input | None
    made: Outcomes
    before: "Trail | None"

    @property
    def steps(self) -> tuple["Trail", ...]:
        """The whole way, from the beginning."""
        steps = [self]
        while steps[-1].before is not None:
            steps.append(steps[-1].before)
        return tuple(reversed(steps))


@dataclass(frozen=True, slots=True)
class Explored:
    """What was found, the shortest trail to each goal that was reached, the longest wait for an answer, and whether all
    was seen up to the depth (`whole`)."""

    faults: tuple[Fault, ...]
    goals: dict[Goal, Trail]
    slowest: timedelta
    turns: int
    stands: int
    whole: bool


class Stand(NamedTuple):
    playing: Playing
    trail: Trail
    depth: int


def explore(program: Program, loaded: LoadedProgram, *, depth: int, turns: int, seed: int) -> Explored:
    """Goes every way of the flow that `loaded` begins with: at most `depth` inputs, at most `turns` turns in all.

    `seed` orders what may happen next, which matters where not all turns are made.
    """
    return _Search(program, loaded, Random(seed)).run(depth, turns)


def nothing_understood(text: str, asked: Asking, now: datetime) -> Understood:
    return Understood()


class _Search:
    """Collects what is found on the way."""

    def __init__(self, program: Program, loaded: LoadedProgram, choose: Random) -> None:
        self._program = program
        self._loaded = loaded
        self._choose = choose
        self._shapes = Shapes(program.records, program.zone, program.currency)
        self._answers: dict[tuple[str, str], Outcomes] = {}
        self._seen: set[Hashable] = set()
        self._faults: dict[tuple[str, str, str], Fault] = {}
        self._goals: dict[Goal, Trail] = {}
        self._slowest = timedelta()
        self._turns = 0

    def run(self, depth: int, turns: int) -> Explored:
        begin = Playing(self._program, self._loaded, nothing_understood)
        pending: deque[Stand] = deque([Stand(begin, Trail(None, (), None), 0)])
        whole = True
        while pending:
            stand = pending.popleft()
            happenings: list[Input | None] = [None] if stand.depth == 0 else list(inputs_at(stand.playing))
            self._choose.shuffle(happenings)
            if stand.depth > depth:
                whole = whole and not happenings
                continue
            for happened in happenings:
                if self._turns >= turns:
                    whole = False
                    break
                pending += self._after(stand, happened)
        return Explored(tuple(self._faults.values()), self._goals, self._slowest, self._turns, len(self._seen), whole)

    def _after(self, stand: Stand, happened: Input | None) -> Iterator[Stand]:
        """The new stands behind one input, for everything that its calls may come to."""
        plans: deque[tuple[Outcomes, int]] = deque([((), 0)])
        while plans:
            plan, changes = plans.popleft()
            playing, trail = self._played(stand, happened, plan)
            if playing is None:
                continue
            if changes < MOST_CHANGES:
                for at in range(len(plan), len(trail.made)):
                    call = trail.made[at]
                    others = self._outcomes(call.service, call.operation, playing.now)[1:]
                    plans += [((*trail.made[:at], other), changes + 1) for other in others]
            key = _key(playing)
            if key not in self._seen:
                self._seen.add(key)
                yield Stand(playing, trail, stand.depth + 1)

    def _outcomes(self, service: str, name: str, now: datetime) -> Outcomes:
        """Everything that a call can come to, the plainest first."""
        key = service, name
        if key not in self._answers:
            operation = self._program.services[service].operations[name]
            results = answers_of(operation, self._shapes, now.date())
            self._answers[key] = tuple(Made(service, name, result) for result in results)
        return self._answers[key]

    def _played(self, stand: Stand, happened: Input | None, plan: Outcomes) -> tuple[Playing | None, Trail]:
        """The conversation after the input, with the first calls as planned and the others as plain as may be."""
        self._turns += 1
        playing = self._copy(stand.playing, plan)
        heard = playing.position is None or playing.position.expects != "people"
        try:
            if happened is None:
                playing.feed(Opened(playing.moment(), CONVERSATION, playing.user))
            else:
                playing.act(happened)
        except Unmet as unmet:
            trail = Trail(happened, tuple(playing.made), stand.trail if stand.depth else None)
            kind: Literal["fault", "loop"] = "loop" if unmet.loops else "fault"
            self._tell(kind, unmet.message, stand, trail)
            return None, trail
        trail = Trail(happened, tuple(playing.made), stand.trail if stand.depth else None)
        if isinstance(happened, SayStep) and heard:
            self._check_answer(playing, stand, trail)
        for goal in reached_by(playing.transitions, playing.outcomes):
            self._goals.setdefault(goal, trail)
        return playing, trail

    def _copy(self, playing: Playing, plan: Outcomes) -> Playing:
        """`playing` to go on from, with what its calls will come to; each takes all the time that it has."""
        stubs = {}
        for service in self._program.services.values():
            for operation in service.operations.values():
                name = service.name, operation.name
                plain = self._outcomes(*name, playing.now)[:1]
                chosen = [each for each in plan if (each.service, each.operation) == name]
                stubs[name] = [(each.result, operation.policy.within_ms) for each in (*chosen, *plain)]
        return replace(
            playing,
            replies=[],
            writes=[],
            timers=dict(playing.timers),
            jobs=list(playing.jobs),
            stubs=stubs,
            transitions=list(playing.transitions),
            outcomes=set(playing.outcomes),
            caches={},
            made=[],
        )

    def _check_answer(self, playing: Playing, stand: Stand, trail: Trail) -> None:
        position = playing.position
        if playing.answered_after is None:
            if position is not None and position.expects == "user":
                self._tell("silent", "the message has no answer", stand, trail)
            return
        self._slowest = max(self._slowest, playing.answered_after)
        limit = self._limit(stand.playing)
        if playing.answered_after > limit:
            took, most = playing.answered_after.total_seconds(), limit.total_seconds()
            self._tell("late", f"the answer may take {took:g}s, but {most:g}s is promised", stand, trail)

    def _limit(self, playing: Playing) -> timedelta:
        """What is promised where the message is taken: by the flow on top, else by who called it."""
        flows = self._program.flows
        position = playing.position
        runs = {} if position is None else {run.serial: run for run in position.runs}
        at = runs.get(position.frames[-1].run) if position is not None and position.frames else None
        while at is not None:
            promised = flows[at.flow].reply_within_ms
            if promised is not None:
                return timedelta(milliseconds=promised)
            at = None if at.caller is None else runs.get(at.caller)
        return timedelta(milliseconds=flows[self._program.main].reply_within_ms or 10_000)

    def _tell(self, kind: Literal["fault", "loop", "silent", "late"], words: str, stand: Stand, trail: Trail) -> None:
        """Keeps the first trail to each fault at a wait."""
        position = stand.playing.position
        at = position.wait if position is not None else ""
        self._faults.setdefault((kind, words, at), Fault(kind, words, trail))


def _key(playing: Playing) -> Hashable:
    """What tells a stand from others."""
    position = playing.position
    if position is None:
        return None
    runs = tuple(
        (run.flow, tuple(sorted((name, _told(value)) for name, value in run.variables.items())), _tried(run.tries))
        for run in position.runs
    )
    frames = tuple((each.state, each.wait, each.back, each.resumed, len(each.offered)) for each in position.frames)
    jobs = tuple(sorted((job.outcome.place, job.outcome.kind) for job in playing.jobs))
    return position.expects, runs, frames, position.silenced, jobs


def _tried(tries: dict[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(tries.items()))


def _told(value: Value) -> str:
    """A value as far as a flow can tell it from others of its type."""
    match value:
        case None | bool():
            return str(value)
        case tuple():
            return f"list {min(len(value), 2)}"
        case dict():
            return ", ".join(f"{name} {_told(each)}" for name, each in sorted(value.items()))
        case str() | int():
            return str(value)
        case _:
            return type(value).__name__
