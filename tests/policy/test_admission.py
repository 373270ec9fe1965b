"""Admission by queueing delay, on a server that does one turn a millisecond, in simulated time."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.runtime.policy.admission import (
    LEAST_MESSAGES,
    LONGEST_WAIT_S,
    STEPS,
    STORED,
    TOP,
    WINDOW_S,
    Admission,
    rung_of,
    step_of,
)
from flowc.runtime.policy.lanes import LANES
from flowc.runtime.program import PriorityClass

CLASSES: tuple[PriorityClass, ...] = ("urgent", "high", "normal", "low", "bulk")
TURN_S = 0.001
USERS = 500

Kind = tuple[PriorityClass, bool]


def windows(waits: Sequence[float], messages: int = LEAST_MESSAGES, priority: PriorityClass = "normal") -> Admission:
    """After one window for each wait, in which all messages but for the quickest waited a second, and one user of each
    step of the ladder came."""
    it = Admission()
    for number, wait in enumerate(waits):
        now = 10 + number * WINDOW_S + 0.001
        for each in range(messages):
            it.began(priority, wait if each == 0 else max(wait, 1.0), now)
        for step in range(TOP):
            if not it.is_calm:
                it.decide(step, now)
    it.began("normal", 0.0, 10 + len(waits) * WINDOW_S + 0.001)
    return it


def test_two_slow_windows_running_are_overload_and_one_is_not() -> None:
    assert windows([0.03]).mark == 0
    assert windows([0.03, 0.001, 0.03]).mark == 0
    assert windows([0.03, 0.03]).mark > 0


def test_the_quickest_counts_and_five_messages_are_needed() -> None:
    assert windows([LONGEST_WAIT_S] * 4).mark == 0
    assert windows([0.5] * 4, messages=LEAST_MESSAGES - 1).mark == 0


def test_a_wait_that_gets_shorter_raises_nothing() -> None:
    assert windows([0.08, 0.06, 0.04]).mark == 0
    assert windows([0.08, 0.08, 0.04]).mark == windows([0.08, 0.08]).mark


def test_a_long_wait_raises_more() -> None:
    assert windows([0.2, 0.2]).mark > windows([0.03, 0.03]).mark


def test_the_wait_of_a_lane_refuses_nobody_above_it() -> None:
    assert windows([1.0] * 40, priority="bulk").mark == 2 * STEPS
    assert windows([1.0] * 40, priority="normal").mark == 4 * STEPS
    assert windows([1.0] * 40, priority="high").mark == TOP


def test_it_is_calm_again_by_itself_when_nobody_comes_any_more() -> None:
    it = windows([1.0] * 40, priority="high")
    assert not it.is_calm
    it.decide(TOP - 1, 10 + 40 * WINDOW_S + 6)
    assert it.mark == 0
    assert it.is_calm


def test_the_ladder() -> None:
    ladder: list[Kind] = [("bulk", True), ("low", False), ("normal", True), ("normal", False), ("high", True)]
    assert [rung_of(priority, is_new=new) for priority, new in ladder] == [0, 1, 2, 3, 4]
    assert {rung_of("high", is_new=False), rung_of("urgent", is_new=True), rung_of("urgent", is_new=False)} == {5}
    assert {rung_of(each, is_new=new) for each in ("bulk", "low") for new in (True, False)} == {0, 1}  # type: ignore[arg-type]


def test_running_high_and_urgent_are_stored_and_never_refused() -> None:
    it = windows([1.0] * 60, priority="high")
    now = 10 + 60 * WINDOW_S + 0.002
    assert it.decide(STORED, now) == "store"
    assert it.decide(STORED - 1, now) == "refuse"
    assert it.decide(TOP - 1, now) == "store"


def test_when_to_come_back_is_spread_by_half() -> None:
    it = windows([0.03, 0.03])
    middle = it.retry_after_s(0.5)
    assert (it.retry_after_s(0.0), it.retry_after_s(1.0)) == (0.5 * middle, 1.5 * middle)
    assert windows([1.0] * 40).retry_after_s(0.5) > middle


@given(st.integers(0, TOP - 1), st.integers(0, TOP - 1), st.integers(0, 80))
def test_nobody_lower_is_admitted_while_someone_higher_is_refused(low: int, high: int, slow: int) -> None:
    it = windows([1.0] * slow, priority="high")
    now = 10 + slow * WINDOW_S + 0.002
    kinds = {step: it.decide(step, now) for step in (min(low, high), max(low, high))}
    if kinds[max(low, high)] != "admit":
        assert kinds[min(low, high)] != "admit"


@given(st.text(max_size=8), st.sampled_from(CLASSES), st.booleans(), st.floats(0, 3599))
def test_a_user_is_in_or_out_for_as_long_as_the_mark_stands(
    user: str, priority: PriorityClass, is_new: bool, later: float
) -> None:
    assert step_of(priority, user, 7200.0, is_new=is_new) == step_of(priority, user, 7200.0 + later, is_new=is_new)


# ------------------------------------------------------------------------------------------------------ under load


@dataclass
class Server:
    """Serves one turn after the other: lanes in the order of their classes, in a lane who came first."""

    admission: Admission = field(default_factory=Admission)
    lanes: tuple[deque[tuple[float, PriorityClass]], ...] = field(default_factory=lambda: (deque(), deque(), deque()))
    served: list[tuple[float, float]] = field(default_factory=list)
    refused: list[tuple[float, Kind]] = field(default_factory=list)
    admitted: list[tuple[float, Kind]] = field(default_factory=list)
    free_at: float = 0.0

    def work_to(self, now: float) -> None:
        while any(self.lanes) and self.free_at <= now:
            lane = next(lane for lane in self.lanes if lane)
            came, priority = lane.popleft()
            begins = max(self.free_at, came)
            self.admission.began(priority, begins - came, begins)
            self.served.append((begins, begins - came))
            self.free_at = begins + TURN_S

    def come(self, user: int, kind: Kind, now: float) -> None:
        self.work_to(now)
        if not self.admission.is_calm:
            step = step_of(kind[0], str(user), now, is_new=kind[1])
            if self.admission.decide(step, now) == "refuse":
                self.refused.append((now, kind))
                return
        self.admitted.append((now, kind))
        self.lanes[LANES[kind[0]]].append((now, kind[0]))


def run(rate: Callable[[float], float], seconds: float, kinds: Sequence[Kind], seed: int = 1) -> Server:
    """`rate` of messages a second at each moment."""
    server, random, now = Server(), Random(seed), 1000.0
    while now < 1000 + seconds:
        now += random.expovariate(rate(now - 1000))
        server.come(random.randrange(USERS), random.choice(kinds), now)
    server.work_to(now)
    return server


NORMAL: Sequence[Kind] = [("normal", True), ("normal", False)]


def test_below_the_capacity_nobody_is_refused() -> None:
    assert run(lambda _: 850, 10, NORMAL).refused == []


def test_at_four_times_the_load_nearly_all_of_the_capacity_is_used_and_waits_stay_short() -> None:
    server = run(lambda _: 4000, 12, NORMAL)
    settled = [wait for begins, wait in server.served if begins > 1004]
    assert len(settled) > 0.92 * 8 / TURN_S
    assert sorted(settled)[len(settled) // 2] < 0.1
    assert max(wait for _, wait in server.served) < 1.5


def test_who_runs_comes_before_who_begins_and_low_goes_first() -> None:
    server = run(lambda _: 1600, 12, [*NORMAL, ("low", False), ("high", True)])
    late = [kind for now, kind in server.refused if now > 1006]
    share = {kind: late.count(kind) for kind in set(late)}
    assert share[("low", False)] > 0.8 * 0.25 * 1600 * 6
    assert share.get(("normal", False), 0) < 0.05 * 0.25 * 1600 * 6
    assert ("high", True) not in share


def test_one_burst_refuses_next_to_nobody() -> None:
    server = run(lambda at: 3000 if 2 < at < 2.05 else 500, 6, NORMAL)
    assert len(server.refused) < 10


@settings(max_examples=8, deadline=None)
@given(st.floats(1.5, 6), st.integers(1, 5), st.integers(1, 1000))
def test_it_recovers_by_itself_after_the_load_falls(times: float, peak: int, seed: int) -> None:
    server = run(lambda at: times * 1000 if at < peak else 600, peak + 20, NORMAL, seed)
    assert server.admission.mark == 0
    assert not any(now > 1000 + peak + 15 for now, _ in server.refused)
    assert all(wait < 0.05 for begins, wait in server.served if begins > 1000 + peak + 10)


@settings(max_examples=8, deadline=None)
@given(
    st.floats(0.5, 6),
    st.lists(st.sampled_from([(c, n) for c in CLASSES for n in (True, False)]), min_size=1),
    st.integers(1, 99),
)
def test_what_is_admitted_is_served_and_urgent_is_never_refused(times: float, kinds: list[Kind], seed: int) -> None:
    server = run(lambda _: times * 1000, 4, kinds, seed)
    server.work_to(1e9)
    assert len(server.served) == len(server.admitted)
    assert all(kind[0] != "urgent" and kind != ("high", False) for _, kind in server.refused)
