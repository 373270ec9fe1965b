"""A value made from a type: what an operation answers in a test that does not say. The same type, the same value.

Values are plain and recognisable rather than random; a text is named after its field. A pattern is answered with a
short text that it matches.
"""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import assert_never

from flowc.runtime.services.patterns import matching
from flowc.runtime.types import (
    Basic,
    BasicName,
    Choice,
    Integer,
    ListOf,
    Marked,
    Number,
    Optional,
    Record,
    Text,
    Type,
)
from flowc.runtime.values import Money, Shapes, Value


class NoSample(Exception):  # noqa: N818 - what it says
    """No value could be made: the test has to say what the operation answers."""


def sample(type: Type, shapes: Shapes, name: str = "text") -> Value:
    """A value of `type`. Raises NoSample for a pattern without an obvious text."""
    return _sample(type, shapes, name, ())


def _sample(type: Type, shapes: Shapes, name: str, inside: tuple[str, ...]) -> Value:
    match type:
        case Marked(inner=inner):
            return _sample(inner, shapes, name, inside)
        case Optional(inner=inner):
            return None if _is_inside(inner, inside) else _sample(inner, shapes, name, inside)
        case ListOf(item=item):
            return () if _is_inside(item, inside) else (_sample(item, shapes, name, inside),)
        case Record(name=record):
            fields = shapes.records[record]
            return {each.name: _sample(each.type, shapes, each.name, (*inside, record)) for each in fields}
        case Choice(values=values):
            return values[0]
        case Text(pattern=pattern):
            return name if pattern is None else _matching(pattern, name)
        case Integer(low=low, high=high):
            return _near_one(low, high)
        case Number(low=low, high=high):
            return Decimal(_near_one(None if low is None else Decimal(low), None if high is None else Decimal(high)))
        case Basic(name=basic):
            return _basic(basic, shapes)
        case _:
            assert_never(type)


def _matching(pattern: str, name: str) -> str:
    text = matching(pattern)
    if text is None:
        raise NoSample(f"no text is made up for `{name}`, which has to match /{pattern}/")
    return text


def _is_inside(type: Type, inside: tuple[str, ...]) -> bool:
    """Whether the type is a record around here, which would go on for ever."""
    match type:
        case Marked(inner=inner) | Optional(inner=inner) | ListOf(item=inner):
            return _is_inside(inner, inside)
        case Record(name=name):
            return name in inside
        case _:
            return False


def _near_one(low: int | Decimal | None, high: int | Decimal | None) -> int | Decimal:
    if low is not None and low > 1:
        return low
    return high if high is not None and high < 1 else 1


def _basic(name: BasicName, shapes: Shapes) -> Value:
    match name:
        case "boolean":
            return True
        case "date":
            return date(2026, 1, 2)
        case "time":
            return time(9, 30)
        case "datetime":
            return datetime(2026, 1, 2, 9, 30, tzinfo=UTC)
        case "duration":
            return timedelta(hours=1)
        case "money":
            return Money(Decimal("12.50"), shapes.currency or "EUR")
        case "email":
            return "someone@example.com"
        case "phone":
            return "+442071838750"
        case "url":
            return "https://example.com/"
        case _:
            assert_never(name)
