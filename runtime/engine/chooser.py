"""Which event a conversation takes next, from where it stands. What can never be taken is answered or put away here."""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from flowc.runtime.engine.answers import Answers, unmoved
from flowc.runtime.engine.errors import nobody
from flowc.runtime.engine.guess import Guess
from flowc.runtime.engine.hand import Hand
from flowc.runtime.engine.intake import Intake
from flowc.runtime.engine.merging import with_those_behind
from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.perform import Performer, Stand
from flowc.runtime.engine.surroundings import Surroundings
from flowc.runtime.engine.taker import Taker
from flowc.runtime.engine.turn import verdict
from flowc.runtime.store.recent import EventHash
from flowc.runtime.store.rows import Address, Row, Wanted

NO_HASH: Final = EventHash(b"")


class Chooser(Struct, eq=False):
    address: Address
    around: Surroundings
    performer: Performer
    guess: Guess
    hand: Hand
    answers: Answers
    intake: Intake
    taker: Taker

    async def following(self, stand: Stand) -> Pending:
        """The turn of a call that follows a reply: nothing else is taken before it."""
        if self.hand.following is None:
            chain = self.answers.chain
            if chain is not None:
                self.hand.following = Pending(NO_HASH, None, cause=chain.cause)
            else:  # whoever took the turn before is gone, perhaps by taking this one: tries count in the row
                cause = await self._last_cause(stand.row)
                alarm = next(((timer.generation, 0) for timer in stand.row.timers if timer.after_ms == 0), None)
                self.hand.following = Pending(
                    NO_HASH, None, incarnation=stand.row.incarnation, cause=cause, alarm=alarm
                )
        return self.hand.following

    async def _last_cause(self, row: Row) -> EventHash | None:
        """What led to the turn before, where another process took it."""
        last = await self.around.store.journal(self.address, row.incarnation, row.turn - 1, 1)
        return last[0].cause if last else None

    # -------------------------------------------------------------------------------------------------------- the inbox

    async def from_inbox(self, stand: Stand) -> Pending | None:
        """The first that can be taken."""
        inbox = self.guess.inbox
        for pending in inbox.events(self.answers.find):
            assert pending.body is not None
            if self.around.is_stopping and pending.kind != "result":
                continue
            if pending.incarnation not in (None, stand.row.incarnation):
                await self._take_earlier(pending)
                return None
            found = verdict(stand.row, stand.position, pending.body)
            if found == "take":
                return await with_those_behind(inbox, self.answers.find, stand, pending)
            if found == "drop":
                await self._drop(stand, pending)
                return None
        if not inbox.is_whole:
            inbox.forget()
        return None

    async def _take_earlier(self, pending: Pending) -> None:
        """A job's result for an incarnation that is over for its user."""
        assert pending.number is not None
        assert pending.body is not None
        loaded = (await self.around.store.load([Wanted(self.address, pending.incarnation)]))[0]
        stand = replace(await self.performer.stand(loaded.row), is_earlier=True)
        if loaded.row.incarnation != pending.incarnation or verdict(stand.row, stand.position, pending.body) != "take":
            await self.around.store.discard(self.address, pending.number)
        else:
            await self.taker.take(stand, pending)
        self.guess.forget()

    async def _drop(self, stand: Stand, pending: Pending) -> None:
        """It can never be taken: its wait was left, or what it asks for is so already."""
        assert pending.number is not None
        await self.around.store.discard(self.address, pending.number)
        self.guess.inbox.forget()
        self.answers.resolve(pending.hash, unmoved(stand))

    # --------------------------------------------------------------------------------------------------------- the hand

    async def from_hand(self, stand: Stand) -> Pending | None:
        """What came past the inbox, or the timer, where it can be taken."""
        guess, direct = self.guess, self.hand.direct
        if direct is None:
            return self._timer(stand)
        assert direct.body is not None
        found = verdict(stand.row, stand.position, direct.body)
        is_free = guess.inbox.is_empty and not stand.is_foreign(direct)
        if found == "take" and is_free and stand.row.recent.find(direct.hash) is None:
            return direct
        if not guess.is_fresh and (found == "drop" or stand.is_foreign(direct)):
            guess.forget()  # another server may have moved it
            return None
        self.hand.direct = None
        await self._set_aside(stand, direct, is_moot=found == "drop")
        guess.inbox.forget()
        return None

    async def _set_aside(self, stand: Stand, direct: Pending, *, is_moot: bool) -> None:
        """An event that came directly and cannot be taken now."""
        if stand.is_foreign(direct):
            self.answers.refuse(direct, nobody())
        elif stand.row.recent.find(direct.hash) is not None:
            await self.answers.ask_store(direct)
        elif is_moot:
            self.answers.resolve(direct.hash, unmoved(stand))
        else:
            await self.intake.store_behind(direct)

    def _timer(self, stand: Stand) -> Pending | None:
        timer = self.hand.timer
        if timer is None or timer.body is None:
            return None
        if timer.incarnation == stand.row.incarnation and verdict(stand.row, stand.position, timer.body) == "take":
            self.hand.timer = None
            return timer if self.guess.inbox.is_empty else None  # a message that was accepted goes first
        if self.guess.is_fresh:
            self.hand.timer = None
        else:
            self.guess.forget()  # another server may have moved it
        return None
