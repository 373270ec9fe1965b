"""One turn of a conversation: it is made, committed, and what came of the commit is learned.

Whatever goes wrong between two commits (a lost race, an unknown outcome, a fault) forgets the guess and begins again at
the look-up, with the event still in hand.
"""

import asyncio
from collections.abc import Callable, Coroutine

from msgspec import Struct

from flowc.runtime.engine.answers import Answers
from flowc.runtime.engine.counts import Counts
from flowc.runtime.engine.errors import Unavailable, full
from flowc.runtime.engine.guess import Guess
from flowc.runtime.engine.hand import Hand
from flowc.runtime.engine.intake import Intake
from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.perform import Made, Performer, Stand, with_source
from flowc.runtime.engine.stored import DamagedBody
from flowc.runtime.engine.surroundings import Surroundings
from flowc.runtime.engine.turn import MOST_TRIES, Fault, reason_of
from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.store.rows import Behind, Committed, InboxFull, Lost, Outcome, Unfit, Unit, Unknown
from flowc.runtime.telemetry import Fact
from flowc.runtime.telemetry.tracing import conversation_hash


class Taker(Struct, eq=False):
    """`begin` starts the commands of a committed unit. `watchers` are told of each turn."""

    around: Surroundings
    performer: Performer
    counts: Counts
    begin: Callable[[Unit], None]
    guess: Guess
    hand: Hand
    answers: Answers
    intake: Intake
    watchers: set[asyncio.Event]
    began_s: float = 0.0

    async def take(self, stand: Stand, pending: Pending) -> None:
        if not await self.guess.inbox.counted(pending):
            return self.guess.forget()
        self.begins(pending)
        return await self.complete(stand, pending, self.performer.turn(stand, pending, self.intake))

    def begins(self, pending: Pending) -> None:
        now, place = self.around.time.now(), self.intake.place
        self.began_s = now
        if pending is self.hand.direct and not place.has_waited:
            self.around.admission.began(place.priority, now - pending.offered_s, now)
        for each in pending.merged:
            each.has_begun = True
        pending.has_begun = True

    async def complete(self, stand: Stand, pending: Pending, making: Coroutine[None, None, Made]) -> None:
        """From what makes the turn to its commit."""
        try:
            if pending.tries > MOST_TRIES:  # the process did not survive the third
                making.close()
                raise Fault("the event stopped the server")
            made: Made | None = await making
        except StoreUnavailable:
            self.guess.inbox.uncount(pending)
            raise
        except Exception as error:  # noqa: BLE001 - a failed turn becomes a recorded event
            made = self.failed(stand, pending, error)
        if made is None:
            return self.guess.forget()
        return await self._commit(pending, made)

    def failed(self, stand: Stand, pending: Pending, error: Exception) -> Made | None:
        """The turn that sets the event aside; None where it is to be tried again."""
        self.counts.failed(pending)
        reason = reason_of(error)
        told: dict[str, Fact] = {"tries": pending.tries, "kind": pending.kind, "error": reason}
        self.around.log("error", "turn failed", {"conversation": conversation_hash(stand.row.address), **told})
        if pending.tries < MOST_TRIES and not isinstance(pending.body, DamagedBody):
            self.hand.keep_timer(pending)
            return None
        return self.performer.fault(stand, pending, self.intake.source(pending), reason)

    async def _commit(self, pending: Pending, made: Made) -> None:
        if pending.storing is not None:
            await pending.storing
        if pending.is_answered:  # the store knew it, had no room or did not answer
            self.hand.consumed(pending)
            return self.guess.forget()
        pending.submitted = True
        unit = made.unit if pending.number is None else with_source(made.unit, self.intake.source(pending))
        outcome = (await self.around.commit([unit]))[0]
        pending.submitted = False
        return await self.learn(pending, made, unit, outcome)

    async def learn(self, pending: Pending, made: Made, unit: Unit, outcome: Outcome) -> None:
        """What became of a commit."""
        match outcome:
            case Committed():
                self.committed(pending, made, unit, outcome)
            case Unfit(reason=reason) if made.unit.dead is None:
                source = self.intake.source(pending)
                await self._commit(pending, self.performer.fault(made.stand, pending, source, reason))
            case _:
                self._not_committed(pending, outcome)

    def committed(self, pending: Pending, made: Made, unit: Unit, committed: Committed) -> None:
        """Goes on from there: the turn's commands begin, and who waits is answered when no turn follows."""
        following, inbox = committed.next, self.guess.inbox
        self.hand.consumed(pending)
        self.guess.stand = Stand(committed.row, made.position, made.stand.deployed)
        inbox.learn(() if following is None else (following,), is_whole=following is None)
        if following is not None:
            inbox.count(following.number, following.tries)
        if self.guess.has_come:  # perhaps after the commit, which then does not tell of it
            inbox.forget()
        self.counts.turn(made, pending, self.began_s, self.around.time.now())
        if unit.commands:
            self.begin(unit)
        self.answers.follow(pending, made, unit)
        for watcher in self.watchers:
            watcher.set()

    def _not_committed(self, pending: Pending, outcome: Outcome) -> None:
        """Begins again at the look-up; what can never be committed is answered."""
        self.counts.not_committed(outcome)
        match outcome:
            case Behind(number=number):
                pending.number = number
                self.hand.consumed(pending)
            case InboxFull():
                self.hand.consumed(pending)
                self.answers.refuse(pending, full())
            case Unfit(reason=reason):
                self.hand.consumed(pending)
                self.answers.refuse(pending, Unavailable(f"the store refuses the turn: {reason}"))
            case Lost(why="settled"):
                self.hand.consumed(pending)
            case Lost() | Unknown() | Committed():
                self.guess.inbox.uncount(pending)
                self.hand.keep_timer(pending)
        self.guess.forget()
