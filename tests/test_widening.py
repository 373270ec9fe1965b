"""A type that is said to be wide enough takes every value of the narrower one, tried over all pairs of many types."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import product

import pytest

from flowc.runtime.moving.widening import fits_type
from flowc.runtime.types import (
    Basic,
    Choice,
    Field,
    Integer,
    ListOf,
    Marked,
    Number,
    Optional,
    Record,
    Text,
    Type,
)
from flowc.runtime.values import Money, Shapes, Value, fits

OLD = {
    "Order": (Field("id", Text()), Field("count", Integer(1, 9))),
    "Node": (Field("name", Text()), Field("next", Optional(Record("Node")))),
}
NEW = {
    "Order": (Field("id", Text()), Field("count", Integer()), Field("note", Optional(Text()))),
    "Node": (Field("name", Optional(Text())), Field("next", Optional(Record("Node")))),
    "Strict": (Field("id", Text()), Field("place", Text())),
}
PLAIN: tuple[Type, ...] = (
    *(Basic(name) for name in ("boolean", "date", "time", "datetime", "duration", "money", "email", "phone", "url")),
    *(Text(), Text("[0-9]{4}"), Text("[a-z]+"), Choice(("a", "b")), Choice(("a", "b", "c"))),
    *(Integer(), Integer(1, 9), Integer(0), Integer(None, 5), Number(), Number("0", "1"), Number("0.5")),
    *(Record("Order"), Record("Node")),
)
TYPES: tuple[Type, ...] = (
    *PLAIN,
    *(Optional(each) for each in PLAIN),
    *(ListOf(each) for each in PLAIN[-6:]),
    *(Marked("pii", each) for each in PLAIN[9:12]),
    Optional(Marked("pii", Text())),
)
VALUES: tuple[Value, ...] = (
    *(None, True, False, 0, 1, 5, 9, 10, -3, Decimal("0.5"), Decimal("0.75"), Decimal(2)),
    *("", "a", "b", "c", "1234", "abc", "me@example.org", "+49 30 123456", "https://example.org/a"),
    *(date(2026, 1, 2), time(9, 30), datetime(2026, 1, 2, tzinfo=UTC), timedelta(hours=1), Money(Decimal(1), "EUR")),
    *((), (1, 2), (Decimal("0.5"),), ("a",)),
    *({"id": "x", "count": 3}, {"name": "n", "next": {"name": "m", "next": None}}),
)


@pytest.mark.parametrize("old", TYPES, ids=str)
def test_a_wider_type_takes_every_value(old: Type) -> None:
    before, after = Shapes(OLD), Shapes(NEW)
    values = [value for value in VALUES if fits(old, value, before)]
    assert values, "no value shows anything"
    for new in TYPES:
        if fits_type(old, new, (OLD, NEW)):
            assert all(fits(new, value, after) for value in values), new


def test_each_type_takes_itself() -> None:
    assert all(fits_type(each, each, (OLD, NEW)) for each in TYPES)


def test_it_is_transitive() -> None:
    wide = {(old, new) for old, new in product(PLAIN, PLAIN) if fits_type(old, new, (NEW, NEW))}
    assert all((one, other) in wide for one, middle in wide for between, other in wide if middle == between)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Optional(Text()), Text()),
        (Marked("pii", Text()), Text()),
        (Marked("secret", Text()), Marked("pii", Text())),
        (Text(), Choice(("a", "b"))),
        (Integer(), Integer(1, 9)),
        (Number(), Integer()),
        (Record("Order"), Record("Strict")),
        (Basic("date"), Basic("datetime")),
    ],
    ids=str,
)
def test_a_narrower_type_is_none(old: Type, new: Type) -> None:
    assert not fits_type(old, new, (OLD, NEW))


def test_a_mark_may_come() -> None:
    assert fits_type(Text(), Marked("pii", Text()), (OLD, NEW))
    assert fits_type(Marked("pii", Text()), Marked("secret", Text()), (OLD, NEW))
