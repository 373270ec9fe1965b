"""What a turn decides, apart from doing it: which event may be taken, what `advance` gets, what the store is asked to
commit.

Pure. `flowc.runtime.engine.taker` does what is decided here, and begins again at the look-up when the store says no.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, assert_never

from msgspec import Struct, structs

from flowc.runtime.engine.message import Rest
from flowc.runtime.engine.seal import Seal
from flowc.runtime.engine.secrets import Secrets
from flowc.runtime.engine.stored import (
    Body,
    CommandBody,
    DamagedBody,
    DismissedBody,
    ExternalBody,
    HandoffBody,
    MessageBody,
    Notes,
    OpenedBody,
    Read,
    Reads,
    Recorded,
    ResultBody,
    SealedArguments,
    SealedBody,
    Spoken,
    TimerBody,
    Tried,
    result_hash,
)
from flowc.runtime.errors import named
from flowc.runtime.kernel.answer import Step
from flowc.runtime.kernel.events import (
    CallFailure,
    CallResult,
    Command,
    CommandDone,
    CommandKey,
    Dismissed,
    Event,
    EventReceived,
    HandoffAnswered,
    MessageReceived,
    Moment,
    Opened,
    ReadsDone,
    Reply,
    SilenceFired,
    Transition,
    Understood,
    User,
)
from flowc.runtime.kernel.position import Position, Said
from flowc.runtime.program import Service
from flowc.runtime.store.rows import Address, Holder, NewCommand, Row, SilenceTimer
from flowc.runtime.values import encode

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
MOST_COMMANDS: Final = 16  # of one turn
LARGE_STATE_BYTES: Final = 64 * 1024
LARGEST_STATE_BYTES: Final = 256 * 1024
MOST_TRIES: Final = 3

Verdict = Literal["take", "wait", "drop"]


class Fault(Exception):  # noqa: N818 - a fault of ours is an event of its own
    """The event cannot be taken, by a mistake of ours."""


def reason_of(error: Exception) -> str:
    """Why a turn failed, without a word of what failed: only our own sentences are known to have no text of a user."""
    if isinstance(error, Fault):
        return str(error)
    return named(error)


# ------------------------------------------------------------------------------------------------------ may it be taken


def verdict(row: Row, position: Position | None, body: Body) -> Verdict:
    """Whether the conversation takes an event where it stands. What cannot come true any more is dropped."""
    if row.ended or position is None:
        return _verdict_of_nobody(row, position, body)
    match body:
        case MessageBody() | SealedBody(key=None):
            return "take" if position.expects in ("user", "people") else "wait"
        case ExternalBody():
            return "take" if position.expects == "user" else "wait"
        case DismissedBody():
            return "take" if position.expects in ("user", "people") else "wait"
        case OpenedBody():
            return "drop"
        case HandoffBody():
            return "take" if position.expects == "people" else "drop"
        case ResultBody(key=key) | SealedBody(key=key):
            if position.expects == "write" and position.frames[-1].key == key:
                return "take"
            if key not in position.jobs:
                return "drop"
            return "take" if position.expects == "user" else "wait"
        case TimerBody(generation=generation):
            return "take" if position.expects == "user" and position.generation == generation else "drop"
        case DamagedBody():
            return verdict(row, position, likeness(position, body))
        case _:
            assert_never(body)


def likeness(position: Position | None, body: DamagedBody) -> Body:
    """A body that is taken where the one that cannot be read would have been."""
    match body.kind:
        case "message":
            return MessageBody("")
        case "event":
            return ExternalBody("", {})
        case "result":
            return ResultBody(key_of(position, body) or CommandKey(""), CallFailure("unknown", "it cannot be read"))
        case "timer":
            return TimerBody(-1, 0)  # it comes again, as long as its wait is not left
        case _:
            assert_never(body.kind)


def key_of(position: Position | None, body: DamagedBody) -> CommandKey | None:
    """The command whose result cannot be read."""
    if position is None:
        return None
    awaited = position.frames[-1].key if position.frames else None
    keys = (*position.jobs, *(() if awaited is None else (awaited,)))
    return next((key for key in keys if result_hash(key) == body.hash), None)


def _verdict_of_nobody(row: Row, position: Position | None, body: Body) -> Verdict:
    """The address is new, or its conversation is over; jobs may still have results to come."""
    match body:
        case MessageBody() | SealedBody(key=None) | OpenedBody() | ExternalBody():
            return "take"
        case ResultBody(key=key) | SealedBody(key=key):
            return "take" if position is not None and key in position.jobs else "drop"
        case HandoffBody() | TimerBody() | DismissedBody():
            return "drop"
        case DamagedBody():
            return _verdict_of_nobody(row, position, likeness(position, body))
        case _:
            assert_never(body)


def opens(row: Row, body: Body) -> bool:
    """Whether the event begins an incarnation. An external event does so only where nobody ever was: after an end
    the flow that it is for no longer runs."""
    match body:
        case MessageBody() | SealedBody(key=None) | OpenedBody():
            return row.is_new
        case ExternalBody():
            return row.turn == 0
        case DamagedBody(kind="message"):
            return row.is_new
        case HandoffBody() | ResultBody() | TimerBody() | SealedBody() | DismissedBody() | DamagedBody():
            return False
        case _:
            assert_never(body)


# ----------------------------------------------------------------------------------------------------- the event's form


def moment_at(at_ms: int) -> datetime:
    return EPOCH + at_ms * MILLISECOND


def ms_of(moment: datetime) -> int:
    since = moment - EPOCH
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def event_of(body: Body, moment: Moment, address: Address, position: Position | None, understood: Understood) -> Event:
    known = User(id=address) if position is None else position.user
    conversation = str(address)
    match body:
        case MessageBody(text=text, user=user):
            return MessageReceived(moment, conversation, user or known, text, understood)
        case SealedBody(key=str() as key):
            return CommandDone(
                moment, CommandKey(key), CallFailure("unknown", "its result was lost when the server stopped")
            )
        case SealedBody(user=user):
            # Its words are lost with the process that read them: what was asked is asked again.
            return MessageReceived(moment, conversation, user or known, "", Understood())
        case ExternalBody(name=name, fields=fields, user=user):
            return EventReceived(moment, conversation, user or known, name, fields)
        case OpenedBody(user=user):
            return Opened(moment, conversation, user or known)
        case HandoffBody(answer=answer):
            return HandoffAnswered(moment, answer)
        case ResultBody(key=key, result=result):
            return CommandDone(moment, key, result)
        case TimerBody(generation=generation, after_ms=after_ms):
            return SilenceFired(moment, generation, after_ms)
        case DismissedBody():
            return Dismissed(moment)
        case DamagedBody():
            raise Fault("what was stored of it cannot be read")
        case _:
            assert_never(body)


# -------------------------------------------------------------------------------------------------- what came out of it


class Taken(Struct):
    """A turn as far as it has come: what its steps said, read and asked for. Local to one turn."""

    event: Event
    moment: Moment
    now_ms: int
    secret: bool = False
    reads: tuple[Read, ...] = ()
    replies: tuple[Reply, ...] = ()
    commands: tuple[Command, ...] = ()
    transitions: tuple[Transition, ...] = ()
    secret_reads: bool = False
    tried: tuple[Tried, ...] = ()

    def add(self, step: Step) -> None:
        """Raises Fault."""
        if step.fault is not None:
            raise Fault(step.fault)
        self.replies += step.replies
        self.transitions += step.transitions
        if not step.commands:
            return
        self.commands += step.commands
        if len(self.commands) > MOST_COMMANDS:
            raise Fault(f"{len(self.commands)} commands in one turn, at most {MOST_COMMANDS} are allowed")

    def add_reads(self, results: tuple[CallResult, ...]) -> ReadsDone:
        self.reads += (Read(results),)
        return ReadsDone(self.moment, results)


def rest_of(position: Position | None) -> Rest:
    if position is None or position.ended:
        return "ended"
    return "handoff" if position.expects == "people" else "waiting"


def rests(step: Step) -> bool:
    """Whether no turn follows by itself: the conversation waits for somebody outside, or is over."""
    return not step.continues and (step.position is None or step.position.expects not in ("write", "reads"))


def without_secret(position: Position | None, event: Event) -> Position | None:
    """The position after a message that has a secret, without its words: they live for one turn."""
    if position is None or not isinstance(event, MessageReceived):
        return position
    runs = tuple([structs.replace(run, said=Said()) if run.said.text == event.text else run for run in position.runs])
    return structs.replace(position, runs=runs, message=structs.replace(position.message, text=""), pending=None)


def closed(position: Position | None) -> Position | None:
    """The position of an incarnation that is over, whatever its last arm led to: only its jobs are left."""
    if position is None or position.ended:
        return position
    return structs.replace(position, expects="nothing", frames=(), runs=(), silenced=(), pending=None)


def position_bytes(position: Position | None) -> bytes:
    """Raises Fault where the state is too large."""
    if position is None or (position.ended and not position.deferred):
        return b""
    packed = encode(position)
    if len(packed) > LARGEST_STATE_BYTES:
        raise Fault(f"the state has {len(packed) // 1024} KiB, at most {LARGEST_STATE_BYTES // 1024} are allowed")
    return packed


def recorded(taken: Taken, seal: Seal) -> tuple[bytes, bytes]:
    """The journal's event and reads, sealed where they hold a secret."""
    event = encode(Recorded(taken.event))
    if taken.secret:
        event = encode(Recorded(None, seal.close(event)))
    if not taken.reads:
        return event, b""
    reads = encode(Reads(taken.reads))
    return event, encode(Reads((), seal.close(reads))) if taken.secret_reads else reads


def spoken_of(taken: Taken, step: Step, version: str) -> Spoken:
    """What is said, and what a repetition is to be told besides."""
    of_message = isinstance(taken.event, MessageReceived)
    intent = step.position.message.intent if of_message and step.position is not None else None
    return Spoken(taken.replies, version, rest_of(step.position), intent, step.outcome, rests(step), is_handled(taken))


def is_handled(taken: Taken) -> bool:
    return "unhandled" not in [passed.kind for passed in taken.transitions]


def notes_of(taken: Taken, step: Step) -> bytes:
    if not taken.transitions and step.outcome is None and not taken.tried:
        return b""
    provider = taken.event.understood.provider if isinstance(taken.event, MessageReceived) else ""
    return encode(Notes(taken.transitions, provider, step.outcome, taken.tried))


def timers_of(step: Step, now_ms: int, lease_ms: int) -> tuple[SilenceTimer, ...]:
    """The silences of the wait. A turn that continues has none; there a timer wakes us if this process does not live
    to take the next one."""
    if step.continues and step.position is not None:
        return (SilenceTimer(step.position.generation, 0, now_ms + lease_ms),)
    return tuple([SilenceTimer(timer.generation, timer.after_ms, ms_of(timer.due)) for timer in step.timers])


def commands_of(
    taken: Taken, services: Mapping[str, Service], holder: Holder, secrets: Secrets, seal: Seal
) -> tuple[NewCommand, ...]:
    """The rows of a turn's commands. A keyed write that the conversation waits for is stored as started by us, for
    one sync less: should we crash, repeating it is safe. One without a key is started apart, so that what was
    certainly not sent is known."""
    if not taken.commands:
        return ()
    now_ms = taken.now_ms
    return tuple([_command_of(command, now_ms, services, holder, secrets, seal) for command in taken.commands])


def _command_of(
    command: Command, now_ms: int, services: Mapping[str, Service], holder: Holder, secrets: Secrets, seal: Seal
) -> NewCommand:
    operation = services[command.service].operations[command.operation]
    body = CommandBody(command.arguments)
    if (command.service, command.operation) in secrets.arguments:
        body = CommandBody({}, sealed=seal.close(encode(SealedArguments(command.arguments))))
    return NewCommand(
        command.key,
        command.place,
        command.service,
        command.operation,
        encode(body),
        command.deferred,
        now_ms,
        now_ms + command.within_ms,
        command.priority,
        None if command.deferred or operation.key is None else holder,
    )
