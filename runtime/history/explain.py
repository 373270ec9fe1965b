"""One turn explained: what was understood and how surely, which conditions held with which values, which calls were
made with which attempts, and where it went.

The journal has what came in; the rest is found by taking the turn again (a replay gives the same position, bit for bit)
through a program that tells its decisions. Everything is masked here, so that who prints it need not think.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Final, assert_never

from msgspec import Struct

from flowc.runtime.durations import spelled_duration
from flowc.runtime.engine.causes import cause_of
from flowc.runtime.engine.replay import Retaken, event_of, retake
from flowc.runtime.engine.seal import Seal, SealBroken
from flowc.runtime.engine.stored import Notes, Spoken, Tried, state_hash
from flowc.runtime.engine.turn import position_bytes
from flowc.runtime.history.explained import Called, Decided, Explained, Happened, Heard, Passed, Shown, attempt_of
from flowc.runtime.history.learning import is_private, learn_result, learn_turn, slot_type
from flowc.runtime.history.masks import MASK, Masks, type_of
from flowc.runtime.kernel import LoadedProgram, Position, Step, advance, asking
from flowc.runtime.kernel.events import (
    CallFailure,
    CallResult,
    Command,
    CommandDone,
    Continued,
    Dismissed,
    Event,
    EventReceived,
    Faulted,
    HandoffAnswered,
    MessageReceived,
    Opened,
    ReadRequest,
    ReadsDone,
    SilenceFired,
    Succeeded,
    Transition,
)
from flowc.runtime.kernel.watched import Decision, watched
from flowc.runtime.program import Flow, Program
from flowc.runtime.store.rows import JournalRow
from flowc.runtime.types import Field, Type
from flowc.runtime.values import Value, decode

NO_SEAL: Final = Seal(bytes(32), bytes)  # what a server sealed, only that server reads
Loads = Callable[[int], LoadedProgram]


class Replayed(Struct, frozen=True):
    """A recorded turn, taken again as far as that can be: `taken` None where it cannot. `caveat` says why."""

    row: JournalRow
    loaded: LoadedProgram
    before: Position | None
    taken: Retaken | None
    caveat: str | None = None


def replayed(rows: Sequence[JournalRow], loads: Loads) -> Iterator[Replayed]:
    """The turns of one incarnation, in order."""
    position: Position | None = None
    lost: str | None = None
    for row in rows:
        loaded = loads(row.deployment)
        if lost is not None:
            yield Replayed(row, loaded, None, None, lost)
            continue
        try:
            taken = retake(loaded, position, row, NO_SEAL)
        except SealBroken:
            lost = f"turn {row.turn} has a secret, which only its server can read: from there on conditions are unknown"
            yield Replayed(row, loaded, position, None, lost)
            continue
        is_same = state_hash(position_bytes(taken.position)) == row.entry.state_hash
        caveat = None if is_same else "taken again it gives another state than was stored: conditions may differ"
        yield Replayed(row, loaded, position, taken, caveat)
        position = taken.position


def explain(rows: Sequence[JournalRow], turn: int, loads: Loads) -> Explained:
    """Turn `turn` of the incarnation whose turns are `rows`."""
    turns = list(replayed(rows, loads))
    masks = Masks(turns[0].loaded.program)
    for each in turns:
        if each.taken is not None:
            learn_turn(masks, each.loaded, each.before, each.taken)
            _learn_command(masks, each)
    [wanted] = [each for each in turns if each.row.turn == turn]
    return _explained(wanted, masks)


def _learn_command(masks: Masks, turn: Replayed) -> None:
    masks.under(turn.loaded.program)
    if turn.taken is not None and isinstance(turn.taken.event, CommandDone):
        called = _called_of(turn.taken.steps)
        if called is not None:
            learn_result(masks, turn.loaded.program.services[called[0]].operations[called[1]], turn.taken.event.result)


def _explained(turn: Replayed, masks: Masks) -> Explained:
    row, program = turn.row, turn.loaded.program
    masks.under(program)
    spoken = decode(row.entry.replies, Spoken)
    notes = decode(row.entry.notes, Notes) if row.entry.notes else Notes()
    event = event_in(turn)
    after = turn.taken.position if turn.taken is not None else None
    was_over = row.turn > 1 and turn.before is not None and turn.before.ended
    return Explained(
        row.address,
        row.incarnation,
        row.turn,
        row.entry.now_ms,
        row.deployment,
        spoken.version,
        happened(event, turn, masks),
        _heard(event, turn, masks) if isinstance(event, MessageReceived) else None,
        tuple(_path(turn, notes, masks)),
        tuple(_calls(turn, notes, masks)),
        tuple([_reply(masks, program, each.text, each.flow, each.state) for each in spoken.replies]),
        () if turn.before is None else turn.before.waits,
        after.waits if after is not None else (row.wait,) if row.wait else (),
        spoken.outcome,
        cause_of(event, notes.transitions, notes.outcome) if row.ended and not was_over else None,
        () if turn.caveat is None else (turn.caveat,),
    )


def _reply(masks: Masks, program: Program, said: str, flow: str, state: str) -> str:
    known = program.flows.get(flow)
    return masks.text(said) if known is None else masks.reply(said, known, state)


def event_in(turn: Replayed) -> Event | None:
    """The event of a turn; None where it is sealed."""
    if turn.taken is not None:
        return turn.taken.event
    try:
        return event_of(turn.row, NO_SEAL)[0]
    except SealBroken:
        return None


# -------------------------------------------------------------------------------------------------------- what came in


def happened(event: Event | None, turn: Replayed, masks: Masks) -> Happened:
    """The event, without what may not be shown. Without the state before it no text is shown: who knows what was
    asked."""
    program = turn.loaded.program
    masks.under(program)
    match event:
        case None:
            return Happened("sealed", detail="it has a secret")
        case MessageReceived(text=text):
            is_unknown = turn.before is None and turn.row.turn > 1
            hidden = is_unknown or is_private(program, asking(turn.loaded, turn.before))
            return Happened("message", text=MASK if hidden else masks.text(text))
        case EventReceived(name=name, fields=fields):
            declared = next((flow.events[name].fields for flow in program.flows.values() if name in flow.events), ())
            return Happened("event", name=name, fields=_shown(masks, declared, fields))
        case Opened():
            return Happened("opened")
        case CommandDone(result=result):
            called = _called_of(turn.taken.steps if turn.taken is not None else ())
            return Happened("result", detail=None if called is None else f"{called[0]}.{called[1]} {_kind(result)}")
        case SilenceFired(after_ms=after_ms):
            return Happened("silence", detail=spelled_duration(after_ms))
        case HandoffAnswered(answer=answer):
            return Happened("handoff", detail=answer)
        case Continued() | ReadsDone():
            return Happened("continued", detail="after the replies of the turn before were sent")
        case Dismissed():
            return Happened("dismissed", detail="by an operator")
        case Faulted(reason=reason):
            return Happened("fault", detail=reason.partition(":")[0])  # what follows may name a value
        case _:
            assert_never(event)


def _heard(event: MessageReceived, turn: Replayed, masks: Masks) -> Heard:
    wanted, program, understood = asking(turn.loaded, turn.before), turn.loaded.program, event.understood
    intents = understood.intents
    found = [
        Shown(name, masks.shown(slot_type(program, wanted.flow, name), each.value))
        for each in understood.found
        for name in (each.slots if each.slot is None else (each.slot,))
    ]
    return Heard(
        understood.provider,
        intents,
        wanted.confidence,
        intents[0].confidence - intents[1].confidence if len(intents) > 1 else None,
        tuple(found),
        None if wanted.asked is None else wanted.asked.name,
    )


def _shown(masks: Masks, fields: Sequence[Field], values: Mapping[str, Value]) -> tuple[Shown, ...]:
    types = {field.name: field.type for field in fields}
    return tuple([Shown(name, masks.shown(types.get(name), value)) for name, value in values.items()])


# ------------------------------------------------------------------------------------------------------ what it passed


def _path(turn: Replayed, notes: Notes, masks: Masks) -> Iterator[Decided | Passed]:
    program = turn.loaded.program
    if turn.taken is None or not turn.taken.steps:
        for transition in notes.transitions:
            yield _passed(transition, program, masks)
        return
    for step, decisions in _decided(turn.loaded, turn.before, turn.taken):
        left = list(decisions)
        for index, transition in enumerate(step.transitions):
            while left and left[0].passed <= index:
                yield _decision(left.pop(0), program, masks)
            yield _passed(transition, program, masks)
        for decision in left:
            yield _decision(decision, program, masks)


def _decided(
    loaded: LoadedProgram, before: Position | None, taken: Retaken
) -> Iterator[tuple[Step, tuple[Decision, ...]]]:
    """The steps of a turn once more, with the decisions of each."""
    told: list[Decision] = []
    watching = watched(loaded, told.append)
    position = before
    for event in (taken.event, *[ReadsDone(taken.event.moment, results) for results in taken.reads]):
        told.clear()
        step = advance(watching, position, event)
        yield step, tuple(told)
        position = step.position


def _passed(transition: Transition, program: Program, masks: Masks) -> Passed:
    detail = transition.detail
    if transition.kind == "mark":
        detail = _reply(masks, program, detail, transition.flow, transition.place.partition(".")[0])
    return Passed(transition.kind, transition.flow, transition.place, detail)


def _decision(decision: Decision, program: Program, masks: Masks) -> Decided:
    flow = program.flows[decision.flow]
    locals = _locals(decision, flow)
    value = masks.shown(type_of(decision.condition, flow, program, locals), decision.value)
    read = [(leaf, masks.shown(type_of(leaf, flow, program, locals), of)) for leaf, of in decision.read]
    return Decided(decision.kind, decision.flow, decision.at, decision.name, decision.condition, value, tuple(read))


def _locals(decision: Decision, flow: Flow) -> dict[str, Type]:
    """Types of what only its condition can read: the new value of a slot that is checked."""
    return {decision.name: flow.slots[decision.name].type} if decision.kind == "check" else {}


# ------------------------------------------------------------------------------------------------------------ its calls


def _calls(turn: Replayed, notes: Notes, masks: Masks) -> Iterator[Called]:
    if turn.taken is None:
        return
    left = list(notes.tried)
    event = turn.taken.event
    if isinstance(event, CommandDone):
        called = _called_of(turn.taken.steps)
        if called is not None:
            yield _called("result", called, (), event.result, left, turn, masks)
    for step, results in zip_longest(turn.taken.steps, turn.taken.reads, fillvalue=()):
        assert isinstance(step, Step)
        for read, result in zip(step.reads, results, strict=False):
            yield _asked("read", read, result, left, turn, masks)
        for command in step.commands:
            yield _asked("job" if command.deferred else "write", command, None, left, turn, masks)


def _asked(
    kind: str,
    asked: ReadRequest | Command,
    result: CallResult | None,
    left: list[Tried],
    turn: Replayed,
    masks: Masks,
) -> Called:
    operation = turn.loaded.program.services[asked.service].operations[asked.operation]
    arguments = _shown(masks, operation.parameters, asked.arguments)
    return _called(kind, (asked.service, asked.operation), arguments, result, left, turn, masks)


def _called(
    kind: str,
    name: tuple[str, str],
    arguments: tuple[Shown, ...],
    result: CallResult | None,
    left: list[Tried],
    turn: Replayed,
    masks: Masks,
) -> Called:
    """Attempts of several calls of one operation stand at the first of them: which was whose is not recorded."""
    operation = turn.loaded.program.services[name[0]].operations[name[1]]
    tried = tuple([each for each in left if result is not None and (each.service, each.operation) == name])
    left[:] = [each for each in left if each not in tried]
    shown = ""
    match result:
        case Succeeded(value):
            shown = "" if operation.result is None else masks.shown(operation.result, value)
        case CallFailure(kind=failed, fields=fields):
            declared = next((each.fields for each in operation.failures if each.name == failed), ())
            shown = ", ".join(f"{each.name}: {each.value}" for each in _shown(masks, declared, fields))
    return Called(
        kind, *name, arguments, None if result is None else _kind(result), shown, tuple(map(attempt_of, tried))
    )


def _kind(result: CallResult) -> str:
    return result.kind if isinstance(result, CallFailure) else "ok"


def _called_of(steps: Sequence[Step]) -> tuple[str, str] | None:
    """Service and operation of the command whose result a turn took."""
    for step in steps[:1]:
        for passed in step.transitions:
            if passed.kind == "outcome":
                service, _, operation = passed.detail.partition(" ")[0].partition(".")
                return service, operation
    return None
