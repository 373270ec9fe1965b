"""The server killed again and again under load; and that what its accounting looks for would be found."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from end_to_end.soak import Answer, Soak, Stored, Talk, account, run

FIRST = Answer("note", (("1.1.0", "Ready."), ("1.1.1", "Noted 1.")))
PAID = Answer("pay", (("1.2.0", "Paying 2."), ("1.3.0", "Done 2: 7.")))
QUEUED = Answer("later", (("1.4.0", "Queued 3."),))
BYE = Answer("bye", (("1.5.0", "Bye."),))
JOB = ("1.6.0", "Done 3: 8.")
REPLIES = (*FIRST.replies, *PAID.replies, *QUEUED.replies, *BYE.replies, JOB)
ENTRIES = Counter({2: 1, 3: 1})


def shown(
    tmp_path: Path,
    answers: tuple[Answer, ...] = (FIRST, PAID, QUEUED, BYE),
    replies: tuple[tuple[str, str], ...] = REPLIES,
    entries: Counter[int] = ENTRIES,
    *,
    is_ended: bool = True,
    left: int = 0,
) -> set[str]:
    """What a conversation like that is found to be."""
    soak = Soak(tmp_path, Random(1), 1)
    account(soak, Talk("c", list(answers)), Stored(replies, is_ended, left, 6), entries)
    return {kind for kind, _ in soak.findings}


def without(*gone: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(reply for reply in REPLIES if reply not in gone)


WRONG: dict[str, tuple[str, Callable[[Path], set[str]]]] = {
    "an answer that is not stored": ("lost", lambda at: shown(at, replies=without(PAID.replies[1]))),
    "a job that was never told of": ("lost", lambda at: shown(at, replies=without(JOB))),
    "an effect that was told of and is not there": ("lost", lambda at: shown(at, entries=Counter({2: 1}))),
    "an effect that nobody was told of": ("lost", lambda at: shown(at, entries=ENTRIES + Counter({9: 1}))),
    "a count that jumps back": (
        "lost",
        lambda at: shown(
            at, (FIRST, Answer("note", (("1.2.0", "Noted 1."),))), (*FIRST.replies, ("1.2.0", "Noted 1."))
        ),
    ),
    "a message that was taken twice": (
        "doubled",
        lambda at: shown(
            at, (FIRST, Answer("note", (("1.3.0", "Noted 3."),))), (*FIRST.replies, ("1.3.0", "Noted 3."))
        ),
    ),
    "an effect that was made twice": ("doubled", lambda at: shown(at, entries=Counter({2: 2, 3: 1}))),
    "a result that was told of twice": ("doubled", lambda at: shown(at, replies=(*REPLIES, ("1.7.0", "Done 3: 8.")))),
    "an id that two replies have": ("doubled", lambda at: shown(at, replies=(*REPLIES, ("1.6.0", "Ready.")))),
    "an answer that came after a later one": ("disorder", lambda at: shown(at, replies=REPLIES[::-1])),
    "a conversation that lives": ("stuck", lambda at: shown(at, is_ended=False)),
    "a row that nobody takes": ("stuck", lambda at: shown(at, left=1)),
}


def test_a_conversation_as_it_should_be_shows_nothing(tmp_path: Path) -> None:
    assert shown(tmp_path) == set()


@pytest.mark.parametrize("case", WRONG)
def test_the_accounting_finds(case: str, tmp_path: Path) -> None:
    kind, made = WRONG[case]
    assert kind in made(tmp_path)


FAILED = Answer("pay", (("1.2.0", "Sorry, something went wrong on our side. Please try again."),))


def test_a_message_that_was_set_aside_is_none_that_was_lost(tmp_path: Path) -> None:
    """Where its user was told, and it stands with the others that were."""
    again = Answer("note", (("1.3.0", "Noted 2."),))
    talk = Talk("c", [FIRST, FAILED, again, BYE])
    replies = (*FIRST.replies, *FAILED.replies, *again.replies, *BYE.replies)
    for dead, expected in ((1, set()), (0, {"lost"})):
        soak = Soak(tmp_path, Random(1), 1)
        account(soak, talk, Stored(replies, True, 0, 4, dead), Counter())
        assert {kind for kind, _ in soak.findings} == expected


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_server_that_is_killed_every_three_seconds_loses_and_doubles_nothing(tmp_path: Path) -> None:
    assert run(tmp_path / "soak", minutes=2, every_s=3) == []
