"""Filters of texts: dates, times, money and numbers as the user's language writes them (babel, loaded with the first
text that needs it)."""

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from flowc.runtime.kernel.evaluate import Env
from flowc.runtime.kernel.functions import text
from flowc.runtime.values import Money, Value

if TYPE_CHECKING:
    from babel import Locale

Apply = Callable[[Env, Value, tuple[Value, ...]], Value]
_STYLES: Final = ("short", "medium", "long", "full")


def filter_function(name: str) -> Apply:
    """The filter of that name. `date` and `time` take a style (short, medium, long, full), `number` its decimal
    places."""
    if name in ("date", "time", "money", "number"):
        import babel.dates
        import babel.numbers  # noqa: F401  # once, when a program is loaded, not in its first turn
    return _FILTERS[name]


@lru_cache(maxsize=1_024)  # a user's locale is what a channel says
def _locale(name: str) -> "Locale":
    """The locale of `de-AT` or `de_AT`; of its language, else English, where nobody knows it."""
    from babel import Locale, UnknownLocaleError

    for candidate in (name.replace("-", "_"), name.replace("-", "_").partition("_")[0]):
        try:
            return Locale.parse(candidate)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


def _style(arguments: tuple[Value, ...], usual: str) -> str:
    style = arguments[0] if arguments else usual
    return style if isinstance(style, str) and style in _STYLES else usual


def _date(env: Env, value: Value, arguments: tuple[Value, ...]) -> Value:
    if isinstance(value, datetime):
        value = value.astimezone(env.zone).date()
    if not isinstance(value, date):
        return value
    return _written_date(value, _style(arguments, "medium"), env.locale)


@lru_cache(maxsize=4_096)
def _written_date(day: date, style: str, locale: str) -> str:
    """Kept, for days repeat and babel takes 8 µs to write one."""
    from babel.dates import format_date

    return format_date(day, style, locale=_locale(locale))


def _time(env: Env, value: Value, arguments: tuple[Value, ...]) -> Value:
    from babel.dates import format_time

    if isinstance(value, datetime):
        value = value.astimezone(env.zone).time()
    if not isinstance(value, time):
        return value
    return format_time(value, _style(arguments, "short"), locale=_locale(env.locale))


def _money(env: Env, value: Value, arguments: tuple[Value, ...]) -> Value:
    from babel.numbers import format_currency

    if isinstance(value, int | Decimal) and env.currency is not None:
        value = Money(Decimal(value), env.currency)
    if not isinstance(value, Money):
        return value
    return format_currency(value.amount, value.currency, locale=_locale(env.locale))


def _number(env: Env, value: Value, arguments: tuple[Value, ...]) -> Value:
    from babel.numbers import format_decimal

    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value
    places = arguments[0] if arguments else None
    if isinstance(places, int):
        return format_decimal(value, "#,##0." + "0" * min(places, 20), locale=_locale(env.locale))
    return format_decimal(value, locale=_locale(env.locale), decimal_quantization=False)


def _title(env: Env, value: Value, arguments: tuple[Value, ...]) -> Value:
    return " ".join([word[:1].upper() + word[1:] for word in text(value, env.zone).split(" ")])


def _join(env: Env, value: Value, arguments: tuple[Value, ...]) -> Value:
    between = text(arguments[0], env.zone) if arguments else ", "
    return between.join([text(item, env.zone) for item in value]) if isinstance(value, tuple) else value


def _default(env: Env, value: Value, arguments: tuple[Value, ...]) -> Value:
    return arguments[0] if value is None and arguments else value


_FILTERS: Final[dict[str, Apply]] = {
    "date": _date,
    "time": _time,
    "money": _money,
    "number": _number,
    "title": _title,
    "join": _join,
    "default": _default,
}
