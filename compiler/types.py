"""Types at compile time: those of the runtime, and two that exist only here.

`Unknown` is the type of whatever an earlier mistake is about: everything about it is silent. `NoneType` is the type
of the literal `none`. A type with `?` and a mark is always `Optional(Marked(T))`, so that one look tells whether it
may be none.
"""

from typing import Final

from msgspec import Struct

from flowc.runtime.types import (
    Basic,
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

__all__ = [
    "BOOLEAN",
    "DATE",
    "DATETIME",
    "DURATION",
    "EMPTY_LIST",
    "INTEGER",
    "MONEY",
    "NONE",
    "NUMBER",
    "TEXT",
    "TIME",
    "UNKNOWN",
    "FlowType",
    "NoneType",
    "Unknown",
    "fits",
    "is_optional",
    "marked_like",
    "merged",
    "optional",
    "plain",
    "required",
    "spelled",
]


class Unknown(Struct, frozen=True, tag="unknown"):
    """What could not be resolved; it fits everything and everything fits it."""


class NoneType(Struct, frozen=True, tag="none"):
    """The type of `none`."""


FlowType = Type | Unknown | NoneType

UNKNOWN: Final = Unknown()
NONE: Final = NoneType()
EMPTY_LIST: Final = ListOf(UNKNOWN)  # type: ignore[arg-type]  # `[]` fits every list
TEXT: Final = Text()
INTEGER: Final = Integer()
NUMBER: Final = Number()
BOOLEAN: Final = Basic("boolean")
DATE: Final = Basic("date")
TIME: Final = Basic("time")
DATETIME: Final = Basic("datetime")
DURATION: Final = Basic("duration")
MONEY: Final = Basic("money")
TEXT_LIKE: Final = frozenset({"email", "phone", "url"})


def optional(of: FlowType) -> FlowType:
    """`of` with `?`."""
    match of:
        case Optional() | Unknown() | NoneType():
            return of
        case _:
            return Optional(of)


def required(of: FlowType) -> FlowType:
    """`of` without `?`; its mark stays."""
    return of.inner if isinstance(of, Optional) else of


def is_optional(of: FlowType) -> bool:
    """Whether a value of the type may be `none`."""
    return isinstance(of, Optional | NoneType)


def plain(of: FlowType) -> FlowType:
    """`of` without `?` and without a mark."""
    if isinstance(of, Optional):
        of = of.inner
    if isinstance(of, Marked):
        of = of.inner
    return of


def mark_of(of: FlowType) -> str | None:
    """`pii`, `secret` or None."""
    inner = required(of)
    return inner.mark if isinstance(inner, Marked) else None


def marked_like(of: FlowType, *sources: FlowType) -> FlowType:
    """`of` with the strictest mark of `sources`: what is computed from a marked value is marked."""
    marks = {mark_of(source) for source in sources} - {None}
    if not marks or isinstance(of, Unknown | NoneType):
        return of
    inner = plain(of)
    if isinstance(inner, Unknown | NoneType):
        return of
    mark = Marked("secret" if "secret" in marks or mark_of(of) == "secret" else "pii", inner)
    return Optional(mark) if isinstance(of, Optional) else mark


def fits(found: FlowType, wanted: FlowType) -> bool:
    """Whether a value of type `found` may stand where `wanted` is expected. Marks are another rule's affair."""
    if found is wanted or isinstance(found, Unknown) or isinstance(wanted, Unknown):
        return True
    if is_optional(found) and not is_optional(wanted):
        return False
    return isinstance(found, NoneType) or _fits(plain(found), plain(wanted))


def _fits(found: FlowType, wanted: FlowType) -> bool:
    match found, wanted:
        case (Unknown(), _) | (_, Unknown()):
            return True
        case Text(pattern), Text(wider):
            return wider is None or pattern == wider
        case Choice(values), Choice(more):
            return set(values) <= set(more)
        case (Choice(), Text(None)):
            return True
        case (Basic(name), Text(None)) if name in TEXT_LIKE:
            return True
        case Integer(low, high), Integer(wide_low, wide_high):
            return _within(low, high, wide_low, wide_high)
        case ((Integer(low, high) | Number(low, high)), Number(wide_low, wide_high)):
            return _within(low, high, wide_low, wide_high)
        case ListOf(item), ListOf(wider):
            return fits(item, wider)
        case _:
            return found == wanted


def _within(
    low: int | str | None, high: int | str | None, wide_low: int | str | None, wide_high: int | str | None
) -> bool:
    above = wide_low is None or (low is not None and float(low) >= float(wide_low))
    return above and (wide_high is None or (high is not None and float(high) <= float(wide_high)))


def merged(first: FlowType, second: FlowType) -> FlowType | None:
    """The type that both fit, or None where they do not agree."""
    if isinstance(first, Unknown) or isinstance(second, Unknown):
        return UNKNOWN
    if isinstance(first, NoneType):
        return optional(second)
    if isinstance(second, NoneType):
        return optional(first)
    inner = _merged(plain(first), plain(second))
    if inner is None:
        return None
    inner = marked_like(inner, first, second)
    return optional(inner) if is_optional(first) or is_optional(second) else inner


def _merged(first: FlowType, second: FlowType) -> FlowType | None:
    if second == EMPTY_LIST and isinstance(first, ListOf):
        return first
    if _fits(first, second):
        return second
    if _fits(second, first):
        return first
    match first, second:
        case (Text() | Choice(), Text() | Choice()):
            return TEXT
        case Integer(), Integer():
            return INTEGER
        case (Integer() | Number(), Integer() | Number()):
            return NUMBER
        case _:
            return None


def spelled(of: FlowType) -> str:
    """`of` as an author writes it."""
    match of:
        case Basic(name):
            return name
        case Text(None):
            return "text"
        case Text(pattern):
            return f"text matching /{pattern}/"
        case Choice(values):
            return " | ".join(f'"{value}"' for value in values)
        case Integer(None, None):
            return "integer"
        case Integer(low, high):
            return f"integer in {low}..{high}"
        case Number(None, None):
            return "number"
        case Number(low, high):
            return f"number in {low}..{high}"
        case Optional(inner):
            return f"{spelled(inner)}?"
        case ListOf(item):
            return f"list of {spelled(item)}"
        case Record(name):
            return name.partition("@")[0]
        case Marked(mark, inner):
            return f"{mark} {spelled(inner)}"
        case NoneType():
            return "none"
        case Unknown():
            return "unknown"
