"""One conversation in this process: takes its events strictly one at a time.

What is known here of where it stands is a guess (`Guess`); the compare-and-swap of the commit decides. An event comes
into its `Hand`, or by its `Intake` into the inbox; the `Chooser` says which is next, the `Taker` takes it, and
`AtOnce` the one that nearly all are; the `Answers` go to those who wait. The session itself is when: it runs while
there is something to take and it has a place.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import ClassVar, Final

from msgspec.structs import replace

from flowc.runtime.engine.answers import Answers, unmoved
from flowc.runtime.engine.at_once import AtOnce
from flowc.runtime.engine.chooser import Chooser
from flowc.runtime.engine.classes import class_of, known_class, lent_class
from flowc.runtime.engine.counts import Counts
from flowc.runtime.engine.errors import Unavailable, erased
from flowc.runtime.engine.guess import Guess
from flowc.runtime.engine.hand import Hand
from flowc.runtime.engine.inbox import Inbox
from flowc.runtime.engine.intake import Intake
from flowc.runtime.engine.message import Sent, Turn
from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.perform import Made, Performer
from flowc.runtime.engine.place import Place
from flowc.runtime.engine.surroundings import Surroundings
from flowc.runtime.engine.taker import Taker
from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.store.rows import Address, Committed, Outcome, Unit, Wanted

LOOK_AGAIN_S: Final = 1.0  # at a store that did not answer, for what must not be lost


class Session:
    """`begin` starts the commands of a committed unit. `watchers` are told of each turn."""

    kind_of_taker: ClassVar[type[Taker]] = Taker

    def __init__(
        self,
        address: Address,
        around: Surroundings,
        performer: Performer,
        counts: Counts,
        begin: Callable[[Unit], None],
    ) -> None:
        self.address = address
        self.watchers: set[asyncio.Event] = set()
        self._around = around
        self._performer = performer
        self._task: asyncio.Task[None] | None = None
        self._is_submitted = False  # the usual turn is on its way into the store, and no task waits for it
        self.guess = guess = Guess(Inbox(address, around))
        self._hand = hand = Hand()
        self._place = place = Place(around, self._begin_to_run)
        self._answers = answers = Answers(address, around, counts, self.look)
        self.intake = intake = Intake(address, around, performer, guess, hand, answers, place, self.look)
        taker = self.kind_of_taker(around, performer, counts, begin, guess, hand, answers, intake, self.watchers)
        self._taker = taker
        self._chooser = Chooser(address, around, performer, guess, hand, answers, intake, taker)
        self._at_once = AtOnce(address, around, performer, guess, hand, answers, intake, taker)

    @property
    def is_running(self) -> bool:
        """It runs, or stands in line to."""
        return self._task is not None or self._is_submitted or self._place.is_wanted

    @property
    def is_idle(self) -> bool:
        return not self.is_running and self._answers.is_empty and not (self._hand.results or self.watchers)

    def knows(self, pending: Pending) -> bool:
        """Whether the id came before, as far as that is known here."""
        stand = self.guess.stand
        is_taken = stand is not None and stand.row.recent.find(pending.hash) is not None
        return is_taken or self._answers.find(pending.hash) is not None

    def has_begun(self, pending: Pending) -> bool:
        """Whether the turn of a message runs, or is over."""
        return (pending is self._hand.direct and self._task is not None) or pending.has_begun or pending.is_answered

    def said(self, pending: Pending) -> tuple[Sent, ...]:
        """The replies so far, of an event whose turns are not over."""
        chain = self._answers.chain
        return chain.answer.replies if chain is not None and chain.cause == pending.hash and chain.answer else ()

    # ---------------------------------------------------------------------------------------------------- what comes in

    def offer(self, pending: Pending) -> asyncio.Future[Turn]:
        """A message or external event; its answer comes when all turns that it causes are over. Raises Conflict."""
        attached = self._answers.attach(pending)
        if attached is not None:
            known = self._answers.find(pending.hash)
            if known is not None and known.is_unfinished:  # another server may have ended it
                self._around.start(self._answers.ask_store(known))
            return attached
        answer = pending.answer()
        if self._is_free:
            self._hand.direct, self.guess.is_fresh = pending, False
            self._start()
        else:
            if self._place.is_wanted:
                self._place.lend(lent_class(self._around, self.guess.row), pending.at_ms)
            self._around.start(self.intake.store_behind(pending))
        return answer

    @property
    def _is_free(self) -> bool:
        stand, hand = self.guess.stand, self._hand
        is_between = stand is not None and stand.continues
        return not self.is_running and hand.direct is None and not hand.results and not is_between

    def give(self, result: Pending) -> None:
        """A result that a turn waits for."""
        self._hand.results.append(result)
        self.wake()

    def fire(self, timer: Pending) -> None:
        self._hand.timer, self.guess.is_fresh = timer, False
        self.wake()

    def wake(self) -> None:
        """There is something to do."""
        if not self.is_running:
            self._start()
        else:
            self.guess.is_stale = True

    def look(self) -> None:
        """Something came into the inbox that we do not have in hand."""
        self.guess.has_come = True
        self.guess.inbox.forget()
        self.wake()

    def stop(self) -> None:
        """Whoever waits for an event that waits itself has to ask the next server; the store has it."""
        current, chain = self._hand.current, self._answers.chain
        for pending in self._answers.queued():
            is_under_way = pending is current or (chain is not None and chain.cause == pending.hash)
            if not is_under_way:
                self._answers.refuse(pending, Unavailable("the server stops"))

    def erase(self) -> None:
        self.guess.forget()
        self._answers.refuse_all(erased())
        for watcher in self.watchers:
            watcher.set()

    # -------------------------------------------------------------------------------------------------- a place to run

    def _start(self) -> None:
        if self._place.enter(known_class(self._around, self.guess.row)):
            self._begin_to_run()
        else:
            self._place.want()
            self._around.start(self._stand_in_line())

    async def _stand_in_line(self) -> None:
        """Which class it has, and whose it is, may have to be looked up first."""
        with suppress(Exception):  # the turn will meet that too, and says so
            if self.guess.stand is None:
                await self._look_up()
        direct, row = self._hand.direct, self.guess.row
        priority = (
            known_class(self._around, row)
            if row is None or direct is None
            else class_of(self._around, row, direct.body)
        )
        if self._place.enter(priority):
            return self._begin_to_run()
        owner = direct.owner if direct is not None and direct.owner else "" if row is None else row.owner
        self._place.stand_in_line(
            priority, owner, self._around.store.clock.now_ms() if direct is None else direct.at_ms
        )
        return None

    def _begin_to_run(self) -> None:
        """In a task, where the turn has to wait for something."""
        taken = self._at_once.take()
        if not isinstance(taken, Made):
            self._task = self._around.start(self._run(taken))
            return
        pending = self._hand.current
        assert pending is not None
        pending.submitted = self._is_submitted = True
        self._around.submit(taken.unit, partial(self._learned, pending, taken))

    def _learned(self, pending: Pending, made: Made, outcome: Outcome | Exception) -> None:
        """What became of the usual turn."""
        pending.submitted = self._is_submitted = False
        if not isinstance(outcome, Committed):
            self._task = self._around.start(self._run(self._unusual(pending, made, outcome)))
            return
        try:
            self._taker.committed(pending, made, made.unit, outcome)
            if self._has_more:
                self._hand.current = None
                self._task = self._around.start(self._run())
                return
            self._rest()
        except Exception as error:  # noqa: BLE001 - a mistake of ours here must not stop the other conversations
            self._broke(error)
        self._end()

    async def _unusual(self, pending: Pending, made: Made, outcome: Outcome | Exception) -> None:
        if isinstance(outcome, Exception):
            raise outcome
        await self._taker.learn(pending, made, made.unit, outcome)

    # --------------------------------------------------------------------------------------------------------- the loop

    async def _run(self, first: Coroutine[None, None, None] | None = None) -> None:
        """Takes events until none can be taken; before them ends the one that was begun."""
        try:
            may_more = True
            if first is not None:
                await first
                self._hand.current, may_more = None, self._has_more
            while may_more:
                may_more = await self._took_one() and self._has_more
            self._rest()
        except Exception as error:  # noqa: BLE001 - a mistake of ours here must not stop the other conversations
            self._broke(error)
        self._end()

    @property
    def _has_more(self) -> bool:
        """Whether there may be something to take; after most turns not, and this costs a fifth of looking."""
        guess, hand = self.guess, self._hand
        in_hand = hand.direct or hand.results or hand.timer
        return bool(guess.stand is None or guess.stand.reads or not guess.inbox.is_empty or in_hand)

    async def _took_one(self) -> bool:
        """Whether something was done, so that it is worth while to look again."""
        guess, hand = self.guess, self._hand
        if guess.stand is None or not guess.inbox.is_known:
            guess.is_stale = False
            await self._look_up()
        stand = guess.stand
        assert stand is not None
        if stand.row.erased:
            hand.direct = None
            self._answers.refuse_all(erased())
            return False
        if stand.reads:
            pending: Pending | None = await self._chooser.following(stand)
        else:
            hand.following, pending = None, hand.result(stand)
        if pending is None:
            found = None if guess.inbox.is_empty else await self._chooser.from_inbox(stand)
            pending = found or await self._chooser.from_hand(stand)
            if guess.stand is not stand or not guess.inbox.is_known:
                return True
        if pending is None:
            return False
        hand.current = pending
        await self._taker.take(stand, pending)
        hand.current = None
        return True

    async def _look_up(self) -> None:
        self.guess.has_come = False
        loaded = (await self._around.store.load([Wanted(self.address)]))[0]
        stand = await self._performer.stand(loaded.row)
        self.guess.learn(stand, loaded.inbox)
        self._answers.looked_up(stand, loaded.inbox)

    # ----------------------------------------------------------------------------------------------------- and its ends

    def _rest(self) -> None:
        """Nothing can be taken."""
        self._answer_queued()
        if self._around.is_stopping:
            self.stop()

    def _answer_queued(self) -> None:
        """External events that wait until people give the conversation back: their senders need not."""
        stand = self.guess.stand
        if stand is None or stand.position is None or stand.position.expects != "people":
            return
        for pending in self._answers.queued():
            if pending.kind == "event":
                self._answers.resolve(pending.hash, replace(unmoved(stand), queued=True))

    def _broke(self, error: Exception) -> None:
        if isinstance(error, StoreUnavailable):
            return self._lost_store(error.reason)
        self._around.log("error", "conversation failed", {"error": type(error).__name__})
        return self._lost_store(f"a mistake of ours, {type(error).__name__}")

    def _lost_store(self, reason: str) -> None:
        """Nothing is lost: what was accepted is in the store, and a result is kept until the store has it."""
        self.guess.forget()
        direct, self._hand.direct = self._hand.direct, None
        if direct is not None:
            self._answers.refuse(direct, Unavailable(f"the store is not available now: {reason}"))
        if self._hand.results or not self._answers.is_empty:
            self._around.start(self._look_again())

    async def _look_again(self) -> None:
        await self._around.time.sleep(LOOK_AGAIN_S)
        self.look()

    def _end(self) -> None:
        self._task = self._hand.current = None
        self._place.leave()
        if self.guess.is_stale or self._hand.direct is not None:
            self.guess.is_stale = False
            self._start()
