"""What of a conversation's events is in hand: in this process, and not in the inbox.

That is a message that came while nothing waited, results that a write's turn waits for and a timer that is due.
Everything else is in the inbox before anybody is told that we have it.
"""

from msgspec import Struct

from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.perform import Stand
from flowc.runtime.engine.turn import verdict


class Hand(Struct, eq=False):
    """`direct`: the message or external event that came past the inbox. `following`: the turn that must follow the last
    one, which has no event. `current`: what is taken now, from wherever it is."""

    direct: Pending | None = None
    results: list[Pending] = []
    timer: Pending | None = None
    following: Pending | None = None
    current: Pending | None = None

    def result(self, stand: Stand) -> Pending | None:
        """The first result that can be taken."""
        while self.results:
            first = self.results[0]
            assert first.body is not None
            if first.incarnation == stand.row.incarnation and verdict(stand.row, stand.position, first.body) == "take":
                return first
            self.results.pop(0)  # it was taken by then, or came late
        return None

    def consumed(self, pending: Pending) -> None:
        """It is taken, or never will be."""
        if pending is self.direct:
            self.direct = None
        if pending in self.results:
            self.results.remove(pending)
        self.following = None

    def keep_timer(self, pending: Pending) -> None:
        """A timer that is in no inbox is tried again at once, not only when its lease has lapsed."""
        if pending.kind == "timer" and pending.number is None:
            self.timer = pending
