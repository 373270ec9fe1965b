"""How a conversation's events get into the store: into its inbox, or with the unit of their turn."""

import asyncio
from collections.abc import Callable

from msgspec import Struct

from flowc.runtime.engine.answers import Answers
from flowc.runtime.engine.classes import lent_class
from flowc.runtime.engine.errors import Unavailable, conflict, erased, full, nobody
from flowc.runtime.engine.guess import Guess
from flowc.runtime.engine.hand import Hand
from flowc.runtime.engine.pending import Pending, incoming_of
from flowc.runtime.engine.perform import Performer
from flowc.runtime.engine.place import Place
from flowc.runtime.engine.surroundings import Surroundings
from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.store.rows import (
    Address,
    Continuing,
    Direct,
    FromInbox,
    Gone,
    InboxFull,
    Incoming,
    Known,
    Receipt,
    Received,
    Source,
)


class Intake(Struct, eq=False):
    """`place` is given up while a turn waits. `look`: something may be in the inbox that was in hand before."""

    address: Address
    around: Surroundings
    performer: Performer
    guess: Guess
    hand: Hand
    answers: Answers
    place: Place
    look: Callable[[], None]

    def source(self, pending: Pending) -> Source:
        """Where a turn takes its event from."""
        if pending.body is None:
            return Continuing()
        if pending.number is not None:
            return FromInbox(pending.number, tuple([each.number for each in pending.merged if each.number is not None]))
        return Direct(self._incoming(pending), awaited=pending.settles is not None)

    async def store_now(self, pending: Pending) -> None:
        """Stores an event that may be on its way already, before somebody is told that we have it."""
        if pending.storing is not None:
            await pending.storing
        elif pending.is_loose:
            await self._receive([pending])
            if pending is not self.hand.current:
                self.look()  # it is no longer in hand

    async def store_behind(self, pending: Pending) -> None:
        """Stores an event that has to wait; what came before it goes first, so that their order is that of
        acceptance."""
        if self.guess.stand is not None and self.guess.stand.is_foreign(pending):
            return self.answers.refuse(pending, nobody())
        before = [each for each in (self.hand.current, self.hand.direct) if each is not None and each.is_loose]
        group = [*dict.fromkeys(before), pending] if pending not in before else [pending]
        await self._receive(group)
        return self.look()

    async def _receive(self, group: list[Pending]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for pending in group:
            pending.storing, pending.priority = done, lent_class(self.around, self.guess.row)
        incoming = [self._incoming(pending) for pending in group]
        try:
            receipts = await self.around.store.receive(incoming, self.around.holder)
        except StoreUnavailable as error:
            for pending in group:
                self.answers.refuse(pending, Unavailable(str(error)))
        else:
            for pending, receipt in zip(group, receipts, strict=True):
                await self._received(pending, receipt)
        finally:
            for pending in group:
                pending.storing = None
            done.set_result(None)

    async def _received(self, pending: Pending, receipt: Receipt) -> None:
        if pending is self.hand.direct:
            self.hand.direct = None
        match receipt:
            case Received(number=number):
                pending.number = number
            case Known(same_body=False):
                self.answers.refuse(pending, conflict())
            case Known(number=int() as number):
                pending.number = number
            case Known():
                await self.answers.ask_store(pending)
            case InboxFull():
                self.answers.refuse(pending, full())
            case Gone():
                self.answers.refuse(pending, erased())

    def _incoming(self, pending: Pending) -> Incoming:
        assert pending.body is not None
        body = self.performer.sealed(self.guess.stand, pending.body)
        return incoming_of(self.address, pending, body, trying=pending is self.hand.current)
