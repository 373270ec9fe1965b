"""What a simulated user may do at a wait, and what a backend may answer: every way that the program tells apart.

A way is told apart where a flow can: each value of a choice, yes and no, a value and none, an empty list and one of
two. Of all others one value stands for all.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from flowc.compiler.chats import EventStep, PassStep, PeopleStep, SayStep
from flowc.compiler.play import Playing
from flowc.dsl.source import Span
from flowc.runtime.kernel import Position, asking
from flowc.runtime.kernel.events import CallFailure, CallResult, Found, RankedIntent, Succeeded
from flowc.runtime.kernel.events import Understood as Meaning
from flowc.runtime.program import Ask, Choose, ExampleSlot, Intent, Listen, Operation, Program, Slot
from flowc.runtime.services.samples import NoSample, sample
from flowc.runtime.types import Basic, Integer, ListOf, Marked, Optional, Record, Text, Type
from flowc.runtime.types import Choice as ChoiceType
from flowc.runtime.values import Shapes, Value

__all__ = ["Input", "answers_of", "inputs_at", "values_of"]

NOWHERE: Final = Span("", 0, 0)
MOST_VALUES: Final = 8  # of one type
NONSENSE: Final = "qwertz uiop"

Input = SayStep | PassStep | EventStep | PeopleStep


def values_of(type_: Type, shapes: Shapes, name: str, today: date) -> tuple[Value, ...]:
    """Values of the type that a flow can tell apart, the plainest first. Empty where none can be made up."""
    return tuple(_values(type_, shapes, name, today))[:MOST_VALUES]


def _values(type_: Type, shapes: Shapes, name: str, today: date) -> Iterator[Value]:
    match type_:
        case Optional(inner):
            yield from _values(inner, shapes, name, today)
            yield None
        case Marked(inner=inner):
            yield from _values(inner, shapes, name, today)
        case ChoiceType(values):
            yield from values
        case Basic("boolean"):
            yield from (True, False)
        case Basic("date"):
            yield from (today + timedelta(days=7), today - timedelta(days=7))
        case Integer(low, high) if low is not None and high is not None:
            yield from dict.fromkeys((min(max(low, 2), high), low, high))
        case ListOf(item):
            made = tuple(_values(item, shapes, name, today))
            if made:
                yield from ((made[0], _other(made)), (), (made[0],))
        case Record(record):
            yield from _records(record, shapes, today)
        case Text(pattern) if pattern is not None:
            made = _sampled(type_, shapes, name)
            yield from made
            yield from (each for text in made if (each := _another(str(text), pattern)) is not None)
        case _:
            yield from _sampled(type_, shapes, name)


def _sampled(type_: Type, shapes: Shapes, name: str) -> tuple[Value, ...]:
    try:
        return (sample(type_, shapes, name),)
    except NoSample:
        return ()


def _another(text: str, pattern: str) -> str | None:
    """A text beside `text` that the pattern takes too: one digit or letter is the next one."""
    for at in range(len(text) - 1, -1, -1):
        following = chr(ord(text[at]) + 1)
        other = text[:at] + following + text[at + 1 :]
        if following.isalnum() and re.fullmatch(pattern, other):
            return other
    return None


def _other(made: tuple[Value, ...]) -> Value:
    """A second item of a list, with other words where it has some."""
    first = made[-1]
    if isinstance(first, dict):
        return {key: f"{value} 2" if isinstance(value, str) and key != "id" else value for key, value in first.items()}
    return f"{first} 2" if isinstance(first, str) else first


def _records(record: str, shapes: Shapes, today: date) -> Iterator[Value]:
    """The plainest, and for each field those that differ from it there."""
    fields = shapes.records[record]
    made = {each.name: values_of(each.type, shapes, each.name, today) for each in fields}
    if any(not values for values in made.values()):
        return
    plain = {name: values[0] for name, values in made.items()}
    yield plain
    for name, values in made.items():
        yield from ({**plain, name: value} for value in values[1:])


def answers_of(operation: Operation, shapes: Shapes, today: date) -> tuple[CallResult, ...]:
    """Everything that a call can come to; the first is that it works."""
    values = (None,) if operation.result is None else values_of(operation.result, shapes, operation.name, today)
    fields = {failure.name: failure.fields for failure in operation.failures}
    failures = [
        CallFailure(kind, "", {each.name: _first(each.type, shapes, each.name, today) for each in fields.get(kind, ())})
        for kind in operation.outcomes
    ]
    return (*(Succeeded(value) for value in values), *failures)


def _first(type_: Type, shapes: Shapes, name: str, today: date) -> Value:
    return next(iter(values_of(type_, shapes, name, today)), None)


# ------------------------------------------------------------------------------------------------------------ the user


def inputs_at(playing: Playing) -> tuple[Input, ...]:
    """What may happen next in the conversation, from outside."""
    position = playing.position
    if position is None or position.ended:
        return ()
    if position.expects == "people":
        return (PeopleStep("returned", NOWHERE), PeopleStep("unavailable", NOWHERE))
    if position.expects != "user":
        return ()
    return (*_messages(playing, position), *_silence(playing), *_events(playing, position))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message is said."""

    shapes: Shapes
    now: datetime

    @property
    def today(self) -> date:
        return self.now.date()


def _messages(playing: Playing, position: Position) -> Iterator[Input]:
    at = asking(playing.loaded, position)
    program = playing.program
    place = Place(Shapes(program.records, program.zone, program.currency), playing.now)
    slots = {slot.name: slot for slot in at.slots}
    if at.asked is not None:
        yield from _answers(at.asked, place)
    if at.offered:
        yield SayStep("1", Meaning((), (), "chat"), NOWHERE)
    for candidate in at.candidates:
        yield from _intent(candidate.intent, slots if candidate.flow == at.flow else {}, place)
    for changed in _changes(program, at.flow, at.wait):
        yield from (_said(None, {changed: value}) for value in _slot_values(slots.get(changed), place)[1:2])
    yield SayStep(NONSENSE, Meaning((), (), "chat"), NOWHERE)


def _answers(slot: Slot, place: Place) -> Iterator[Input]:
    """Answers that fit; a plain text is taken as it is said."""
    match _plain(slot.type):
        case Text(None):
            words = f"some {slot.name.replace('_', ' ')}"
            texts = (words, "1234", "AB12345678") if slot.checks else (words,)
            yield from (SayStep(text, Meaning((), (), "chat"), NOWHERE) for text in (*texts, ""))
        case _:
            yield from (_said(None, {slot.name: value}) for value in _slot_values(slot, place))


def _plain(of: Type) -> Type:
    return _plain(of.inner) if isinstance(of, Optional | Marked) else of


def _slot_values(slot: Slot | None, place: Place) -> tuple[Value, ...]:
    if slot is None:
        return ()
    values = values_of(slot.type, place.shapes, slot.name, place.today)
    return tuple(value for value in values if value is not None)


def _intent(intent: Intent, slots: dict[str, Slot], place: Place) -> Iterator[Input]:
    """The intent alone, and with all slots that an example names."""
    yield _said(intent.name, {})
    named = {part.name for example in intent.examples for part in example if isinstance(part, ExampleSlot)}
    values = {name: each[0] for name in sorted(named) if (each := _slot_values(slots.get(name), place))}
    if values:
        yield _said(intent.name, values)


def _said(intent: str | None, values: dict[str, Value]) -> SayStep:
    text = intent.replace("_", " ") if intent else ", ".join(_words(value) for value in values.values())
    found = tuple(Found(value, slot=name, end=len(text)) for name, value in values.items())
    ranked = (RankedIntent(intent, 1.0),) if intent else ()
    return SayStep(text, Meaning(ranked, found, "chat"), NOWHERE)


def _words(value: Value) -> str:
    return value if isinstance(value, str) else str(value)


def _changes(program: Program, flow: str, wait: str) -> tuple[str, ...]:
    """The slots that an `on change` of the wait takes."""
    for instruction in program.flows[flow].code:
        match instruction:
            case Ask(wait=name, arms=arms) | Choose(wait=name, arms=arms) | Listen(wait=name, arms=arms):
                if wait == name or wait.rpartition(".")[0] == name:
                    return tuple(slot for change in arms.changes for slot in change.slots)
            case _:
                pass
    return ()


def _silence(playing: Playing) -> Iterator[Input]:
    """Until the next timer has surely run: counted from now, so it may be later than it has to be."""
    soonest = min(playing.timers, key=lambda after_ms: playing.timers[after_ms], default=None)
    if soonest is not None:
        yield PassStep(soonest, None, NOWHERE)


def _events(playing: Playing, position: Position) -> Iterator[Input]:
    program = playing.program
    shapes = Shapes(program.records, program.zone, program.currency)
    running = {run.flow for run in position.runs}
    for name in sorted({name for flow in running for name in program.flows[flow].events}):
        event = next(program.flows[flow].events[name] for flow in sorted(running) if name in program.flows[flow].events)
        fields = {each.name: _first(each.type, shapes, each.name, playing.now.date()) for each in event.fields}
        yield EventStep(name, fields, NOWHERE)
