"""What tenants and their users may send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowc.runtime.policy.limits import Limits, Rates, limits_of
from flowc.runtime.program import RateLimit


def test_who_sends_too_much_is_told_how_long_to_wait() -> None:
    it = Limits(Rates(per_user=RateLimit(2, 10)))
    assert [it.wait_s("web", "ann", 100.0) for _ in range(3)] == [0.0, 0.0, 5.0]
    assert it.wait_s("web", "ben", 100.0) == 0
    assert it.wait_s("web", "ann", 105.0) == 0


def test_a_tenant_shares_one_bucket_and_has_its_own() -> None:
    it = Limits(Rates(RateLimit(1, 1)))
    assert it.wait_s("web", "ann", 100.0) == 0
    assert it.wait_s("web", "ben", 100.0) == 1
    assert it.wait_s("app", "ben", 100.0) == 0


def test_a_user_who_sends_too_much_takes_nothing_from_the_others() -> None:
    it = Limits(Rates(RateLimit(3, 3), RateLimit(1, 60)))
    assert [it.wait_s("web", "ann", 100.0) > 0 for _ in range(9)] == [False] + [True] * 8
    assert [it.wait_s("web", user, 100.0) > 0 for user in ("ben", "cid", "dan")] == [False, False, True]


def test_what_a_tenant_says_itself_comes_before_the_default() -> None:
    it = Limits(Rates(RateLimit(1, 1), RateLimit(1, 1)), {"web": Rates(per_user=RateLimit(5, 1))})
    assert [it.wait_s("web", "ann", 100.0) for _ in range(2)] == [0.0, 1.0]
    it = Limits(Rates(per_user=RateLimit(1, 1)), {"web": Rates(per_user=RateLimit(5, 1))})
    assert [it.wait_s("web", "ann", 100.0) for _ in range(6)] == [0.0] * 5 + [pytest.approx(0.2)]


def test_nothing_is_limited_where_nothing_is_configured() -> None:
    assert limits_of(Rates(), {"web": Rates()}) is None
    assert limits_of(Rates(), {"web": Rates(RateLimit(1, 1))}) is not None


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from("ab")), max_size=80))
def test_what_is_let_through_fits_both_buckets(messages: list[tuple[float, str]]) -> None:
    it, now = Limits(Rates(RateLimit(4, 4), RateLimit(2, 4))), 100.0
    passed: list[tuple[float, str]] = []
    for pause, user in messages:
        now += pause
        if it.wait_s("", user, now) == 0:
            passed.append((now, user))
    for at, _ in passed:
        window = [user for moment, user in passed if at <= moment < at + 4 - 1e-6]
        assert len(window) <= 8
        assert all(window.count(user) <= 4 for user in "ab")
