"""A conversation's place to run: it has one, or stands in line for one, or asks for none.

As many turns run at once as there are places. While a turn waits for a backend it holds none, so that one slow backend
does not keep the conversations of the others waiting; when the answer is there it goes on at once.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from flowc.runtime.policy.line import Line
from flowc.runtime.policy.places import is_high
from flowc.runtime.program import PriorityClass

if TYPE_CHECKING:
    from flowc.runtime.engine.surroundings import Surroundings


class Place:
    """`begin` is called when a place that it stood in line for is there."""

    __slots__ = ("_around", "_asked_s", "_begin", "_line", "_number", "has_waited", "is_wanted", "priority")

    def __init__(self, around: "Surroundings", begin: Callable[[], None]) -> None:
        self._around = around
        self._line = around.line
        self._begin = begin
        self.priority: PriorityClass = "normal"
        self._number = 0
        self._asked_s = 0.0
        self.is_wanted = False  # asked for, and not there yet
        self.has_waited = False  # for the one that it has

    def enter(self, priority: PriorityClass) -> bool:
        """Takes a place, where one is free."""
        if not self._line.places.enter(priority):
            return False
        self.priority, self.is_wanted, self.has_waited = priority, False, False
        return True

    def want(self) -> None:
        self.is_wanted, self._asked_s = True, self._around.time.now()

    def stand_in_line(self, priority: PriorityClass, tenant: str, ready_ms: int) -> None:
        self._number = self._line.wait(self, priority, tenant, ready_ms)

    def given(self, priority: PriorityClass) -> None:
        now = self._around.time.now()
        self._around.admission.began(priority, now - self._asked_s, now)
        self.priority, self._number, self.is_wanted, self.has_waited = priority, 0, False, True
        self._begin()

    def lend(self, priority: PriorityClass, ready_ms: int) -> None:
        """A message of that class waits behind what stands in line."""
        if self._number:
            self._line.lend(self._number, self, priority, ready_ms)
            serve(self._line)

    def leave(self) -> None:
        line = self._line
        line.places.leave(self.priority)
        if line.waiting:
            serve(line)

    def rest(self) -> None:
        """It waits for a backend."""
        self.leave()

    def go_on(self) -> None:
        """The backend answered: what has begun comes before what has not."""
        self._line.places.take(high=is_high(self.priority))


def serve(line: Line[Place]) -> None:
    """Hands free places to who stands in line."""
    while (found := line.next()) is not None:
        place, priority = found
        place.given(priority)
