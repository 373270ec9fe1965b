"""A conversation of one version, somewhere, moved to the next as its plan says, goes on there: no fault, nothing lost.

For every folder of `tests/compatibility`, there and back as after a rollback: random users, backends and moments, from
seeds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from random import Random

import pytest
from msgspec import Struct
from test_compatibility import CASES, version

from flowc.compiler.chats import EventStep, PassStep, PeopleStep, SayStep
from flowc.compiler.compatibility import Comparison, compare
from flowc.compiler.compile import compile_project
from flowc.compiler.play import CONVERSATION, Playing
from flowc.compiler.project import open_project
from flowc.dsl.source import Span
from flowc.runtime.kernel import LoadedProgram, Position, asking, load
from flowc.runtime.kernel.events import (
    CallFailure,
    CallResult,
    Found,
    Opened,
    RankedIntent,
    Succeeded,
    Understood,
)
from flowc.runtime.moving.move import Crossing, Moved, Stays, crossing, move
from flowc.runtime.program import Operation, Show, Template, Words
from flowc.runtime.services.samples import sample
from flowc.runtime.types import Choice
from flowc.runtime.values import Shapes, Value, fits, plain_type

ROOT = Path(__file__).parents[1]
CONVERSATIONS = 2  # for each way
MANY = 200
TURNS = 20
NOWHERE = Span("", 0, 0)  # of a step that stands in no chat


@cache
def loaded(case: Path, which: str) -> LoadedProgram:
    return load(version(case, which))


@dataclass(frozen=True)
class Way:
    """From one version of a folder to the other, or to one of another folder: two changes at once."""

    case: Path
    old: str
    new: str
    other: Path | None = None

    @property
    def target(self) -> Path:
        return self.other or self.case

    def __str__(self) -> str:
        return f"{self.case.name}-{self.new}" if self.other is None else f"{self.case.name}-{self.other.name}"


WAYS = [Way(case, old, new) for case in CASES for old, new in (("old", "new"), ("new", "old"))]


@cache
def prepared(way: Way) -> Crossing:
    return crossing(version(way.case, way.old), version(way.target, way.new))


@cache
def plan(way: Way) -> Comparison:
    return compare(version(way.case, way.old), version(way.target, way.new))


@cache
def sayings(case: Path, which: str) -> tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]:
    """What the texts of a version look like: with each value that is shown there, and with values that may be empty."""
    return tuple((pattern(each, ".+"), pattern(each, ".*")) for each in templates(version(case, which)))


def pattern(template: Template, value: str) -> re.Pattern[str]:
    parts = [re.escape(part.text) if isinstance(part, Words) else shown(part, value) for part in template.parts]
    return re.compile("".join(parts), re.DOTALL)


def shown(part: object, value: str) -> str:
    """A value with a default, or under a condition, may be empty."""
    return value if isinstance(part, Show) and not part.filters else ".*"


def templates(value: object) -> Iterator[Template]:
    """Every text in a program."""
    match value:
        case Template():
            yield value
        case Struct():
            yield from (text for name in value.__struct_fields__ for text in templates(getattr(value, name)))
        case dict():
            yield from (text for each in value.values() for text in templates(each))
        case tuple():
            yield from (text for each in value for text in templates(each))


class RandomUser:
    """Somebody who says and does what comes to mind, with backends of the same kind."""

    def __init__(self, seed: object, program: LoadedProgram) -> None:
        self.random = Random(repr(seed))
        self.playing = Playing(program.program, program, lambda text, asking, now: Understood())
        self.move_to(program)
        self.playing.feed(Opened(self.playing.moment(), CONVERSATION, self.playing.user))

    def move_to(self, program: LoadedProgram) -> None:
        self.playing.program, self.playing.loaded = program.program, program
        for service in program.program.services.values():
            for operation in service.operations.values():
                self.playing.stubs[service.name, operation.name] = [
                    (self.result(operation), self.random.choice((0, 0, 60_000))) for _ in range(6)
                ]

    @property
    def position(self) -> Position:
        assert self.playing.position is not None
        return self.playing.position

    def result(self, operation: Operation) -> CallResult:
        if operation.outcomes and self.random.random() < 0.3:
            return CallFailure(self.random.choice(operation.outcomes))
        return Succeeded(self.value(operation.result))

    def value(self, of: object) -> Value:
        program = self.playing.program
        shapes = Shapes(program.records, program.zone, program.currency)
        if of is None:
            return None
        return sample(of, shapes, "x")  # type: ignore[arg-type]  # a type

    def turn(self) -> None:
        """One thing happens."""
        self.playing.replies.clear()
        if self.position.expects == "people":
            self.playing.act(PeopleStep(self.random.choice(("returned", "returned", "unavailable")), NOWHERE))
            return
        kind = self.random.random()
        if kind < 0.05 and self.playing.timers:
            self.playing.pass_time(min(self.playing.timers.values()) + timedelta(seconds=1))
        elif kind < 0.15:
            self.playing.act(PassStep(self.random.choice((1_000, 61_000, 61_000, 400_000)), None, NOWHERE))
        elif kind < 0.22 and self.flow_events():
            name = self.random.choice(self.flow_events())
            event = self.playing.loaded.main.flow.events[name]
            self.playing.act(EventStep(name, {field.name: self.value(field.type) for field in event.fields}, NOWHERE))
        else:
            self.playing.act(self.says())

    def flow_events(self) -> list[str]:
        return sorted(self.playing.loaded.main.flow.events)

    def says(self) -> SayStep:
        asked = asking(self.playing.loaded, self.position)
        names = [candidate.intent.name for candidate in asked.candidates]
        if self.random.random() < 0.8:  # else most conversations are soon with people, or over
            names = [name for name in names if name not in ("agent", "no")]
        if asked.offered and self.random.random() < 0.7:
            return SayStep("1", Understood(), NOWHERE)
        if self.random.random() < 0.65 and self.slot() is not None:
            name = self.slot()
            assert name is not None
            value = self.answer(name)
            return SayStep(str(value), Understood((), (Found(value, name),)), NOWHERE)
        if names and self.random.random() < 0.8:
            return SayStep("words", Understood((RankedIntent(self.random.choice(names), 1.0),)), NOWHERE)
        return SayStep("nonsense that nobody understands", Understood(), NOWHERE)

    def slot(self) -> str | None:
        frame = self.position.frames[-1]
        _, is_ask, name = frame.wait.rpartition(".ask.")
        return name if is_ask else None

    def answer(self, name: str) -> Value:
        flow = self.position.wait.partition("/")[0]
        of = plain_type(self.playing.program.flows[flow].slots[name].type)
        return self.random.choice(of.values) if isinstance(of, Choice) else self.value(of)


def expected(way: Way, position: Position) -> bool:
    """Whether the plan says that a conversation at `position` moves."""
    compared = plan(way)
    stands = [each.partition("/")[::2] for each in position.waits]
    flows = {run.serial: run.flow for run in position.runs}
    stands += [(flows[frame.run], frame.back) for frame in position.frames if frame.back]
    stands += [(job.flow, job.place) for job in position.deferred]
    fates = [compared.fate(flow, place) for flow, place in stands]
    return all(fate is not None and fate.verdict in ("same", "moves") for fate in fates)


def check_sense(way: Way, user: RandomUser) -> None:
    """Nothing was said or asked for with a value that is not there: what a place needs was there."""
    for reply in user.playing.replies:
        complete = any(there.fullmatch(reply.text) for there, _ in sayings(way.target, way.new))
        assert complete or not any(empty.fullmatch(reply.text) for _, empty in sayings(way.target, way.new)), reply.text
    program = user.playing.program
    shapes = Shapes(program.records, program.zone, program.currency)
    for command in user.playing.writes:
        operation = program.services[command.service].operations[command.operation]
        for parameter in operation.parameters:
            value = command.arguments.get(parameter.name)
            assert fits(parameter.type, value, shapes), (command.place, parameter.name, value)


def check_values(crossing: Crossing, before: Position, after: Position) -> None:
    """Nothing that the new version can read was lost, unless `migrate` sets it."""
    for old, new in zip(before.runs, after.runs, strict=True):
        pair = crossing.pairs[old.flow]
        assert pair.new is not None
        lines = {line.name for line in pair.migrate.sets}
        wanted = {name for name in old.variables if name in pair.new.flow.variables and name not in lines}
        stood = [frame.wait for frame in after.frames if frame.run == new.serial and frame.wait]
        read = {name for wait in stood for name in pair.new.stored(wait)}
        lost = {name for name in wanted & read if new.variables.get(name) != old.variables[name]}
        assert not lost, lost


each_way = pytest.mark.parametrize("way", WAYS, ids=str)


@each_way
def test_a_conversation_goes_on_as_planned(way: Way) -> None:
    go_on(way, range(CONVERSATIONS))


@pytest.mark.soak
@each_way
def test_many_conversations_go_on_as_planned(way: Way) -> None:
    go_on(way, range(CONVERSATIONS, MANY))


@pytest.mark.soak
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_two_changes_at_once(case: Path) -> None:
    """From each folder to every other of the same bot."""
    alike = [each for each in CASES if each != case and (each / "old").is_dir() == (case / "old").is_dir()]
    for other in alike:
        go_on(Way(case, "new", "new", other), range(2))


def go_on(way: Way, seeds: range) -> None:
    """One conversation for each seed."""
    for seed in seeds:
        user = RandomUser((str(way), seed), loaded(way.case, way.old))
        moment, moved = user.random.randrange(TURNS // 2), False
        for turn in range(TURNS):
            if user.position.ended:
                break
            if turn >= moment and not moved and user.position.expects == "user":
                moved = moves(way, user)
            user.playing.writes.clear()
            user.turn()
            if moved:
                check_sense(way, user)


def moves(way: Way, user: RandomUser) -> bool:
    """Moves the conversation where the plan says so; whether it did."""
    before = user.position
    outcome = move(prepared(way), before, user.playing.now)
    assert isinstance(outcome, Moved) == expected(way, before), outcome
    if isinstance(outcome, Stays):
        assert outcome.reason
        return False
    check_values(prepared(way), before, outcome.position)
    user.playing.position = outcome.position
    user.playing.timers = {outcome.timers.get(after, after): due for after, due in user.playing.timers.items()}
    user.move_to(loaded(way.target, way.new))
    if outcome.at_top:
        user.playing.timers = {}
        user.playing.replies.clear()
        user.playing.act(user.says())
    return True


SAMPLES = ["flows/employee_helpdesk", "flows/order_support", "flows/table_booking", "tests/programs/constructs.flow"]


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_same_version_changes_nothing(sample: str) -> None:
    program = compile_project(open_project(ROOT / sample)).program
    assert program is not None
    same, ready, moved = crossing(program, program), load(program), 0
    for seed in range(6):
        user = RandomUser((sample, seed), ready)
        for _ in range(TURNS):
            if user.position.ended:
                break
            outcome = move(same, user.position, user.playing.now)
            if user.position.expects == "user":
                assert isinstance(outcome, Moved), outcome
                assert outcome.position == user.position
                assert all(after == to for after, to in outcome.timers.items())
                moved += 1
            user.turn()
    assert moved > TURNS
