"""Places at a backend. Of N, floor(N/5) are kept for urgent and high; at most N calls wait, urgent and high first, and
of the places to wait at as many are kept.

Knows no tasks: a waiting call leaves a function that says it may go.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from flowc.runtime.policy.places import Places, is_high
from flowc.runtime.program import PriorityClass


class Ticket(Struct, eq=False):
    """`place` is where its call stands now."""

    is_high: bool
    wake: Callable[[], None]
    place: Literal["in", "waiting", "left"] = "waiting"


@dataclass(slots=True)
class Bulkhead:
    places: int
    _taken: Places = field(init=False)
    _waiting: Places = field(init=False)
    _waiting_high: deque[Ticket] = field(default_factory=deque)
    _waiting_others: deque[Ticket] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._taken = Places(self.places)
        self._waiting = Places(self.places)

    def enter(self, priority: PriorityClass, wake: Callable[[], None]) -> Ticket | None:
        """A ticket that is `in`, or `waiting` until `wake` is called; None when as many wait as there are places."""
        ticket = Ticket(is_high(priority), wake)
        queue = self._waiting_high if ticket.is_high else self._waiting_others
        if not queue and self._taken.has(high=ticket.is_high):
            self._seat(ticket)
            return ticket
        if not self._waiting.has(high=ticket.is_high):
            return None
        self._waiting.take(high=ticket.is_high)
        queue.append(ticket)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Gives the place back, or stops waiting. Wakes whoever may go now."""
        match ticket.place:
            case "waiting":
                (self._waiting_high if ticket.is_high else self._waiting_others).remove(ticket)
                self._waiting.give_back(high=ticket.is_high)
            case "in":
                self._taken.give_back(high=ticket.is_high)
            case "left":
                return
        ticket.place = "left"
        self._fill()

    @property
    def used(self) -> int:
        return self._taken.used

    @property
    def waiting(self) -> int:
        return self._waiting.used

    def _seat(self, ticket: Ticket) -> None:
        ticket.place = "in"
        self._taken.take(high=ticket.is_high)

    def _fill(self) -> None:
        for queue, high in ((self._waiting_high, True), (self._waiting_others, False)):
            while queue and self._taken.has(high=high):
                ticket = queue.popleft()
                self._waiting.give_back(high=high)
                self._seat(ticket)
                ticket.wake()
