"""The examples of an intent: words, and the places where the value of a slot stands."""

import re
from typing import Final

from flowc.dsl.diagnostic import Diagnostic, Label
from flowc.dsl.literals import BAD_LITERAL
from flowc.dsl.nodes import Example, ExampleSlot, Name, Text
from flowc.dsl.source import Span
from flowc.dsl.texts import Report
from flowc.dsl.tokens import Token

__all__ = ["read_example"]

PLACE: Final = re.compile(r"\{\s*([a-z_][a-z0-9_]*)\s*(?::([^{}]*))?\}")


def read_example(text: Text, token: Token, report: Report) -> Example:
    """The parts of the example `token`, whose characters with escapes resolved are those of `text`."""
    written = token.text
    if "{" not in written and "}" not in written:
        plain = text.plain
        return Example((plain,) if plain else (), token.span)
    return Example(tuple(parts(text.plain or "", token, report)), token.span)


def parts(characters: str, token: Token, report: Report) -> list["str | ExampleSlot"]:
    found: list[str | ExampleSlot] = []
    at = 0
    placed = list(PLACE.finditer(token.text))
    for place, there in zip(PLACE.finditer(characters), placed, strict=False):
        if place.start() > at:
            found.append(characters[at : place.start()])
        found.append(slot_at(place, there, token.span))
        at = place.end()
    if characters[at:]:
        found.append(characters[at:])
    for part in found:
        if isinstance(part, str) and ("{" in part or "}" in part):
            sign = "{" if "{" in part else "}"
            where = token.text.find(sign) if not placed else stray(token.text, sign)
            span = Span(token.span.path, token.span.start + where, token.span.start + where + 1)
            report(bad_place(sign, span))
            break
    return found


def slot_at(place: re.Match[str], there: re.Match[str], span: Span) -> ExampleSlot:
    """The slot that `place` names; `there` is the same place in the text as written."""
    start = span.start
    name = Name(place[1], Span(span.path, start + there.start(1), start + there.end(1)))
    value = place[2].strip() if place[2] is not None else None
    return ExampleSlot(name, value, Span(span.path, start + there.start(), start + there.end()))


def stray(written: str, sign: str) -> int:
    """Where `sign` stands outside the places of slots."""
    covered = [place.span() for place in PLACE.finditer(written)]
    at = written.find(sign)
    while any(start <= at < end for start, end in covered):
        at = written.find(sign, at + 1)
    return max(at, 0)


def bad_place(sign: str, span: Span) -> Diagnostic:
    return Diagnostic(
        BAD_LITERAL,
        f"`{sign}` stands alone in an example",
        (Label(span, "no slot"),),
        help="write `{slot}`, or `{slot: value}`; a slot is a name in a to z, digits and `_`",
    )
