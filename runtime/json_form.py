"""Values as JSON: what backends and users send and get. The forms are those of the language reference, "Types"."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from flowc.runtime.fitting import MOST_ITEMS, NUMBER_LIMIT, Money, Shapes, Value, fits, is_optional
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

Names = Literal["snake", "camel"]
DEEPEST: Final = 40  # lists and records inside each other
_EXACT: Final = Context(prec=60)


class Malformed(Exception):  # noqa: N818  # the outcome of the language that it becomes
    """A JSON value that does not fit its type. `path` is like `items[2].price`, empty for the value itself."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


# ----------------------------------------------------------------------------------------------------------- from JSON


def from_json(type: Type, json: object, shapes: Shapes, *, names: Names = "snake") -> Value:
    """The value of a decoded JSON document. Raises Malformed: missing, wrong or out of range.

    Fields that the type does not have are dropped. A key is a field but for case, `_` and `-`; of two such keys the one
    spelt as `names` says counts."""
    return _from_json(type, json, _Reading(shapes, names), "")


@dataclass(frozen=True, slots=True)
class _Reading:
    shapes: Shapes
    names: Names
    depth: int = 0

    def deeper(self, path: str) -> "_Reading":
        if self.depth >= DEEPEST:
            raise Malformed(path, f"is nested more than {DEEPEST} deep")
        return _Reading(self.shapes, self.names, self.depth + 1)


def _from_json(type: Type, json: object, reading: _Reading, path: str) -> Value:
    match type:
        case Optional(inner=inner):
            return None if json is None else _from_json(inner, json, reading, path)
        case Marked(inner=inner):
            return _from_json(inner, json, reading, path)
        case ListOf(item=item):
            return _list_from_json(item, json, reading, path)
        case Record(name=name):
            return _record_from_json(name, json, reading, path)
        case Basic(name=name):
            return _basic_from_json(name, json, reading.shapes, path)
        case Text() | Choice():
            return _fitting(type, _text_from_json(json, path), reading.shapes, path)
        case Integer() | Number():
            number = _number_from_json(json, path)
            is_whole = isinstance(type, Integer) and number == int(number)
            return _fitting(type, int(number) if is_whole else number, reading.shapes, path)


def _fitting(type: Type, value: Value, shapes: Shapes, path: str) -> Value:
    if not fits(type, value, shapes):
        raise Malformed(path, f"{_shown(value)} is not {_described(type)}")
    return value


def _list_from_json(item: Type, json: object, reading: _Reading, path: str) -> Value:
    if not isinstance(json, list | tuple):
        raise Malformed(path, f"{_shown(json)} is not a list")
    if len(json) > MOST_ITEMS:
        raise Malformed(path, f"has {len(json):,} items, more than {MOST_ITEMS:,}")
    deeper = reading.deeper(path)
    return tuple([_from_json(item, part, deeper, f"{path}[{number}]") for number, part in enumerate(json)])


def _record_from_json(name: str, json: object, reading: _Reading, path: str) -> Value:
    if not isinstance(json, dict):
        raise Malformed(path, f"{_shown(json)} is not a record `{name}`")
    deeper = reading.deeper(path)
    folded = {_fold(key): key for key in json}
    record: dict[str, Value] = {}
    for field in reading.shapes.records[name]:
        spelt = _spell(field.name, reading.names)
        key = spelt if spelt in json else folded.get(_fold(field.name))
        where = f"{path}.{field.name}" if path else field.name
        if key is None and not is_optional(field.type):
            raise Malformed(where, "is missing")
        record[field.name] = None if key is None else _from_json(field.type, json[key], deeper, where)
    return record


def _fold(name: str) -> str:
    return name.replace("_", "").replace("-", "").casefold()


def _spell(name: str, names: Names) -> str:
    if names == "snake":
        return name
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def _text_from_json(json: object, path: str) -> str:
    if not isinstance(json, str):
        raise Malformed(path, f"{_shown(json)} is not a text")
    return json


def _number_from_json(json: object, path: str) -> int | Decimal:
    if isinstance(json, bool) or not isinstance(json, int | float | Decimal):
        raise Malformed(path, f"{_shown(json)} is not a number")
    number: int | Decimal = json if isinstance(json, int) else _plain_decimal(Decimal(str(json)), path)
    if not -NUMBER_LIMIT < number < NUMBER_LIMIT:
        raise Malformed(path, "is too large a number")
    return number


def _plain_decimal(number: Decimal, path: str) -> Decimal:
    if not number.is_finite() or number.adjusted() > 30:
        raise Malformed(path, "is too large a number")
    return number if int(number.as_tuple().exponent) >= -30 else number.quantize(Decimal("1e-30"), context=_EXACT)


_DATE_FORM: Final = re.compile(r"\d{4}-\d\d-\d\d")
_TIME_FORM: Final = re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?")
_DATETIME_FORM: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)?")


def _basic_from_json(name: BasicName, json: object, shapes: Shapes, path: str) -> Value:
    try:
        value = _basic_value(name, json, shapes, path)
    except (ValueError, OverflowError, msgspec.ValidationError) as error:
        raise Malformed(path, f"{_shown(json)} is not {_described(Basic(name))}") from error
    if not fits(Basic(name), value, shapes):
        raise Malformed(path, f"{_shown(json)} is not {_described(Basic(name))}")
    return value


def _basic_value(name: BasicName, json: object, shapes: Shapes, path: str) -> Value:
    """What a JSON value is as `name`, or itself where it has no such form."""
    match name, json:
        case "date", str() if _DATE_FORM.fullmatch(json):
            return date.fromisoformat(json)
        case "time", str() if _TIME_FORM.fullmatch(json):
            return time.fromisoformat(json)
        case "datetime", str() if _DATETIME_FORM.fullmatch(json):
            moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", json.upper()))
            aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(shapes.zone))
            return aware.astimezone(UTC)
        case "duration", int() | float() | Decimal() if not isinstance(json, bool):
            return timedelta(seconds=float(json))
        case "duration", str():
            return msgspec.convert(json.upper(), timedelta)
        case "money", _:
            return _money_from_json(json, shapes, path)
        case _:
            return json if isinstance(json, str | bool) else None


def _money_from_json(json: object, shapes: Shapes, path: str) -> Value:
    if isinstance(json, dict):
        folded = {_fold(key): value for key, value in json.items()}
        amount, currency = folded.get("amount"), folded.get("currency")
    else:
        amount, currency = None if isinstance(json, str) else json, shapes.currency
    if isinstance(amount, str) and re.fullmatch(r"-?\d{1,30}(\.\d{1,30})?", amount):
        amount = Decimal(amount)
    if not isinstance(currency, str) or amount is None:
        raise Malformed(path, f"{_shown(json)} is not an amount of money")
    number = _number_from_json(amount, path)
    if shapes.currency is not None and currency != shapes.currency:
        raise Malformed(path, f"is in {_shown(currency)}, the bot's currency is {shapes.currency}")
    return Money(Decimal(number), currency)


def _shown(json: object) -> str:
    """How a wrong value is named in a reason: its kind, never its content (it may be personal)."""
    match json:
        case None:
            return "none"
        case bool():
            return "a boolean"
        case int() | float() | Decimal():
            return "a number"
        case str():
            return "this text"
        case list() | tuple():
            return "a list"
        case _:
            return "a record"


def _described(type: Type) -> str:
    match type:
        case Basic(name=name):
            return f"{'an' if name[0] in 'aei' else 'a'} {name}"
        case Text(pattern=pattern):
            return f"a text matching /{pattern}/" if pattern else "a text"
        case Choice(values=values):
            return "one of " + ", ".join(f'"{value}"' for value in values)
        case Integer(low=None) | Integer(high=None):
            return "an integer"
        case Integer(low=low, high=high):
            return f"an integer in {low}..{high}"
        case Number(low=None) | Number(high=None):
            return "a number"
        case Number(low=low, high=high):
            return f"a number in {low}..{high}"
        case _:
            return "a value of its type"


# -------------------------------------------------------------------------------------------------------------- to JSON


def to_json(value: Value, *, names: Names = "snake") -> object:
    """`value` as what a JSON encoder takes; a number with a fraction is the nearest float, an amount is text."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date() | time():
            return _iso(value)
        case timedelta():
            return msgspec.to_builtins(value)
        case Money(amount=amount, currency=currency):
            return {"amount": format(amount, "f"), "currency": currency}
        case tuple():
            return [to_json(item, names=names) for item in value]
        case _:
            return {_spell(name, names): to_json(item, names=names) for name, item in value.items()}


def _iso(value: date | time) -> str:
    if isinstance(value, date):
        return value.isoformat()
    return value.isoformat("minutes" if not value.second and not value.microsecond else "auto")
