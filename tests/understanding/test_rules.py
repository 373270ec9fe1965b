"""What the rules understand: examples, places in them, and values by type inside a longer message."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from understanding.bots import INTENTS, NOW, SLOTS, asking, hear, intent, program, slot

from flowc.runtime.kernel.events import Understood
from flowc.runtime.types import Choice, Integer, Text
from flowc.runtime.understanding.port import Heard
from flowc.runtime.understanding.rules import Rules
from flowc.runtime.values import Money, Shapes, Value, fits


def intents(understood: Understood) -> list[tuple[str, float]]:
    return [(each.name, each.confidence) for each in understood.intents]


def values(understood: Understood) -> dict[str, Value]:
    """The first value for each slot, or for all the slots that it could be for."""
    found: dict[str, Value] = {}
    for each in understood.found:
        found.setdefault(each.slot or "|".join(each.slots), each.value)
    return found


# --------------------------------------------------------------------------------------------------------- examples


@pytest.mark.parametrize(
    "text",
    [
        "where is my order",
        "  Where is\tmy  ORDER?! ",
        "where is, my order...",
        "WHERE IS MY ORDER",
        "„where is my order“",
    ],
)
def test_case_punctuation_and_white_space_are_folded(text: str) -> None:
    assert intents(hear(text)) == [("track", 1.0)]


@pytest.mark.parametrize("text", ["don't you know it", "dont you know it", "DON’T you know it!"])
def test_apostrophes_are_left_out(text: str) -> None:
    assert intents(hear(text)) == [("track", 1.0)]


@pytest.mark.parametrize(
    "text", ["where is my", "where is my order now", "whereis my order", "order my is where", "", " ", "?"]
)
def test_other_words_are_no_example(text: str) -> None:
    assert intents(hear(text)) == []


def test_unicode_is_compared_in_one_form() -> None:
    it = Rules(program((), (intent("cafe", "zum café", "STRASSE"),)))
    here = asking(slots=(), intents=(intent("cafe", "zum café"),))
    for text in ("zum cafe\u0301", "ZUM CAFÉ", "straße"):
        assert intents(it.hear(Heard(text, NOW), here)) == [("cafe", 1.0)]


def test_a_text_without_words_can_be_an_example() -> None:
    assert intents(hear("👍")) == [("yes", 1.0)]


def test_of_two_intents_the_nearest_scope_is_first_and_only_candidates_count() -> None:
    assert intents(hear("yes")) == [("yes", 1.0), ("agree", 1.0)]
    it = Rules(program(SLOTS, INTENTS))
    only = tuple(each for each in INTENTS if each.name == "agree")
    assert intents(it.hear(Heard("yes", NOW), asking(intents=only))) == [("agree", 1.0)]
    assert intents(it.hear(Heard("where is AB123456", NOW), asking(intents=only))) == []


# ----------------------------------------------------------------------------------------------- places in examples


def test_a_place_takes_a_value_of_its_slot() -> None:
    got = hear("Track AB123456!")
    assert intents(got) == [("track", 1.0)]
    (found,) = got.found
    assert (found.value, found.slot, found.start, found.end) == ("AB123456", "order_id", 6, 14)


@pytest.mark.parametrize("text", ["track my parcel", "track ab123456", "track AB123456 now", "please track AB123456"])
def test_what_does_not_fit_the_place_is_no_example(text: str) -> None:
    assert intents(hear(text)) == []


def test_several_places() -> None:
    got = hear("A table for four on 24 December, please".replace(", please", ""))
    assert intents(got) == [("book", 1.0)]
    assert values(got) == {"guests": 4, "day": date(2026, 12, 24)}


def test_a_place_may_have_several_words_and_keeps_how_they_were_written() -> None:
    got = hear("my name is Jörg O'Neil-Smith")
    assert intents(got) == [("rename", 0.9)]
    assert values(got) == {"name": "Jörg O'Neil-Smith"}
    assert values(hear("call me Anna Maria please")) == {"name": "Anna Maria"}


def test_an_example_may_be_a_place_alone() -> None:
    assert intents(hear("AB123456")) == [("track", 1.0)]


def test_a_value_in_an_example_is_that_of_its_words_and_others_may_stand_there() -> None:
    assert values(hear("book a big table"))["size"] == "large"
    got = hear("book a small table")
    assert intents(got) == [("book", 1.0)]
    assert values(got)["size"] == "small"


# ------------------------------------------------------------------------------------------- values in longer messages

BERLIN_9_30 = datetime(2026, 12, 24, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("order_id", "it is AB123456, i think", "AB123456"),
        ("order_id", "(AB123456)", "AB123456"),
        ("order_id", "xAB123456", None),
        ("order_id", "AB1234567", None),
        ("order_id", "ÄAB123456", None),
        ("guests", "we will be 4.", 4),
        ("guests", "we will be 44", None),
        ("guests", "version 4.5.6", None),
        ("guests", "room a4", None),
        ("weight", "about 120,5 or so", Decimal("120.5")),
        ("day", "on 24 December", date(2026, 12, 24)),
        ("day", "the 24th of december please", date(2026, 12, 24)),
        ("day", "Dec 24, 2027 it is", date(2027, 12, 24)),
        ("day", "at 2026-12-24", date(2026, 12, 24)),
        ("day", "3 January", date(2027, 1, 3)),
        ("day", "25 November", date(2026, 11, 25)),
        ("day", "24 November", date(2027, 11, 24)),
        ("day", "29 February", date(2028, 2, 29)),
        ("day", "31 February", None),
        ("day", "24.12.2026 passt", date(2026, 12, 24)),
        ("day", "am 24.12. passt", date(2026, 12, 24)),
        ("day", "on 3/4/2027", date(2027, 3, 4)),
        ("day", "on 24/12", date(2026, 12, 24)),
        ("day", "tomorrow evening", date(2026, 11, 26)),
        ("day", "the day after tomorrow", date(2026, 11, 27)),
        ("day", "next friday", date(2026, 11, 27)),
        ("day", "on Wednesday", date(2026, 12, 2)),
        ("day", "in 2 weeks", date(2026, 12, 9)),
        ("day", "may I go", None),
        ("at", "around 9:30", time(9, 30)),
        ("at", "at 3pm then", time(15, 0)),
        ("at", "12 a.m. sharp", time(0, 0)),
        ("at", "at noon", time(12, 0)),
        ("at", "25:00", None),
        ("begin", "24 December at 9:30", BERLIN_9_30),
        ("begin", "9:30 on the 24th of December", BERLIN_9_30),
        ("begin", "2026-12-24T09:30", BERLIN_9_30),
        ("begin", "2026-12-24T08:30:00Z", BERLIN_9_30),
        ("begin", "24 December", None),
        ("length", "for 90 minutes", timedelta(minutes=90)),
        ("length", "2h 30m", timedelta(hours=2, minutes=30)),
        ("length", "1.5 hours and no more", timedelta(minutes=90)),
        ("price", "it was €12.50 or so", Money(Decimal("12.50"), "EUR")),
        ("price", "1.234,50 EUR", Money(Decimal("1234.50"), "EUR")),
        ("price", "20 euros", Money(Decimal(20), "EUR")),
        ("price", "$20", None),
        ("price", "20 cookies", None),
        ("mail", "write to <ann.lee+x@mail.example.org>.", "ann.lee+x@mail.example.org"),
        ("mail", "ann@home", None),
        ("tel", "call +49 (30) 901820 today", "+4930901820"),
        ("tel", "call 111111", None),
        ("site", "see https://a.example/b?c=d.", "https://a.example/b?c=d"),
        ("size", "an extra large one", "large"),
        ("size", "The BIG one!", "large"),
        ("size", "small or large?", None),
        ("size", "enlarged", None),
        ("sure", "yes it is", None),
        ("nick", "hello", None),
        ("name", "hello", None),
    ],
)
def test_a_value_in_a_message(name: str, text: str, value: Value) -> None:
    assert values(hear(text, only=name)) == ({} if value is None else {name: value})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("day", "am 24. Dezember", date(2026, 12, 24)),
        ("day", "übermorgen", date(2026, 11, 27)),
        ("day", "nächsten Freitag", date(2026, 11, 27)),
        ("day", "in 3 Tagen", date(2026, 11, 28)),
        ("day", "3/4", date(2027, 4, 3)),
        ("at", "um 14 Uhr", time(14, 0)),
        ("at", "9.30 Uhr", time(9, 30)),
        ("length", "2 Stunden", timedelta(hours=2)),
        ("price", "12,50 Euro", Money(Decimal("12.50"), "EUR")),
    ],
)
def test_a_value_in_a_german_message(name: str, text: str, value: Value) -> None:
    assert values(hear(text, only=name, locale="de-DE")) == {name: value}


def test_where_readings_overlap_the_more_special_type_comes_first_and_the_asked_slot_before_it() -> None:
    assert values(hear("mail a1@b.org on 24 December")) == {"mail": "a1@b.org", "day": date(2026, 12, 24)}
    assert values(hear("24 december", "guests")) == {"day": date(2026, 12, 24)}  # 24 are too many guests
    assert values(hear("12 december", "guests")) == {"guests": 12}


def test_a_value_names_every_slot_that_it_could_be_for() -> None:
    slots = (
        slot("adults", Integer()),
        slot("children", Integer(0, 5)),
        slot("a", Text("[0-9]{3}x")),
        slot("b", Text("[0-9]{3}x")),
    )
    it = Rules(program(slots, ()))
    got = it.hear(Heard("7 and 3 and 123x", NOW), asking(slots=slots, intents=()))
    assert [(each.value, each.slots) for each in got.found] == [
        ("123x", ("a", "b")),
        (7, ("adults",)),
        (3, ("adults", "children")),
    ]


def test_words_of_two_choices() -> None:
    slots = (slot("size", Choice(("small", "large"))), slot("cup", Choice(("small", "mug"))))
    it = Rules(program(slots, ()))
    got = it.hear(Heard("a small mug", NOW), asking(slots=slots, intents=()))
    assert values(got) == {"size": "small"}  # of `cup` two values are named


# ----------------------------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("asked", "text", "value"),
    [
        ("order_id", " AB123456. ", "AB123456"),
        ("order_id", "it's AB123456", "AB123456"),
        ("guests", "two", 2),
        ("guests", "we are 4", 4),
        ("at", "9", time(9, 0)),
        ("at", "24", None),
        ("price", "12,50", Money(Decimal("12.50"), "EUR")),
        ("sure", "Yes, please", True),
        ("sure", "nope", False),
        ("sure", "maybe", None),
        ("nick", "bob", "bob"),
        ("size", "xs", "small"),
        ("day", "December 24th", date(2026, 12, 24)),
        ("day", "whenever it suits you", None),
    ],
)
def test_an_answer_to_a_question(asked: str, text: str, value: Value) -> None:
    assert values(hear(text, asked, only=asked)) == ({} if value is None else {asked: value})


def test_plain_text_is_left_to_who_knows_the_conversation() -> None:
    assert hear("Ann Lee", "name").found == ()


def test_a_library_reads_answers_that_no_form_does() -> None:
    pytest.importorskip("dateparser")
    assert values(hear("24 décembre 2026", "day", only="day", locale="fr")) == {"day": date(2026, 12, 24)}
    assert values(hear("2 days ago", "day", only="day")) == {"day": date(2026, 11, 23)}


def test_days_are_those_of_the_users_zone() -> None:
    it = Rules(program(SLOTS, ()))
    late = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)
    for zone, day in (("Europe/Berlin", 27), ("UTC", 26), ("No/Where", 26)):
        got = it.hear(Heard("tomorrow", late), asking(intents=(), zone=zone))
        assert values(got) == {"day": date(2026, 11, day)}


# ------------------------------------------------------------------------------------------------------- any message

PIECES = [
    "AB123456",
    "24 December",
    "12/24",
    "9:30",
    "€5",
    "a@b.org",
    "+49 30 901820",
    "big",
    "yes",
    "4",
    "where is",
    "ü",
    "{",
    "'",
]


@given(
    st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join), st.sampled_from([*SLOTS, None])
)
def test_whatever_is_said_the_values_fit_and_stand_where_they_say(text: str, asked: object) -> None:
    name = getattr(asked, "name", None)
    got = hear(text, name)
    assert got == hear(text, name)
    shapes = Shapes({}, "Europe/Berlin", "EUR")
    types = {each.name: each.type for each in SLOTS}
    for found in got.found:
        assert found.slots
        assert all(fits(types[each], found.value, shapes) for each in found.slots)
        assert 0 <= found.start <= found.end <= len(text)
    typed = sorted((each.start, each.end) for each in got.found if each.slot is None and each.slots != ("size",))
    assert all(end <= start for (_, end), (start, _) in pairwise(typed))


@pytest.mark.parametrize(
    "text", ["a " * 32_000, "AB123456 " * 7_000, "1 " * 32_000, "ü" * 64_000, "(" * 64_000, "a@b" * 21_000]
)
def test_a_message_of_64_kib_is_bounded_work(text: str) -> None:
    assert len(hear(text).found) <= 60
