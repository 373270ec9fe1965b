"""Forms in which values are written: a pattern to find one in a message, and what it means.

All patterns are RE2's, so a message costs time in proportion to its length whatever it says. The patterns of all forms
of a flow stand in one set, which says in a microsecond that a short message has none of them.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

import re2
from msgspec import Struct

from flowc.runtime.understanding.language import Language
from flowc.runtime.values import Shapes, Value

# Nothing that could go on as a word: the borders of a value inside a message.
BEFORE = r"(?:^|[^\pL\pN_])"
AFTER = r"(?:$|[^\pL\pN_])"
_ASCII_BEFORE, _ASCII_AFTER = "(?:^|[^0-9A-Za-z_])", "(?:$|[^0-9A-Za-z_])"


class Setting(Struct, frozen=True):
    """What the meaning of a form depends on: now, in the user's zone, and what their language calls things."""

    now: datetime
    zone: ZoneInfo
    language: Language
    shapes: Shapes

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()


Groups = tuple[str, ...]
Read = Callable[[Groups, Setting], Value]


class Form(Struct, frozen=True):
    """`pattern` has the whole value in its first group. `read` gets all groups, "" for those that took no part, the
    first one included; it answers None when they mean nothing. `hint` is what every value has in it, and is
    small: letters of all scripts, many times in one set, would be more than RE2 takes."""

    pattern: str
    hint: str
    read: Read


def form(value: str, read: Read, *, before: str = BEFORE, after: str = AFTER, hint: str | None = None) -> Form:
    """A form between word borders, in any case of letters."""
    return Form(f"(?i){before}({value}){after}", hint or _hint(value, before, after), read)


def _hint(value: str, before: str, after: str) -> str:
    """Borders of ASCII alone are wider than ours, and small."""
    return f"(?i){_ASCII_BEFORE if before == BEFORE else ''}(?:{value}){_ASCII_AFTER if after == AFTER else ''}"


def one_of(words: Iterable[str]) -> str:
    """A group of words for a pattern; the longest first, because the first that fits is taken."""
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return "(" + "|".join(re2.escape(word) for word in longest_first) + ")"
