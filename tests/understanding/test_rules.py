"""What the rules understand: the tables, and what holds for any message."""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from understanding.bots import INTENTS, NOW, SLOTS, asking, intent, program, slot
from understanding.tables import TABLES, Row, rows, rules, written

from flowc.runtime.kernel.answer import Asking, Candidate
from flowc.runtime.kernel.events import Found, Understood
from flowc.runtime.program import Slot
from flowc.runtime.types import Choice, Integer, Text
from flowc.runtime.understanding import lexicon
from flowc.runtime.understanding.fold import fold, words
from flowc.runtime.understanding.port import Heard
from flowc.runtime.understanding.rules import MOST_KNOWN, Rules
from flowc.runtime.values import Shapes, fits

ROWS = tuple(rows())
SHAPES = Shapes({}, "Europe/Berlin", "EUR")


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_row(row: Row) -> None:
    assert row.understood() == row.expected


def test_every_table_and_slot_has_rows() -> None:
    assert {row.table.partition(",")[0] for row in ROWS} == {at.stem for at in TABLES.iterdir()}
    assert {row.only for row in ROWS if row.expected or row.only == "name"} == {None, *(each.name for each in SLOTS)}


# -------------------------------------------------------------------------------------- what tables of rows cannot say


def hear_with(slots: tuple[Slot, ...], text: str, asked: str | None = None) -> Understood:
    return Rules(program(slots, ())).hear(Heard(text, NOW), asking(asked, slots, ()))


def test_only_candidates_count() -> None:
    agree = tuple(each for each in INTENTS if each.name == "agree")
    everything = rules(None, "EUR")
    for text, expected in (("yes", "agree"), ("where is my order", ""), ("where is it", "")):
        assert written(everything.hear(Heard(text, NOW), asking(intents=agree)), with_names=True) == expected


def test_the_nearest_scope_comes_before_the_order_of_declaration() -> None:
    intents = (intent("far", "yes"), intent("near", "yes"))
    candidates = (Candidate("main", intents[0], 2), Candidate("main", intents[1], 1))
    here = Asking("main", "w", 0.5, candidates, (), None, (), "en", "UTC")
    got = Rules(program((), intents)).hear(Heard("yes", NOW), here)
    assert [each.name for each in got.intents] == ["near", "far"]


def test_a_zone_that_nobody_knows_is_utc() -> None:
    got = rules("day", "EUR").hear(Heard("today", NOW), asking(slots=SLOTS, intents=(), zone="No/Where"))
    assert written(got, with_names=False) == "2026-11-25"


def test_a_message_that_was_heard_before_means_what_it_means_now() -> None:
    moves = (intent("move", "please do it today", "not now"),)
    it, here = Rules(program(SLOTS, moves)), asking(intents=moves)
    for text, values in (("please do it today", ["2026-11-25", "2026-11-26"]), ("not now", ["", ""])):
        heard = [it.hear(Heard(text, NOW + timedelta(days=days)), here) for days in (0, 0, 1, 1)]
        assert [each.intents for each in heard] == [heard[0].intents] * 4
        assert [written(replace(each, intents=()), with_names=False) for each in heard[1:3]] == values


def test_one_place_knows_no_more_messages_than_are_few() -> None:
    it, here = Rules(program((), INTENTS)), asking(slots=(), intents=INTENTS[3:4])
    for marks in range(MOST_KNOWN + 10):
        assert it.hear(Heard("yes" + "!" * (marks % 30) + " ?" * (marks // 30), NOW), here).intents[0].name == "yes"
    assert 0 < len(it._prepared(here).known) <= MOST_KNOWN


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=30))
def test_folded_words_are_those_of_the_folded_text(text: str) -> None:
    spoken = " ".join(word.text for word in words(text))
    assert fold(text) == (spoken or text.strip())


def test_a_value_stands_where_it_was_said() -> None:
    (named,) = rules(None, "EUR").hear(Heard("Track AB123456!", NOW), asking()).found
    assert named == Found("AB123456", "order_id", ("order_id",), 6, 14)
    (typed,) = rules(None, "EUR").hear(Heard("üb 4 ab", NOW), asking()).found
    assert typed == Found(4, None, ("guests",), 3, 4)


def test_a_value_names_every_slot_that_it_could_be_for() -> None:
    slots = (
        slot("adults", Integer()),
        slot("children", Integer(0, 5)),
        slot("a", Text("[0-9]{3}x")),
        slot("b", Text("[0-9]{3}x")),
    )
    got = hear_with(slots, "7 and 3 and 123x")
    assert written(got, with_names=True) == "; adults = 7; adults|children = 3; a|b = 123x"


def test_words_of_two_choices() -> None:
    slots = (slot("size", Choice(("small", "large"))), slot("cup", Choice(("small", "mug"))))
    assert written(hear_with(slots, "a small one"), with_names=True) == "; size|cup = small"
    # Of `cup` two values are named.
    assert written(hear_with(slots, "a small mug"), with_names=True) == "; size = small"


@pytest.mark.parametrize("pattern", ["[0-9]*", "x?"])
def test_a_pattern_that_nothing_fits_too_finds_no_empty_value(pattern: str) -> None:
    assert hear_with((slot("it", Text(pattern)),), "- ( ) -").found == ()


@pytest.mark.parametrize(
    ("pattern", "answer"),
    [
        (".{12,}", "anything that is long"),
        ("[a-z ]+", "two words"),
        (r"\S+", "a+b"),
        ("[^0-9]{30,60}", "ab " * 11 + "c"),
    ],
)
def test_a_pattern_that_a_sentence_fits_is_an_answer_only(pattern: str, answer: str) -> None:
    slots = (slot("it", Text(pattern)),)
    assert hear_with(slots, answer).found == ()
    assert written(hear_with(slots, answer, "it"), with_names=True) == f"; it = {answer}"


@pytest.mark.parametrize("size", [1_000, 250_000])
def test_where_hints_have_no_room_every_form_is_looked_for(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The set cannot be made at all, or has next to no room to work in."""
    monkeypatch.setattr(lexicon, "MOST_BYTES_OF_HINTS", size)
    cramped = Rules(program(SLOTS, INTENTS))
    for row in ROWS:
        if row.only is None:
            assert row.understood(cramped) == row.expected


def test_many_ways_to_lay_an_example_over_a_message_are_not_all_tried() -> None:
    moves = tuple(intent(f"move_{number}", "to {day} to {day} to {day} to {guests}") for number in range(50))
    it = Rules(program(SLOTS, moves))
    assert it.hear(Heard("to " * 60, NOW), asking(intents=moves)).intents == ()
    assert it.hear(Heard("to tomorrow to friday to today to 4", NOW), asking(intents=moves[:1])).intents != ()


# ------------------------------------------------------------------------------------------------------ a library helps

BY_LIBRARY = [
    ("day", "en", "2 days ago", "2026-11-23"),
    ("day", "fr", "24 décembre 2026", "2026-12-24"),
    ("day", "es", "mañana", "2026-11-26"),
    ("day", "xx", "mañana", ""),
    ("day", "la", "cras", ""),
    ("day", "fil", "huomenna", ""),  # Filipino is not Finnish
    ("day", "en", "the 24th", ""),  # of which month?
    ("at", "en", "in 2 hours", "15:00"),
    ("at", "en", "tomorrow", ""),
    ("begin", "en", "in 2 hours", "2026-11-25T14:00:00Z"),
    ("begin", "fr", "demain à 9:30", "2026-11-26T08:30:00Z"),
    ("begin", "fr", "demain", ""),
    ("begin", "en", "December 24 2026 10:00 EST", "2026-12-24T09:00:00Z"),
]


@pytest.mark.parametrize(("asked", "locale", "text", "expected"), BY_LIBRARY)
def test_a_library_reads_answers_that_no_form_does(asked: str, locale: str, text: str, expected: str) -> None:
    pytest.importorskip("dateparser")
    here = asking(asked, intents=(), locale=locale)
    assert written(rules(asked, "EUR").hear(Heard(text, NOW), here), with_names=False) == expected


def test_libraries_are_loaded_by_the_first_message_that_needs_them() -> None:
    lists = "import sys; import flowc.runtime.understanding.open; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", lists], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "flowc.runtime.understanding.rules" in loaded
    assert not loaded & {"phonenumbers", "dateparser", "numpy", "networkx", "httpx2", "pydantic"}


# --------------------------------------------------------------------------------------------------------- any message

SAID = {
    "order_id": "AB123456",
    "guests": "4",
    "weight": "120.5",
    "day": "24 December",
    "at": "9:30",
    "begin": "2026-12-24T09:30",
    "length": "90 minutes",
    "price": "€12.50",
    "mail": "a@b.org",
    "tel": "+49 30 901820",
    "site": "https://a.example/b",
    "size": "extra large",
}
PIECES = st.sampled_from([*SAID.values(), "yes", "where is", "from", "to", "ü", "{", "'", "\ud800", "\0"])
TEXTS = st.text(st.characters(), max_size=60) | st.lists(PIECES, max_size=12).map(" ".join)
LOCALES = st.sampled_from(["en", "de-AT", "fr", "nb", "la", "zh-Hant-TW", "ar", ""])


@given(TEXTS, st.sampled_from([*SLOTS, None]), LOCALES)
@settings(deadline=None)
def test_whatever_is_said_the_values_fit_and_stand_where_they_say(text: str, asked: Slot | None, locale: str) -> None:
    here = asking(None if asked is None else asked.name, locale=locale)
    got = rules(None, "EUR").hear(Heard(text, NOW), here)
    types = {each.name: each.type for each in SLOTS}
    # Between the date and the time of a moment other values may stand.
    typed = [each for each in got.found if each.slot is None and each.slots != ("begin",)]
    for found in got.found:
        assert found.slots
        assert all(fits(types[each], found.value, SHAPES) for each in found.slots)
        assert 0 <= found.start <= found.end <= len(text)
    assert not [
        (one, other)
        for at, one in enumerate(typed)
        for other in typed[at + 1 :]
        if one.start < other.end and other.start < one.end
    ]


WORDLESS = st.text("xyzßéж,.!?()- \n", max_size=30)


@given(st.sampled_from(sorted(SAID)), WORDLESS, WORDLESS)
@settings(deadline=None)
def test_a_value_is_found_whatever_stands_around_it(name: str, before: str, after: str) -> None:
    text = f"{before.rstrip('-(')} {SAID[name]} {after}"
    alone = rules(name, "EUR").hear(Heard(SAID[name], NOW), asking(intents=())).found
    among = rules(name, "EUR").hear(Heard(text, NOW), asking(intents=())).found
    assert [each.value for each in among] == [each.value for each in alone]
    assert among[0].start >= len(before.rstrip("-("))


GAPS = st.text(" \t\n,.!?-–…\u00a0", min_size=1, max_size=3)


@given(st.lists(GAPS, min_size=4, max_size=4), st.sampled_from([str.upper, str.title, str.swapcase, str.lower]))
def test_an_example_is_one_in_any_case_and_with_any_punctuation(gaps: list[str], cased: Callable[[str], str]) -> None:
    text = "".join(gap + cased(word) for gap, word in zip(gaps, ["where", "is", "my", "order"], strict=True))
    assert [each.name for each in rules(None, "EUR").hear(Heard(text, NOW), asking()).intents] == ["track"]


LONG = 1_000_000
HOSTILE = {
    "letters": "a",
    "spaces": " ",
    "digits": "1",
    "numbers": "1 ",
    "brackets": "[",
    "apostrophes": "a'",
    "accents": "\u0316\u0301",  # to put them in order is quadratic
    "e-mail": "a@a.",
    "phone": "(030) ",
    "dates": "1/2/",
    "web": "http://",
    "places": "from to ",
    "choices": "extra ",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_a_long_message_is_work_in_proportion(piece: str) -> None:
    """Anything that is not linear runs into the limit of a test: a second for 64 KiB is minutes here."""
    got = rules(None, "EUR").hear(Heard(piece * (LONG // len(piece)), NOW), asking("sure"))
    assert len(got.found) <= 60
