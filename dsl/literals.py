"""Literals: what the text of a number, duration, rate, date … is worth, and what is wrong with a malformed one.

The lexer asks `malformed` for a report; the builder asks the `…_value` functions, which answer something harmless for
a text that has been reported.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final

import re2

from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity
from flowc.dsl.source import Span

__all__ = [
    "BAD_LITERAL",
    "TOO_LARGE",
    "date_value",
    "datetime_value",
    "duration_ms",
    "integer_value",
    "malformed",
    "malformed_pattern",
    "number_value",
    "out_of_range",
    "rate_value",
    "time_value",
    "too_many_items",
    "unclosed_pattern",
    "version_value",
    "wrong_base",
]

UNIT_MS: Final[Mapping[str, int]] = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
UNIT_WORDS: Final[Mapping[str, str]] = {
    word: unit
    for unit, spellings in {
        "ms": "msec msecs millisecond milliseconds millis",
        "s": "sec secs second seconds",
        "m": "min mins minute minutes",
        "h": "hr hrs hour hours",
        "d": "day days",
    }.items()
    for word in spellings.split()
}
PER_S: Final[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
LARGEST_INTEGER: Final = 2**53 - 1  # what JSON carries exactly
LONGEST_MS: Final = 3_650 * 86_400_000
LONGEST_NUMBER: Final = 30

NUMERAL: Final = re.compile(r"(\d+)(?:\.(\d+))?(ms|s|m|h|d)?")
WRITTEN_OUT: Final = re.compile(r"(\d+)([a-z]+)", re.IGNORECASE)
FRACTION: Final = re.compile(r"(\d+)\.(\d{1,3})(s|m|h|d)")


def duration_ms(text: str) -> int:
    """The milliseconds of `800ms`, `3s`, `10m`, `24h`, `7d`; for a malformed one what was meant, else a second."""
    number, unit = _unit_of(text)
    if number is None or len(number) > 15:
        return 1_000
    return min(int(number) * UNIT_MS[unit], LONGEST_MS)


def rate_value(text: str) -> tuple[int, int]:
    """`200/s` as 200 and the seconds it is per."""
    number, _, unit = text.partition("/")
    return (integer_value(number) if number.isdecimal() else 1, PER_S.get(unit, 1))


def integer_value(text: str) -> int:
    """The value of a row of digits; a larger one than may be written is cut to the largest."""
    digits = text.lstrip("0") or "0"
    return (
        int(digits) if len(digits) <= 16 and digits.isdecimal() and int(digits) <= LARGEST_INTEGER else LARGEST_INTEGER
    )


def number_value(text: str) -> Decimal:
    """The exact decimal value."""
    found = NUMERAL.match(text)
    if found is None or len(text) > LONGEST_NUMBER:
        return Decimal(0)
    return Decimal(f"{found[1]}.{found[2] or '0'}") if found[2] else Decimal(found[1])


def version_value(text: str) -> tuple[int, int, int]:
    """Three numbers; what is missing is 0."""
    parts = [integer_value(part) if part.isdecimal() else 0 for part in text.split(".")]
    major, minor, patch = (*parts, 0, 0, 0)[:3]
    return major, minor, patch


def date_value(text: str) -> date:
    """The day; the first of 2000 for one that does not exist."""
    return _real_date(text) or date(2000, 1, 1)


def time_value(text: str) -> time:
    """The time of day; midnight for one that does not exist."""
    return _real_time(text) or time()


def datetime_value(text: str) -> datetime:
    """The moment, without a zone as written."""
    day, _, clock = text.partition("T")
    return datetime.combine(date_value(day), time_value(clock))


def malformed(kind: str, text: str, span: Span) -> Diagnostic | None:
    """What is wrong with the literal `text` that the lexer took for `kind`; None when nothing is."""
    match kind:
        case "INTEGER":
            return _size(text, span, text.lstrip("0") != "" and _too_large_integer(text))
        case "NUMBER":
            return _size(text, span, len(text) > LONGEST_NUMBER)
        case "VERSION":
            return _size(text, span, any(_too_large_integer(part) for part in text.split(".")))
        case "DURATION":
            number, unit = _unit_of(text)
            return _size(text, span, number is None or len(number) > 15 or int(number) * UNIT_MS[unit] > LONGEST_MS)
        case "RATE":
            return _rate(text, span)
        case "PERCENT":
            return _percent(text, span)
        case "DATE":
            return None if _real_date(text) else _bad_date(text, span)
        case "TIME":
            return (
                None if _real_time(text) else _bad(text, span, "no such time", "write a time from `00:00` to `23:59`")
            )
        case "DATETIME":
            day, _, clock = text.partition("T")
            fine = _real_date(day) and _real_time(clock)
            return None if fine else _bad(text, span, "no such moment", "write it as `2026-11-22T10:00`")
        case _:
            return _bad_numeral(text, span)


def malformed_pattern(pattern: str, span: Span) -> Diagnostic | None:
    """What the linear-time engine has against `pattern`."""
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "it cannot be read"
        words = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        return Diagnostic(
            BAD_LITERAL,
            f"`/{_short(pattern)}/` is not a pattern: {words}",
            (Label(span, "this pattern"),),
            help="patterns match in linear time: no back references, no look-around; write `\\/` for a slash",
        )
    return None


def unclosed_pattern(span: Span) -> Diagnostic:
    """A `/` whose other one is not on its line."""
    return Diagnostic(
        BAD_LITERAL,
        "a pattern is never closed",
        (Label(span, "opened here"),),
        help="write `/` at its end, and `\\/` for a slash inside",
    )


def wrong_base(base: str, wanted: tuple[str, ...], word: str, span: Span) -> Diagnostic:
    """`matching` or `in` after a type that has none."""
    owners = " and ".join(f"`{each}`" for each in wanted)
    edits = (Edit(span, wanted[0]),) if len(wanted) == 1 else ()
    return Diagnostic(
        BAD_LITERAL,
        f"`{_short(base)}` has no `{word}`",
        (Label(span, "this type"),),
        help=f"only {owners} {'has' if len(wanted) == 1 else 'have'} `{word}`",
        edits=edits,
    )


def out_of_range(text: str, span: Span, wanted: str) -> Diagnostic:
    """A well-formed literal with a value that makes no sense where it stands."""
    return _bad(text, span, "out of range", f"write {wanted}")


def too_many_items(count: int, most: int, span: Span) -> Diagnostic:
    """A list literal over its bound; `span` is its first item too many."""
    return Diagnostic(
        TOO_LARGE,
        f"a list has {count:,} items, more than {most:,}",
        (Label(span, f"item {most + 1:,}"),),
        help="let a service answer so long a list",
    )


# --------------------------------------------------------------------------------------------------------- what is real


def _unit_of(text: str) -> tuple[str | None, str]:
    if fraction := FRACTION.fullmatch(text):
        ms = Decimal(f"{fraction[1]}.{fraction[2]}") * UNIT_MS[fraction[3]]
        return (str(int(ms)), "ms") if len(fraction[1]) < 10 else (None, "s")
    found = WRITTEN_OUT.fullmatch(text)
    if found is None:
        return (text if text.isdecimal() else None), "s"
    unit = found[2].lower()
    known = unit if unit in UNIT_MS else UNIT_WORDS.get(unit)
    return (found[1], known) if known else (None, "s")


def _real_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _real_time(text: str) -> time | None:
    try:
        return time.fromisoformat(text)
    except ValueError:
        return None


def _too_large_integer(digits: str) -> bool:
    bare = digits.lstrip("0")
    return len(bare) > 16 or (bare != "" and int(bare) > LARGEST_INTEGER)


# ------------------------------------------------------------------------------------------------------------- reports


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…"


def _bad(text: str, span: Span, label: str, advice: str, *edits: Edit) -> Diagnostic:
    return Diagnostic(BAD_LITERAL, f"`{_short(text)}` is {label}", (Label(span, label),), help=advice, edits=edits)


def _size(text: str, span: Span, too_large: bool) -> Diagnostic | None:
    if not too_large:
        return None
    return Diagnostic(
        TOO_LARGE,
        f"`{_short(text)}` is larger than a literal may be",
        (Label(span, "too large"),),
        help=f"integers end at {LARGEST_INTEGER:,}, durations at 3650d, numbers after {LONGEST_NUMBER} characters",
    )


def _rate(text: str, span: Span) -> Diagnostic | None:
    number = text.partition("/")[0]
    if _too_large_integer(number):
        return _size(text, span, True)
    return _bad(text, span, "a rate of nothing", "a rate is at least 1") if int(number) == 0 else None


def _percent(text: str, span: Span) -> Diagnostic | None:
    number = text.removesuffix("%")
    if len(number) < 10 and 1 <= int(number) <= 100:
        return None
    return _bad(text, span, "no percentage from 1% to 100%", "write a number from 1 to 100 before the `%`")


def _bad_date(text: str, span: Span) -> Diagnostic:
    year, month, day = (int(part) for part in text.split("-"))
    padded = f"{year:04}-{month:02}-{day:02}"
    if _real_date(padded):
        return _bad(text, span, "not how a date is written", f"write `{padded}`", Edit(span, padded))
    return _bad(text, span, "no such day", "write a date as year, month, day: `2026-11-22`")


def _bad_numeral(text: str, span: Span) -> Diagnostic:
    number, unit = _unit_of(text)
    if number is not None and len(number) <= 15 and not text.isdecimal():
        fixed = number + unit
        return _bad(text, span, "not how a duration is written", f"write `{fixed}`", Edit(span, fixed))
    if text[-1:].isalpha():
        return _bad(text, span, "not a number or a duration", "units of time are `ms`, `s`, `m`, `h` and `d`")
    return _bad(text, span, "not a number, a version or a duration", "write `3`, `2.5`, `2.1.0`, `10s` or `50%`")


BAD_LITERAL: Final = Code("FLW109", "bad-literal", Severity.ERROR)
TOO_LARGE: Final = Code("FLW113", "too-large", Severity.ERROR)
