"""Random edits of a text, the same for the same seed: what a slip of the hand or of an editor makes of a file."""

import random
import re
from collections.abc import Sequence

SIGNS = "()[]{}\"'#:,.=|?<>+-*/\\ \n\t\r\u00a0\u200b\u201c\u201d\u2192\u00e9\u0430%&;1aA\x00"
PIECES = ("{{", "}}", "{%", "%}", '"""', "{% if x %}", "->", "else", "on ", "not ", "set", "\n\n", "  ")
WORD = re.compile(r"\w+|[^\w\s]+")


def how_many(choose: random.Random) -> int:
    """From the one slip that a checker has to name exactly to a file that is hardly one any more."""
    return choose.choice((1, 1, 2, 3, 5, 8, 13, 21))


def mutate(text: str, choose: random.Random, others: Sequence[str] = (), *, edits: int | None = None) -> str:
    """`text` after so many edits, 1 to 21 if not said; `others` are texts that pieces may come from."""
    for _ in range(edits or how_many(choose)):
        text = edit(text, choose, others)
    return text


def edit(text: str, choose: random.Random, others: Sequence[str]) -> str:
    at = choose.randrange(len(text) + 1)
    end = min(len(text), at + choose.choice((1, 1, 2, 5, 30, 200)))
    lines = text.split("\n")
    here, there = choose.randrange(len(lines)), choose.randrange(len(lines))
    match choose.randrange(12):
        case 0:
            return text[:at] + text[end:]
        case 1:
            return text[:at] + choose.choice(SIGNS) + text[at:]
        case 2:
            return text[:end] + text[at:]
        case 3:
            lines[here], lines[there] = lines[there], lines[here]
        case 4:
            lines[here] = " " * choose.randrange(8) + lines[here].lstrip()
        case 5:
            del lines[here]
        case 6:
            return with_other_word(text, choose)
        case 7:
            return text[:at] + choose.choice(PIECES) + text[at:]
        case 8:
            lines.insert(there, lines[here])
        case 9:
            lines[here:here] = lines[there : there + choose.choice((2, 5, 12))]
        case 10:
            return with_slip(text, choose)
        case _:
            other = choose.choice(others) if others else text
            begin = choose.randrange(len(other) + 1)
            return text[:at] + other[begin : begin + choose.choice((5, 40, 300))] + text[at:]
    return "\n".join(lines)


def with_other_word(text: str, choose: random.Random) -> str:
    words = list(WORD.finditer(text))
    if not words:
        return text
    one, other = choose.choice(words), choose.choice(words)
    return text[: one.start()] + other[0] + text[one.end() :]


def with_slip(text: str, choose: random.Random) -> str:
    """`text` with two letters of a word exchanged, or without one."""
    words = [word for word in WORD.finditer(text) if len(word[0]) > 1]
    if not words:
        return text
    word = choose.choice(words)
    at = word.start() + choose.randrange(len(word[0]) - 1)
    return text[:at] + choose.choice((text[at + 1] + text[at], text[at])) + text[at + 2 :]
