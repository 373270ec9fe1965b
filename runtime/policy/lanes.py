"""Which work goes next: three lanes by share, tenants alike inside a lane, the smallest rank inside a tenant.

A rank is a moment: when the work could first be done, and an offset that its class can bear. One rank for all was
tried: after an outage of an hour urgent work waited for 651 s, because everything that had waited longer than its
offset came before it. So urgent and high, normal, and low and bulk stand in lanes that are served 15 : 4 : 1 when all
have work: nothing starves, and no backlog delays another lane by more than its share.

Shares are start-time fair queueing (Goyal, Vin and Cheng, 1996): who is served next is who has had least for its
weight, and whoever had no work for a while comes back without a credit and without a debt.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

from flowc.runtime.program import PriorityClass

Key = TypeVar("Key", int, str)
Item = TypeVar("Item")

LANES: Final[dict[PriorityClass, int]] = {"urgent": 0, "high": 0, "normal": 1, "low": 2, "bulk": 2}
SHARES: Final = (15, 4, 1)
OFFSET_MS: Final[dict[PriorityClass, int]] = {
    "urgent": 0,
    "high": 1_000,
    "normal": 5_000,
    "low": 300_000,
    "bulk": 3_600_000,
}
SPACING_MS: Final = 1_000
MOST_SPACED: Final = 60
MOST_REMEMBERED: Final = 1_000


class Queue(NamedTuple):
    """Work of one class, one tenant (the token that the conversations belong to) and one service."""

    priority: PriorityClass
    tenant: str
    service: str = ""


Rank: TypeAlias = tuple[int, int]


class Head(NamedTuple, Generic[Item]):
    """The first of a queue."""

    queue: Queue
    rank: Rank
    item: Item


def rank_of(priority: PriorityClass, ready_ms: int, since_ms: int = 0) -> Rank:
    """Where work stands in its lane. `since_ms`: nothing could be done before it (a server that did not run, a service
    that was paused); what became ready meanwhile keeps its order."""
    return max(ready_ms, since_ms) + OFFSET_MS[priority], ready_ms


def spaced_ms(ready_ms: int, before: int) -> int:
    """The place in its queue of what has `before` others of its own conversation in front of it: a conversation that
    asks for much at once is a little later with each, and delays nobody else by all of it."""
    return ready_ms + min(before, MOST_SPACED) * SPACING_MS


@dataclass(slots=True)
class Shares(Generic[Key]):
    """Start-time fair queueing over keys. `_ends` is when, in service received for its weight, the last work of a key
    ends."""

    _ends: dict[Key, float] = field(default_factory=dict)
    _now: float = 0.0

    def first(self, keys: Iterable[Key]) -> Key:
        """Who of those that have work goes next; the smallest key of those that are even."""
        now, ends = self._now, self._ends
        return min(keys, key=lambda key: (max(now, ends.get(key, now)), key))

    def serve(self, key: Key, weight: int = 1) -> None:
        self._now = max(self._now, self._ends.get(key, self._now))
        self._ends[key] = self._now + 1 / weight
        if len(self._ends) > MOST_REMEMBERED:
            self._ends = {each: end for each, end in self._ends.items() if end > self._now}


@dataclass(slots=True)
class Lanes:
    """The turns of lanes, and in each lane those of tenants."""

    _lanes: Shares[int] = field(default_factory=Shares)
    _tenants: tuple[Shares[str], ...] = field(default_factory=lambda: tuple(Shares() for _ in SHARES))

    def first(self, heads: Collection[Head[Item]]) -> Head[Item]:
        """The one that goes next. The queues that give no head have no work that could go."""
        lane = self._lanes.first({LANES[head.queue.priority] for head in heads})
        of_lane = [head for head in heads if LANES[head.queue.priority] == lane]
        tenant = self._tenants[lane].first({head.queue.tenant for head in of_lane})
        return min([head for head in of_lane if head.queue.tenant == tenant], key=lambda head: head.rank)

    def serve(self, queue: Queue) -> None:
        """Work of this queue begins."""
        lane = LANES[queue.priority]
        self._lanes.serve(lane, SHARES[lane])
        self._tenants[lane].serve(queue.tenant)

    def lane(self, lanes: Iterable[int]) -> int:
        """The lane that goes next, of those that have work."""
        return self._lanes.first(lanes)

    def tenant(self, lane: int, tenants: Iterable[str]) -> str:
        """The tenant that goes next in a lane, of those that have work there."""
        return self._tenants[lane].first(tenants)
