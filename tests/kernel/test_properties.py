"""Whatever happens to a conversation, in whatever order: `advance` answers, always the same, and a journal replays."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from kernel.playing import START
from kernel.programs import RULES, compiled

from flowc.runtime.kernel import LoadedProgram, Position, advance, asking, load
from flowc.runtime.kernel.answer import Step
from flowc.runtime.kernel.events import (
    CallFailure,
    CallResult,
    CommandDone,
    CommandKey,
    Continued,
    Event,
    EventReceived,
    Faulted,
    Found,
    HandoffAnswered,
    MessageReceived,
    Moment,
    Opened,
    RankedIntent,
    ReadsDone,
    SilenceFired,
    Succeeded,
    Understood,
    User,
)
from flowc.runtime.kernel.running import thawed
from flowc.runtime.kernel.taking import scopes, user_wait
from flowc.runtime.program import Operation
from flowc.runtime.types import Type
from flowc.runtime.values import Malformed, Value, decode, encode, fits, from_json

NAMES = sorted(path.stem for path in RULES.glob("*.chat"))
USER = User("u-1", name="Ann", zone="Asia/Tokyo")
WORDS = ["AB12", "XX00", "yes", "no", "small", "2", "the second", "a@b.org", "hello there", "", "   ", "monday", "7"]
SAMPLES: list[object] = [
    "AB12", "AB123456", "small", "a@b.org",
    3, 2.5, True, "2026-11-22", "09:30", "2026-11-22T10:00:00Z", "PT1H", [], None,
]  # fmt: skip


@cache
def loaded(name: str) -> LoadedProgram:
    return load(compiled(name))


def sample(program: LoadedProgram, type: Type, draw: Callable[[st.SearchStrategy[object]], object]) -> Value:
    """Some value of a type."""
    fitting = []
    for each in SAMPLES:
        try:
            fitting.append(from_json(type, each, program.shapes))
        except Malformed:
            continue
    if fitting:
        return draw(st.sampled_from(fitting))  # type: ignore[return-value]  # a value
    return _record_or_list(program, type, draw)


def _record_or_list(program: LoadedProgram, type: Type, draw: Callable[[st.SearchStrategy[object]], object]) -> Value:
    fields = program.shapes.records.get(getattr(type, "name", ""), ())
    return {field.name: sample(program, field.type, draw) for field in fields}


def operation(program: LoadedProgram, service: str, name: str) -> Operation:
    return program.program.services[service].operations[name]


@st.composite
def results(draw: st.DrawFn, program: LoadedProgram, service: str, name: str) -> CallResult:
    operated = operation(program, service, name)
    kinds = [*operated.outcomes, *[failure.name for failure in operated.failures]]
    if draw(st.booleans()):
        return Succeeded(sample(program, operated.result, draw) if operated.result is not None else None)
    kind = draw(st.sampled_from(kinds))
    declared = {failure.name: failure for failure in operated.failures}.get(kind)
    fields = {field.name: sample(program, field.type, draw) for field in declared.fields} if declared else {}
    return CallFailure(kind, "sample", fields)


@st.composite
def messages(draw: st.DrawFn, program: LoadedProgram, position: Position | None, moment: Moment) -> MessageReceived:
    asked = asking(program, position)
    intents = [candidate.intent.name for candidate in asked.candidates]
    ranked = [RankedIntent(draw(st.sampled_from(intents)), draw(st.sampled_from([0.4, 0.6, 1.0])))] if intents else []
    found = []
    for slot in asked.slots:
        if draw(st.integers(0, 4)) == 0:
            value = sample(program, slot.type, draw)
            assert fits(slot.type, value, program.shapes)
            found.append(Found(value, *draw(st.sampled_from([(slot.name, ()), (None, (slot.name,))]))))
    understood = Understood(tuple(ranked) if draw(st.booleans()) else (), tuple(found))
    return MessageReceived(moment, "c", USER, draw(st.sampled_from([*WORDS, *asked.offered])), understood)


@st.composite
def events(draw: st.DrawFn, program: LoadedProgram, step: Step | None, moment: Moment) -> Event:
    """What may happen next; sometimes what may not."""
    position = step.position if step is not None else None
    if step is not None and step.reads:
        done = [draw(results(program, read.service, read.operation)) for read in step.reads]
        return ReadsDone(moment, tuple(done))
    kind = draw(st.sampled_from(["message", "message", "due", "due", "event", "silence", "people", "opened", "odd"]))
    match kind:
        case "message":
            return draw(messages(program, position, moment))
        case "due":
            return _due(draw, program, position, step, moment)
        case "event":
            declared = [event for flow in program.flows.values() for event in flow.flow.events.values()]
            if not declared:
                return Opened(moment, "c", USER)
            event = draw(st.sampled_from(declared))
            fields = {field.name: sample(program, field.type, draw) for field in event.fields}
            return EventReceived(moment, "c", USER, event.name, fields)
        case "silence":
            timers = step.timers if step is not None else ()
            after = draw(st.sampled_from([timer.after_ms for timer in timers] or [60_000]))
            return SilenceFired(moment, (position.generation if position else 0) - draw(st.integers(0, 1)), after)
        case "people":
            return HandoffAnswered(moment, draw(st.sampled_from(["returned", "unavailable"])))
        case "opened":
            return Opened(moment, "c", USER)
        case _:
            return draw(
                st.sampled_from(
                    [
                        Faulted(moment, True, "it failed"),
                        Faulted(moment, False, "it failed"),
                        CommandDone(moment, CommandKey("nobody's"), Succeeded(None)),
                    ]
                )
            )


def _due(
    draw: st.DrawFn, program: LoadedProgram, position: Position | None, step: Step | None, moment: Moment
) -> Event:
    """The result that the conversation waits for, or that of a job."""
    if position is None or step is None:
        return Continued(moment)
    if step.continues:
        return Continued(moment)
    outstanding = {job.key: (job.flow, job.place) for job in position.deferred}
    for frame in position.frames:
        if frame.key is not None:
            flow = next(run.flow for run in position.runs if run.serial == frame.run)
            outstanding[frame.key] = (flow, frame.wait)
    if not outstanding:
        return Continued(moment)
    key = draw(st.sampled_from(sorted(outstanding)))
    flow, place = outstanding[key]
    service, name = place.replace(".defer.", ".").split(".")[1:3]
    assert flow in program.flows
    return CommandDone(moment, key, draw(results(program, service, name)))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_advance_answers_every_event_always_the_same_and_replays(data: st.DataObject) -> None:
    program = loaded(data.draw(st.sampled_from(NAMES)))
    step: Step | None = None
    position: Position | None = None
    keys: set[str] = set()
    journal = []
    now = START
    for number in range(data.draw(st.integers(1, 14))):
        now += timedelta(seconds=data.draw(st.sampled_from([0, 1, 60, 3_600])))
        seed = number << 32 | data.draw(st.integers(0, 2**32 - 1))  # the engine gives none twice
        event = data.draw(events(program, step, Moment(now, seed)))
        after = advance(program, position, event)
        assert after.fault is None, f"{after.fault} of {event}"
        assert after == advance(program, position, event), "another answer to the same question"
        stored = decode(encode(position), Position) if position is not None else None
        assert after == advance(program, stored, decode(encode(event), Event)), "stored and read it answers otherwise"
        check(after, keys)
        check_asked(program, after.position, event.moment)
        journal.append(encode(event))
        position, step = after.position, after
    replayed: Position | None = None
    for written in journal:
        replayed = advance(program, replayed, decode(written, Event)).position
    assert replayed == position
    assert (encode(replayed) if replayed else None) == (encode(position) if position else None)


def check(step: Step, keys: set[str]) -> None:
    """What holds after every step."""
    position = step.position
    for command in step.commands:
        assert command.key not in keys, "one key for two effects"
        keys.add(command.key)
    if position is None:
        return
    assert (position.expects == "nothing") is position.ended
    assert step.reads == () or position.expects == "reads"
    assert len(position.waits) == len(position.frames)
    assert all(wait.partition("/")[2] for wait in position.waits), "a frame without a wait"
    assert not step.timers or position.expects == "user"
    assert {timer.generation for timer in step.timers} <= {position.generation}
    assert len({run.serial for run in position.runs}) == len(position.runs)
    assert {frame.run for frame in position.frames} == {run.serial for run in position.runs}


def check_asked(program: LoadedProgram, position: Position | None, moment: Moment) -> None:
    """What understanding is asked, which is kept by names, is what a turn would find at the position."""
    if position is None or position.expects != "user":
        return
    asked = asking(program, position)
    running = thawed(program, position, moment)
    running.bind(running.top)
    assert (asked.locale, asked.zone) == (running.locale, running.zone.key)
    assert asked.confidence == running.confidence(running.top.run)
    nearest: dict[str, tuple[str, int]] = {}
    for distance, (run, arms, _) in enumerate(scopes(running, user_wait(running))):
        for name in arms.intents:
            nearest.setdefault(name, (run.flow.name, distance))
    assert {each.intent.name: (each.flow, each.distance) for each in asked.candidates} == nearest
