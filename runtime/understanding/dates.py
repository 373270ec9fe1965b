"""Dates, times and moments as people write them.

A date without a year is the next one to come, and so is a weekday. `3/4` is read in the order of the user's locale,
unless one of the numbers can only be a day.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from flowc.runtime.understanding.forms import Form, Groups, Setting, form, one_of
from flowc.runtime.understanding.language import Language
from flowc.runtime.values import Value

_DAY_NUMBER = r"([0-9]{1,2})(?:st|nd|rd|th|\.)?"
_OF = r"\s+(?:of\s+)?"
_YEAR = r"(?:,?\s+([0-9]{4}))?"
MOST_LETTERS_OF_AN_HOUR = 10
_HALF = r"\s*(a\.?m\.?|p\.?m\.?)"
_HOUR = r"([01]?[0-9]|2[0-3])(?:[:.]([0-5][0-9])|\s?h([0-5][0-9])?)?"
_NO_COLON = r"(?:$|[^\pL\pN_:.]|[:.](?:$|[^\pL\pN_]))"
_RFC_3339 = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:Z|[+-][0-9]{2}:[0-9]{2})?"


def date_forms(language: Language) -> tuple[Form, ...]:
    """The forms of a date."""
    month = one_of(language.months)
    weekday, day_word, in_word = one_of(language.weekdays), one_of(language.day_words), one_of(language.in_words)
    next_word, last_word = one_of(language.next_words), one_of(language.last_words)
    units = one_of(word for word, seconds in language.units.items() if seconds % 86_400 == 0 and len(word) > 1)
    count = f"([0-9]{{1,3}}|{one_of((*language.numbers, *language.articles))})"
    return (
        form(r"([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})", _of_numbers("ymd"), after=r"(?:$|[^\pL\pN_:/-])"),
        form(r"([0-9]{1,2})-([0-9]{1,2})-([0-9]{4})", _of_numbers(None), after=r"(?:$|[^\pL\pN_-])"),
        form(r"([0-9]{1,2})\.\s?([0-9]{1,2})\.(?:\s?([0-9]{4}|[0-9]{2}))?", _of_numbers("dmy"), after=r"(?:$|[^\pN])"),
        form(r"([0-9]{1,2})/([0-9]{1,2})(?:/([0-9]{4}|[0-9]{2}))?", _of_numbers(None), after=r"(?:$|[^\pL\pN_/])"),
        form(f"{_DAY_NUMBER}{_OF}{month}\\.?{_YEAR}", _day_first),
        form(f"{month}\\.?\\s+(?:the\\s+)?{_DAY_NUMBER}{_YEAR}", _month_first),
        form(f"(?:(?:{next_word}|{last_word})\\s+)?{weekday}", _weekday),
        form(f"(?:{next_word}|{last_word})\\s+{one_of(language.short_weekdays)}", _weekday),
        form(day_word, _day_word),
        form(f"{in_word}\\s+{count}\\s+{units}", _in_days),
    )


def time_forms(language: Language) -> tuple[Form, ...]:
    """The forms of a time of day. `9` and `9.30` are one behind `at` and before `Uhr`: elsewhere they are numbers."""
    return (
        form(f"{one_of(language.at_words[:1])}\\s+{_HOUR}(?:{_HALF})?", _at, after=_NO_COLON),
        form(r"(1[0-2]|0?[1-9])()()()\s*o['’]?\s?clock", _clock),
        form(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?(?:" + _HALF + ")?", _clock, after=_NO_COLON),
        form(r"(1[0-2]|0?[1-9])()()" + _HALF, _clock),
        form(r"([01]?[0-9]|2[0-3])(?:[.:]([0-5][0-9]))?()()\s*uhr", _clock),
        form(one_of(language.clock_words), _clock_word),
    )


def moment_forms() -> tuple[Form, ...]:
    """The forms of a moment that are one: others are a date and a time beside each other (`moment`)."""
    return (form(_RFC_3339, _rfc_3339),)


def moment(day: date, clock: time, setting: Setting) -> datetime | None:
    """A date and a time in the user's zone."""
    return _in_zone(datetime.combine(day, clock, setting.zone), UTC)


def _in_zone(moment: datetime, zone: tzinfo) -> datetime | None:
    """None where that would be before the year 1 or after 9999."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return None


def bare_hour(text: str, language: Language) -> time | None:
    """`9`, `at 9` and `at nine` as the answer to a question about a time."""
    first, _, rest = text.casefold().partition(" ")
    hour = rest.strip() if first in language.at_words else text
    number = language.number(hour) if len(hour) <= MOST_LETTERS_OF_AN_HOUR else None
    return time(number) if number is not None and number < 24 else None


def bare_day(text: str, setting: Setting) -> date | None:
    """`24.12` and `fri` as the answer to a question about a date: elsewhere it is a number, and `sat` a word."""
    if (weekday := setting.language.short_weekdays.get(text.casefold())) is not None:
        return _next(weekday, setting)
    match = re.fullmatch(r"([0-9]{1,2})\.([0-9]{1,2})", text)
    return None if match is None else _date(int(match[1]), int(match[2]), "", setting)


def _of_numbers(order: str | None) -> Callable[[Groups, Setting], Value]:
    def read(groups: Groups, setting: Setting) -> Value:
        letters = order or setting.language.order
        if letters == "ymd" and order is None:  # `12/24` where years come first
            letters = "mdy"
        parts = dict(zip(letters, groups[1:4], strict=True))
        day, month, year = int(parts["d"]), int(parts["m"]), parts["y"]
        if month > 12 and order is None:
            day, month = month, day
        return _date(day, month, year, setting)

    return read


def _day_first(groups: Groups, setting: Setting) -> Value:
    _, day, month, year = groups
    return _date(int(day), setting.language.months[month.casefold()], year, setting)


def _month_first(groups: Groups, setting: Setting) -> Value:
    _, month, day, year = groups
    return _date(int(day), setting.language.months[month.casefold()], year, setting)


def _date(day: int, month: int, year: str, setting: Setting) -> date | None:
    today = setting.today
    if year:
        return _real(int(year) if len(year) == 4 else today.year // 100 * 100 + int(year), month, day)
    # The 29th of February may be up to eight years away.
    years = range(today.year, today.year + 9)
    return next((found for each in years if (found := _real(each, month, day)) is not None and found >= today), None)


def _real(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _weekday(groups: Groups, setting: Setting) -> Value:
    _, _, last_word, name = groups
    language = setting.language
    weekday = language.weekdays.get(name.casefold(), language.short_weekdays.get(name.casefold(), 0))
    day = _next(weekday, setting)
    # The last one is not today either.
    return day - timedelta(days=14 if day == setting.today + timedelta(days=7) else 7) if last_word else day


def _next(weekday: int, setting: Setting) -> date:
    """The next such day, which is not today."""
    today = setting.today
    return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)


def _day_word(groups: Groups, setting: Setting) -> Value:
    days = setting.language.day_words[groups[1].casefold()]
    return None if days is None else setting.today + timedelta(days=days)


def _in_days(groups: Groups, setting: Setting) -> Value:
    _, _, said, _, unit = groups
    language = setting.language
    count = 1 if said.casefold() in language.articles else language.number(said)
    return None if count is None else setting.today + timedelta(seconds=count * language.units[unit.casefold()])


def _clock(groups: Groups, setting: Setting) -> Value:
    _, hour, minute, second, half, *_ = (*groups, "", "")
    hours = int(hour)
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half[0] in "pP" else 0)
    return time(hours, int(minute or 0), int(second or 0))


def _at(groups: Groups, setting: Setting) -> Value:
    _, _, hour, minute, minute_h, half = groups
    return _clock(("", hour, minute or minute_h, "", half), setting)


def _clock_word(groups: Groups, setting: Setting) -> Value:
    return time(setting.language.clock_words[groups[1].casefold()])


def _rfc_3339(groups: Groups, setting: Setting) -> Value:
    try:
        found = datetime.fromisoformat(groups[0].upper())
    except ValueError:
        return None
    return _in_zone(found if found.tzinfo is not None else found.replace(tzinfo=setting.zone), UTC)


_LONGEST_FOR_LIBRARY = 40


def by_library(kind: str, text: str, setting: Setting) -> Value:
    """What dateparser makes of an answer that no form reads, where it is installed: many more languages and ways to say
    it, for a millisecond or more. `kind` is the type asked for; what the text leaves out is not made up."""
    if len(text) > _LONGEST_FOR_LIBRARY or not any(each.isalpha() for each in text):
        return None
    try:
        from dateparser.date import DateDataParser
    except ImportError:
        return None
    try:
        parser = DateDataParser(
            languages=[setting.language.locale.partition("_")[0]],
            settings={
                "RELATIVE_BASE": setting.now.astimezone(setting.zone).replace(tzinfo=None),
                "PREFER_DATES_FROM": "future",
                "REQUIRE_PARTS": [] if kind == "time" else ["day", "month"],
                "RETURN_TIME_AS_PERIOD": True,
            },
        )
        read = parser.get_date_data(text)
    except (ValueError, OverflowError):  # a language it does not know, or a date that is none
        return None
    found = read.date_obj
    if found is None or read.period not in (("day", "time") if kind == "date" else ("time",)):
        return None
    local = found.replace(tzinfo=setting.zone) if found.tzinfo is None else _in_zone(found, setting.zone)
    return None if local is None else _part(kind, local.replace(microsecond=0))


def _part(kind: str, found: datetime) -> date | time | None:
    match kind:
        case "date":
            return found.date()
        case "time":
            return found.time()
        case _:
            return _in_zone(found, UTC)
