"""Which regions of a flow have to be walked again: states in source order, and a handler when no state is left.

States come first because they decide what handlers begin with.
"""

from collections.abc import Iterable
from heapq import heappop, heappush

from flowc.compiler.sight import Region
from flowc.dsl.nodes import Arm, Defer

__all__ = ["Agenda"]


class Agenda:
    """Regions to walk, each once until it is taken."""

    def __init__(self, states: Iterable[str]) -> None:
        self._order = tuple(states)
        self._numbers = {name: number for number, name in enumerate(self._order)}
        self._states: list[int] = []
        self._queued: set[int] = set()
        self._handlers: dict[Arm | Defer, None] = {}

    def add(self, region: Region) -> None:
        """`region` has to be walked."""
        if not isinstance(region, str):
            self._handlers[region] = None
            return
        number = self._numbers[region]
        if number not in self._queued:
            self._queued.add(number)
            heappush(self._states, number)

    def take(self) -> Region | None:
        """The next region, which is no longer on the agenda; None where nothing is left."""
        if self._states:
            number = heappop(self._states)
            self._queued.discard(number)
            return self._order[number]
        if not self._handlers:
            return None
        handler = next(iter(self._handlers))
        del self._handlers[handler]
        return handler
