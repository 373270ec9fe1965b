"""Answers kept for when a service fails."""

import pytest

from flowc.runtime.kernel.events import CallFailure, Succeeded
from flowc.runtime.policy.cache import AnswerCache, is_failing


def test_an_answer_is_served_up_to_its_age() -> None:
    it = AnswerCache()
    it.keep(b"a", 1, 100.0)
    assert it.find(b"a", 60.0, 160.0) == Succeeded(1)
    assert it.find(b"a", 60.0, 160.1) is None
    assert it.find(b"b", 60.0, 100.0) is None


def test_a_newer_answer_replaces_an_older() -> None:
    it = AnswerCache()
    it.keep(b"a", 1, 100.0)
    it.keep(b"a", 2, 150.0)
    assert it.find(b"a", 60.0, 200.0) == Succeeded(2)


def test_the_longest_unused_is_forgotten_first() -> None:
    it = AnswerCache(most=2)
    it.keep(b"a", 1, 0.0)
    it.keep(b"b", 2, 0.0)
    it.find(b"a", 60.0, 1.0)
    it.keep(b"c", 3, 2.0)
    assert [it.find(key, 60.0, 3.0) is not None for key in (b"a", b"b", b"c")] == [True, False, True]


@pytest.mark.parametrize(
    ("kind", "failing"),
    [
        ("timeout", True),
        ("unavailable", True),
        ("overloaded", True),
        ("malformed", True),
        ("rejected", False),
        ("not_found", False),
    ],
)
def test_a_service_that_says_no_is_not_failing(kind: str, *, failing: bool) -> None:
    assert is_failing(CallFailure(kind)) == failing
    assert not is_failing(Succeeded(1))
