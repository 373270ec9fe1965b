"""Whether every value of a type of one version is a value of a type of another, which may have other records."""

from collections.abc import Mapping
from decimal import Decimal

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

__all__ = ["Records", "fits_type"]

Records = Mapping[str, tuple[Field, ...]]
TEXT_LIKE = frozenset({"email", "phone", "url"})


def fits_type(old: Type, new: Type, records: tuple[Records, Records]) -> bool:
    """Whether each value of `old` is one of `new`; `records` are those of the old and of the new version. A mark may
    come, and not go: what was `pii` stays it."""
    return _fits(old, new, records, frozenset())


def _fits(old: Type, new: Type, records: tuple[Records, Records], assumed: frozenset[tuple[str, str]]) -> bool:
    match old, new:
        case Optional(inner), Optional(wider):
            return _fits(inner, wider, records, assumed)
        case _, Optional(wider):
            return _fits(old, wider, records, assumed)
        case Marked(mark, inner), Marked(other, wider):
            return other in (mark, "secret") and _fits(inner, wider, records, assumed)
        case _, Marked(_, wider):
            return _fits(old, wider, records, assumed)
        case Text(pattern), Text(wider):
            return wider is None or wider == pattern
        case Choice(values), Choice(wider):
            return set(values) <= set(wider)
        case Choice(), Text(pattern):
            return pattern is None
        case Basic(name), Text(pattern):
            return name in TEXT_LIKE and pattern is None
        case Basic(name), Basic(wider):
            return name == wider
        case Integer(low, high), Integer(least, most):
            return _within(low, high, least, most)
        case (Integer(low, high), Number(least, most)) | (Number(low, high), Number(least, most)):
            return _within(_number(low), _number(high), _number(least), _number(most))
        case ListOf(item), ListOf(wider):
            return _fits(item, wider, records, assumed)
        case Record(name), Record(wider):
            pair = (name, wider)
            return pair in assumed or _fits_fields(records[0][name], records[1][wider], records, assumed | {pair})
        case _:
            return False


def _fits_fields(
    old: tuple[Field, ...],
    new: tuple[Field, ...],
    records: tuple[Records, Records],
    assumed: frozenset[tuple[str, str]],
) -> bool:
    """A field that the old record has not may only be one that may be none."""
    known = {field.name: field.type for field in old}
    return all(
        _fits(known[field.name], field.type, records, assumed)
        if field.name in known
        else isinstance(field.type, Optional)
        for field in new
    )


def _number(bound: int | str | None) -> Decimal | None:
    return None if bound is None else Decimal(bound)


def _within(
    low: int | Decimal | None, high: int | Decimal | None, least: int | Decimal | None, most: int | Decimal | None
) -> bool:
    return (least is None or (low is not None and low >= least)) and (
        most is None or (high is not None and high <= most)
    )
