"""The functions and the filters of the language: what they take and what comes out.

A signature is a function of the types of the arguments, each without `?` and mark. It answers the type of the
result, or a sentence that says what it takes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from flowc.compiler.types import (
    BOOLEAN,
    DATE,
    DATETIME,
    DURATION,
    INTEGER,
    MONEY,
    NUMBER,
    TEXT,
    TIME,
    UNKNOWN,
    FlowType,
    Unknown,
    fits,
    is_optional,
    merged,
    optional,
    plain,
    spelled,
)
from flowc.runtime.types import Basic, Choice, Integer, ListOf, Number, Record, Text

__all__ = ["FILTERS", "FUNCTIONS", "Signature", "is_number", "is_ordered", "is_printable"]

WEEKDAYS: Final = Choice(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))


@dataclass(frozen=True, slots=True)
class Signature:
    """How many arguments (from, to), how they are spelled, and the result, or None where they do not fit."""

    least: int
    most: int
    spelled: str
    result: Callable[[Sequence[FlowType]], FlowType | None]


def is_number(of: FlowType) -> bool:
    return isinstance(of, Integer | Number | Unknown)


def is_ordered(of: FlowType) -> bool:
    """Whether `<` compares two values of the type."""
    ordered = ("date", "time", "datetime", "duration", "money")
    return is_number(of) or isinstance(of, Text | Choice) or (isinstance(of, Basic) and of.name in ordered)


def is_printable(of: FlowType) -> bool:
    """Whether a text can show a value of the type."""
    return not isinstance(plain(of), ListOf | Record)


def _fixed(*wanted: FlowType, to: FlowType) -> Callable[[Sequence[FlowType]], FlowType | None]:
    def result(found: Sequence[FlowType]) -> FlowType | None:
        return to if all(fits(one, other) for one, other in zip(found, wanted, strict=False)) else None

    return result


def _length(found: Sequence[FlowType]) -> FlowType | None:
    return INTEGER if isinstance(found[0], ListOf) or fits(found[0], TEXT) else None


def _item(found: Sequence[FlowType]) -> FlowType | None:
    if isinstance(found[0], Unknown):
        return UNKNOWN
    if len(found) > 1 and not fits(found[1], INTEGER):
        return None
    return optional(found[0].item) if isinstance(found[0], ListOf) else None


def _sum(found: Sequence[FlowType]) -> FlowType | None:
    if not isinstance(found[0], ListOf):
        return UNKNOWN if isinstance(found[0], Unknown) else None
    item = found[0].item if is_optional(found[0].item) else plain(found[0].item)
    if isinstance(item, Integer):
        return INTEGER
    return NUMBER if is_number(item) else item if item == MONEY else None


def _extreme(found: Sequence[FlowType]) -> FlowType | None:
    if len(found) == 1:
        item = found[0].item if isinstance(found[0], ListOf) else found[0]
        ordered = is_ordered(plain(item)) and not is_optional(item)
        return optional(item) if isinstance(found[0], ListOf | Unknown) and ordered else None
    both = merged(found[0], found[1])
    return both if both is not None and (is_ordered(both) or isinstance(both, Unknown)) else None


def _same_number(found: Sequence[FlowType]) -> FlowType | None:
    of = found[0]
    if isinstance(of, Integer):
        return INTEGER
    return NUMBER if is_number(of) else of if of in (MONEY, DURATION) else None


def _round(found: Sequence[FlowType]) -> FlowType | None:
    digits = len(found) < 2 or fits(found[1], INTEGER)
    return (MONEY if found[0] == MONEY else NUMBER) if digits and (is_number(found[0]) or found[0] == MONEY) else None


def _text(found: Sequence[FlowType]) -> FlowType | None:
    return TEXT if is_printable(found[0]) else None


FUNCTIONS: Final[Mapping[str, Signature]] = {
    "len": Signature(1, 1, "a text or a list", _length),
    "first": Signature(1, 1, "a list", _item),
    "at": Signature(2, 2, "a list and an integer", _item),
    "sum": Signature(1, 1, "a list of numbers or of money", _sum),
    "min": Signature(1, 2, "two values that can be compared, or a list of such", _extreme),
    "max": Signature(1, 2, "two values that can be compared, or a list of such", _extreme),
    "round": Signature(1, 2, "a number and how many digits", _round),
    "abs": Signature(1, 1, "a number", _same_number),
    "lower": Signature(1, 1, "a text", _fixed(TEXT, to=TEXT)),
    "upper": Signature(1, 1, "a text", _fixed(TEXT, to=TEXT)),
    "trim": Signature(1, 1, "a text", _fixed(TEXT, to=TEXT)),
    "contains": Signature(2, 2, "two texts", _fixed(TEXT, TEXT, to=BOOLEAN)),
    "starts_with": Signature(2, 2, "two texts", _fixed(TEXT, TEXT, to=BOOLEAN)),
    "ends_with": Signature(2, 2, "two texts", _fixed(TEXT, TEXT, to=BOOLEAN)),
    "number": Signature(1, 1, "a text", _fixed(TEXT, to=optional(NUMBER))),
    "text": Signature(1, 1, "a value that a text can show", _text),
    "days": Signature(1, 1, "a duration", _fixed(DURATION, to=INTEGER)),
    "hours": Signature(1, 1, "a duration", _fixed(DURATION, to=INTEGER)),
    "minutes": Signature(1, 1, "a duration", _fixed(DURATION, to=INTEGER)),
    "weekday": Signature(1, 1, "a date", _fixed(DATE, to=WEEKDAYS)),
    "time": Signature(1, 1, "a datetime", _fixed(DATETIME, to=TIME)),
}


def _moment(*wanted: FlowType) -> Callable[[Sequence[FlowType]], FlowType | None]:
    def result(found: Sequence[FlowType]) -> FlowType | None:
        styled = len(found) < 2 or fits(found[1], TEXT)
        return TEXT if styled and (isinstance(found[0], Unknown) or found[0] in wanted) else None

    return result


def _number(found: Sequence[FlowType]) -> FlowType | None:
    digits = len(found) < 2 or fits(found[1], INTEGER) or fits(found[1], TEXT)
    return TEXT if digits and is_number(found[0]) else None


def _join(found: Sequence[FlowType]) -> FlowType | None:
    if isinstance(found[0], Unknown):
        return TEXT
    separated = len(found) < 2 or fits(found[1], TEXT)
    of = found[0].item if isinstance(found[0], ListOf) else None
    return TEXT if separated and of is not None and is_printable(of) and not is_optional(of) else None


# The first argument is the value before the bar. `default` also takes a value that may be none, so it is not here.
FILTERS: Final[Mapping[str, Signature]] = {
    "date": Signature(1, 2, "a date or a datetime", _moment(DATE, DATETIME)),
    "time": Signature(1, 2, "a time or a datetime", _moment(TIME, DATETIME)),
    "money": Signature(1, 2, "money", _fixed(MONEY, TEXT, to=TEXT)),
    "number": Signature(1, 2, "a number", _number),
    "title": Signature(1, 1, "a text", _fixed(TEXT, to=TEXT)),
    "join": Signature(1, 2, "a list", _join),
}


def arithmetic(operator: Literal["+", "-", "*", "/"], left: FlowType, right: FlowType) -> FlowType | None:
    """The type of `left operator right`, or None where there is none."""
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return UNKNOWN
    if is_number(left) and is_number(right):
        return INTEGER if operator != "/" and isinstance(left, Integer) and isinstance(right, Integer) else NUMBER
    if operator in ("+", "-") and right == DURATION and left in (DATE, DATETIME, DURATION):
        return left
    if operator in ("+", "-") and left == MONEY and right == MONEY:
        return MONEY
    if operator in ("*", "/") and left == MONEY and is_number(right):
        return MONEY
    if operator == "*" and is_number(left) and right == MONEY:
        return MONEY
    if operator == "-" and left == right and left in (DATE, DATETIME):
        return DURATION
    if operator == "+" and isinstance(left, ListOf) and isinstance(right, ListOf):
        return merged(left, right)
    if operator == "+" and fits(left, TEXT) and fits(right, TEXT):
        return TEXT
    return None


def listed(types: Sequence[FlowType]) -> str:
    """`types` for a message."""
    return " and ".join(f"`{spelled(of)}`" for of in types)
