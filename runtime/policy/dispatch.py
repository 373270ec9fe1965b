"""Which commands of the store are attempted now: what there is room for, in the order of the lanes.

A command takes a place of this server and one of its service until it is settled or given back. A service that is
paused, or that has just refused, gives no work, so that its queue neither moves nor stands in the way of others.

A store calls `pick` inside a transaction, which it may have to begin again: so what picks is a copy, and the places are
taken for what was claimed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from flowc.runtime.policy.lanes import Head, Lanes, Queue, rank_of
from flowc.runtime.policy.limiter import Limiter
from flowc.runtime.policy.places import Places, is_high
from flowc.runtime.program import PriorityClass

Item = TypeVar("Item")

DEFAULT_PLACES: Final = 64  # of a service that this program does not know any more


@dataclass(slots=True)
class Desk:
    """One service as far as commands go. `rests_until` in seconds of the caller's clock, for all and for those that are
    not urgent or high; `since_ms`, the end of its last pause, by the store's; `outlet` while it is let out slowly after
    it."""

    places: Places
    is_paused: bool = False
    since_ms: int = 0
    rests_until: float = float("-inf")
    others_rest_until: float = float("-inf")
    outlet: Limiter | None = None

    def copied(self) -> "Desk":
        return replace(self, places=replace(self.places), outlet=None if self.outlet is None else replace(self.outlet))

    def wait_s(self, now: float) -> float:
        """How long until it may have work again, as far as time alone decides."""
        held = 0.0 if self.outlet is None else self.outlet.wait_s(now)
        return max(self.others_rest_until - now, self.rests_until - now, held, 0.0)

    def may(self, *, high: bool, now: float) -> bool:
        if self.is_paused or now < self.rests_until or (not high and now < self.others_rest_until):
            return False
        return self.places.has(high=high) and (self.outlet is None or self.outlet.wait_s(now) <= 0)


@dataclass(slots=True)
class Dispatch:
    """`places` of this server; `sizes` are those of the services. `since_ms`: when the server started, by the store's
    clock: before it nothing could be done. After a pick, `is_behind`: there may be more that has no place yet; and
    `drained`: services let out slowly of which nothing waits any more."""

    places: Places
    sizes: Mapping[str, int]
    since_ms: int = 0
    lanes: Lanes = field(default_factory=Lanes)
    is_behind: bool = False
    drained: frozenset[str] = frozenset()
    _desks: dict[str, Desk] = field(default_factory=dict)

    def desk(self, service: str) -> Desk:
        desk = self._desks.get(service)
        if desk is None:
            desk = self._desks[service] = Desk(Places(self.sizes.get(service, DEFAULT_PLACES)))
        return desk

    @property
    def has_room(self) -> bool:
        return self.places.has(high=True)

    def copied(self) -> "Dispatch":
        """The same places to be taken by themselves; the turns of the lanes are shared."""
        desks = {name: desk.copied() for name, desk in self._desks.items()}
        return replace(self, places=replace(self.places), _desks=desks)

    def take(self, service: str, priority: PriorityClass, now: float) -> None:
        """A command begins."""
        desk = self.desk(service)
        self.places.take(high=is_high(priority))
        desk.places.take(high=is_high(priority))
        if desk.outlet is not None:
            desk.outlet.book(now)

    def give_back(self, service: str, priority: PriorityClass) -> None:
        self.places.give_back(high=is_high(priority))
        self.desk(service).places.give_back(high=is_high(priority))

    def rest(self, service: str, priority: PriorityClass, until: float) -> None:
        """The service has just refused: more of its commands would be refused too."""
        desk = self.desk(service)
        if is_high(priority):
            desk.rests_until = max(desk.rests_until, until)
        desk.others_rest_until = max(desk.others_rest_until, until)

    def pause(self, service: str) -> None:
        self.desk(service).is_paused = True

    def resume(self, service: str, now_ms: int, rate: int | None = None) -> None:
        """Ends a pause; with `rate` its commands come out at that many a second until none of them waits."""
        desk = self.desk(service)
        if desk.is_paused:
            desk.is_paused, desk.since_ms = False, now_ms
        desk.outlet = None if rate is None else Limiter(1, 1 / rate)

    def wait_s(self, now: float) -> float:
        """How long until a service that has to wait may have work again; infinite where none has to."""
        waits = [desk.wait_s(now) for desk in self._desks.values() if not desk.is_paused]
        return min([wait for wait in waits if wait > 0], default=float("inf"))

    def pick(self, queues: Mapping[Queue, Iterator[tuple[int, Item]]], now: float) -> list[Item]:
        """What goes now, of queues whose items come in order, each with when it could first be done. Takes the
        places."""
        heads: dict[Queue, Head[Item]] = {}
        picked: list[Item] = []
        for queue in queues:
            self._pull(queue, queues, heads, now)
        self.drained = self._empty(heads, now)
        while heads and self.has_room:
            first = self.lanes.first(heads.values())
            self.lanes.serve(first.queue)
            self.take(first.queue.service, first.queue.priority, now)
            picked.append(first.item)
            del heads[first.queue]
            self._pull(first.queue, queues, heads, now)
            heads = {queue: head for queue, head in heads.items() if self._may(queue, now)}
        self.is_behind = any(not self._may(queue, now) for queue in queues)
        return picked

    def _empty(self, heads: Mapping[Queue, Head[Item]], now: float) -> frozenset[str]:
        """Services that are let out slowly, might have given work now, and had none."""
        busy = {queue.service for queue in heads}
        return frozenset(
            name
            for name, desk in self._desks.items()
            if desk.outlet is not None and desk.may(high=False, now=now) and name not in busy
        )

    def _pull(
        self,
        queue: Queue,
        queues: Mapping[Queue, Iterator[tuple[int, Item]]],
        heads: dict[Queue, Head[Item]],
        now: float,
    ) -> None:
        if self._may(queue, now):
            for ready_ms, item in queues[queue]:
                since_ms = max(self.since_ms, self.desk(queue.service).since_ms)
                heads[queue] = Head(queue, rank_of(queue.priority, ready_ms, since_ms), item)
                return

    def _may(self, queue: Queue, now: float) -> bool:
        high = is_high(queue.priority)
        return self.places.has(high=high) and self.desk(queue.service).may(high=high, now=now)
