"""The breaker: when it opens, how it probes, how long it stays open, and what counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowc.runtime.policy.breaker import Breaker
from flowc.runtime.policy.verdict import Health


def breaker(percent: int = 50, calls: int = 10, open_s: float = 5.0) -> Breaker:
    return Breaker(percent, calls, open_s)


def call(it: Breaker, health: Health, now: float) -> bool:
    """One call from begin to end; whether it was let through."""
    admitted = it.admit(now)
    if admitted is None:
        return False
    it.give_back(admitted, health, now)
    return True


def opened(open_s: float = 5.0) -> Breaker:
    it = breaker(open_s=open_s)
    for _ in range(5):
        call(it, "bad", 0.0)
    return it


def test_opens_at_the_share_of_at_least_n_calls() -> None:
    it = breaker(percent=50, calls=10)
    for number in range(9):
        call(it, "bad" if number % 2 else "good", 0.0)
    assert not it.is_open  # 4 of 9
    call(it, "bad", 0.0)
    assert it.is_open  # 5 of 10


def test_stays_closed_below_the_share() -> None:
    it = breaker(percent=50, calls=10)
    for number in range(100):
        call(it, "bad" if number % 5 in (0, 3) else "good", number / 10)
    assert not it.is_open


def test_five_in_a_row_open_it_while_the_window_holds_fewer_than_n_calls() -> None:
    it = breaker(calls=20)
    for _ in range(4):
        call(it, "bad", 0.0)
    assert not it.is_open
    call(it, "bad", 0.0)
    assert it.is_open


def test_five_in_a_row_mean_nothing_once_the_window_holds_n_calls() -> None:
    it = breaker(percent=50, calls=10)
    for _ in range(20):
        call(it, "good", 0.0)
    for _ in range(6):
        call(it, "bad", 0.0)
    assert not it.is_open


def test_a_success_ends_the_row() -> None:
    it = breaker(percent=100, calls=20)
    for health in ("bad", "bad", "bad", "bad", "good", "bad", "bad", "bad", "bad"):
        call(it, health, 0.0)
    assert not it.is_open


def test_a_row_is_of_the_last_30_seconds() -> None:
    it = breaker(calls=20)
    for now in (0.0, 10.0, 20.0, 30.0, 40.0, 50.0):
        call(it, "bad", now)
    assert not it.is_open


def test_calls_older_than_30_seconds_are_forgotten() -> None:
    it = breaker(percent=50, calls=10)
    for _ in range(9):
        call(it, "good", 0.0)
    for _ in range(4):
        call(it, "bad", 29.0)
    assert not it.is_open
    call(it, "bad", 31.0)
    assert it.is_open  # five of five, because the successes have left the window


@pytest.mark.parametrize("health", ["answers", "silent"])
def test_refusals_and_cancellations_count_for_neither_side(health: Health) -> None:
    it = breaker(percent=50, calls=10)
    for _ in range(100):
        call(it, health, 0.0)
    for _ in range(4):
        call(it, "bad", 0.0)
    assert not it.is_open  # they are no failures
    call(it, "bad", 0.0)
    assert it.is_open  # and no successes, and end no row


def test_nothing_is_sent_while_open_and_one_probe_after_it() -> None:
    it = opened(open_s=5.0)
    assert it.admit(4.9) is None
    assert it.wait_s(2.0) == 3.0
    probe = it.admit(5.0)
    assert probe is not None
    assert it.admit(5.0) is None
    assert it.admit(500.0) is None  # one, however long it takes


def test_a_successful_probe_closes() -> None:
    it = opened()
    assert call(it, "good", 5.0)
    assert all(call(it, "good", 5.0) for _ in range(3))


def test_a_refused_probe_closes_because_the_backend_is_there() -> None:
    it = opened()
    call(it, "answers", 5.0)
    assert not it.is_open


def test_a_probe_that_was_cancelled_gives_its_place_back() -> None:
    it = opened()
    call(it, "silent", 5.0)
    assert it.is_open
    assert call(it, "good", 5.0)
    assert not it.is_open


def test_open_time_doubles_while_probes_fail_up_to_a_minute() -> None:
    it = opened(open_s=5.0)
    now, waits = 0.0, []
    for _ in range(7):
        waits.append(it.wait_s(now))
        now += it.wait_s(now)
        call(it, "bad", now)
    assert waits == [5, 10, 20, 40, 60, 60, 60]


def test_open_time_goes_on_doubling_when_it_was_closed_for_less_than_30_s() -> None:
    it = opened(open_s=5.0)
    call(it, "good", 5.0)
    for _ in range(5):
        call(it, "bad", 34.9)
    assert it.wait_s(34.9) == 10


def test_open_time_starts_over_after_30_s_closed() -> None:
    it = opened(open_s=5.0)
    call(it, "bad", 5.0)
    call(it, "good", 15.0)
    for _ in range(5):
        call(it, "bad", 45.0)
    assert it.wait_s(45.0) == 5


def test_an_open_time_over_a_minute_is_kept() -> None:
    assert opened(open_s=90.0).wait_s(0.0) == 90


def test_a_call_begun_before_it_opened_says_nothing_later() -> None:
    it = breaker(calls=20)
    late = [it.admit(0.0) for _ in range(10)]
    for _ in range(5):
        call(it, "bad", 0.0)
    call(it, "good", 5.0)
    for each in late:
        assert each is not None
        assert not it.holds(each)
        it.give_back(each, "bad", 6.0)
    assert not it.is_open


def test_a_late_success_does_not_close() -> None:
    it = breaker()
    late = it.admit(0.0)
    for _ in range(5):
        call(it, "bad", 0.0)
    assert late is not None
    it.give_back(late, "good", 1.0)
    assert it.is_open


@given(
    percent=st.integers(1, 100),
    calls=st.integers(1, 12),
    steps=st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["good", "bad", "answers", "silent"])), max_size=60),
)
def test_opens_exactly_when_the_calls_of_the_window_say_so(
    percent: int, calls: int, steps: list[tuple[int, Health]]
) -> None:
    it = breaker(percent, calls)
    counted: list[tuple[int, bool]] = []
    now = 0
    for pause, health in steps:
        now += pause
        call(it, health, float(now))
        if health in ("good", "bad"):
            counted.append((now, health == "bad"))
        window = [failed for at, failed in counted if at > now - 30]
        row = [failed for _, failed in counted[-5:]] if len(counted) >= 5 and counted[-5][0] > now - 30 else [False]
        enough = len(window) >= calls
        should_open = sum(window) * 100 >= percent * len(window) if enough else all(row)
        if health == "bad":
            assert it.is_open == should_open
        if it.is_open:
            return


@given(st.lists(st.tuples(st.floats(0, 40), st.sampled_from(["good", "bad", "silent"])), max_size=80))
def test_while_open_at_most_one_call_is_out(steps: list[tuple[float, Health]]) -> None:
    it = opened()
    out, now = [], 0.0
    for pause, health in steps:
        now += pause
        if (admitted := it.admit(now)) is not None:
            out.append(admitted)
        if it.is_open:
            assert len(out) <= 1
        if out and pause > 1:
            it.give_back(out.pop(), health, now)
        if not it.is_open:
            return
