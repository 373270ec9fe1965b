"""Lanes: who goes next. Every test serves one piece of work at a time, each for one unit of time."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.runtime.policy.lanes import (
    LANES,
    MOST_REMEMBERED,
    MOST_SPACED,
    OFFSET_MS,
    SHARES,
    Head,
    Lanes,
    Queue,
    Shares,
    rank_of,
    spaced_ms,
)
from flowc.runtime.program import PriorityClass

CLASSES: tuple[PriorityClass, ...] = ("urgent", "high", "normal", "low", "bulk")
SERVICE_MS = 100


@dataclass
class Office:
    """Work that waits, served one at a time."""

    lanes: Lanes = field(default_factory=Lanes)
    waiting: list[tuple[Queue, int, str]] = field(default_factory=list)

    def bring(self, priority: PriorityClass, ready_ms: int, name: str = "", tenant: str = "") -> None:
        self.waiting.append((Queue(priority, tenant), ready_ms, name))

    def next(self) -> tuple[Queue, int, str]:
        heads: dict[Queue, Head[tuple[Queue, int, str]]] = {}
        for queue, ready_ms, name in self.waiting:
            rank = rank_of(queue.priority, ready_ms)
            if queue not in heads or rank < heads[queue].rank:
                heads[queue] = Head(queue, rank, (queue, ready_ms, name))
        first = self.lanes.first(heads.values())
        self.lanes.serve(first.queue)
        self.waiting.remove(first.item)
        return first.item


def test_three_lanes_with_work_are_served_by_their_shares() -> None:
    office = Office()
    for priority in ("high", "normal", "low"):
        for _ in range(60):
            office.bring(priority, 0)  # type: ignore[arg-type]  # three of the classes
    served = Counter(office.next()[0].priority for _ in range(60))
    assert served == {"high": 45, "normal": 12, "low": 3}
    assert SHARES == (15, 4, 1)


def test_inside_a_lane_the_smallest_rank_goes_first() -> None:
    office = Office()
    office.bring("high", 0, "early high")
    office.bring("urgent", 999, "urgent before its offset")
    office.bring("urgent", 1001, "urgent after it")
    office.bring("bulk", 0, "bulk")
    office.bring("low", 3_299_000, "low, nearly an hour later")
    served = [office.next()[2] for _ in range(5)]
    assert [each for each in served if "low" not in each and each != "bulk"] == [
        "urgent before its offset",
        "early high",
        "urgent after it",
    ]
    assert served.index("bulk") > served.index("low, nearly an hour later")


def test_what_waited_while_nothing_could_be_done_is_ready_when_it_can() -> None:
    assert rank_of("high", 0, since_ms=10_000) > rank_of("urgent", 10_500)
    assert rank_of("high", 0) < rank_of("urgent", 10_500)
    assert rank_of("high", 1, since_ms=10_000) < rank_of("high", 2, since_ms=10_000)


def test_tenants_with_work_are_served_alike_however_much_one_of_them_has() -> None:
    office = Office()
    for number in range(100):
        office.bring("normal", number, tenant="big")
    for number in range(10):
        office.bring("normal", 1000 + number, tenant="small")
    served = [office.next()[0].tenant for _ in range(20)]
    assert Counter(served) == {"big": 10, "small": 10}


def test_who_had_no_work_for_long_has_no_credit() -> None:
    shares: Shares[str] = Shares()
    for _ in range(1000):
        shares.serve(shares.first(["a"]))
    order = []
    for _ in range(6):
        order.append(shares.first(["a", "b"]))
        shares.serve(order[-1])
    assert Counter(order) == {"a": 3, "b": 3}


def test_shares_remember_a_bounded_number_of_keys() -> None:
    shares: Shares[str] = Shares()
    for number in range(3 * MOST_REMEMBERED):
        shares.serve(str(number))
        shares.serve("steady")
    assert len(shares._ends) <= MOST_REMEMBERED + 1


def test_a_conversation_that_asks_for_much_is_spaced_and_not_for_ever() -> None:
    assert [spaced_ms(0, before) for before in (0, 1, 2)] == [0, 1_000, 2_000]
    assert spaced_ms(0, 10_000) == MOST_SPACED * 1_000


def test_with_an_hours_backlog_of_low_and_bulk_urgent_work_is_next() -> None:
    office = Office()
    for number in range(900):
        office.bring("low" if number % 2 else "bulk", number * 4_000)
    for moment in range(40):
        for _ in range(moment):
            assert office.next()[0].priority in ("low", "bulk")
        office.bring("urgent", 3_600_000 + moment)
        assert office.next()[0].priority == "urgent"


arrivals = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(CLASSES), st.sampled_from(["", "a", "b"])), min_size=1, max_size=80
)


@given(arrivals)
def test_nothing_waits_for_ever(bursts: list[tuple[int, PriorityClass, str]]) -> None:
    """Whatever comes, and however much of it: a piece of work waits at most for what stood before it, for the work
    that came in the span of its offset, and for the shares of the other lanes and tenants meanwhile."""
    office, clock, at = Office(), 0, 0
    began: dict[int, int] = {}
    for number, (gap, priority, tenant) in enumerate(bursts):
        clock += gap
        while at < clock and office.waiting:
            _, ready_ms, name = office.next()
            began[int(name)] = at - ready_ms // SERVICE_MS
            at += 1
        at = max(at, clock)
        office.bring(priority, clock * SERVICE_MS, str(number), tenant)
    while office.waiting:
        _, ready_ms, name = office.next()
        began[int(name)] = at - ready_ms // SERVICE_MS
        at += 1
    assert sorted(began) == list(range(len(bursts)))
    assert max(began.values()) <= len(bursts)


@settings(max_examples=40)
@given(st.lists(st.sampled_from(CLASSES), max_size=30), st.sampled_from(CLASSES))
def test_a_flood_of_other_lanes_delays_a_lane_by_its_share_only(
    before: list[PriorityClass], priority: PriorityClass
) -> None:
    office = Office()
    for number, each in enumerate(before):
        office.bring(each, number)
    for _ in range(len(before) // 2):
        office.next()
    lane = LANES[priority]
    own = sum(LANES[queue.priority] == lane for queue, _, _ in office.waiting)
    office.bring(priority, 10_000, "it")
    for number in range(own + 400 if lane == 2 else own + 40):
        for each in CLASSES:
            if LANES[each] != lane:
                office.bring(each, 10_000 + number)
    waited = 0
    while office.next()[2] != "it":
        waited += 1
        assert waited <= (own + 2) * sum(SHARES) / SHARES[lane] + 20


def test_the_offsets_are_those_of_the_classes() -> None:
    assert list(OFFSET_MS.values()) == [0, 1_000, 5_000, 300_000, 3_600_000]
