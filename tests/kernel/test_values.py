"""Values: what is stored comes back the same, and JSON is read and written as the language reference says."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flowc.runtime.kernel.events import (
    CallFailure,
    CommandDone,
    CommandKey,
    EventReceived,
    Found,
    MessageReceived,
    Moment,
    Succeeded,
    Understood,
    User,
)
from flowc.runtime.kernel.position import Frame, Job, Pending, Position, Run, Said
from flowc.runtime.types import (
    Basic,
    BasicName,
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
from flowc.runtime.values import (
    Malformed,
    Money,
    Names,
    Shapes,
    Value,
    decode,
    encode,
    fits,
    from_json,
    pack,
    to_json,
    unpack,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT = Moment(NOW, 7)
SHAPES = Shapes(
    {
        "Item": (Field("order_id", Text()), Field("price", Basic("money")), Field("eta", Optional(Basic("date")))),
        "Tree": (Field("branches", ListOf(Record("Tree"))),),
    },
    zone="Europe/Berlin",
    currency="EUR",
)

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=4)
TIMES = st.times().map(lambda value: value.replace(fold=0))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    NUMBERS,
    st.text(),
    st.dates(),
    TIMES,
    st.datetimes(timezones=st.just(UTC)).map(lambda value: value.replace(fold=0)),
    st.timedeltas(),
    st.builds(Money, NUMBERS, st.sampled_from(["EUR", "USD"])),
)
VALUES: st.SearchStrategy[Value] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def same(one: Value, other: Value) -> bool:
    """Equal, and of the same type all the way down (in Python 1, 1.0 and True are equal)."""
    return one == other and repr(one) == repr(other)


@given(VALUES)
def test_a_value_comes_back_from_storage_as_it_was(value: Value) -> None:
    assert same(unpack(pack(value)), value)


@given(VALUES)
def test_a_struct_with_a_value_comes_back_as_it_was(value: Value) -> None:
    event = CommandDone(Moment(datetime(2026, 1, 1, tzinfo=UTC), 7), CommandKey("k"), Succeeded(value))
    back = decode(encode(event), CommandDone)
    assert back == event
    assert isinstance(back.result, Succeeded)
    assert same(back.result.value, value)


EMPTY = Position("c", NOW, User("u"), "user", NOW)
PLACES: dict[str, Callable[[Value], Position]] = {
    "declared": lambda value: replace(EMPTY, user=User("u", declared={"a": value})),
    "variables": lambda value: replace(EMPTY, runs=(Run(0, "f", {"a": "x", "b": value}),)),
    "said": lambda value: replace(EMPTY, runs=(Run(0, "f"), Run(1, "g", said=Said("x", {"a": value})))),
    "offered": lambda value: replace(EMPTY, frames=(Frame(0, "s", offered=(value, 1)),)),
    "locals": lambda value: replace(EMPTY, frames=(Frame(0, "s", locals={"a": value}),)),
    "failures": lambda value: replace(
        EMPTY, frames=(Frame(0, "s", failures={"p": CallFailure("k", fields={"a": value})}),)
    ),
    "deferred": lambda value: replace(EMPTY, deferred=(Job(CommandKey("k"), "f", "p", 0, {"a": value}),)),
    "an event": lambda value: replace(EMPTY, pending=Pending(EventReceived(MOMENT, "c", User("u"), "e", {"a": value}))),
    "a message": lambda value: replace(
        EMPTY, pending=Pending(MessageReceived(MOMENT, "c", User("u"), "x", Understood(found=(Found(value),))))
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", [Decimal(0), timedelta(0), 2**64, Money(Decimal("0.10"), "EUR"), (date(2026, 1, 1),)])
def test_a_value_comes_back_from_every_place_of_a_position(place: str, value: Value) -> None:
    position = PLACES[place](value)
    back = decode(encode(position), Position)
    assert (back, repr(back)) == (position, repr(position))


@given(VALUES)
def test_equal_values_have_equal_bytes(value: Value) -> None:
    assert pack(unpack(pack(value))) == pack(value)


READ: list[tuple[Type, object, Value]] = [
    (Text(), "x", "x"),
    (Text("[A-Z]{2}"), "AB", "AB"),
    (Choice(("open", "shipped")), "open", "open"),
    (Integer(), 3, 3),
    (Integer(), 3.0, 3),
    (Integer(1, 10), 10, 10),
    (Number(), 2.5, Decimal("2.5")),
    (Number(), 0.1, Decimal("0.1")),
    (Number("0", "1"), 1, 1),
    (Basic("boolean"), True, True),
    (Basic("date"), "2026-11-22", date(2026, 11, 22)),
    (Basic("time"), "09:30", time(9, 30)),
    (Basic("time"), "09:30:15", time(9, 30, 15)),
    (Basic("datetime"), "2026-11-22T10:00:00Z", datetime(2026, 11, 22, 10, tzinfo=UTC)),
    (Basic("datetime"), "2026-11-22T10:00:00+02:00", datetime(2026, 11, 22, 8, tzinfo=UTC)),
    (Basic("datetime"), "2026-11-22T10:00:00.123456789Z", datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)),
    (Basic("datetime"), "2026-11-22T10:00:00", datetime(2026, 11, 22, 9, tzinfo=UTC)),
    (Basic("duration"), "PT1H30M", timedelta(minutes=90)),
    (Basic("duration"), "P1D", timedelta(days=1)),
    (Basic("duration"), 90, timedelta(seconds=90)),
    (Basic("duration"), 1.5, timedelta(seconds=1.5)),
    (Basic("money"), 12.5, Money(Decimal("12.5"), "EUR")),
    (Basic("money"), {"amount": "12.50", "currency": "EUR"}, Money(Decimal("12.50"), "EUR")),
    (Basic("money"), {"amount": 3, "currency": "EUR"}, Money(Decimal(3), "EUR")),
    (Basic("email"), "ann@example.com", "ann@example.com"),
    (Basic("phone"), "+49 30 1234567", "+49 30 1234567"),
    (Basic("url"), "https://example.com/a?b", "https://example.com/a?b"),
    (Optional(Text()), None, None),
    (Marked("pii", Text()), "x", "x"),
    (ListOf(Integer()), [1, 2], (1, 2)),
    (
        Record("Item"),
        {"orderId": "a", "PRICE": 1, "extra": 3},
        {"order_id": "a", "price": Money(Decimal(1), "EUR"), "eta": None},
    ),
    (
        Record("Item"),
        {"order-id": "a", "price": 1, "eta": "2026-01-02"},
        {"order_id": "a", "price": Money(Decimal(1), "EUR"), "eta": date(2026, 1, 2)},
    ),
]


@pytest.mark.parametrize(("type", "document", "value"), READ, ids=repr)
def test_json_is_read_as_its_type(type: Type, document: object, value: Value) -> None:
    assert same(from_json(type, document, SHAPES), value)
    assert fits(type, value, SHAPES)


REFUSED: list[tuple[Type, object, str]] = [
    (Text(), 1, "a number is not a text"),
    (Text("[A-Z]{2}"), "ABC", "this text is not a text matching /[A-Z]{2}/"),
    (Choice(("open",)), "closed", 'this text is not one of "open"'),
    (Integer(), True, "a boolean is not a number"),
    (Integer(), 2.5, "a number is not an integer"),
    (Integer(1, 10), 11, "a number is not an integer in 1..10"),
    (Integer(), "3", "this text is not a number"),
    (Number("0", "1"), 1.5, "a number is not a number in 0..1"),
    (Number(), float("nan"), "is too large a number"),
    (Number(), float("inf"), "is too large a number"),
    (Number(), 10**30, "is too large a number"),
    (Number(), Decimal("1e999999"), "is too large a number"),
    (Basic("date"), "20261122", "this text is not a date"),
    (Basic("date"), "2026-13-01", "this text is not a date"),
    (Basic("date"), "2026-11-22T10:00:00Z", "this text is not a date"),
    (Basic("time"), "9:30", "this text is not a time"),
    (Basic("datetime"), "2026-11-22", "this text is not a datetime"),
    (Basic("datetime"), "0001-01-01T00:00:00+14:00", "this text is not a datetime"),
    (Basic("duration"), "1 hour", "this text is not a duration"),
    (Basic("duration"), True, "a boolean is not a duration"),
    (Basic("duration"), 1e300, "a number is not a duration"),
    (Basic("money"), "12", "this text is not an amount of money"),
    (Basic("money"), {"amount": "x", "currency": "EUR"}, "this text is not a number"),
    (Basic("money"), {"amount": "1", "currency": "USD"}, "is in this text, the bot's currency is EUR"),
    (Basic("money"), {"amount": "1"}, "a record is not an amount of money"),
    (Basic("email"), "ann@", "this text is not an email"),
    (Basic("url"), "javascript:alert(1)", "this text is not a url"),
    (Basic("boolean"), "true", "this text is not a boolean"),
    (ListOf(Integer()), {"a": 1}, "a record is not a list"),
    (ListOf(Integer()), [1, "x"], "[1]: this text is not a number"),
    (ListOf(Integer()), [1] * 1_001, "has 1,001 items, more than 1,000"),
    (Record("Item"), [], "a list is not a record `Item`"),
    (Record("Item"), {"order_id": "a"}, "price: is missing"),
    (Record("Item"), {"order_id": None, "price": 1}, "order_id: none is not a text"),
    (Text(), None, "none is not a text"),
]


@pytest.mark.parametrize(("type", "document", "message"), REFUSED, ids=repr)
def test_json_that_does_not_fit_is_malformed(type: Type, document: object, message: str) -> None:
    with pytest.raises(Malformed) as caught:
        from_json(type, document, SHAPES)
    assert str(caught.value) == message


def test_a_recursive_record_is_read_only_so_deep() -> None:
    document: object = {"branches": []}
    for _ in range(30):
        document = {"branches": [document]}
    with pytest.raises(Malformed, match="is nested more than 40 deep"):
        from_json(Record("Tree"), document, SHAPES)


@pytest.mark.parametrize(("names", "expected"), [("snake", "one"), ("camel", "two")])
def test_of_two_keys_for_a_field_the_one_spelt_as_configured_counts(names: Names, expected: str) -> None:
    document = {"order_id": "one", "orderId": "two", "price": 1}
    value = from_json(Record("Item"), document, SHAPES, names=names)
    assert isinstance(value, dict)
    assert value["order_id"] == expected


def test_a_reason_never_shows_the_value() -> None:
    with pytest.raises(Malformed) as caught:
        from_json(Choice(("open",)), "my secret", SHAPES)
    assert "my secret" not in str(caught.value)


WRITTEN: list[tuple[Value, object]] = [
    (None, None),
    (True, True),
    (3, 3),
    (Decimal("2.50"), 2.5),
    (Decimal("3.0"), 3),
    (date(2026, 11, 22), "2026-11-22"),
    (time(9, 30), "09:30"),
    (time(9, 30, 15), "09:30:15"),
    (datetime(2026, 11, 22, 10, tzinfo=UTC), "2026-11-22T10:00:00Z"),
    (timedelta(minutes=90), "PT5400S"),
    (Money(Decimal("12.50"), "EUR"), {"amount": "12.50", "currency": "EUR"}),
    ((1, (2,)), [1, [2]]),
    ({"order_id": {"a_b": 1}}, {"order_id": {"a_b": 1}}),
]


@pytest.mark.parametrize(("value", "document"), WRITTEN, ids=repr)
def test_a_value_is_written_as_json(value: Value, document: object) -> None:
    assert to_json(value) == document
    json.dumps(to_json(value))


def test_names_of_fields_are_written_as_configured() -> None:
    assert to_json({"order_id": ({"line_no": 1},)}, names="camel") == {"orderId": [{"lineNo": 1}]}


TYPED: list[tuple[Type, st.SearchStrategy[Value]]] = [
    (Number(), NUMBERS.filter(lambda value: len(value.as_tuple().digits) <= 15)),  # what a float keeps
    (Basic("date"), st.dates()),
    (Basic("time"), TIMES),
    (
        Basic("datetime"),
        st.datetimes(*[datetime(year, 1, 1) for year in (1900, 2200)], timezones=st.just(UTC)),  # noqa: DTZ001  # bounds
    ),
    (Basic("duration"), st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10_000))),
    (Basic("money"), st.builds(Money, NUMBERS, st.just("EUR"))),
]


@pytest.mark.parametrize(("type", "values"), TYPED, ids=lambda each: repr(each)[:40])
def test_what_is_written_as_json_is_read_as_it_was(type: Type, values: st.SearchStrategy[Value]) -> None:
    @given(values)
    def check(value: Value) -> None:
        assert from_json(type, json.loads(json.dumps(to_json(value))), SHAPES) == value

    check()


BASICS: list[BasicName] = ["boolean", "date", "time", "datetime", "duration", "money", "email", "phone", "url"]


@given(st.sampled_from(BASICS), VALUES)
def test_fits_and_from_json_answer_for_every_value(name: BasicName, value: Value) -> None:
    type = Basic(name)
    fits(type, value, SHAPES)
    with suppress(Malformed):
        assert fits(type, from_json(type, to_json(value), SHAPES), SHAPES)


def test_a_narrower_number_is_not_another_type() -> None:
    assert fits(Number(), 3, SHAPES)
    assert not fits(Integer(), Decimal(3), SHAPES)
    assert not fits(Integer(), True, SHAPES)
    assert not fits(Basic("date"), datetime(2026, 1, 1, tzinfo=UTC), SHAPES)
