"""A text that an RE2 pattern matches: short, and the same each time.

Reads the pattern and writes as it goes: of alternatives the first, of a repetition the fewest, of a class its members
in turn, so that `[A-Z]{2}[0-9]{6}` is `AB123456`. What it wrote is then tried against RE2 itself, which also decides
about anchors and word borders; so a wrong text is never given out, at worst none.
"""

from dataclasses import dataclass

import re2

from flowc.runtime.values import pattern_fits

_PRINTABLE = tuple(map(chr, range(32, 127)))
_DIGITS = tuple("1234567890")
_LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
_CAPITALS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ESCAPED_CLASSES = {
    "d": _DIGITS,
    "w": (*_LETTERS, *_CAPITALS, *_DIGITS, "_"),
    "s": (" ", "\t", "\n"),
    "D": tuple(each for each in _PRINTABLE if not each.isdigit()),
    "W": tuple(each for each in _PRINTABLE if not each.isalnum() and each != "_"),
    "S": tuple(each for each in _PRINTABLE if each != " "),
}
_NAMED_CLASSES = {
    "alnum": (*_LETTERS, *_CAPITALS, *_DIGITS),
    "alpha": (*_LETTERS, *_CAPITALS),
    "digit": _DIGITS,
    "lower": _LETTERS,
    "upper": _CAPITALS,
    "space": (" ",),
    "word": _ESCAPED_CLASSES["w"],
    "xdigit": (*_DIGITS, *"abcdefABCDEF"),
    "punct": tuple(each for each in _PRINTABLE if not each.isalnum() and each != " "),
}
_PROPERTIES = {"L": _LETTERS, "Ll": _LETTERS, "Lu": _CAPITALS, "N": _DIGITS, "Nd": _DIGITS, "Latin": _LETTERS}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_MOST_CHARACTERS = 10_000


def matching(pattern: str) -> str | None:
    """A text that the whole of `pattern` matches; None where none was found."""
    reader = _Reader(pattern)
    try:
        alternatives = reader.alternatives()
        return next((text for text in alternatives if pattern_fits(pattern, text)), None)
    except (IndexError, ValueError, re2.error):
        return None


@dataclass(slots=True)
class _Reader:
    """A place in a pattern. IndexError at an early end, ValueError at what it does not know."""

    pattern: str
    at: int = 0

    def alternatives(self) -> list[str]:
        """What stands up to the end or a `)`: a text for each alternative."""
        texts = [self._sequence()]
        while self._take("|"):
            texts.append(self._sequence())
        return texts

    def _sequence(self) -> str:
        text = ""
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            members = self._atom()
            times = self._repetition()
            if len(text) + times > _MOST_CHARACTERS:
                raise ValueError(self.pattern)
            text += "".join(members[number % len(members)] for number in range(times))
        return text

    def _atom(self) -> tuple[str, ...]:
        """What may stand at one place."""
        match self._next():
            case "(":
                return self._group()
            case "[":
                return self._class()
            case ".":
                return _LETTERS
            case "^" | "$":
                return ("",)
            case "\\":
                return self._escape()
            case character:
                return (character,)

    def _group(self) -> tuple[str, ...]:
        if self._take("?"):
            while self._next() not in ":>)":  # flags, or a name
                pass
            if self.pattern[self.at - 1] == ")":  # flags for what follows
                return ("",)
        text = self.alternatives()[0]
        if self._next() != ")":
            raise ValueError(self.pattern)
        return (text,)

    def _escape(self) -> tuple[str, ...]:
        letter = self._next()
        if letter in _ESCAPED_CLASSES:
            return _ESCAPED_CLASSES[letter]
        if letter in _CONTROLS:
            return (_CONTROLS[letter],)
        if letter in "AzbB":
            return ("",)
        if letter == "x":
            return (chr(int(self._braced() if self._take("{") else self._next() + self._next(), 16)),)
        if letter == "p":
            return _property(self._braced() if self._take("{") else self._next())
        if letter == "Q":
            end = self.pattern.find("\\E", self.at)
            quoted = self.pattern[self.at : end if end >= 0 else None]
            self.at += len(quoted) + 2
            return (quoted,)
        if letter.isalnum():
            raise ValueError(letter)
        return (letter,)

    def _class(self) -> tuple[str, ...]:
        is_negated = self._take("^")
        members: list[str] = []
        first = True
        while first or self.pattern[self.at] != "]":
            first = False
            if self.pattern.startswith("[:", self.at):
                end = self.pattern.index(":]", self.at)
                members += _NAMED_CLASSES.get(self.pattern[self.at + 2 : end], ())
                self.at = end + 2
            else:
                members += self._class_range()
        self.at += 1
        if not is_negated:
            return _in_order(members)
        others = tuple(each for each in (*_LETTERS, *_DIGITS, *_CAPITALS, *_PRINTABLE) if each not in members)
        return others or ("é",)

    def _class_range(self) -> tuple[str, ...]:
        low = self._class_member()
        if len(low) > 1 or not self.pattern.startswith("-", self.at) or self.pattern[self.at + 1] == "]":
            return low
        self.at += 1
        (high,) = self._class_member()
        return tuple(map(chr, range(ord(low[0]), min(ord(high), ord(low[0]) + 200) + 1)))

    def _class_member(self) -> tuple[str, ...]:
        character = self._next()
        return self._escape() if character == "\\" else (character,)

    def _repetition(self) -> int:
        """The fewest times."""
        times = self._times()
        self._take("?")  # lazy or greedy: the same texts
        return times

    def _times(self) -> int:
        if self._take("*") or self._take("?"):
            return 0
        if self._take("+"):
            return 1
        at = self.at
        if self._take("{"):
            low = self._braced().partition(",")[0]
            if low.isdecimal():
                return int(low)
            self.at = at  # a brace that stands for itself
        return 1

    def _braced(self) -> str:
        end = self.pattern.find("}", self.at)
        if end < 0:
            return ""
        inside = self.pattern[self.at : end]
        self.at = end + 1
        return inside

    def _next(self) -> str:
        character = self.pattern[self.at]
        self.at += 1
        return character

    def _take(self, character: str) -> bool:
        if self.pattern.startswith(character, self.at):
            self.at += 1
            return True
        return False


def _property(name: str) -> tuple[str, ...]:
    if name not in _PROPERTIES:
        raise ValueError(name)
    return _PROPERTIES[name]


def _in_order(members: list[str]) -> tuple[str, ...]:
    """Digits begin with 1, so that a number does not begin with 0."""
    return tuple(sorted(dict.fromkeys(members), key=lambda each: (each == "0", not each.isalnum())))
