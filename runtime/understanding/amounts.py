"""Numbers, durations and money as people write them."""

import re
from collections.abc import Iterator, Mapping
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
_GROUPED = r"[0-9]{1,3}(?:[.,' \x{a0}][0-9]{3}){1,4}"
_AMOUNT = _GROUPED + r"(?:[.,][0-9]{1,2})?|[0-9]{1,15}(?:[.,][0-9]{1,2})?"
_NUMBER = r"[+-]?(?:[0-9]{1,3}(?:[.,'][0-9]{3}){1,4}(?:[.,][0-9]{1,12})?|[0-9]{1,15}(?:[.,][0-9]{1,12})?)"


def number_forms() -> tuple[Form, ...]:
    return (form(_NUMBER, _number, before=_ALONE_BEFORE, after=_ALONE_AFTER),)


def duration_forms(language: Language) -> tuple[Form, ...]:
    """`90 minutes`, `two hours`, `1 day, 2 h and 30 min`."""
    count = r"[0-9]{1,6}(?:[.,][0-9]{1,3})?"
    one = f"(?:({count})\\s*|{one_of(language.numbers)}\\s+){one_of(language.units)}"
    return (form(one + f"(?:\\.?\\s*(?:and\\s|und\\s|,)?\\s*{one})?" * 2, _duration),)


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


def _names(code: str, locale: Locale) -> Iterator[str]:
    """`US dollars`, and `dollars` as people say."""
    for count in (1, 2):
        name = get_currency_name(code, count=count, locale=locale)
        yield name
        yield re.split("[ -]", name)[-1]


def bare_money(text: str, setting: Setting) -> Money | None:
    """`12.50` as the answer to a question about an amount."""
    currency = setting.shapes.currency
    amount = amount_of(text)
    return None if amount is None or currency is None else Money(amount, currency)


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
    number = number_of(groups[0], setting.language.decimal)
    return int(number) if number == number.to_integral_value() else number


def number_of(text: str, decimal: str) -> Decimal:
    """A number as `_NUMBER` has it. One sign with three digits behind it is read as the locale does; elsewhere it can
    mean one thing only."""
    signs = [each for each in text if each in ".,'"]
    whole, sign, fraction = text.rpartition(signs[-1]) if signs else (text, "", "")
    is_grouping = sign == "'" or (len(signs) > 1 and len(set(signs)) == 1)
    if sign and (is_grouping or (len(signs) == 1 and len(fraction) == 3 and sign != decimal)):
        whole, fraction = whole + fraction, ""
    return Decimal("".join(each for each in whole if each not in ".,'") + ("." + fraction if fraction else ""))


def _duration(groups: Groups, setting: Setting) -> Value:
    language, seconds = setting.language, Decimal(0)
    for digits, word, unit in zip(groups[1::3], groups[2::3], groups[3::3], strict=True):
        if unit:
            count = Decimal(digits.replace(",", ".")) if digits else language.numbers[word.casefold()]
            seconds += count * language.units[unit.casefold()]
    return timedelta(seconds=float(seconds))


def _money(amount: str, name: str, setting: Setting) -> Value:
    found = amount_of(amount)
    code = currency_words(setting.language.locale, setting.shapes.currency)[name.casefold()]
    return None if found is None else Money(found, code)
