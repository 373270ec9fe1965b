"""The line in front of the places to run: conversations that have something to do, while as many turns run as may.

Who comes while there is a place takes it: whoever waits may not have that one. Otherwise it waits in its lane, and is
given the first place that its class may have. Knows no tasks: whoever gives a place back is told who goes next.
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, NamedTuple, TypeVar

from flowc.runtime.policy.lanes import LANES, Lanes, Queue, Rank, rank_of
from flowc.runtime.policy.places import Places, is_high
from flowc.runtime.program import PriorityClass

Item = TypeVar("Item")


class Waiting(NamedTuple, Generic[Item]):
    """Compared by rank, then by who came first."""

    rank: Rank
    number: int
    priority: PriorityClass
    item: Item


@dataclass(slots=True)
class Line(Generic[Item]):
    """`_queues`: by lane, then by tenant. An item stands in it once; `_standing` says where, by its number: what a heap
    has besides is void."""

    places: Places
    lanes: Lanes = field(default_factory=Lanes)
    _queues: tuple[dict[str, list[Waiting[Item]]], ...] = field(default_factory=lambda: ({}, {}, {}))
    _standing: dict[int, tuple[PriorityClass, str]] = field(default_factory=dict)
    _depths: list[int] = field(default_factory=lambda: [0, 0, 0])
    _last: int = 0
    waiting: int = 0

    def wait(self, item: Item, priority: PriorityClass, tenant: str, ready_ms: int) -> int:
        """Stands in line; the number by which it may be raised."""
        self._last = number = self._last + 1
        self._stand(number, Waiting(rank_of(priority, ready_ms), number, priority, item), tenant)
        return number

    def lend(self, number: int, item: Item, priority: PriorityClass, ready_ms: int) -> None:
        """Something of a higher class waits behind it: it goes on in the lane of that."""
        priority_now, tenant = self._standing.get(number, (priority, ""))
        if rank_of(priority, 0) < rank_of(priority_now, 0):
            self._depths[LANES[priority_now]] -= 1
            self._stand(number, Waiting(rank_of(priority, ready_ms), number, priority, item), tenant)

    def next(self) -> tuple[Item, PriorityClass] | None:
        """Who goes now, with the place taken; None where nobody waits, or none of them may have a place."""
        if not self.waiting:
            return None
        may_all = self.places.has(high=False)
        may_high = self.places.has(high=True)
        lanes = [lane for lane, depth in enumerate(self._depths) if depth and (may_all or (may_high and lane == 0))]
        if not lanes:
            return None
        lane = self.lanes.lane(lanes)
        queues = self._queues[lane]
        tenant = self.lanes.tenant(lane, queues)
        first = heappop(queues[tenant])
        del self._standing[first.number]
        self.waiting -= 1
        self._depths[lane] -= 1
        self._clear(queues, tenant)
        self.lanes.serve(Queue(first.priority, tenant))
        self.places.take(high=is_high(first.priority))
        return first.item, first.priority

    def depths(self) -> tuple[int, int, int]:
        """How many wait in each lane."""
        high, normal, low = self._depths
        return high, normal, low

    def _stand(self, number: int, waiting: Waiting[Item], tenant: str) -> None:
        lane = LANES[waiting.priority]
        before = self._standing.get(number)
        self.waiting += before is None
        self._standing[number] = (waiting.priority, tenant)
        if before is not None:
            self._clear(self._queues[LANES[before[0]]], tenant)
        heappush(self._queues[lane].setdefault(tenant, []), waiting)
        self._depths[lane] += 1

    def _stands(self, waiting: Waiting[Item]) -> bool:
        found = self._standing.get(waiting.number)
        return found is not None and found[0] == waiting.priority

    def _clear(self, queues: dict[str, list[Waiting[Item]]], tenant: str) -> None:
        """Removes what is void from the front of a queue, and a queue that is empty."""
        queue = queues.get(tenant)
        while queue and not self._stands(queue[0]):
            heappop(queue)
        if queue is not None and not queue:
            del queues[tenant]
