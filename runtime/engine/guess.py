"""Where a conversation stands, as far as this process knows. The compare-and-swap of a commit decides whether it does;
while it does, a turn needs no load.
"""

from collections.abc import Sequence

from msgspec import Struct

from flowc.runtime.engine.inbox import Inbox
from flowc.runtime.engine.perform import Stand
from flowc.runtime.store.rows import InboxEvent, Row


class Guess(Struct, eq=False):
    """`stand` None: it has to be looked up. `is_fresh`: it was, after what is in hand came. `is_stale`: something is
    to be done since the look-up began; `has_come`: something came into the inbox since then."""

    inbox: Inbox
    stand: Stand | None = None
    is_fresh: bool = False
    is_stale: bool = False
    has_come: bool = False

    @property
    def row(self) -> Row | None:
        return None if self.stand is None else self.stand.row

    def learn(self, stand: Stand, inbox: Sequence[InboxEvent]) -> None:
        """What was looked up."""
        self.stand = stand
        self.is_fresh = True
        self.inbox.learn(inbox, is_whole=True)
        if self.has_come:  # perhaps after the look
            self.inbox.forget()

    def forget(self) -> None:
        """It does not hold."""
        self.stand = None
        self.inbox.forget()
