"""When an attempt is repeated, and how long before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy.operations import keyed, plain, read

from flowc.runtime.policy.deadline import deadline, no_time, spare_s
from flowc.runtime.policy.retry import backoff_s, may_repeat, wait_s
from flowc.runtime.policy.verdict import (
    Answered,
    Broken,
    Declared,
    Held,
    Lost,
    Misshaped,
    NotSent,
    PushedBack,
    RawAnswer,
    Rejected,
    TimedOut,
)
from flowc.runtime.program import Operation, Retry

POLICY = Retry(attempts=3, base_ms=100, cap_ms=1000)


@given(number=st.integers(1, 2_000), draw=st.floats(0, 1, exclude_max=True))
def test_wait_i_is_drawn_from_0_to_the_smaller_of_cap_and_base_doubled(number: int, draw: float) -> None:
    most = [0.1, 0.2, 0.4, 0.8, 1.0][min(number, 5) - 1]
    assert backoff_s(POLICY, number, draw) == pytest.approx(draw * most)


def test_retry_after_is_the_least_wait() -> None:
    assert wait_s(PushedBack(retry_after_s=7.0), POLICY, 1, 0.5) == 7.0
    assert wait_s(PushedBack(retry_after_s=0.01), POLICY, 1, 0.5) == pytest.approx(0.05)
    assert wait_s(PushedBack(), POLICY, 1, 0.5) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("raw", "reads", "keyed_writes", "other_writes"),
    [
        (NotSent(), True, True, True),
        (PushedBack(), True, True, True),
        (TimedOut(), True, True, False),
        (Lost(), True, True, False),
        (Broken(), True, True, False),
        (Misshaped(), False, True, False),
        (Declared("too_late"), False, False, False),
        (Rejected(), False, False, False),
        (Answered(1), False, False, False),
        (Held("overloaded", ""), False, False, False),
    ],
)
def test_only_what_is_safe_is_repeated(raw: RawAnswer, *, reads: bool, keyed_writes: bool, other_writes: bool) -> None:
    operations: list[Operation] = [read(), keyed(), plain()]
    assert [may_repeat(raw, each) for each in operations] == [reads, keyed_writes, other_writes]


def test_the_deadline_is_the_earlier_of_within_and_the_turns() -> None:
    assert deadline(10.0, 2.0, None) == 12.0
    assert deadline(10.0, 2.0, 11.0) == 11.0
    assert deadline(10.0, 2.0, 13.0) == 12.0


def test_no_attempt_starts_with_less_than_its_timeout_left() -> None:
    assert no_time(spare_s(10.0, 12.0, 2.0)) is None
    assert no_time(spare_s(10.001, 12.0, 2.0)) == Held("overloaded", "no time left for an attempt")
