"""The operators and functions of the language on values. The compiler has checked the types; nothing here looks
outside.

Arithmetic is decimal with 34 digits. A result that is no number of the language (10^30 or more), or a text or list
beyond any use, is a fault: nothing that a flow computes may grow without bound.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from flowc.runtime.kernel.fault import Fault
from flowc.runtime.values import NUMBER_LIMIT, Money, Value

LONGEST_TEXT: Final = 65_536
LONGEST_LIST: Final = 10_000
_ARITHMETIC: Final = Context(prec=34, rounding=ROUND_HALF_UP, traps=[])
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

# mypy: disable-error-code="operator,arg-type,union-attr,return-value,call-overload,index"
# The types of arguments are proved by the compiler; saying them again here would be a check at run time.


def get(record: Value, field: str) -> Value:
    """A field of a record; none of none."""
    is_record = type(record) is dict or isinstance(record, Mapping)  # nearly all are; the abstract test takes 0.4 µs
    return record.get(field) if is_record else None


# ----------------------------------------------------------------------------------------------------------- comparing


def _comparable(value: Value) -> Value:
    """Money by its amount: a bot has one currency, and the sum of no amounts is 0."""
    return value.amount if isinstance(value, Money) else value


def equal(left: Value, right: Value) -> bool:
    """`==`, also of none."""
    return bool(left == right) if type(left) is str else bool(_comparable(left) == _comparable(right))


def _less(left: Value, right: Value) -> bool:
    return bool(_comparable(left) < _comparable(right))


def _contained(item: Value, items: Value) -> bool:
    if isinstance(items, str):
        return isinstance(item, str) and item in items
    return isinstance(items, tuple) and any(equal(item, other) for other in items)


# ---------------------------------------------------------------------------------------------------------- arithmetic


def _number(value: int | Decimal) -> int | Decimal:
    if isinstance(value, Decimal) and not value.is_finite():
        raise Fault("a number has no value")
    if abs(value) >= NUMBER_LIMIT:
        raise Fault("a number is 10^30 or more")
    return value


def _money(amount: int | Decimal, like: Money) -> Money:
    return Money(Decimal(_number(amount)), like.currency)


def _add(left: Value, right: Value) -> Value:
    if isinstance(left, str):
        return _bounded_text(left + right)
    if isinstance(left, tuple):
        return _bounded_list(left + right)
    if isinstance(left, date | timedelta):
        return left + right
    if isinstance(right, date):
        return right + left
    if isinstance(left, Money) or isinstance(right, Money):
        return _money(_sum_of(_comparable(left), _comparable(right)), left if isinstance(left, Money) else right)
    return _number(_sum_of(left, right))


def _sum_of(left: int | Decimal, right: int | Decimal) -> int | Decimal:
    if isinstance(left, int) and isinstance(right, int):
        return left + right
    return _ARITHMETIC.add(Decimal(left), Decimal(right))


def _subtract(left: Value, right: Value) -> Value:
    if isinstance(left, date | timedelta):
        return left - right
    return _add(left, _negate(right))


def _negate(value: Value) -> Value:
    return Money(-value.amount, value.currency) if isinstance(value, Money) else -value


def _multiply(left: Value, right: Value) -> Value:
    if isinstance(left, Money):
        return _money(_ARITHMETIC.multiply(left.amount, Decimal(right)), left)
    if isinstance(right, Money):
        return _multiply(right, left)
    if isinstance(left, int) and isinstance(right, int):
        return _number(left * right)
    return _number(_ARITHMETIC.multiply(Decimal(left), Decimal(right)))


def _divide(left: Value, right: Value) -> Value:
    divisor = Decimal(_comparable(right))
    if not divisor:
        return None
    if isinstance(left, Money) and not isinstance(right, Money):
        return _money(_ARITHMETIC.divide(left.amount, divisor), left)
    return _number(_ARITHMETIC.divide(Decimal(_comparable(left)), divisor))


def _sum(items: Value) -> Value:
    total: Value = items[0] if items else 0
    for item in items[1:]:
        total = _add(total, item)
    return total


def _smallest(*values: Value) -> Value:
    return min(_compared(values), key=_comparable, default=None)


def _largest(*values: Value) -> Value:
    return max(_compared(values), key=_comparable, default=None)


def _compared(values: tuple[Value, ...]) -> tuple[Value, ...]:
    return values[0] if len(values) == 1 else values


def _round(value: Value, digits: Value = 0) -> Value:
    if isinstance(value, Money):
        return Money(Decimal(_round(value.amount, digits)), value.currency)
    places = max(-30, min(30, int(digits)))
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=Context(prec=70))
    return int(rounded) if places <= 0 else _number(rounded)


def _abs(value: Value) -> Value:
    return Money(abs(value.amount), value.currency) if isinstance(value, Money) else abs(value)


# ------------------------------------------------------------------------------------------------------ text and lists


def _bounded_text(value: str) -> str:
    if len(value) > LONGEST_TEXT:
        raise Fault(f"a text is longer than {LONGEST_TEXT:,} characters")
    return value


def _bounded_list(value: tuple[Value, ...]) -> tuple[Value, ...]:
    if len(value) > LONGEST_LIST:
        raise Fault(f"a list has more than {LONGEST_LIST:,} items")
    return value


def _at(items: Value, position: Value) -> Value:
    return items[position] if 0 <= position < len(items) else None


_NUMBER: Final = re.compile(r"[+-]?\d{1,30}([.,]\d{1,30})?")


def _parsed(value: Value) -> Value:
    stripped = value.strip()
    return Decimal(stripped.replace(",", ".")) if _NUMBER.fullmatch(stripped) else None


def plain_number(value: Decimal) -> str:
    """A number without an exponent and without zeros at the end."""
    if value == value.to_integral_value():
        return format(value.quantize(Decimal(1), context=Context(prec=70)), "f")
    return format(value, "f").rstrip("0")


def text(value: Value, zone: ZoneInfo) -> str:
    """A value as text, the same in every language; times are those of the user."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return plain_number(value)
        case datetime():
            return value.astimezone(zone).strftime("%Y-%m-%d %H:%M")
        case date():
            return value.isoformat()
        case time():
            return value.isoformat("minutes")
        case timedelta():
            return _duration_text(value)
        case Money(amount=amount, currency=currency):
            return f"{amount.quantize(Decimal('0.01'), rounding=ROUND_HALF_UP, context=Context(prec=70)):f} {currency}"
        case tuple():
            return _bounded_text(", ".join([text(item, zone) for item in value]))
        case _:
            return _bounded_text(", ".join([f"{name}: {text(item, zone)}" for name, item in value.items()]))


def _duration_text(value: timedelta) -> str:
    """As the language writes it: `1h 30m`."""
    seconds = abs(value) // timedelta(seconds=1)
    parts = (("d", seconds // 86_400), ("h", seconds // 3_600 % 24), ("m", seconds // 60 % 60), ("s", seconds % 60))
    written = " ".join([f"{count}{unit}" for unit, count in parts if count]) or "0s"
    return f"-{written}" if value < timedelta() else written


# ---------------------------------------------------------------------------------------------------------------- time


def local_time(value: Value, zone: ZoneInfo) -> time | None:
    """The time of day of a datetime, for the user."""
    return value.astimezone(zone).time().replace(fold=0) if isinstance(value, datetime) else None


def _whole(unit: timedelta) -> Callable[..., Value]:
    return lambda value: value // unit if value >= timedelta() else -(-value // unit)


FUNCTIONS: Final[Mapping[str, Callable[..., Value]]] = {
    "not": lambda value: not value,
    "eq": equal,
    "ne": lambda left, right: not equal(left, right),
    "lt": _less,
    "le": lambda left, right: not _less(right, left),
    "gt": lambda left, right: _less(right, left),
    "ge": lambda left, right: not _less(left, right),
    "in": _contained,
    "not_in": lambda item, items: not _contained(item, items),
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "negate": _negate,
    "len": len,
    "first": lambda items: items[0] if items else None,
    "at": _at,
    "sum": _sum,
    "min": _smallest,
    "max": _largest,
    "round": _round,
    "abs": _abs,
    "lower": lambda value: value.lower(),
    "upper": lambda value: value.upper(),
    "trim": lambda value: value.strip(),
    "contains": lambda value, part: part in value,
    "starts_with": lambda value, part: value.startswith(part),
    "ends_with": lambda value, part: value.endswith(part),
    "number": _parsed,
    "days": _whole(timedelta(days=1)),
    "hours": _whole(timedelta(hours=1)),
    "minutes": _whole(timedelta(minutes=1)),
    "weekday": lambda value: _DAYS[value.weekday()],
}
