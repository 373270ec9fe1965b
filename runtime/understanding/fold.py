"""Texts for comparing: without case, punctuation and repeated white space, in one Unicode form.

"Where's my ORDER?!" and "wheres my order" are the same. An apostrophe is left out, other punctuation separates words.
"""

import re
import unicodedata
from itertools import islice

from msgspec import Struct

MOST_WORDS = 1_000  # beyond them no message is an example, and no choice is looked for
MOST_LETTERS = 200  # a longer word stands as it is: putting accents in order is quadratic in how many a letter has
# Apostrophes, the soft hyphen, and what chooses between two drawings of one character.
_LEFT_OUT = frozenset("'’‘`´\u00ad\ufe0e\ufe0f")


class _Table(dict[int, int | str | None]):
    """What a character becomes; filled as characters are met, which are few."""

    def __missing__(self, code: int) -> int | str | None:
        character = chr(code)
        kept: int | str | None = code
        if character in _LEFT_OUT:
            kept = None
        elif unicodedata.category(character)[0] in "PZC":
            kept = " "
        self[code] = kept
        return kept


_TABLE = _Table()


# The same for ASCII, as most messages are, in a fifth of the time: bytes, by a table of bytes.
_ASCII_LEFT_OUT = bytes(code for code in range(128) if _TABLE[code] is None)
_ASCII_TABLE = bytes(
    ord(" ") if code < 128 and _TABLE[code] == " " else ord(chr(code).lower()) if code < 128 else code
    for code in range(256)
)


# A run of what separates no words; of a message in ASCII, as most are, they are found in a fifth of the time.
_ASCII_RUN = re.compile(f"[^{re.escape(''.join(chr(code) for code in range(128) if _TABLE[code] == ' '))}]+")


class Word(Struct, frozen=True):
    """A folded word, and where it stands in the message."""

    text: str
    start: int
    end: int


def fold(text: str) -> str:
    """The folded words of a text with a space between them. A text of punctuation alone stays as it is."""
    if text.isascii():
        return b" ".join(text.encode().translate(_ASCII_TABLE, _ASCII_LEFT_OUT).split()).decode() or text.strip()
    folded = text.casefold().translate(_TABLE).split()
    return " ".join(map(_one_form, folded)) or text.strip()


def words(text: str, most: int = MOST_WORDS) -> list[Word]:
    """The folded words of a text with their places, the first `most` of them."""
    if text.isascii():
        runs = islice(_ASCII_RUN.finditer(text), most)
        found = [Word(run[0].lower().translate(_TABLE), run.start(), run.end()) for run in runs]
        return [word for word in found if word.text]
    found = []
    start = None
    for at, character in enumerate(text):
        separates = _TABLE[ord(character)] == " "
        if separates and start is not None:
            found.append(_word(text, start, at))
            start = None
            if len(found) == most:
                break
        elif not separates and start is None:
            start = at
    if start is not None:
        found.append(_word(text, start, len(text)))
    return [word for word in found if word.text]


def _word(text: str, start: int, end: int) -> Word:
    folded = text[start:end].casefold().translate(_TABLE).strip()
    return Word(folded if folded.isascii() else _one_form(folded), start, end)


def _one_form(word: str) -> str:
    return word if len(word) > MOST_LETTERS else unicodedata.normalize("NFC", word)
