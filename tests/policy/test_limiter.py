"""Rate limits: never more than the bucket gives, and no less than it gives."""

from hypothesis import given
from hypothesis import strategies as st

from flowc.runtime.policy.limiter import Limiter, UserLimiter


def test_a_full_bucket_goes_at_once_and_then_one_an_interval() -> None:
    it = Limiter(4, 1.0)
    waits = [it.reserve(0.0, 10.0) for _ in range(6)]
    assert waits == [0, 0, 0, 0, 0.25, 0.5]


def test_a_wait_that_is_too_long_takes_nothing() -> None:
    it = Limiter(1, 1.0)
    assert it.reserve(0.0, 0.0) == 0
    assert it.reserve(0.0, 0.5) is None
    assert it.reserve(0.5, 0.5) == 0.5


def test_it_fills_up_again_and_not_beyond() -> None:
    it = Limiter(2, 1.0)
    assert [it.reserve(100.0, 0.0) for _ in range(3)] == [0, 0, None]
    assert [it.reserve(200.0, 0.0) for _ in range(3)] == [0, 0, None]


@given(
    count=st.integers(1, 8),
    pauses=st.lists(st.sampled_from([0.0, 0.0, 0.125, 0.25, 0.5, 1.0, 3.0]), min_size=1, max_size=80),
    longest=st.sampled_from([0.0, 0.5, 5.0]),
)
def test_it_is_a_token_bucket(count: int, pauses: list[float], longest: float) -> None:
    """Against the bucket written down: `tokens` at `at`, which may be borrowed from the future by waiting."""
    it = Limiter(count, 1.0)
    tokens, at, now = float(count), 0.0, 0.0
    for pause in pauses:
        now += pause
        tokens, at = min(count, tokens + (now - at) * count), now
        must_wait = max(0.0, (1 - tokens) / count)
        got = it.reserve(now, longest)
        if must_wait <= longest - 1e-9:
            assert got is not None
            assert abs(got - must_wait) < 1e-9
        elif must_wait > longest + 1e-9:
            assert got is None
        if got is not None:
            tokens -= 1


def test_users_do_not_use_each_others_tokens() -> None:
    users = UserLimiter(1, 60.0)
    assert users.of("a", 0.0).reserve(0.0, 0.0) == 0
    assert users.of("a", 1.0).reserve(1.0, 0.0) is None
    assert users.of("b", 1.0).reserve(1.0, 0.0) == 0


def test_only_a_bucket_that_is_full_again_is_forgotten() -> None:
    users = UserLimiter(1, 10.0)
    users.of("a", 0.0).book(0.0)
    users.of("b", 1.0).book(1.0)
    users.of("c", 5.0).book(5.0)
    assert users.of("a", 6.0).reserve(6.0, 0.0) is None
    users.of("d", 11.5)
    users.of("e", 11.5)
    assert len(users._users) < 5


def test_memory_for_users_is_bounded() -> None:
    users = UserLimiter(1, 1000.0, most_users=10)
    for number in range(100):
        users.of(str(number), 0.0).book(0.0)
    assert len(users._users) <= 10
