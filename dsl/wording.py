"""What the terminals of the grammar are called to an author, and how a list of them is said."""

from collections.abc import Mapping
from typing import Final

from flowc.dsl import tokens as words
from flowc.dsl.lexemes import SIGNS
from flowc.dsl.machine import END
from flowc.dsl.mistakes import either
from flowc.dsl.tokens import Token

__all__ = ["WORDS", "expected", "found"]

WORDS: Final[Mapping[str, str]] = (
    {word.upper(): f"`{word}`" for word in words.KEYWORDS}
    | {kind: f"`{sign}`" for sign, kind in SIGNS.items()}
    | {
        "_NEWLINE": "the end of the line",
        "_INDENT": "a deeper line",
        "_DEDENT": "the end of the block",
        "NAME": "a name",
        "MIXED_NAME": "a name",
        "TYPE_NAME": "a type",
        "METHOD": "a method such as `GET`",
        "TEXT": "a text in quotes",
        "PATTERN": "a pattern such as `/[A-Z]+/`",
        "INTEGER": "a whole number",
        "NUMBER": "a number",
        "DURATION": "a duration such as `10s`",
        "PERCENT": "a percentage such as `50%`",
        "RATE": "a rate such as `200/s`",
        "VERSION": "a version such as `1.0.0`",
        "DATE": "a date",
        "TIME": "a time",
        "DATETIME": "a moment such as `2026-11-22T10:00`",
    }
)

VALUES: Final = words.words("LPAR LSQB LBRACE NAME TRUE FALSE NONE DURATION DATE TIME TEXT INTEGER NUMBER")
PREFIXES: Final = words.words("MINUS NOT")
OPERATORS: Final = words.words("OR AND IN IS EQUAL UNEQUAL LESS ATMOST MORE ATLEAST PLUS MINUS STAR SLASH DOT NOT LPAR")
STATEMENTS: Final = frozenset(word.upper() for word in words.STATEMENTS) | {"ARROW"}
DECLARATIONS: Final = frozenset(word.upper() for word in words.DECLARATIONS)
TYPES: Final = words.words("PII SECRET LIST NAME TYPE_NAME TEXT")
GROUPS: Final = (
    (DECLARATIONS, "a declaration such as `state`"),
    (STATEMENTS, "a statement such as `say`"),
    (TYPES, "a type"),
    (VALUES, "a value"),
)
NEVER_SAID: Final = frozenset(("ERROR", "_INDENT", "_DEDENT", "MIXED_NAME"))
MOST: Final = 3
# What is likeliest meant comes first.
LIKELIEST: Final = (
    "NAME", "TYPE_NAME", "TEXT", "DURATION", "VERSION", "RATE", "PERCENT", "INTEGER", "COLON", "ASSIGN", "DOT", "LPAR",
    "ARROW", "_NEWLINE", END, "COMMA",
)  # fmt: skip
RANK: Final = {kind: index for index, kind in enumerate(LIKELIEST)}


def expected(accepts: frozenset[str], end: str = "the end of the file") -> str:
    """At most three of what could stand there: groups by their name, then what is likeliest meant."""
    left = accepts - NEVER_SAID
    said: list[str] = []
    for group, name in GROUPS:
        if group <= left:
            left -= group | (PREFIXES if group is VALUES else frozenset())
            said.append(name)
    if left - OPERATORS or said:
        left -= OPERATORS
    if said:
        left -= {END, "PRIORITY"}  # the rarer ones
    for kind in sorted(left, key=lambda kind: (RANK.get(kind, len(RANK)), kind)):
        word = end if kind == END else WORDS[kind]
        if word not in said:
            said.append(word)
    return either(said[:MOST]) if said else "something else"


def found(token: Token) -> str:
    """How a token that does not fit is called."""
    match token.type:
        case "_NEWLINE" | "_INDENT" | "_DEDENT":
            return WORDS[token.type]
        case "TEXT":
            return "a text"
        case _:
            return f"`{token.text}`" if len(token.text) <= 40 else f"`{token.text[:37]}…`"
