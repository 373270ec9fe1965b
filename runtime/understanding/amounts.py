"""Numbers, durations and money as people write them."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache

from babel import Locale
from babel.numbers import get_currency_name, get_currency_symbol

from flowc.runtime.understanding.forms import Form, Groups, Setting, form, one_of
from flowc.runtime.understanding.language import Language
from flowc.runtime.values import Money, Value

# A number by itself: not a part of a date, a time, a decimal or a code.
_ALONE_BEFORE = r"(?:^|[\s(#])"
_ALONE_AFTER = r"(?:$|[\s)]|[.,;:!?](?:$|\s))"
_AMOUNT = r"[0-9]{1,3}(?:[.,' ][0-9]{3})+(?:[.,][0-9]{1,2})?|[0-9]{1,15}(?:[.,][0-9]{1,2})?"


def integer_forms() -> tuple[Form, ...]:
    return (form(r"[+-]?[0-9]{1,15}", lambda groups, _: int(groups[0]), before=_ALONE_BEFORE, after=_ALONE_AFTER),)


def number_forms() -> tuple[Form, ...]:
    return (form(r"[+-]?[0-9]{1,15}(?:[.,][0-9]{1,12})?", _number, before=_ALONE_BEFORE, after=_ALONE_AFTER),)


def duration_forms(language: Language) -> tuple[Form, ...]:
    """`90 minutes`, `2 h 30 min`."""
    one = r"([0-9]{1,6}(?:[.,][0-9]{1,3})?)\s*" + one_of(language.units)
    return (form(f"{one}(?:\\s*(?:and|und|,)?\\s*{one})?", _duration),)


def money_forms(language: Language, currency: str | None) -> tuple[Form, ...]:
    """An amount with its currency beside it. With a bot's currency only that one: another would not fit."""
    names = one_of(currency_words(language.locale, currency))
    return (
        form(f"{names}\\s?({_AMOUNT})", lambda groups, setting: _money(groups[2], groups[1], setting)),
        form(f"({_AMOUNT})\\s?{names}", lambda groups, setting: _money(groups[1], groups[2], setting)),
    )


@lru_cache(maxsize=64)
def currency_words(locale: str, currency: str | None) -> Mapping[str, str]:
    """Signs, codes and names, casefolded, of the bot's currency, or of the usual ones."""
    known = Locale.parse(locale)
    found: dict[str, str] = {}
    for code in (currency,) if currency is not None else ("EUR", "USD", "GBP", "CHF", "JPY"):
        names = (code, get_currency_symbol(code, known), get_currency_symbol(code, "en"), *_names(code, known))
        for name in names:
            found.setdefault(name.casefold(), code)
    return found


def _names(code: str, locale: Locale) -> tuple[str, ...]:
    return tuple(get_currency_name(code, count=count, locale=locale) for count in (1, 2))


def bare_money(text: str, setting: Setting) -> Money | None:
    """`12.50` as the answer to a question about an amount."""
    currency = setting.shapes.currency
    amount = amount_of(text)
    return None if amount is None or currency is None else Money(amount, currency)


def number_word(text: str, language: Language) -> int | None:
    """`two` as the answer to a question about a number."""
    return language.numbers.get(text.casefold())


def amount_of(text: str) -> Decimal | None:
    """`1,234.50`, `1.234,50` and `1 234,5` alike: a last sign with one or two digits behind it begins the cents."""
    plain = text.replace("'", "").replace(" ", "").replace("\u00a0", "")
    whole, sign, rest = plain.replace(",", ".").rpartition(".")
    digits = whole.replace(".", "")
    number = f"{digits}.{rest}" if sign and len(rest) <= 2 else digits + rest
    if not number or not number.replace(".", "", 1).isdecimal() or not number.isascii() or len(number) > 20:
        return None
    return Decimal(number)


def _number(groups: Groups, setting: Setting) -> Value:
    number = Decimal(groups[0].replace(",", "."))
    return int(number) if number == number.to_integral_value() else number


def _duration(groups: Groups, setting: Setting) -> Value:
    units = setting.language.units
    _, first, first_unit, *more = groups
    seconds = Decimal(first.replace(",", ".")) * units[first_unit.casefold()]
    if more[0]:
        seconds += Decimal(more[0].replace(",", ".")) * units[more[1].casefold()]
    return timedelta(seconds=float(seconds))


def _money(amount: str, name: str, setting: Setting) -> Value:
    found = amount_of(amount)
    code = currency_words(setting.language.locale, setting.shapes.currency)[name.casefold()]
    return None if found is None else Money(found, code)
