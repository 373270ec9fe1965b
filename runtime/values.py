"""The values of the language in Python, and their two encodings: msgpack for what we store, JSON for the outside.

    boolean bool      text, choice, email, phone, url  str        date, time, datetime  the same of `datetime`
    integer int       number  Decimal (an int fits)               duration  timedelta   money  Money
    list    tuple     record  dict in the order of its fields     none      None

A datetime is aware and in UTC. A number is finite and below 10^30. There is no float: `from_json` makes it a Decimal.

msgspec writes a Decimal or a date as text and reads it as text, so `encode` first wraps what is not plain msgpack into
extension types, in the fields that the annotations of a struct say may hold values; `decode` reads them back. Never
pickle.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, get_args, get_type_hints
from zoneinfo import ZoneInfo

import msgspec
import re2
from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder, Ext

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

__all__ = [
    "Malformed",
    "Money",
    "Names",
    "Shapes",
    "Value",
    "decode",
    "encode",
    "fits",
    "from_json",
    "pack",
    "pattern_fits",
    "plain_type",
    "to_json",
    "unpack",
]

Names = Literal["snake", "camel"]
MOST_ITEMS: Final = 1_000  # of a list
DEEPEST: Final = 40  # lists and records inside each other
NUMBER_LIMIT: Final = 10**30
_EXACT: Final = Context(prec=60)


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


class Malformed(Exception):  # noqa: N818  # the outcome of the language that it becomes
    """A JSON value that does not fit its type. `path` is like `items[2].price`, empty for the value itself."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


# ------------------------------------------------------------------------------------------------------------- msgpack

_DECIMAL, _DATE, _TIME, _DATETIME, _DURATION, _MONEY, _BIG = range(1, 8)

_encoder = Encoder()
_T = TypeVar("_T")


def pack(value: Value) -> bytes:
    """The canonical bytes of a value."""
    return _encoder.encode(_wrap(value))


def unpack(packed: bytes) -> Value:
    """The value of `pack`."""
    return _unpacker.decode(packed)


def encode(struct: object) -> bytes:
    """The canonical bytes of a struct (or a tuple of some) with values in it."""
    return _encoder.encode(_wrap(struct))


def decode(encoded: bytes, type: type[_T]) -> _T:
    """The struct of `encode`. Raises msgspec.DecodeError, or its subclass ValidationError."""
    decoder: Decoder[_T] = _decoder(type)  # type: ignore[arg-type]  # a type is hashable
    return decoder.decode(encoded)


@cache
def _decoder(type: Hashable) -> "Decoder[Any]":
    return Decoder(type, ext_hook=_read_extension, dec_hook=_read)


def _read(_: type, plain: object) -> object:
    """A decoded value with its lists as tuples."""
    if isinstance(plain, list):
        return tuple([_read(_, item) for item in plain])
    if isinstance(plain, dict):
        return {name: _read(_, item) for name, item in plain.items()}
    return plain


def _wrap(value: object) -> object:
    """`value` with everything that is not plain msgpack as an extension; itself when all is plain."""
    wrap = _WRAPPERS.get(type(value))
    if wrap is not None:
        return wrap(value)
    return _wrap_struct(value) if isinstance(value, Struct) else value


def _wrap_tuple(items: tuple[object, ...]) -> object:
    wrapped = [_wrap(item) for item in items]
    return items if all(map(_same, items, wrapped)) else wrapped


def _wrap_dict(fields: dict[str, object]) -> object:
    wrapped = {name: _wrap(item) for name, item in fields.items()}
    return fields if all(map(_same, fields.values(), wrapped.values())) else wrapped


def _same(one: object, other: object) -> bool:
    return one is other


def _wrap_struct(struct: Struct) -> Struct:
    changed = {}
    for name in _value_fields(type(struct)):
        value = getattr(struct, name)
        wrapped = _wrap(value)
        if wrapped is not value:
            changed[name] = wrapped
    return msgspec.structs.replace(struct, **changed) if changed else struct


def _wrap_int(value: int) -> object:
    return value if -(2**63) <= value < 2**63 else Ext(_BIG, str(value).encode())


def _wrap_money(value: Money) -> Ext:
    return Ext(_MONEY, f"{value.amount} {value.currency}".encode())


def _text_extension(code: int, write: Callable[[object], str]) -> Callable[[object], Ext]:
    return lambda value: Ext(code, write(value).encode())


_WRAPPERS: Final[dict[type, Callable[..., object]]] = {
    str: lambda value: value,
    int: _wrap_int,
    tuple: _wrap_tuple,
    list: _wrap_tuple,
    dict: _wrap_dict,
    Decimal: _text_extension(_DECIMAL, str),
    date: _text_extension(_DATE, lambda value: value.isoformat()),  # type: ignore[attr-defined]  # by its key
    time: _text_extension(_TIME, lambda value: value.isoformat()),  # type: ignore[attr-defined]  # by its key
    datetime: _text_extension(_DATETIME, lambda value: value.isoformat()),  # type: ignore[attr-defined]  # by its key
    timedelta: _text_extension(_DURATION, lambda value: str(value // timedelta(microseconds=1))),  # type: ignore[operator]  # by its key
    Money: _wrap_money,
}


def _read_extension(code: int, content: memoryview) -> Value:
    text = str(content, "utf-8")
    match code:
        case 1:
            return Decimal(text)
        case 2:
            return date.fromisoformat(text)
        case 3:
            return time.fromisoformat(text)
        case 4:
            return datetime.fromisoformat(text)
        case 5:
            return timedelta(microseconds=int(text))
        case 6:
            amount, _, currency = text.partition(" ")
            return Money(Decimal(amount), currency)
        case 7:
            return int(text)
        case _:
            raise msgspec.ValidationError(f"unknown extension {code}")


_unpacker: "Decoder[Value]" = Decoder(Value, ext_hook=_read_extension, dec_hook=_read)


@cache
def _value_fields(struct: type[Struct]) -> tuple[str, ...]:
    """The fields of a struct that may hold values, at any depth."""
    hints = get_type_hints(struct)
    return tuple(name for name in struct.__struct_fields__ if _bears_value(hints[name], frozenset([struct])))


def _bears_value(hint: object, seen: frozenset[object]) -> bool:
    if hint is Value:
        return True
    if isinstance(hint, type) and issubclass(hint, Struct) and hint not in seen:
        return any(_bears_value(inner, seen | {hint}) for inner in get_type_hints(hint).values())
    return any(_bears_value(argument, seen) for argument in get_args(hint))


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


# ----------------------------------------------------------------------------------------------------------------- fits


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
def _pattern(pattern: str) -> "re2._Regexp":
    return re2.compile(pattern)


def pattern_fits(pattern: str, text: str) -> bool:
    """Whether the whole text matches, in linear time."""
    return _pattern(pattern).fullmatch(text) is not None


def plain_type(type: Type) -> Type:
    """The type without `pii`, `secret` and `?`."""
    while isinstance(type, Marked | Optional):
        type = type.inner
    return type


def is_optional(type: Type) -> bool:
    """Whether `none` is a value of the type."""
    while isinstance(type, Marked):
        type = type.inner
    return isinstance(type, Optional)
