"""What a value is in Python, and whether one belongs to a type. `flowc.runtime.values` is where others find it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import re2
from msgspec import Struct

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

MOST_ITEMS: Final = 1_000  # of a list
NUMBER_LIMIT: Final = 10**30


class Money(Struct, frozen=True, order=False):
    """An amount in an ISO 4217 currency."""

    amount: Decimal
    currency: str


if TYPE_CHECKING:
    Value = (
        None
        | bool
        | int
        | Decimal
        | str
        | date
        | time
        | datetime
        | timedelta
        | Money
        | tuple["Value", ...]
        | Mapping[str, "Value"]
    )
else:

    class _Anything(type):
        def __instancecheck__(cls, value: object) -> bool:
            return True

    class Value(metaclass=_Anything):
        """What msgspec sees: a type of ours, so that it asks `_read` (it has no union of text, date and number)."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """What a type needs besides itself: the declared records, the bot's zone and currency."""

    records: Mapping[str, tuple[Field, ...]]
    zone: str = "UTC"
    currency: str | None = None


def fits(type: Type, value: Value, shapes: Shapes) -> bool:
    """Whether a value belongs to a type."""
    match type:
        case Optional(inner=inner):
            return value is None or fits(inner, value, shapes)
        case Marked(inner=inner):
            return fits(inner, value, shapes)
        case Text(pattern=pattern):
            return isinstance(value, str) and (pattern is None or pattern_fits(pattern, value))
        case Choice(values=values):
            return isinstance(value, str) and value in values
        case Integer(low=low, high=high):
            return _is_integer(value) and _within(value, low, high)  # type: ignore[arg-type]  # an int
        case Number(low=low, high=high):
            return _is_number(value) and _within(value, low, high)  # type: ignore[arg-type]  # a number
        case ListOf(item=item):
            return (
                isinstance(value, tuple)
                and len(value) <= MOST_ITEMS
                and all(fits(item, part, shapes) for part in value)
            )
        case Record(name=name):
            return isinstance(value, dict) and _fits_record(shapes.records[name], value, shapes)
        case Basic(name=name):
            return _fits_basic(name, value, shapes)


def _fits_record(fields: Iterable[Field], value: Mapping[str, Value], shapes: Shapes) -> bool:
    return all(fits(field.type, value.get(field.name), shapes) for field in fields)


def _is_integer(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < NUMBER_LIMIT


def _is_number(value: Value) -> bool:
    return _is_integer(value) or (isinstance(value, Decimal) and value.is_finite() and abs(value) < NUMBER_LIMIT)


def _within(value: int | Decimal, low: int | str | None, high: int | str | None) -> bool:
    return (low is None or value >= Decimal(low)) and (high is None or value <= Decimal(high))


_EMAIL: Final = re.compile(r"[^\s@<>()\[\],;:\"]{1,64}@[^\s@.<>,;:\"]+(\.[^\s@.<>,;:\"]+)+")
_PHONE: Final = re.compile(r"\+?[0-9][0-9 ()./-]{2,28}[0-9]")
_URL: Final = re.compile(r"https?://[^\s/?#]+[^\s]*", re.IGNORECASE)


def _fits_basic(name: BasicName, value: Value, shapes: Shapes) -> bool:
    match name:
        case "boolean":
            return isinstance(value, bool)
        case "date":
            return isinstance(value, date) and not isinstance(value, datetime)
        case "time":
            return isinstance(value, time)
        case "datetime":
            return isinstance(value, datetime) and value.tzinfo is not None
        case "duration":
            return isinstance(value, timedelta)
        case "money":
            return isinstance(value, Money) and shapes.currency in (None, value.currency)
        case "email":
            return isinstance(value, str) and len(value) <= 254 and _EMAIL.fullmatch(value) is not None
        case "phone":
            return isinstance(value, str) and _PHONE.fullmatch(value) is not None
        case "url":
            return isinstance(value, str) and len(value) <= 2_000 and _URL.fullmatch(value) is not None


@lru_cache(maxsize=4_096)
def _pattern(pattern: str) -> "tuple[re2.Set, re2._Regexp]":
    # As bytes: the wrapper turns offsets in a str into places, which nobody asks for here (9 µs a match, so 2).
    compiled = re2.compile(pattern.encode())
    alone = re2.Set.FullMatchSet(_quiet())
    alone.Add(pattern)
    alone.Compile()
    return alone, compiled


def _quiet() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    return options


def pattern_fits(pattern: str, text: str) -> bool:
    """Whether the whole text matches, in linear time.

    A set of one pattern says yes in a third of the time (0.6 µs), for it tells no places. Its no may mean that it had
    no room, so that is asked again."""
    encoded = text.encode()
    alone, compiled = _pattern(pattern)
    return alone.Match(encoded) is not None or compiled.fullmatch(encoded) is not None


_AROUND: Final = (Marked, Optional)  # written out in the loop, the union would be made anew each time


def plain_type(type: Type) -> Type:
    """The type without `pii`, `secret` and `?`."""
    while isinstance(type, _AROUND):
        type = type.inner
    return type


def is_optional(type: Type) -> bool:
    """Whether `none` is a value of the type."""
    while isinstance(type, Marked):
        type = type.inner
    return isinstance(type, Optional)
