"""Values and the structs that hold them as msgpack: what is stored.

msgspec writes a Decimal or a date as text and reads it as text, so `encode` first wraps what is not plain msgpack into
extension types, in the fields that the annotations of a struct say may hold values; `decode` reads them back. Never
pickle.
"""

from collections.abc import Callable, Hashable
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
