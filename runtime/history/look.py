"""A conversation as an operator looks at it: where it stands, what it knows, what it waits for, how it came there.
Masked."""

from collections.abc import Sequence

from msgspec import Struct

from flowc.runtime.engine.stored import CommandBody, Notes, Spoken
from flowc.runtime.history.explain import Replayed, event_in, happened, replayed
from flowc.runtime.history.explained import Attempt, Happened, Shown, attempt_of
from flowc.runtime.history.learning import learn_position, learn_turn
from flowc.runtime.history.masks import Masks
from flowc.runtime.history.programs import Programs
from flowc.runtime.kernel import Position
from flowc.runtime.kernel.events import MessageReceived
from flowc.runtime.program import PriorityClass, Program
from flowc.runtime.store.rows import InboxEvent, JournalRow, Loaded, SilenceTimer, StoredCommand
from flowc.runtime.telemetry.tracing import conversation_hash
from flowc.runtime.types import Text
from flowc.runtime.values import decode

__all__ = ["Look", "Outstanding", "Taken", "look"]


class Outstanding(Struct, frozen=True):
    """A command without a result. `in_doubt`: an attempt may have done it. `at_ms` is when somebody may next try it, or
    the end of the lease of who does."""

    service: str
    operation: str
    state: str
    attempt: int
    in_doubt: bool
    at_ms: int
    until_ms: int
    tried: tuple[Attempt, ...]


class Taken(Struct, frozen=True):
    """A turn in one line. `intent` and `confidence` of a message."""

    turn: int
    at_ms: int
    event: Happened
    intent: str | None
    confidence: float | None
    to: str
    replies: int
    outcome: str | None


class Look(Struct, frozen=True):
    conversation: str
    trace: str
    incarnation: int
    turn: int
    at_ms: int
    deployment: int
    bot: str
    version: str
    state: str
    waits: tuple[str, ...]
    priority: PriorityClass
    owner: str
    outcome: str | None
    user: tuple[Shown, ...]
    knows: tuple[Shown, ...]
    silences: tuple[SilenceTimer, ...]
    commands: tuple[Outstanding, ...]
    late_results: int
    inbox: tuple[tuple[str, int], ...]
    turns: tuple[Taken, ...]


def look(
    found: Loaded, rows: Sequence[JournalRow], commands: Sequence[StoredCommand], late: int, programs: Programs
) -> Look:
    """`rows` are all turns of the incarnation. Raises BundleMissing."""
    row = found.row
    program = programs(row.deployment).program
    position = decode(row.position, Position) if row.position else None
    turns = list(replayed(rows, programs))
    masks = Masks(program)
    for each in turns:
        if each.taken is not None:
            learn_turn(masks, each.loaded, each.before, each.taken)
    masks.under(program)
    learn_position(masks, program, position)
    taken = tuple([_taken(turn, masks) for turn in turns])
    masks.under(program)
    return Look(
        row.address,
        conversation_hash(row.address),
        row.incarnation,
        row.turn,
        row.at_ms,
        row.deployment,
        program.bot,
        program.version,
        "ended" if row.ended else "waiting" if position is None else position.expects,
        () if position is None else position.waits,
        row.priority,
        row.owner,
        position.outcome if position is not None else _outcome(rows),
        () if position is None else _user(masks, program, position),
        () if position is None else _knows(masks, program, position),
        row.timers,
        tuple(map(_outstanding, commands)),
        late,
        tuple([_waiting(event) for event in found.inbox]),
        taken,
    )


def _outcome(rows: Sequence[JournalRow]) -> str | None:
    return decode(rows[-1].entry.replies, Spoken).outcome if rows else None


def _user(masks: Masks, program: Program, position: Position) -> tuple[Shown, ...]:
    user = position.user
    types = {field.name: field.type for field in program.user_fields}
    known = [("id", None if user.id != position.conversation else Text(), user.id), ("name", None, user.name)]
    known += [(name, Text(), value) for name, value in (("locale", user.locale), ("zone", user.zone))]
    shown = [Shown(name, masks.shown(type, value)) for name, type, value in known if value is not None]
    return (*shown, *[Shown(name, masks.shown(types.get(name), value)) for name, value in user.declared.items()])


def _knows(masks: Masks, program: Program, position: Position) -> tuple[Shown, ...]:
    """Variables of the runs, from the top; with the flow's name where there are several."""
    shown = []
    for run in reversed(position.runs):
        types = program.flows[run.flow].variables
        before = f"{run.flow}." if len(position.runs) > 1 else ""
        shown += [Shown(before + name, masks.shown(types.get(name), value)) for name, value in run.variables.items()]
    return tuple(shown)


def _outstanding(command: StoredCommand) -> Outstanding:
    body = decode(command.body, CommandBody)
    return Outstanding(
        command.service,
        command.operation,
        command.state,
        command.attempt,
        body.in_doubt,
        command.wait_ms,
        command.until_ms,
        tuple([attempt_of(each) for each in body.tried]),
    )


def _waiting(event: InboxEvent) -> tuple[str, int]:
    return event.event.kind, event.event.at_ms


def _taken(turn: Replayed, masks: Masks) -> Taken:
    row = turn.row
    event = event_in(turn)
    intents = event.understood.intents if isinstance(event, MessageReceived) else ()
    notes = decode(row.entry.notes, Notes) if row.entry.notes else Notes()
    return Taken(
        row.turn,
        row.entry.now_ms,
        happened(event, turn, masks),
        intents[0].name if intents else None,
        intents[0].confidence if intents else None,
        "" if row.ended else row.wait,
        row.entry.reply_count,
        notes.outcome,
    )
