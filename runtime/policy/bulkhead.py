"""Places at a backend. Of N, floor(N/5) are kept for urgent and high; at most N calls wait, urgent and high first.

Knows no tasks: a waiting call leaves a function that says it may go.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from flowc.runtime.program import PriorityClass


@dataclass(slots=True, eq=False)
class Ticket:
    """`place` is where its call stands now."""

    is_high: bool
    wake: Callable[[], None]
    place: Literal["in", "waiting", "left"] = "waiting"


@dataclass(slots=True)
class Bulkhead:
    places: int
    _high: int = 0
    _others: int = 0
    _waiting_high: deque[Ticket] = field(default_factory=deque)
    _waiting_others: deque[Ticket] = field(default_factory=deque)

    def enter(self, priority: PriorityClass, wake: Callable[[], None]) -> Ticket | None:
        """A ticket that is `in`, or `waiting` until `wake` is called; None when as many wait as there are places."""
        ticket = Ticket(priority in ("urgent", "high"), wake)
        queue = self._waiting_high if ticket.is_high else self._waiting_others
        if not queue and self._has_place(ticket.is_high):
            self._seat(ticket)
            return ticket
        if self.waiting >= self.places:
            return None
        queue.append(ticket)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Gives the place back, or stops waiting. Wakes whoever may go now."""
        match ticket.place:
            case "waiting":
                (self._waiting_high if ticket.is_high else self._waiting_others).remove(ticket)
            case "in" if ticket.is_high:
                self._high -= 1
            case "in":
                self._others -= 1
            case "left":
                return
        ticket.place = "left"
        self._fill()

    @property
    def used(self) -> int:
        return self._high + self._others

    @property
    def waiting(self) -> int:
        return len(self._waiting_high) + len(self._waiting_others)

    def _has_place(self, is_high: bool) -> bool:
        return self.used < self.places and (is_high or self._others < self.places - self.places // 5)

    def _seat(self, ticket: Ticket) -> None:
        ticket.place = "in"
        if ticket.is_high:
            self._high += 1
        else:
            self._others += 1

    def _fill(self) -> None:
        for queue, is_high in ((self._waiting_high, True), (self._waiting_others, False)):
            while queue and self._has_place(is_high):
                ticket = queue.popleft()
                self._seat(ticket)
                ticket.wake()
