"""The retry budget: 10 % of the attempts that left, plus 1/s, credit saved for 10 s."""

from hypothesis import given
from hypothesis import strategies as st

from flowc.runtime.policy.budget import Budget


def spend_all(it: Budget, now: float) -> int:
    spent = 0
    while it.spend(now):
        spent += 1
    return spent


def test_an_idle_service_has_ten_seconds_of_credit() -> None:
    assert spend_all(Budget(), 100.0) == 10


def test_credit_is_saved_for_ten_seconds_and_no_longer() -> None:
    it = Budget()
    spend_all(it, 100.0)
    assert spend_all(it, 103.0) == 3
    assert spend_all(it, 1000.0) == 10


def test_ten_attempts_are_one_retry() -> None:
    it = Budget()
    spend_all(it, 100.0)
    for _ in range(9):
        it.attempt_left(100.0)
    assert spend_all(it, 100.0) == 0
    it.attempt_left(100.0)
    assert spend_all(it, 100.0) == 1


def test_credit_of_attempts_lapses_too() -> None:
    it = Budget()
    spend_all(it, 100.0)
    for _ in range(100):
        it.attempt_left(100.0)
    assert spend_all(it, 111.0) == 10


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.0, 0.1, 0.5, 1.0, 4.0, 20.0]), st.booleans()), max_size=200))
def test_retries_never_exceed_what_was_earned(steps: list[tuple[float, bool]]) -> None:
    it = Budget()
    now = 50.0
    attempts: list[float] = []
    retries: list[float] = []
    for pause, is_retry in steps:
        now += pause
        if is_retry and it.spend(now):
            retries.append(now)
        elif not is_retry:
            it.attempt_left(now)
            attempts.append(now)
    for begin in [50.0, *attempts]:
        spent = sum(begin <= each for each in retries)
        earned = 10 + (now - begin) + 1 + 0.1 * sum(each > begin - 11 for each in attempts)
        assert spent <= earned + 1e-6
