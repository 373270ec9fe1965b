"""Which neighbours on a line have a space between them. Knows tokens only, and no tree.

Almost all have one. What has none: the inside of brackets, a name and its arguments, a minus sign and its number, and
what stands around `.` and `..` or before `,`, `:` and `?`. A word before `(` is a keyword or the name of what takes the
arguments; the place in the line tells, as it does for the parser.
"""

from collections.abc import Sequence
from typing import Final

from flowc.dsl.tokens import ALWAYS_RESERVED, Token

__all__ = ["spaced"]

GLUED_AFTER: Final = frozenset({"(", "[", "{", ".", ".."})
GLUED_BEFORE: Final = frozenset({")", "]", "}", ",", ":", ".", "..", "?"})
OPERATORS: Final = frozenset({"(", "[", "{", ",", ":", "=", "->", "|", "..", "==", "!=", "<", "<=", ">", ">="})
SIGNS: Final = frozenset({"+", "-", "*", "/"})
BEFORE_VALUES: Final = frozenset({"when", "as", "from"})  # keywords that an expression or a bracket follows
NAMING: Final = frozenset({"read", "write", "event", "do", "given", "fails"})  # first words that a name follows


def spaced(line: Sequence[Token], at: int) -> bool:
    """Whether a space stands before the token `at` of a logical line, whose first token has none before it."""
    before, text = line[at - 1].text, line[at].text
    if text in GLUED_BEFORE or before in GLUED_AFTER:
        return False
    if text == "(":
        return not _takes_arguments(line, at - 1)
    if line[0].text == "locale":
        return text != "-" and before != "-"
    return not (before == "-" and is_sign(line, at - 1))


def _takes_arguments(line: Sequence[Token], at: int) -> bool:
    """Whether the token `at`, before a `(`, is the name of what the arguments are for."""
    word = line[at].text
    if not word.isidentifier():
        return False
    if at >= 1 and line[at - 1].text == ".":
        return True
    return not _is_keyword(line, at)


def _is_keyword(line: Sequence[Token], at: int) -> bool:
    """Whether the word `at` is a keyword or the first word of its line, so that a value may follow it."""
    word = line[at].text
    if at == 0 or word in ALWAYS_RESERVED:
        return True
    if word not in BEFORE_VALUES or line[at - 1].text in {".", "="}:
        return False
    return not (at == 1 and line[0].text in NAMING)


def is_sign(line: Sequence[Token], at: int) -> bool:
    """Whether the `-` at `at` is the sign of what follows rather than a subtraction."""
    if at == 0:
        return True
    before = line[at - 1].text
    if before in OPERATORS or before in SIGNS:
        return True
    is_value = before in {"none", "true", "false"} or (at >= 2 and line[at - 2].text == ".")
    return before.isidentifier() and not is_value and _is_keyword(line, at - 1)
