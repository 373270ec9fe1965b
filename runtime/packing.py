"""Values and the structs that hold them as msgpack: what is stored.

msgspec writes a Decimal or a date as text and reads it as text, so `encode` first wraps what is not plain msgpack into
extension types, in the fields that the annotations of a struct say may hold values; `decode` reads them back. Never
pickle.
"""

from collections.abc import Callable, Hashable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder, Ext

from flowc.runtime.fitting import Money, Value

_DECIMAL, _DATE, _TIME, _DATETIME, _DURATION, _MONEY, _BIG = range(1, 8)

_encoder = Encoder()
_T = TypeVar("_T")
Wrap = Callable[[Any], object]


def pack(value: Value) -> bytes:
    """The canonical bytes of a value."""
    return _encoder.encode(_wrap(value))


def unpack(packed: bytes) -> Value:
    """The value of `pack`."""
    return _unpacker.decode(packed)


def encode(struct: object) -> bytes:
    """The canonical bytes of a struct (or a tuple of some) with values in it."""
    return _encoder.encode(_WRAPPERS[type(struct)](struct))


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
    return _WRAPPERS[type(value)](value)


def _itself(value: object) -> object:
    return value


# In the loops over parts nothing is called or copied for what is plain, as most is: a position takes 1.5 µs, not 7.


def _wrap_tuple(items: Sequence[object]) -> object:
    changed: list[object] | None = None
    for place, item in enumerate(items):
        wrap = _WRAPPERS[type(item)]
        if wrap is not _itself and (wrapped := wrap(item)) is not item:
            changed = list(items) if changed is None else changed
            changed[place] = wrapped
    return items if changed is None else changed


def _wrap_dict(fields: dict[str, object]) -> object:
    if _PLAIN.issuperset(map(type, fields.values())):
        return fields
    changed: dict[str, object] | None = None
    for name, item in fields.items():
        wrap = _WRAPPERS[type(item)]
        if wrap is not _itself and (wrapped := wrap(item)) is not item:
            changed = dict(fields) if changed is None else changed
            changed[name] = wrapped
    return fields if changed is None else changed


def _struct_wrapper(kind: type[Struct]) -> Wrap:
    """Wraps the fields that may hold values; nothing where there are none.

    A function of its own for each kind of struct, as `dataclasses` makes them: a loop over the names of fields takes
    twice the time, ten times a turn. It looks into nothing that is empty."""
    names = _value_fields(kind)
    if not names:
        return _itself
    hints = get_type_hints(kind)
    lines = ["def wrap_struct(_struct):"]
    for name in names:
        wrapped = f"_wrappers[type({name})]({name})"
        lines.append(f"    {name} = _struct.{name}")
        holds = _holds(name, hints[name])
        lines.append(f"    new_{name} = {wrapped if holds is None else f'{wrapped} if {holds} else {name}'}")
    lines.append("    if " + " and ".join(f"new_{name} is {name}" for name in names) + ":")
    lines.append("        return _struct")
    lines.append("    return _replace(_struct, " + ", ".join(f"{name}=new_{name}" for name in names) + ")")
    made: dict[str, Wrap] = {}
    exec("\n".join(lines), {"_wrappers": _WRAPPERS, "_replace": msgspec.structs.replace}, made)
    return made["wrap_struct"]


def _holds(at: str, hint: object) -> str | None:
    """The condition that something is in a field; None for a value, whose emptiness says nothing: 0 is a number."""
    if hint is Value:
        return None
    if not (isinstance(hint, type) and issubclass(hint, Struct)):
        return at
    hints = get_type_hints(hint)
    inside = [_holds(f"{at}.{name}", hints[name]) for name in _value_fields(hint)]
    return None if None in inside else " or ".join(each for each in inside if each is not None)


def _wrap_int(value: int) -> object:
    return value if -(2**63) <= value < 2**63 else Ext(_BIG, str(value).encode())


def _wrap_money(value: Money) -> Ext:
    return Ext(_MONEY, f"{value.amount} {value.currency}".encode())


def _text_extension(code: int, write: Callable[[Any], str]) -> Wrap:
    return lambda value: Ext(code, write(value).encode())


class _Wrappers(dict[type, Wrap]):
    """How values of a type are wrapped; those of structs are made as they are met."""

    def __missing__(self, kind: type) -> Wrap:
        self[kind] = wrap = _struct_wrapper(kind) if issubclass(kind, Struct) else _itself
        return wrap


_PLAIN: Final = frozenset([str, bool, type(None)])
_WRAPPERS: Final = _Wrappers(
    {
        int: _wrap_int,
        tuple: _wrap_tuple,
        list: _wrap_tuple,
        dict: _wrap_dict,
        Decimal: _text_extension(_DECIMAL, str),
        date: _text_extension(_DATE, date.isoformat),
        time: _text_extension(_TIME, time.isoformat),
        datetime: _text_extension(_DATETIME, datetime.isoformat),
        timedelta: _text_extension(_DURATION, lambda value: str(value // timedelta(microseconds=1))),
        Money: _wrap_money,
    }
)


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
