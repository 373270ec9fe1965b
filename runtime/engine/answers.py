"""What a conversation's senders are waiting for: the replies of all turns that their event causes.

An event is known from when we have it in hand until its last turn; a repetition in that time is attached to it.
Afterwards the store knows what it caused.
"""

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from flowc.runtime.engine.counts import Counts
from flowc.runtime.engine.errors import Conflict, NotFound, Unavailable, conflict
from flowc.runtime.engine.message import Turn, sent
from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.perform import Made, Stand
from flowc.runtime.engine.stored import Spoken
from flowc.runtime.engine.surroundings import Surroundings
from flowc.runtime.engine.turn import rest_of
from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.program import PriorityClass
from flowc.runtime.store.recent import EventHash
from flowc.runtime.store.rows import Address, InboxEvent, Repetition, TurnReplies, Unit, Wanted
from flowc.runtime.values import decode


class Chain(Struct):
    """The turns that follow from one event, so far. `complete`: all of them were taken in this process. `merged` are
    the other messages that were taken with it."""

    cause: EventHash | None
    complete: bool
    answer: Turn | None = None
    merged: tuple[EventHash, ...] = ()


class Answers:
    """`chain`: the turns that are under way. `look`: an event that is waited for is in the inbox."""

    __slots__ = ("_address", "_around", "_counts", "_known", "_look", "chain")

    def __init__(self, address: Address, around: Surroundings, counts: Counts, look: Callable[[], None]) -> None:
        self._address = address
        self._around = around
        self._counts = counts
        self._look = look
        self._known: dict[EventHash, Pending] = {}
        self.chain: Chain | None = None

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

    # ------------------------------------------------------------------------------------------------- what turns bring

    def follow(self, pending: Pending, made: Made, unit: Unit) -> None:
        """A turn is committed: who waits is answered when no other follows."""
        chain = self.chain
        if pending.kind in ("message", "event"):
            chain = Chain(pending.hash, complete=True, merged=tuple([each.hash for each in pending.merged]))
        elif chain is None or chain.cause != pending.cause:
            chain = Chain(pending.cause, complete=False)
        chain.answer = joined(chain.answer, answer_of(self._address, unit.incarnation, unit.turn, made.spoken))
        if made.spoken.rests:
            self.chain = None
            self._finish(chain, unit.priority)
        else:
            self.chain = chain

    def _finish(self, chain: Chain, priority: PriorityClass = "normal") -> None:
        for cause in (chain.cause, *chain.merged):
            pending = None if cause is None else self.find(cause)
            if pending is not None and chain.answer is not None:
                self._finish_one(chain, chain.answer, pending, priority)

    def _finish_one(self, chain: Chain, answer: Turn, pending: Pending, priority: PriorityClass) -> None:
        if chain.complete:
            self._counts.answered(pending, priority, self._around.time.now())
            self.resolve(pending.hash, answer)
        else:
            self._around.start(self.ask_store(pending))

    # -------------------------------------------------------------------------------------------- what the store knows

    def looked_up(self, stand: Stand, inbox: Sequence[InboxEvent]) -> None:
        """Where the conversation stands in the store: asks it for the answers of what was taken elsewhere."""
        numbers = {event.number for event in inbox}
        for pending in self.queued():
            if pending.number not in numbers:  # taken: here, and its answer is under way, or by another server
                self._around.start(self.ask_store(pending))
        if not stand.continues:
            for pending in self.unfinished():
                self._around.start(self.ask_store(pending))
        if self.chain is not None and not stand.continues:
            chain, self.chain = self.chain, None  # another server took its last turn
            chain.complete = False
            self._finish(chain)

    async def ask_store(self, pending: Pending) -> None:
        """The answer of an id that came before: what it caused, or the end of what it still causes."""
        try:
            loaded = (await self._around.store.load([Wanted(self._address, event=pending.hash)]))[0]
        except StoreUnavailable as error:
            return self.refuse(pending, Unavailable(str(error)))
        repetition = loaded.repetition
        if repetition is None:
            self.refuse(pending, NotFound("what this id caused is no longer kept"))
        elif repetition.digest != pending.digest:
            self.refuse(pending, conflict())
        elif repetition.number is not None:
            pending.number = repetition.number
            self._look()
        elif is_complete(repetition):
            self.resolve(pending.hash, answer_of_known(self._address, repetition.turns))
        else:
            pending.is_unfinished = True
        return None


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


def unmoved(stand: Stand) -> Turn:
    """Where the conversation is, for an event that changes nothing."""
    row, version = stand.row, stand.deployed.program.version
    return Turn(row.address, row.incarnation, row.turn, version, (), rest_of(stand.position))
