"""The message that nearly all are: in hand, of a conversation that is known and waits, with nothing before it.

It needs no task of its own: until it reads, and while it is committed, there is nothing to wait with.
"""

from collections.abc import Coroutine

from msgspec import Struct

from flowc.runtime.engine.answers import Answers
from flowc.runtime.engine.guess import Guess
from flowc.runtime.engine.hand import Hand
from flowc.runtime.engine.intake import Intake
from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.perform import Made, Performer, Stand
from flowc.runtime.engine.stored import MessageBody
from flowc.runtime.engine.surroundings import Surroundings
from flowc.runtime.engine.taker import Taker
from flowc.runtime.engine.turn import verdict
from flowc.runtime.store.rows import Address


class AtOnce(Struct, eq=False):
    address: Address
    around: Surroundings
    performer: Performer
    guess: Guess
    hand: Hand
    answers: Answers
    intake: Intake
    taker: Taker

    def take(self) -> Made | Coroutine[None, None, None] | None:
        """The turn of the message in hand, made; or what remains to be waited for, up to its commit. None: it is not
        such a message, or is to be tried again."""
        if self.around.tracing is not None:
            return None  # its spans are of the task that takes it
        if self.guess.stand is None:
            self._look()
        stand, direct = self.guess.stand, self.hand.direct
        if stand is None or direct is None or not self.guess.inbox.is_empty or self.hand.results or stand.row.erased:
            return None
        body = direct.body
        if type(body) is not MessageBody or stand.reads or direct.storing is not None or direct.number is not None:
            return None
        if stand.row.recent.find(direct.hash) is not None or stand.is_foreign(direct):
            return None
        if self.around.is_remote or verdict(stand.row, stand.position, body) != "take":
            return None
        self.hand.current, self.hand.following = direct, None
        direct.tries += 1
        try:
            begun = self.performer.begin(stand, direct, body)
            if begun is None:
                direct.tries -= 1
                return None
            self.taker.begins(direct)
            if not begun.step.reads:
                return self.performer.made(begun, direct, self.intake.source(direct))
        except Exception as error:  # noqa: BLE001 - a failed turn becomes a recorded event
            return self._failed(stand, direct, error)
        return self.taker.complete(stand, direct, self.performer.completed(begun, direct, self.intake))

    def _look(self) -> None:
        """Nobody was here before, as far as this server knows: where the store says the same, nothing is waited for."""
        loaded = self.around.look_up(self.address)
        if loaded is not None and loaded.row.turn == 0:
            self.guess.is_stale = False
            stand = Stand(loaded.row, None, self.around.current)
            self.guess.learn(stand, loaded.inbox)
            self.answers.looked_up(stand, loaded.inbox)

    def _failed(self, stand: Stand, direct: Pending, error: Exception) -> Made | None:
        if not direct.has_begun:
            self.taker.begins(direct)
        made = self.taker.failed(stand, direct, error)
        if made is None:
            self.guess.forget()
        return made
