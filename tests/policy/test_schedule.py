"""Writes after an attempt: settled, or tried again, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy.operations import DAY_MS, keyed, plain

from flowc.runtime.kernel.events import CallFailure, Succeeded
from flowc.runtime.policy.schedule import (
    Again,
    Progress,
    Settled,
    after_command_attempt,
    after_job_attempt,
    job_backoff_s,
)
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

DAY_S = DAY_MS / 1000
RAWS: list[RawAnswer] = [
    Answered(1),
    Declared("too_late"),
    Rejected(),
    PushedBack(retry_after_s=3.0),
    NotSent(),
    Held("overloaded", "busy", 1.5),
    Held("unavailable", "open", 4.0),
    TimedOut(),
    Lost(),
    Broken("500"),
    Misshaped(),
]


def progress(
    attempts: int = 1, left_s: float = DAY_S, first_sent_s: float | None = 0.0, *, in_doubt: bool = False
) -> Progress:
    return Progress(attempts, left_s, first_sent_s, in_doubt)


def settled(step: Settled | Again) -> str:
    match step:
        case Settled(CallFailure(kind)):
            return kind
        case Settled():
            return "ok"
        case Again():
            return "again"


# ------------------------------------------------------------------------------------------------------------- jobs


@pytest.mark.parametrize("raw", [NotSent(), PushedBack(), TimedOut(), Lost(), Broken("500"), Misshaped()])
def test_a_job_is_tried_until_it_is_done(raw: RawAnswer) -> None:
    assert settled(after_job_attempt(raw, keyed(retries=0), progress(attempts=900), 0.5)) == "again"


def test_a_refusal_of_a_first_attempt_is_final() -> None:
    assert settled(after_job_attempt(Declared("too_late"), keyed(), progress(), 0.5)) == "too_late"
    assert settled(after_job_attempt(Rejected(), keyed(), progress(), 0.5)) == "rejected"
    assert after_job_attempt(Answered("T-1"), keyed(), progress(), 0.5) == Settled(Succeeded("T-1"))


def test_a_refusal_of_a_repetition_settles_nothing_but_ends_it() -> None:
    doubt = progress(in_doubt=True)
    assert settled(after_job_attempt(Declared("too_late"), keyed(), doubt, 0.5)) == "unknown"
    assert settled(after_job_attempt(Declared("too_late"), keyed(keeps_refusals=True), doubt, 0.5)) == "too_late"


def test_its_waits_grow_to_five_minutes() -> None:
    waits = [job_backoff_s(100, attempts, 1.0) for attempts in range(1, 16)]
    assert waits[:4] == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert waits == sorted(waits)
    assert waits[-1] == 300
    assert job_backoff_s(100, 5_000, 0.5) == 150


def test_what_we_refuse_ourselves_is_no_attempt() -> None:
    """The wait is the refusal's, not that of a job which has failed a hundred times."""
    step = after_job_attempt(Held("unavailable", "open", 4.0), keyed(), progress(attempts=100), 0.5)
    assert step == Again(4.5, in_doubt=False)


def test_doubt_stays_until_it_is_settled() -> None:
    assert after_job_attempt(TimedOut(), keyed(), progress(), 0.0) == Again(0.0, in_doubt=True)
    assert after_job_attempt(NotSent(), keyed(), progress(in_doubt=True), 0.0) == Again(0.0, in_doubt=True)
    assert after_job_attempt(NotSent(), keyed(), progress(), 0.0) == Again(0.0, in_doubt=False)


def test_after_its_within_it_is_failed_or_unknown() -> None:
    late = progress(left_s=0.5)
    assert settled(after_job_attempt(NotSent(), keyed(), late, 0.5)) == "unavailable"
    assert settled(after_job_attempt(PushedBack(), keyed(), late, 0.5)) == "overloaded"
    assert settled(after_job_attempt(TimedOut(), keyed(), late, 0.5)) == "unknown"
    assert settled(after_job_attempt(NotSent(), keyed(), progress(left_s=0.5, in_doubt=True), 0.5)) == "unknown"
    assert settled(after_job_attempt(Held("unavailable", "open", 4.0), keyed(), late, 0.5)) == "unavailable"


def test_the_last_attempt_is_at_the_end_of_its_time() -> None:
    step = after_job_attempt(NotSent(), keyed(timeout_ms=1000), progress(attempts=30, left_s=101.0), 0.9)
    assert step == Again(100.0, in_doubt=False)


def test_a_retry_after_beyond_its_time_ends_it() -> None:
    assert settled(after_job_attempt(PushedBack(retry_after_s=60), keyed(), progress(left_s=50), 0.5)) == "overloaded"


def test_no_attempt_uses_a_key_that_is_forgotten() -> None:
    an_hour = keyed(remembered_ms=3_600_000)
    assert settled(after_job_attempt(TimedOut(), an_hour, progress(first_sent_s=3_599.5), 0.5)) == "unknown"
    step = after_job_attempt(TimedOut(), an_hour, progress(attempts=40, first_sent_s=3_500.0), 0.99)
    assert step == Again(99.0, in_doubt=True)


@given(
    raw=st.sampled_from(RAWS),
    attempts=st.integers(1, 2_000),
    left_s=st.floats(0, DAY_S),
    first_sent_s=st.none() | st.floats(0, DAY_S),
    in_doubt=st.booleans(),
    keeps=st.booleans(),
    draw=st.floats(0, 1, exclude_max=True),
)
def test_a_job_never_outlives_its_within_its_key_or_its_doubt(
    raw: RawAnswer,
    attempts: int,
    left_s: float,
    first_sent_s: float | None,
    in_doubt: bool,
    keeps: bool,
    draw: float,
) -> None:
    operation = keyed(keeps_refusals=keeps, remembered_ms=3_600_000)
    match after_job_attempt(raw, operation, Progress(attempts, left_s, first_sent_s, in_doubt), draw):
        case Again(wait_s, doubt_after):
            assert 0 <= wait_s <= left_s - 1
            assert first_sent_s is None or first_sent_s + wait_s + 1 <= 3_600 + 1e-6
            assert doubt_after or not in_doubt
        case Settled(CallFailure(kind)):
            assert kind == "unknown" or not in_doubt or (keeps and isinstance(raw, Declared | Rejected))
        case Settled():
            assert isinstance(raw, Answered)


# ----------------------------------------------------------------------------------- writes a conversation waits for


def test_a_keyed_write_is_retried_as_often_as_its_policy_says() -> None:
    assert settled(after_command_attempt(TimedOut(), keyed(retries=2), progress(attempts=2), 0.0)) == "again"
    assert settled(after_command_attempt(TimedOut(), keyed(retries=2), progress(attempts=3), 0.0)) == "unknown"


def test_a_write_without_key_is_repeated_only_when_it_was_not_done() -> None:
    assert settled(after_command_attempt(TimedOut(), plain(retries=5), progress(), 0.0)) == "unknown"
    assert settled(after_command_attempt(NotSent(), plain(retries=5), progress(), 0.0)) == "again"
    assert (
        settled(after_command_attempt(PushedBack(retry_after_s=3), plain(retries=5), progress(), 0.0)) == "overloaded"
    )


def test_a_write_does_not_wait_for_a_dead_backend_unless_it_is_in_doubt() -> None:
    is_open = Held("unavailable", "open", 4.0)
    assert (
        settled(after_command_attempt(is_open, keyed(), progress(attempts=0, first_sent_s=None), 0.0)) == "unavailable"
    )
    assert after_command_attempt(is_open, keyed(), progress(in_doubt=True), 0.0) == Again(4.0, in_doubt=True)


def test_a_keyed_write_waits_for_a_limit_and_another_does_not() -> None:
    limited = Held("overloaded", "the rate limit", 4.0)
    never = progress(attempts=0, first_sent_s=None)
    assert after_command_attempt(limited, keyed(), never, 0.0) == Again(4.0, in_doubt=False)
    assert settled(after_command_attempt(limited, plain(), never, 0.0)) == "overloaded"
    assert settled(after_command_attempt(Held("overloaded", "full"), keyed(), never, 0.0)) == "overloaded"


def test_a_wait_that_does_not_fit_ends_the_write() -> None:
    assert (
        settled(after_command_attempt(PushedBack(retry_after_s=9.5), keyed(), progress(left_s=10), 0.0)) == "overloaded"
    )
    assert settled(after_command_attempt(TimedOut(), keyed(), progress(left_s=0.9), 0.0)) == "unknown"
    forgotten = progress(first_sent_s=3_599.5)
    assert settled(after_command_attempt(NotSent(), keyed(remembered_ms=3_600_000), forgotten, 0.0)) == "unavailable"
