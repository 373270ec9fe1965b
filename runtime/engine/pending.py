"""An event on its way into its conversation, in this process."""

import asyncio
from typing import assert_never

from msgspec import Struct

from flowc.runtime.engine.message import Turn
from flowc.runtime.engine.randomness import random_bytes
from flowc.runtime.engine.stored import (
    Body,
    DamagedBody,
    DismissedBody,
    ExternalBody,
    HandoffBody,
    MessageBody,
    OpenedBody,
    ResultBody,
    SealedBody,
    TimerBody,
    body_bytes,
)
from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.program import PriorityClass
from flowc.runtime.store.recent import EventHash, event_hash
from flowc.runtime.store.rows import Address, EventKind, InboxEvent, Incoming
from flowc.runtime.telemetry.tracing import Here


class Pending(Struct, eq=False):
    """`body` None: no event, but the turn that must follow the last one. `at_ms` it was received, by the store's clock,
    and `offered_s` by ours (0: not here). `number` in the inbox, once it is there. `cause`: the message that led to it.
    `settles`: the command that its turn sets done, with `attempt` only while that is its last one. `storing` is done
    when the store has answered; `submitted` while a commit with it is under way. `waiting` are those who want the
    answer. `is_unfinished`: nobody here learned of its
    turn, and what that caused may not be over. `alarm` is generation and length of the timer in whose row its tries are
    counted; `is_counted`: the next one is. `around`: the trace that it came with. `merged` are the messages behind it
    that it is taken with. `has_begun`: its turn was tried. `priority` is what it lends to what it waits for."""

    hash: EventHash
    body: Body | None
    digest: bytes = b""
    at_ms: int = 0
    offered_s: float = 0.0
    incarnation: int | None = None
    cause: EventHash | None = None
    settles: CommandKey | None = None
    attempt: int | None = None
    number: int | None = None
    tries: int = 0
    alarm: tuple[int, int] | None = None
    is_counted: bool = False
    submitted: bool = False
    storing: asyncio.Future[None] | None = None
    is_answered: bool = False
    is_unfinished: bool = False
    waiting: list[asyncio.Future[Turn]] = []
    kind: EventKind = "result"
    around: Here | None = None
    merged: "tuple[Pending, ...]" = ()
    has_begun: bool = False
    priority: PriorityClass = "normal"

    def __post_init__(self) -> None:
        if self.body is not None:
            self.kind = kind_of(self.body)

    @property
    def is_accepted(self) -> bool:
        """It is in the inbox."""
        return self.number is not None

    @property
    def is_loose(self) -> bool:
        """In hand only: neither in the inbox nor on the way there or into a commit."""
        in_hand = self.kind in ("message", "event") and not self.is_accepted
        return in_hand and not self.submitted and self.storing is None

    @property
    def owner(self) -> str:
        """The token that sent it, to which a conversation that it begins belongs."""
        return self.body.owner if isinstance(self.body, MessageBody | OpenedBody | ExternalBody) else ""

    def answer(self) -> asyncio.Future[Turn]:
        future: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        return future

    def resolve(self, turn: Turn) -> None:
        self.is_answered = True
        for future in self.waiting:
            if not future.done():
                future.set_result(turn)
        self.waiting.clear()

    def refuse(self, error: Exception) -> None:
        self.is_answered = True
        for future in self.waiting:
            if not future.done():
                future.set_exception(error)
        self.waiting.clear()


def kind_of(body: Body) -> EventKind:
    match body:
        case MessageBody():
            return "message"
        case SealedBody(key=key):
            return "message" if key is None else "result"
        case ExternalBody() | OpenedBody() | HandoffBody() | DismissedBody():
            return "event"
        case ResultBody():
            return "result"
        case TimerBody():
            return "timer"
        case DamagedBody(kind=kind):
            return kind
        case _:
            assert_never(body)


def hash_of(scope: str, name: str | None) -> EventHash:
    """The hash of an id; of a fresh random one where the sender gave none (never of a text: a second "yes" is a new
    message)."""
    return event_hash(scope, name) if name is not None else EventHash(random_bytes(8))


def incoming_of(address: Address, pending: Pending, body: Body, *, trying: bool) -> Incoming:
    """What the store gets of it; `body` is sealed where it must be."""
    return Incoming(
        address,
        pending.hash,
        pending.kind,
        body_bytes(body),
        pending.digest,
        pending.priority,
        incarnation=pending.incarnation,
        at_ms=pending.at_ms,
        trying=trying,
    )


def pending_of(event: InboxEvent, body: Body) -> Pending:
    """An event of the inbox that this process did not put there itself."""
    incoming = event.event
    cause = body.cause if isinstance(body, ResultBody | SealedBody) else None
    return Pending(incoming.hash, body, incoming.digest, incoming.at_ms, 0.0, incoming.incarnation, cause)
