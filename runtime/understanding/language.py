"""What a locale calls things: months, days, units, numbers. Names come from CLDR (babel); what CLDR does not have, such
as "tomorrow" and number words, is here for English and German, and is English in every other language.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import get_date_format, get_day_names, get_month_names
from babel.numbers import get_decimal_symbol
from msgspec import Struct

Order = Literal["dmy", "mdy", "ymd"]


class Language(Struct, frozen=True):
    """`months` and `weekdays` by casefolded name (Monday is 0); `day_words` and `units` by word, in days and seconds;
    a day word without days is none, though a day word stands in it. `order` of a date in digits; `decimal` is the sign
    before the fraction of a number; `region` whose phone numbers need no prefix."""

    locale: str
    months: Mapping[str, int]
    weekdays: Mapping[str, int]
    short_weekdays: Mapping[str, int]
    day_words: Mapping[str, int | None]
    clock_words: Mapping[str, int]
    units: Mapping[str, int]
    numbers: Mapping[str, int]
    articles: tuple[str, ...]
    next_words: tuple[str, ...]
    last_words: tuple[str, ...]
    in_words: tuple[str, ...]
    at_words: tuple[str, ...]
    courtesies: frozenset[str]
    order: Order
    decimal: str
    region: str

    def number(self, said: str) -> int | None:
        """`3` and `three`."""
        return int(said) if said.isascii() and said.isdecimal() else self.numbers.get(said.casefold())


class _Own(Struct, frozen=True):
    months: Mapping[str, int]  # besides those of CLDR
    day_words: Mapping[str, int | None]
    clock_words: Mapping[str, int]
    units: Mapping[str, int]
    numbers: tuple[str, ...]
    articles: tuple[str, ...]
    next_words: tuple[str, ...]
    last_words: tuple[str, ...]
    in_words: tuple[str, ...]
    at_words: tuple[str, ...]
    courtesies: frozenset[str]  # what may follow a yes or a no and leaves it one


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400

_ENGLISH = _Own(
    {"sept": 9},
    {"today": 0, "tonight": 0, "tomorrow": 1, "the day after tomorrow": 2, "yesterday": -1},
    {"noon": 12, "midday": 12, "midnight": 0},
    {
        **dict.fromkeys(("second", "seconds", "secs", "sec", "s"), 1),
        **dict.fromkeys(("minute", "minutes", "mins", "min", "m"), _MINUTE),
        **dict.fromkeys(("hour", "hours", "hrs", "hr", "h"), _HOUR),
        **dict.fromkeys(("day", "days", "d"), _DAY),
        **dict.fromkeys(("week", "weeks"), 7 * _DAY),
    },
    ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    ("a", "an"),
    ("next", "this", "on", "coming"),
    ("last",),
    ("in",),
    ("at", "around", "about"),
    _words("please thanks thank you that thats it its is isnt was wasnt i do dont am im of course indeed"),
)
_GERMAN = _Own(
    {},
    {"heute": 0, "morgen": 1, "übermorgen": 2, "gestern": -1, "guten morgen": None, "heute morgen": 0},
    {"mittag": 12, "mittags": 12, "mitternacht": 0},
    {
        **dict.fromkeys(("sekunde", "sekunden", "sek", "s"), 1),
        **dict.fromkeys(("minute", "minuten", "min"), _MINUTE),
        **dict.fromkeys(("stunde", "stunden", "std", "h"), _HOUR),
        **dict.fromkeys(("tag", "tage", "tagen"), _DAY),
        **dict.fromkeys(("woche", "wochen"), 7 * _DAY),
    },
    ("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"),
    ("einer", "einem"),
    ("nächsten", "nächster", "kommenden", "diesen", "am"),
    ("letzten", "vergangenen"),
    ("in",),
    ("um", "gegen", "ab"),
    _words("bitte danke gern gerne das ist es ich doch natürlich sehr"),
)


@lru_cache(maxsize=64)
def language(locale: str) -> Language:
    """The language of a locale such as `de` or `de-AT`; English where there is none such."""
    known = _known(locale)
    own = _GERMAN if known.language == "de" else _ENGLISH
    return Language(
        str(known),
        {**_months(known), **own.months},
        _weekdays(known, "wide"),
        _weekdays(known, "abbreviated"),
        own.day_words,
        own.clock_words,
        own.units,
        {word: number for number, word in enumerate(own.numbers)},
        own.articles,
        own.next_words,
        own.last_words,
        own.in_words,
        own.at_words,
        own.courtesies,
        _order(known),
        get_decimal_symbol(known),
        known.territory or _likely_territory(known.language),
    )


def _known(locale: str) -> Locale:
    try:
        return Locale.parse(locale.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError):
        return Locale("en")


def _months(locale: Locale) -> dict[str, int]:
    names: dict[str, int] = {}
    for width in ("wide", "abbreviated"):
        for month, name in get_month_names(width, locale=locale).items():
            names.setdefault(name.casefold().rstrip("."), month)
    return names


def _weekdays(locale: Locale, width: Literal["wide", "abbreviated"]) -> dict[str, int]:
    return {name.casefold().rstrip("."): day for day, name in get_day_names(width, locale=locale).items()}


def _order(locale: Locale) -> Order:
    letters = [letter for letter in get_date_format("short", locale=locale).pattern if letter in "dMy"]
    match letters[0]:
        case "M":
            return "mdy"
        case "y":
            return "ymd"
        case _:
            return "dmy"


def _likely_territory(language_: str) -> str:
    likely = get_global("likely_subtags").get(language_, "")
    return likely.rpartition("_")[2] if "_" in likely else ""
