"""One conversation in this process: takes its events strictly one at a time.

What is held here is a guess; the compare-and-swap of the commit decides. Whatever goes wrong between two commits (a
lost race, an unknown outcome, a fault) forgets the guess and begins again at the look-up, with the event still in
hand. While the guess holds, a turn needs no load: the commit itself says what stands first in the inbox.

In hand are a message that came while nothing waited (`direct`), results that a write's turn waits for (`results`) and
a timer that is due (`timer`). Everything else is in the inbox before anybody is told that we have it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Final

from msgspec.structs import replace

from flowc.runtime.engine.answers import Answers, Chain, answer_of, answer_of_known, is_complete, joined
from flowc.runtime.engine.classes import class_of, known_class, lent_class
from flowc.runtime.engine.counts import Counts
from flowc.runtime.engine.errors import NotFound, Unavailable, conflict, erased, full, nobody
from flowc.runtime.engine.inbox import Inbox
from flowc.runtime.engine.merging import with_those_behind
from flowc.runtime.engine.message import Sent, Turn
from flowc.runtime.engine.pending import Pending, incoming_of
from flowc.runtime.engine.perform import Made, Performer, Stand, with_source
from flowc.runtime.engine.place import Place
from flowc.runtime.engine.stored import DamagedBody, MessageBody
from flowc.runtime.engine.surroundings import Surroundings
from flowc.runtime.engine.turn import MOST_TRIES, Fault, reason_of, rest_of, verdict
from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.program import PriorityClass
from flowc.runtime.store.recent import EventHash
from flowc.runtime.store.rows import (
    Address,
    Behind,
    Committed,
    Continuing,
    Direct,
    FromInbox,
    Gone,
    InboxFull,
    Incoming,
    Known,
    Loaded,
    Lost,
    Outcome,
    Receipt,
    Received,
    Row,
    Source,
    Unfit,
    Unit,
    Unknown,
    Wanted,
)
from flowc.runtime.telemetry import Fact
from flowc.runtime.telemetry.tracing import conversation_hash

LOOK_AGAIN_S: Final = 1.0  # at a store that did not answer, for what must not be lost
NO_HASH: Final = EventHash(b"")


class Session:
    def __init__(
        self,
        address: Address,
        around: Surroundings,
        performer: Performer,
        counts: Counts,
        begin: Callable[[Unit], None],
    ) -> None:
        self.address = address
        self.stand: Stand | None = None
        self.watchers: set[asyncio.Event] = set()
        self._around = around
        self._begin = begin  # starts the commands of a committed unit
        self._performer = performer
        self._counts = counts
        self._began_s = 0.0
        self._answers = Answers(address)
        self._inbox = Inbox(address, around)
        self._direct: Pending | None = None
        self._results: list[Pending] = []
        self._timer: Pending | None = None
        self._next: Pending | None = None  # the turn that must follow the last one
        self._current: Pending | None = None
        self._chain: Chain | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_submitted = False  # the usual turn is on its way into the store, and no task waits for it
        self._place = Place(around, self._begin_to_run)
        self._woken = False
        self._has_come = False  # something came into the inbox since it was looked up
        self._is_fresh = False  # the guess was looked up after what is in hand came

    @property
    def is_running(self) -> bool:
        """It runs, or stands in line to."""
        return self._task is not None or self._is_submitted or self._place.is_wanted

    @property
    def is_idle(self) -> bool:
        return not self.is_running and self._answers.is_empty and not (self._results or self.watchers)

    def knows(self, pending: Pending) -> bool:
        """Whether the id came before, as far as that is known here."""
        is_taken = self.stand is not None and self.stand.row.recent.find(pending.hash) is not None
        return is_taken or self._answers.find(pending.hash) is not None

    def has_begun(self, pending: Pending) -> bool:
        """Whether the turn of a message runs, or is over."""
        return (pending is self._direct and self._task is not None) or pending.has_begun or pending.is_answered

    def said(self, pending: Pending) -> tuple[Sent, ...]:
        """The replies so far, of an event whose turns are not over."""
        chain = self._chain
        return chain.answer.replies if chain is not None and chain.cause == pending.hash and chain.answer else ()

    # ---------------------------------------------------------------------------------------------------- what comes in

    def offer(self, pending: Pending) -> asyncio.Future[Turn]:
        """A message or external event; its answer comes when all turns that it causes are over. Raises Conflict."""
        attached = self._answers.attach(pending)
        if attached is not None:
            known = self._answers.find(pending.hash)
            if known is not None and known.is_unfinished:  # another server may have ended it
                self._around.start(self._answer_known(known))
            return attached
        answer = pending.answer()
        if self._is_free:
            self._direct, self._is_fresh = pending, False
            self._start()
        else:
            if self._place.is_wanted:
                self._place.lend(lent_class(self._around, self._row), pending.at_ms)
            self._around.start(self._store_behind(pending))
        return answer

    def give(self, result: Pending) -> None:
        """A result that a turn waits for."""
        self._results.append(result)
        self.wake()

    def fire(self, timer: Pending) -> None:
        self._timer, self._is_fresh = timer, False
        self.wake()

    def wake(self) -> None:
        """There is something to do."""
        if not self.is_running:
            self._start()
        else:
            self._woken = True

    def look(self) -> None:
        """Something came into the inbox that we do not have in hand."""
        self._has_come = True
        self._inbox.forget()
        self.wake()

    def forget(self) -> None:
        """The guess does not hold."""
        self.stand = None
        self._inbox.forget()

    def stop(self) -> None:
        """Whoever waits for an event that waits itself has to ask the next server; the store has it."""
        for pending in self._answers.queued():
            is_under_way = pending is self._current or (self._chain is not None and self._chain.cause == pending.hash)
            if not is_under_way:
                self._answers.refuse(pending, Unavailable("the server stops"))

    def erase(self) -> None:
        self.forget()
        self._answers.refuse_all(erased())
        self._notify()

    @property
    def _is_free(self) -> bool:
        is_between = self.stand is not None and self.stand.continues
        return not self.is_running and self._direct is None and not self._results and not is_between

    def _start(self) -> None:
        if self._place.enter(known_class(self._around, self._row)):
            self._begin_to_run()
        else:
            self._place.want()
            self._around.start(self._stand_in_line())

    @property
    def _row(self) -> Row | None:
        return None if self.stand is None else self.stand.row

    def _begin_to_run(self) -> None:
        if not self._took_at_once():
            self._task = self._around.start(self._run())

    async def _stand_in_line(self) -> None:
        """Which class it has, and whose it is, may have to be looked up first."""
        with suppress(Exception):  # the turn will meet that too, and says so
            if self.stand is None:
                await self._look_up()
        direct, row = self._direct, self._row
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

    # --------------------------------------------------------------------------------------------------------- the loop

    async def _run(self, first: Coroutine[None, None, None] | None = None) -> None:
        """Takes events until none can be taken; before them ends the one that was begun."""
        try:
            may_more = True
            if first is not None:
                await first
                self._current, may_more = None, self._has_more
            while may_more:
                may_more = await self._took_one() and self._has_more
            self._rest()
        except Exception as error:  # noqa: BLE001 - a mistake of ours here must not stop the other conversations
            self._broke(error)
        self._end()

    def _rest(self) -> None:
        """Nothing can be taken."""
        self._answer_queued()
        if self._around.is_stopping:
            self.stop()

    def _broke(self, error: Exception) -> None:
        if isinstance(error, StoreUnavailable):
            return self._lost_store(error.reason)
        self._around.log("error", "conversation failed", {"error": type(error).__name__})
        return self._lost_store(f"a mistake of ours, {type(error).__name__}")

    def _end(self) -> None:
        self._task = self._current = None
        self._place.leave()
        if self._woken or self._direct is not None:
            self._woken = False
            self._start()

    @property
    def _has_more(self) -> bool:
        """Whether there may be something to take; after most turns not, and this costs a fifth of looking."""
        in_hand = self._direct or self._results or self._timer
        return bool(self.stand is None or self.stand.reads or not self._inbox.is_empty or in_hand)

    async def _took_one(self) -> bool:
        """Whether something was done, so that it is worth while to look again."""
        if self.stand is None or not self._inbox.is_known:
            self._woken = False
            await self._look_up()
        stand = self.stand
        assert stand is not None
        if stand.row.erased:
            self._direct = None
            self._answers.refuse_all(erased())
            return False
        if stand.reads:
            pending: Pending | None = await self._following(stand)
        else:
            self._next, pending = None, self._from_results(stand)
        if pending is None:
            found = None if self._inbox.is_empty else await self._from_inbox(stand)
            pending = found or await self._from_hand(stand)
            if self.stand is not stand or not self._inbox.is_known:
                return True
        if pending is None:
            return False
        self._current = pending
        await self._take(stand, pending)
        self._current = None
        return True

    async def _look_up(self) -> None:
        self._has_come = False
        loaded = (await self._around.store.load([Wanted(self.address)]))[0]
        self._learn_where(loaded, await self._performer.stand(loaded.row))

    def _learn_where(self, loaded: Loaded, stand: Stand) -> None:
        self.stand = stand
        self._is_fresh = True
        self._inbox.learn(loaded.inbox, is_whole=True)
        if self._has_come:  # perhaps after the look
            self._inbox.forget()
        numbers = {event.number for event in loaded.inbox}
        for pending in self._answers.queued():
            if pending.number not in numbers:  # taken: here, and its answer is under way, or by another server
                self._around.start(self._answer_known(pending))
        if not stand.continues:
            for pending in self._answers.unfinished():
                self._around.start(self._answer_known(pending))
        if self._chain is not None and not stand.continues:
            chain, self._chain = self._chain, None  # another server took its last turn
            chain.complete = False
            self._finish(chain)

    # ------------------------------------------------------------------------------------------------ what can be taken

    async def _following(self, stand: Stand) -> Pending:
        """The turn of a call that follows a reply: nothing else is taken before it."""
        if self._next is None:
            if self._chain is not None:
                self._next = Pending(NO_HASH, None, cause=self._chain.cause)
            else:  # whoever took the turn before is gone, perhaps by taking this one: tries count in the row
                cause = await self._last_cause(stand.row)
                alarm = next(((timer.generation, 0) for timer in stand.row.timers if timer.after_ms == 0), None)
                self._next = Pending(NO_HASH, None, incarnation=stand.row.incarnation, cause=cause, alarm=alarm)
        return self._next

    async def _last_cause(self, row: Row) -> EventHash | None:
        """What led to the turn before, where another process took it."""
        last = await self._around.store.journal(self.address, row.incarnation, row.turn - 1, 1)
        return last[0].cause if last else None

    def _from_results(self, stand: Stand) -> Pending | None:
        while self._results:
            first = self._results[0]
            assert first.body is not None
            if first.incarnation == stand.row.incarnation and verdict(stand.row, stand.position, first.body) == "take":
                return first
            self._results.pop(0)  # it was taken by then, or came late
        return None

    async def _from_inbox(self, stand: Stand) -> Pending | None:
        for pending in self._inbox.events(self._answers.find):
            assert pending.body is not None
            if self._around.is_stopping and pending.kind != "result":
                continue
            if pending.incarnation not in (None, stand.row.incarnation):
                await self._take_earlier(pending)
                return None
            found = verdict(stand.row, stand.position, pending.body)
            if found == "take":
                return await with_those_behind(self._inbox, self._answers.find, stand, pending)
            if found == "drop":
                await self._drop(stand, pending)
                return None
        if not self._inbox.is_whole:
            self._inbox.forget()
        return None

    async def _from_hand(self, stand: Stand) -> Pending | None:
        direct, timer = self._direct, self._timer
        if direct is not None:
            assert direct.body is not None
            found = verdict(stand.row, stand.position, direct.body)
            is_free = self._inbox.is_empty and not stand.is_foreign(direct)
            if found == "take" and is_free and stand.row.recent.find(direct.hash) is None:
                return direct
            if not self._is_fresh and (found == "drop" or stand.is_foreign(direct)):
                self.forget()  # another server may have moved it
                return None
            self._direct = None
            await self._set_aside(stand, direct, is_moot=found == "drop")
            self._inbox.forget()
            return None
        if timer is None or timer.body is None:
            return None
        if timer.incarnation == stand.row.incarnation and verdict(stand.row, stand.position, timer.body) == "take":
            self._timer = None
            return timer if self._inbox.is_empty else None  # a message that was accepted goes first
        if self._is_fresh:
            self._timer = None
        else:
            self.forget()  # another server may have moved it
        return None

    async def _set_aside(self, stand: Stand, direct: Pending, *, is_moot: bool) -> None:
        """An event that came directly and cannot be taken now."""
        if stand.is_foreign(direct):
            self._answers.refuse(direct, nobody())
        elif stand.row.recent.find(direct.hash) is not None:
            await self._answer_known(direct)
        elif is_moot:
            self._answers.resolve(direct.hash, self._unmoved(stand))
        else:
            await self._store_behind(direct)

    async def _drop(self, stand: Stand, pending: Pending) -> None:
        """It can never be taken: its wait was left, or what it asks for is so already."""
        assert pending.number is not None
        await self._around.store.discard(self.address, pending.number)
        self._inbox.forget()
        self._answers.resolve(pending.hash, self._unmoved(stand))

    async def _take_earlier(self, pending: Pending) -> None:
        """A job's result for an incarnation that is over for its user."""
        assert pending.number is not None
        assert pending.body is not None
        loaded = (await self._around.store.load([Wanted(self.address, pending.incarnation)]))[0]
        stand = replace(await self._performer.stand(loaded.row), is_earlier=True)
        if loaded.row.incarnation != pending.incarnation or verdict(stand.row, stand.position, pending.body) != "take":
            await self._around.store.discard(self.address, pending.number)
        else:
            await self._take(stand, pending)
        self.forget()

    # --------------------------------------------------------------------------------------------------- the usual turn

    def _took_at_once(self) -> bool:
        """Takes the message that nearly all are: in hand, of a conversation that is known and waits, with nothing
        before it. It needs no task of its own: until it reads, and while it is committed, there is nothing to wait
        with. False: it is not so, and nothing was done."""
        if self.stand is None:
            self._look_at_once()
        stand, direct = self.stand, self._direct
        if stand is None or direct is None or not self._inbox.is_empty or self._results or stand.row.erased:
            return False
        body = direct.body
        if type(body) is not MessageBody or stand.reads or direct.storing is not None or direct.number is not None:
            return False
        if stand.row.recent.find(direct.hash) is not None or stand.is_foreign(direct):
            return False
        if self._around.is_remote or verdict(stand.row, stand.position, body) != "take":
            return False
        self._current, self._next = direct, None
        direct.tries += 1
        try:
            begun = self._performer.begin(stand, direct, body)
            if begun is None:
                direct.tries -= 1
                return False
            self._begins(direct)
            made = None if begun.step.reads else self._performer.made(begun, direct, self.source(direct))
        except Exception as error:  # noqa: BLE001 - a failed turn becomes a recorded event
            self._fail_at_once(stand, direct, error)
            return True
        if made is None:
            completing = self._performer.completed(begun, direct, self)
            self._task = self._around.start(self._run(self._complete(stand, direct, completing)))
        else:
            self._submit(direct, made)
        return True

    def _look_at_once(self) -> None:
        """Nobody was here before, as far as this server knows: where the store says the same, nothing is waited for."""
        loaded = self._around.look_up(self.address)
        if loaded is not None and loaded.row.turn == 0:
            self._woken = False
            self._learn_where(loaded, Stand(loaded.row, None, self._around.current))

    def _fail_at_once(self, stand: Stand, pending: Pending, error: Exception) -> None:
        if not pending.has_begun:
            self._begins(pending)
        made = self._failed(stand, pending, error)
        if made is not None:
            return self._submit(pending, made)
        self.forget()
        self._task = self._around.start(self._run())
        return None

    def _submit(self, pending: Pending, made: Made) -> None:
        pending.submitted = self._is_submitted = True
        self._around.submit(made.unit, partial(self._learned, pending, made))

    def _learned(self, pending: Pending, made: Made, outcome: Outcome | Exception) -> None:
        """What became of it."""
        pending.submitted = self._is_submitted = False
        if not isinstance(outcome, Committed):
            self._task = self._around.start(self._run(self._unusual(pending, made, outcome)))
            return
        try:
            self._committed(pending, made, made.unit, outcome)
            if self._has_more:
                self._current = None
                self._task = self._around.start(self._run())
                return
            self._rest()
        except Exception as error:  # noqa: BLE001 - a mistake of ours here must not stop the other conversations
            self._broke(error)
        self._end()

    async def _unusual(self, pending: Pending, made: Made, outcome: Outcome | Exception) -> None:
        if isinstance(outcome, Exception):
            raise outcome
        await self._learn(pending, made, made.unit, outcome)

    # ----------------------------------------------------------------------------------------------------------- a turn

    async def _take(self, stand: Stand, pending: Pending) -> None:
        if not await self._inbox.counted(pending):
            return self.forget()
        self._begins(pending)
        return await self._complete(stand, pending, self._performer.turn(stand, pending, self))

    def _begins(self, pending: Pending) -> None:
        now = self._began_s = self._around.time.now()
        if pending is self._direct and not self._place.has_waited:
            self._around.admission.began(self._place.priority, now - pending.offered_s, now)
        for each in pending.merged:
            each.has_begun = True
        pending.has_begun = True

    async def _complete(self, stand: Stand, pending: Pending, making: Coroutine[None, None, Made]) -> None:
        try:
            if pending.tries > MOST_TRIES:  # the process did not survive the third
                making.close()
                raise Fault("the event stopped the server")
            made: Made | None = await making
        except StoreUnavailable:
            self._inbox.uncount(pending)
            raise
        except Exception as error:  # noqa: BLE001 - a failed turn becomes a recorded event
            made = self._failed(stand, pending, error)
        if made is None:
            return self.forget()
        return await self._commit(pending, made)

    def _failed(self, stand: Stand, pending: Pending, error: Exception) -> Made | None:
        """The turn that sets the event aside; None where it is to be tried again."""
        self._counts.failed(pending)
        reason = reason_of(error)
        told: dict[str, Fact] = {"tries": pending.tries, "kind": pending.kind, "error": reason}
        self._around.log("error", "turn failed", {"conversation": conversation_hash(self.address), **told})
        if pending.tries < MOST_TRIES and not isinstance(pending.body, DamagedBody):
            self._keep_timer(pending)
            return None
        return self._performer.fault(stand, pending, self.source(pending), reason)

    async def _commit(self, pending: Pending, made: Made) -> None:
        if pending.storing is not None:
            await pending.storing
        if pending.is_answered:  # the store knew it, had no room or did not answer
            self._consumed(pending)
            return self.forget()
        pending.submitted = True
        unit = made.unit if pending.number is None else with_source(made.unit, self.source(pending))
        outcome = (await self._around.commit([unit]))[0]
        pending.submitted = False
        return await self._learn(pending, made, unit, outcome)

    async def _learn(self, pending: Pending, made: Made, unit: Unit, outcome: Outcome) -> None:
        match outcome:
            case Committed():
                self._committed(pending, made, unit, outcome)
            case Unfit(reason=reason) if made.unit.dead is None:
                await self._commit(pending, self._performer.fault(made.stand, pending, self.source(pending), reason))
            case _:
                self._not_committed(pending, outcome)

    def _committed(self, pending: Pending, made: Made, unit: Unit, committed: Committed) -> None:
        following = committed.next
        self._consumed(pending)
        self.stand = Stand(committed.row, made.position, made.stand.deployed)
        self._inbox.learn(() if following is None else (following,), is_whole=following is None)
        if following is not None:
            self._inbox.count(following.number, following.tries)
        if self._has_come:  # perhaps after the commit, which then does not tell of it
            self._inbox.forget()
        self._counts.turn(made, pending, self._began_s, self._around.time.now())
        self._follow(pending, made, unit)

    def source(self, pending: Pending) -> Source:
        if pending.body is None:
            return Continuing()
        if pending.number is not None:
            return FromInbox(pending.number, tuple([each.number for each in pending.merged if each.number is not None]))
        return Direct(self._incoming(pending), awaited=pending.settles is not None)

    def _not_committed(self, pending: Pending, outcome: Outcome) -> None:
        """Begins again at the look-up; what can never be committed is answered."""
        self._counts.not_committed(outcome)
        match outcome:
            case Behind(number=number):
                pending.number = number
                self._consumed(pending)
            case InboxFull():
                self._consumed(pending)
                self._answers.refuse(pending, full())
            case Unfit(reason=reason):
                self._consumed(pending)
                self._answers.refuse(pending, Unavailable(f"the store refuses the turn: {reason}"))
            case Lost(why="settled"):
                self._consumed(pending)
            case Lost() | Unknown() | Committed():
                self._inbox.uncount(pending)
                self._keep_timer(pending)
        self.forget()

    def _keep_timer(self, pending: Pending) -> None:
        """A timer that is in no inbox is tried again at once, not only when its lease has lapsed."""
        if pending.kind == "timer" and pending.number is None:
            self._timer = pending

    def _consumed(self, pending: Pending) -> None:
        if pending is self._direct:
            self._direct = None
        if pending in self._results:
            self._results.remove(pending)
        self._next = None

    # ------------------------------------------------------------------------------------------------------- its answer

    def _follow(self, pending: Pending, made: Made, unit: Unit) -> None:
        """Starts the turn's commands, and answers who waits when no turn follows."""
        chain = self._chain
        if pending.kind in ("message", "event"):
            chain = Chain(pending.hash, complete=True, merged=tuple([each.hash for each in pending.merged]))
        elif chain is None or chain.cause != pending.cause:
            chain = Chain(pending.cause, complete=False)
        chain.answer = joined(chain.answer, answer_of(self.address, unit.incarnation, unit.turn, made.spoken))
        self._chain = None if made.spoken.rests else chain
        if unit.commands:
            self._begin(unit)
        if made.spoken.rests:
            self._finish(chain, unit.priority)
        self._notify()

    def _finish(self, chain: Chain, priority: PriorityClass = "normal") -> None:
        for cause in (chain.cause, *chain.merged):
            pending = None if cause is None else self._answers.find(cause)
            if pending is not None and chain.answer is not None:
                self._finish_one(chain, chain.answer, pending, priority)

    def _finish_one(self, chain: Chain, answer: Turn, pending: Pending, priority: PriorityClass) -> None:
        if chain.complete:
            self._counts.answered(pending, priority, self._around.time.now())
            self._answers.resolve(pending.hash, answer)
        else:
            self._around.start(self._answer_known(pending))

    async def _answer_known(self, pending: Pending) -> None:
        """The answer of an id that came before: what it caused, or the end of what it still causes."""
        try:
            loaded = (await self._around.store.load([Wanted(self.address, event=pending.hash)]))[0]
        except StoreUnavailable as error:
            return self._answers.refuse(pending, Unavailable(str(error)))
        repetition = loaded.repetition
        if repetition is None:
            self._answers.refuse(pending, NotFound("what this id caused is no longer kept"))
        elif repetition.digest != pending.digest:
            self._answers.refuse(pending, conflict())
        elif repetition.number is not None:
            pending.number = repetition.number
            self.look()
        elif is_complete(repetition):
            self._answers.resolve(pending.hash, answer_of_known(self.address, repetition.turns))
        else:
            pending.is_unfinished = True
        return None

    def _unmoved(self, stand: Stand) -> Turn:
        """Where it is, for an event that changes nothing."""
        version = stand.deployed.program.version
        return Turn(self.address, stand.row.incarnation, stand.row.turn, version, (), rest_of(stand.position))

    def _answer_queued(self) -> None:
        """External events that wait until people give the conversation back: their senders need not."""
        stand = self.stand
        if stand is None or stand.position is None or stand.position.expects != "people":
            return
        for pending in self._answers.queued():
            if pending.kind == "event":
                self._answers.resolve(pending.hash, replace(self._unmoved(stand), queued=True))

    def _lost_store(self, reason: str) -> None:
        """Nothing is lost: what was accepted is in the store, and a result is kept until the store has it."""
        self.forget()
        direct, self._direct = self._direct, None
        if direct is not None:
            self._answers.refuse(direct, Unavailable(f"the store is not available now: {reason}"))
        if self._results or not self._answers.is_empty:
            self._around.start(self._look_again())

    async def _look_again(self) -> None:
        await self._around.time.sleep(LOOK_AGAIN_S)
        self.look()

    def _notify(self) -> None:
        for watcher in self.watchers:
            watcher.set()

    # --------------------------------------------------------------------------------------------------- into the inbox

    def rest(self) -> None:
        """The turn waits for a backend, and needs no place to run meanwhile."""
        self._place.rest()

    def go_on(self) -> None:
        self._place.go_on()

    async def store_now(self, pending: Pending) -> None:
        """Stores an event that may be on its way already, before somebody is told that we have it."""
        if pending.storing is not None:
            await pending.storing
        elif pending.is_loose:
            await self._receive([pending])
            if pending is not self._current:
                self.look()  # it is no longer in hand

    async def _store_behind(self, pending: Pending) -> None:
        """Stores an event that has to wait; what came before it goes first, so that their order is that of
        acceptance."""
        if self.stand is not None and self.stand.is_foreign(pending):
            return self._answers.refuse(pending, nobody())
        before = [each for each in (self._current, self._direct) if each is not None and each.is_loose]
        group = [*dict.fromkeys(before), pending] if pending not in before else [pending]
        await self._receive(group)
        return self.look()

    async def _receive(self, group: list[Pending]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for pending in group:
            pending.storing, pending.priority = done, lent_class(self._around, self._row)
        incoming = [self._incoming(pending) for pending in group]
        try:
            receipts = await self._around.store.receive(incoming, self._around.holder)
        except StoreUnavailable as error:
            for pending in group:
                self._answers.refuse(pending, Unavailable(str(error)))
        else:
            for pending, receipt in zip(group, receipts, strict=True):
                await self._received(pending, receipt)
        finally:
            for pending in group:
                pending.storing = None
            done.set_result(None)

    async def _received(self, pending: Pending, receipt: Receipt) -> None:
        if pending is self._direct:
            self._direct = None
        match receipt:
            case Received(number=number):
                pending.number = number
            case Known(same_body=False):
                self._answers.refuse(pending, conflict())
            case Known(number=int() as number):
                pending.number = number
            case Known():
                await self._answer_known(pending)
            case InboxFull():
                self._answers.refuse(pending, full())
            case Gone():
                self._answers.refuse(pending, erased())

    def _incoming(self, pending: Pending) -> Incoming:
        assert pending.body is not None
        return incoming_of(
            self.address, pending, self._performer.sealed(self.stand, pending.body), trying=pending is self._current
        )
