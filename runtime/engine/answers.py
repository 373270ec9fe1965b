"""What a conversation's senders are waiting for: the replies of all turns that their event causes.

An event is known from when we have it in hand until its last turn; a repetition in that time is attached to it.
Afterwards the store knows what it caused.
"""

import asyncio

from msgspec import Struct
from msgspec.structs import replace

from flowc.runtime.engine.errors import Conflict, NotFound
from flowc.runtime.engine.message import Turn, sent
from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.stored import Spoken
from flowc.runtime.store.recent import EventHash
from flowc.runtime.store.rows import Address, Repetition, TurnReplies
from flowc.runtime.values import decode


class Chain(Struct):
    """The turns that follow from one event, so far. `complete`: all of them were taken in this process. `merged` are
    the other messages that were taken with it."""

    cause: EventHash | None
    complete: bool
    answer: Turn | None = None
    merged: tuple[EventHash, ...] = ()


class Answers:
    def __init__(self, address: Address) -> None:
        self._address = address
        self._known: dict[EventHash, Pending] = {}

    @property
    def is_empty(self) -> bool:
        return not self._known

    def find(self, name: EventHash) -> Pending | None:
        return self._known.get(name)

    def attach(self, pending: Pending) -> asyncio.Future[Turn] | None:
        """The answer of an event that is known already; None: it is new, and known from now. Raises Conflict."""
        known = self._known.get(pending.hash)
        if known is None:
            self._known[pending.hash] = pending
            return None
        if known.digest != pending.digest:
            raise Conflict("the id came before with another body")
        return known.answer()

    def resolve(self, name: EventHash | None, turn: Turn) -> None:
        pending = self._known.pop(name, None) if name is not None else None
        if pending is not None:
            pending.resolve(turn)

    def refuse(self, pending: Pending, error: Exception) -> None:
        self._known.pop(pending.hash, None)
        pending.refuse(error)

    def refuse_all(self, error: Exception) -> None:
        for pending in tuple(self._known.values()):
            self.refuse(pending, error)

    def unfinished(self) -> tuple[Pending, ...]:
        return tuple(pending for pending in self._known.values() if pending.is_unfinished)

    def queued(self) -> tuple[Pending, ...]:
        """Those that wait in the inbox."""
        return tuple(pending for pending in self._known.values() if pending.is_accepted)


def answer_of(address: Address, incarnation: int, turn: int, spoken: Spoken) -> Turn:
    """One turn as its sender is told of it."""
    return Turn(
        address,
        incarnation,
        turn,
        spoken.version,
        sent(incarnation, turn, spoken.replies),
        spoken.state,
        spoken.intent,
        spoken.outcome,
        is_handled=spoken.is_handled,
    )


def joined(earlier: Turn | None, later: Turn) -> Turn:
    """The answer of two turns that one event caused: where the later ends, with the replies of both."""
    if earlier is None:
        return later
    return replace(
        later,
        replies=earlier.replies + later.replies,
        intent=earlier.intent or later.intent,
        is_handled=earlier.is_handled,
    )


def answer_of_known(address: Address, turns: tuple[TurnReplies, ...]) -> Turn:
    """The answer again, from what was recorded."""
    answer: Turn | None = None
    for each in turns:
        spoken = decode(each.replies, Spoken)
        answer = joined(answer, answer_of(address, each.incarnation, each.turn, spoken))
    if answer is None:
        raise NotFound("what this id caused is no longer kept")
    return replace(answer, duplicate=True)


def is_complete(repetition: Repetition) -> bool:
    """Whether no turn follows: the last that the id caused rests."""
    return bool(repetition.turns) and decode(repetition.turns[-1].replies, Spoken).rests
