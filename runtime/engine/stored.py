"""What the engine puts into the store's opaque bytes: bodies of events, commands and results, and the journal's fields.

msgpack of typed structs. A field is only ever added, with a default.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final, Literal

from msgspec import Struct
from msgspec.msgpack import Encoder

from flowc.runtime.kernel.events import CallResult, CommandKey, Event, Reply, Transition, User
from flowc.runtime.services.port import Seen
from flowc.runtime.store.recent import EventHash, event_hash
from flowc.runtime.store.rows import EventKind
from flowc.runtime.values import Value, decode, encode

MOST_TRIED: Final = 10  # attempts of one call that are told of


class Tried(Struct, frozen=True, array_like=True):
    """An attempt of a call, for `why`. `why` is ours alone (no place, breaker open): what a backend says may be
    private."""

    service: str
    operation: str
    number: int
    outcome: str
    sent: bool
    queued_ms: int
    took_ms: int
    why: str = ""


def tried_of(seen: Iterable[Seen]) -> tuple[Tried, ...]:
    return tuple(
        [
            Tried(
                each.service,
                each.operation,
                each.number,
                each.outcome,
                each.sent,
                round(each.queued_s * 1000),
                round(each.took_s * 1000),
                "" if each.sent else each.message,
            )
            for each in seen
        ]
    )


# ----------------------------------------------------------------------------------------------------- bodies of events


class MessageBody(Struct, frozen=True, tag="message"):
    """`user` None: whom the conversation knows already. `proved`: the channel vouches for the user. `owner` is the
    token that a conversation begun by it belongs to."""

    text: str
    user: User | None = None
    proved: bool = False
    owner: str = ""


class ExternalBody(Struct, frozen=True, tag="event"):
    name: str
    fields: dict[str, Value]
    user: User | None = None
    owner: str = ""


class OpenedBody(Struct, frozen=True, tag="opened"):
    user: User | None = None
    owner: str = ""


class HandoffBody(Struct, frozen=True, tag="handoff"):
    answer: Literal["returned", "unavailable"]


class ResultBody(Struct, frozen=True, tag="result"):
    """`cause` is the message that led to the call."""

    key: CommandKey
    result: CallResult
    cause: EventHash | None = None
    tried: tuple[Tried, ...] = ()


class TimerBody(Struct, frozen=True, tag="timer"):
    generation: int
    after_ms: int


class SealedBody(Struct, frozen=True, tag="sealed"):
    """A body with a secret in it: readable by the process that wrote it. A message's, or with `key` a result's."""

    sealed: bytes
    user: User | None = None
    key: CommandKey | None = None
    cause: EventHash | None = None


class DismissedBody(Struct, frozen=True, tag="dismissed"):
    """An operator ends the incarnation."""

    by: str


class DamagedBody(Struct, frozen=True, tag="damaged"):
    """What stands in an inbox and cannot be read. `hash` is the event's: that of a result is made from its key."""

    kind: EventKind
    hash: EventHash
    stored: bytes


Body = (
    MessageBody
    | ExternalBody
    | OpenedBody
    | HandoffBody
    | ResultBody
    | TimerBody
    | SealedBody
    | DismissedBody
    | DamagedBody
)


class _Stored(Struct, frozen=True):
    body: Body


_PLAIN: Final = Encoder()


def body_bytes(body: Body) -> bytes:
    if isinstance(body, MessageBody) and body.user is None:
        return _PLAIN.encode(_Stored(body))  # no values to be wrapped; nearly all bodies, each turn: 0.5 µs, not 3
    return encode(_Stored(body))


def body_of(stored: bytes) -> Body:
    return decode(stored, _Stored).body


def digest_of(text: str) -> bytes:
    """What tells a repetition from another body under the same id."""
    return blake2b(text.encode(), digest_size=8).digest()


def digest_of_event(name: str, fields: Mapping[str, Value]) -> bytes:
    return blake2b(encode(ExternalBody(name, dict(fields))), digest_size=8).digest()


# ------------------------------------------------------------------------------------------------------------- commands


class CommandBody(Struct, frozen=True):
    """What a command's attempt needs, and what the attempts before it left: how many were sent, when the first was,
    and whether one of them may have been done. All that is known up to the attempt `accounted`: a later one began, and
    nobody lived to tell of it. `sealed` has the arguments where one is a secret."""

    arguments: dict[str, Value]
    user: str | None = None
    attempts: int = 0
    first_sent_ms: int | None = None
    in_doubt: bool = False
    accounted: int = 0
    sealed: bytes = b""
    tried: tuple[Tried, ...] = ()


class SealedArguments(Struct, frozen=True):
    arguments: dict[str, Value]


class StoredResult(Struct, frozen=True):
    result: CallResult | None
    sealed: bytes = b""


# -------------------------------------------------------------------------------------------------------------- journal


class Recorded(Struct, frozen=True):
    """The event of a turn as `advance` got it; `sealed` in its place where it held a secret."""

    event: Event | None
    sealed: bytes = b""


class Read(Struct, frozen=True):
    """The results of the reads that one step asked for."""

    results: tuple[CallResult, ...]


class Reads(Struct, frozen=True):
    steps: tuple[Read, ...] = ()
    sealed: bytes = b""


class Spoken(Struct, frozen=True, omit_defaults=True):
    """The replies of a turn, and what a repetition must be answered with besides them. `rests`: no turn follows at
    once; where none does, the answer is complete."""

    replies: tuple[Reply, ...] = ()
    version: str = ""
    state: Literal["waiting", "ended", "handoff"] = "waiting"
    intent: str | None = None
    outcome: str | None = None
    rests: bool = True
    is_handled: bool = True


class Notes(Struct, frozen=True, omit_defaults=True):
    """For `why` and `funnel`."""

    transitions: tuple[Transition, ...] = ()
    provider: str = ""
    outcome: str | None = None
    tried: tuple[Tried, ...] = ()


def result_hash(key: CommandKey) -> EventHash:
    return event_hash("result", key)


def timer_hash(incarnation: int, generation: int, after_ms: int) -> EventHash:
    return event_hash("timer", f"{incarnation}.{generation}.{after_ms}")


def state_hash(position: bytes) -> bytes:
    return blake2b(position, digest_size=16).digest()
