"""Which commands are attempted now: places of the server and of services, pauses, and slow starts."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flowc.runtime.policy.dispatch import DEFAULT_PLACES, Dispatch
from flowc.runtime.policy.lanes import Queue
from flowc.runtime.policy.places import Places, is_high
from flowc.runtime.program import PriorityClass

SIZES = {"orders": 10, "crm": 2}


@dataclass
class Store:
    """Queues as a store gives them: in order, one item at a time."""

    queues: dict[Queue, list[int]] = field(default_factory=dict)

    def put(self, priority: PriorityClass, count: int = 1, service: str = "orders", tenant: str = "") -> None:
        rows = self.queues.setdefault(Queue(priority, tenant, service), [])
        rows += range(len(rows), len(rows) + count)

    def items(self) -> dict[Queue, Iterator[tuple[int, tuple[Queue, int]]]]:
        return {queue: iter([(each, (queue, each)) for each in rows]) for queue, rows in self.queues.items()}

    def picked(self, dispatch: Dispatch, now: float = 0.0) -> list[tuple[str, int]]:
        found = dispatch.pick(self.items(), now)
        for queue, each in found:
            self.queues[queue].remove(each)
        return [(queue.priority, each) for queue, each in found]


def desk(total: int = 256) -> Dispatch:
    return Dispatch(Places(total), SIZES)


def test_as_many_are_picked_as_there_are_places_in_order() -> None:
    store, dispatch = Store(), desk()
    store.put("normal", 20)
    assert store.picked(dispatch) == [("normal", number) for number in range(8)]
    assert store.picked(dispatch) == []
    dispatch.give_back("orders", "normal")
    assert store.picked(dispatch) == [("normal", 8)]


def test_a_fifth_of_the_places_is_kept_for_urgent_and_high() -> None:
    store, dispatch = Store(), desk()
    store.put("bulk", 20)
    assert len(store.picked(dispatch)) == 8
    store.put("urgent")
    store.put("high", 5)
    assert [priority for priority, _ in store.picked(dispatch)] == ["urgent", "high"]


def test_the_places_of_this_server_bound_all_services_and_some_are_kept_too() -> None:
    store, dispatch = Store(), desk(5)
    store.put("normal", 9)
    store.put("normal", 9, service="gone")
    assert len(store.picked(dispatch)) == 4
    store.put("urgent", 3, service="crm")
    assert store.picked(dispatch) == [("urgent", 0)]
    assert dispatch.desk("gone").places.total == DEFAULT_PLACES


def test_a_full_service_does_not_stand_in_the_way_of_another() -> None:
    store, dispatch = Store(), desk()
    store.put("normal", 500, service="crm")
    assert len(store.picked(dispatch)) == 2
    store.put("bulk", 1, service="orders")
    assert store.picked(dispatch) == [("bulk", 0)]


def test_a_paused_service_keeps_its_queue_and_others_go_on() -> None:
    store, dispatch = Store(), desk()
    dispatch.pause("orders")
    store.put("normal", 3)
    store.put("low", 1, service="crm")
    assert store.picked(dispatch) == [("low", 0)]
    dispatch.resume("orders", 0)
    assert store.picked(dispatch) == [("normal", 0), ("normal", 1), ("normal", 2)]


def test_after_a_pause_a_service_comes_out_slowly_and_in_order() -> None:
    store, dispatch = Store(), desk()
    dispatch.pause("orders")
    store.put("normal", 4)
    dispatch.resume("orders", 0, rate=2)
    assert store.picked(dispatch, 10.0) == [("normal", 0)]
    assert store.picked(dispatch, 10.25) == []
    assert dispatch.wait_s(10.25) == 0.25
    assert store.picked(dispatch, 10.5) == [("normal", 1)]
    dispatch.resume("orders", 0)
    assert store.picked(dispatch, 10.5) == [("normal", 2), ("normal", 3)]


def test_what_waited_through_a_pause_was_ready_at_its_end() -> None:
    store, dispatch = Store(), desk(1)
    dispatch.pause("crm")
    store.put("low", 1, service="crm")  # ready at 0
    store.queues[Queue("low", "", "orders")] = [10_000]
    dispatch.resume("crm", 20_000)
    assert [queue.service for queue, _ in dispatch.pick(store.items(), 0.0)] == ["orders"]


def test_a_service_that_refused_rests() -> None:
    store, dispatch = Store(), desk()
    store.put("normal", 2)
    dispatch.rest("orders", "high", 7.0)
    dispatch.rest("orders", "normal", 6.0)
    assert store.picked(dispatch, 6.5) == []
    assert dispatch.wait_s(6.5) == 0.5
    assert len(store.picked(dispatch, 7.0)) == 2
    assert dispatch.wait_s(7.0) == float("inf")


def test_a_service_that_refused_others_takes_urgent_and_high() -> None:
    store, dispatch = Store(), desk()
    store.put("normal")
    store.put("high")
    dispatch.rest("orders", "low", 7.0)
    assert store.picked(dispatch, 6.5) == [("high", 0)]


def test_a_slow_start_ends_when_nothing_waits_any_more() -> None:
    store, dispatch = Store(), desk()
    dispatch.resume("orders", 0, rate=1)
    store.put("normal", 2)
    for now, drained in ((1.0, False), (1.5, False), (2.0, False), (2.5, False), (3.0, True)):
        store.picked(dispatch, now)
        assert (dispatch.drained == {"orders"}) is drained


def test_who_is_behind_has_no_place_for_what_waits() -> None:
    store, dispatch = Store(), desk()
    store.put("normal", 9)
    store.picked(dispatch)
    assert dispatch.is_behind
    dispatch.give_back("orders", "normal")
    store.picked(dispatch)
    dispatch.give_back("orders", "normal")
    assert store.picked(dispatch) == []
    assert not dispatch.is_behind


def test_picking_twice_from_copies_takes_no_place() -> None:
    store, dispatch = Store(), desk()
    store.put("normal", 9)
    dispatch.resume("orders", 0, rate=1)
    first = dispatch.copied().pick(store.items(), 1.0)
    assert dispatch.copied().pick(store.items(), 1.0) == first
    assert dispatch.places.used == 0


class Dispatching(RuleBasedStateMachine):
    """Random work of random classes, tenants and services: places are never exceeded, and nothing stays that could
    go."""

    def __init__(self) -> None:
        super().__init__()
        self.store, self.dispatch = Store(), desk(20)
        self.running: list[tuple[str, PriorityClass]] = []

    @rule(
        priority=st.sampled_from(["urgent", "high", "normal", "low", "bulk"]),
        service=st.sampled_from(["orders", "crm", "gone"]),
        tenant=st.sampled_from(["", "a"]),
        count=st.integers(1, 30),
    )
    def put(self, priority: PriorityClass, service: str, tenant: str, count: int) -> None:
        self.store.put(priority, count, service, tenant)

    @rule()
    def pick(self) -> None:
        for queue, each in self.dispatch.pick(self.store.items(), 0.0):
            self.store.queues[queue].remove(each)
            self.running.append((queue.service, queue.priority))
        left = [queue for queue, rows in self.store.queues.items() if rows]
        assert not any(self.could_go(queue.service, queue.priority) for queue in left)

    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        if self.running:
            service, priority = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
            self.dispatch.give_back(service, priority)

    def could_go(self, service: str, priority: PriorityClass) -> bool:
        at_service = [each for name, each in self.running if name == service]
        size = SIZES.get(service, DEFAULT_PLACES)
        pairs = ((size, at_service), (20, [each for _, each in self.running]))
        return all(
            len(taken) < total and (is_high(priority) or sum(not is_high(each) for each in taken) < total - total // 5)
            for total, taken in pairs
        )

    @invariant()
    def places_are_kept(self) -> None:
        assert len(self.running) <= 20
        assert sum(not is_high(priority) for _, priority in self.running) <= 16
        assert sum(name == "crm" for name, _ in self.running) <= 2


TestDispatching = Dispatching.TestCase
TestDispatching.settings = settings(max_examples=40, stateful_step_count=30)
