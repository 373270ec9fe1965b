"""What an attempt comes to: each row is a sentence of "Outcomes" (language) or of "Verdicts on writes" (runtime)."""

import pytest
from policy.operations import keyed

from flowc.runtime.kernel.events import CallFailure, CallResult, Succeeded
from flowc.runtime.policy.verdict import (
    Answered,
    Broken,
    Declared,
    Health,
    Held,
    Lost,
    Misshaped,
    NotSent,
    PushedBack,
    RawAnswer,
    Rejected,
    TimedOut,
    health,
    may_be_done,
    of_read,
    of_write,
    was_sent,
)

BUSY = Held("overloaded", "no place")
OPEN = Held("unavailable", "the breaker is open")


def kind(result: CallResult) -> str:
    return result.kind if isinstance(result, CallFailure) else "ok"


@pytest.mark.parametrize(
    ("raw", "outcome"),
    [
        (Answered(1), "ok"),
        (Declared("not_found"), "not_found"),
        (TimedOut(), "timeout"),
        (NotSent(), "unavailable"),
        (OPEN, "unavailable"),
        (Lost(), "unavailable"),
        (Broken("500"), "unavailable"),
        (BUSY, "overloaded"),
        (PushedBack(), "overloaded"),
        (Rejected(), "rejected"),
        (Broken("408", is_refusal=True), "rejected"),
        (Misshaped(), "malformed"),
    ],
)
def test_outcome_of_a_read(raw: RawAnswer, outcome: str) -> None:
    assert kind(of_read(raw)) == outcome


@pytest.mark.parametrize(
    ("raw", "first", "repetition", "keeping_refusals"),
    [
        (Answered(1), "ok", "ok", "ok"),
        (NotSent(), "unavailable", "unknown", "unknown"),
        (OPEN, "unavailable", "unknown", "unknown"),
        (BUSY, "overloaded", "unknown", "unknown"),
        (PushedBack(), "overloaded", "unknown", "unknown"),
        (Declared("too_late"), "too_late", "unknown", "too_late"),
        (Rejected(), "rejected", "unknown", "rejected"),
        (TimedOut(), "unknown", "unknown", "unknown"),
        (Lost(), "unknown", "unknown", "unknown"),
        (Broken("500"), "unknown", "unknown", "unknown"),
        (Broken("408", is_refusal=True), "unknown", "unknown", "unknown"),
        (Misshaped(), "unknown", "unknown", "unknown"),
    ],
)
def test_outcome_of_a_write(raw: RawAnswer, first: str, repetition: str, keeping_refusals: str) -> None:
    assert kind(of_write(raw, None, in_doubt=False)) == first
    assert kind(of_write(raw, keyed().key, in_doubt=False)) == first
    assert kind(of_write(raw, keyed().key, in_doubt=True)) == repetition
    assert kind(of_write(raw, keyed(keeps_refusals=True).key, in_doubt=True)) == keeping_refusals


def test_what_a_failure_tells_goes_with_it_and_not_with_unknown() -> None:
    raw = Declared("too_late", {"since": "monday"}, "shipped")
    assert of_write(raw, None, in_doubt=False) == CallFailure("too_late", "shipped", {"since": "monday"})
    assert of_write(raw, None, in_doubt=True) == CallFailure("unknown", "a repetition came to too_late: shipped")
    assert of_read(Answered((1, 2))) == Succeeded((1, 2))


@pytest.mark.parametrize(
    ("raw", "sent", "in_doubt", "about_the_backend"),
    [
        (Answered(1), True, False, "good"),
        (Declared("too_late"), True, False, "answers"),
        (Rejected(), True, False, "answers"),
        (PushedBack(), True, False, "silent"),
        (NotSent(), True, False, "bad"),
        (BUSY, False, False, "silent"),
        (TimedOut(), True, True, "bad"),
        (Lost(), True, True, "bad"),
        (Broken("500"), True, True, "bad"),
        (Broken("425", is_refusal=True), True, True, "answers"),
        (Misshaped(), True, True, "bad"),
    ],
)
def test_what_an_attempt_says(raw: RawAnswer, about_the_backend: Health, *, sent: bool, in_doubt: bool) -> None:
    assert (was_sent(raw), may_be_done(raw), health(raw)) == (sent, in_doubt, about_the_backend)
