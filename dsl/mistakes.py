"""Reports that reading the grammar, building the tree and looking at it share. Wording only."""

from collections.abc import Iterable, Sequence
from typing import Final

from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity
from flowc.dsl.nodes import Name
from flowc.dsl.source import Span

__all__ = ["duplicate", "either", "misplaced", "missing", "nearest", "reserved", "unknown_choice"]


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that `word` is a slip of the pen of, if one is near enough: one edit for every three letters."""
    from rapidfuzz import process  # loaded where there is a mistake
    from rapidfuzz.distance import OSA

    allowed = max(1, len(word) // 3)
    found = process.extractOne(word, sorted(candidates), scorer=OSA.distance, score_cutoff=allowed)
    return found[0] if found else None


def either(words: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def duplicate(word: str, again: Span, first: Span) -> Diagnostic:
    return Diagnostic(
        DUPLICATE_PROPERTY,
        f"`{word}` is given twice",
        (Label(again, "given again"), Label(first, "first one here", secondary=True)),
        help="keep one of them",
    )


def misplaced(what: str, span: Span, belongs: str) -> Diagnostic:
    subject = what if " " in what else f"`{what}`"
    return Diagnostic(MISPLACED, f"{subject} cannot stand here", (Label(span, "not here"),), help=belongs)


def missing(message: str, span: Span, label: str, advice: str) -> Diagnostic:
    return Diagnostic(MISSING_PROPERTY, message, (Label(span, label),), help=advice)


def reserved(name: Name, what: str) -> Diagnostic:
    return Diagnostic(
        RESERVED_NAME,
        f"`{name.text}` is a reserved word",
        (Label(name.span, f"cannot name {what}"),),
        help="choose another name",
    )


def unknown_choice(what: str, word: str, choices: Sequence[str], span: Span) -> Diagnostic:
    near = nearest(word, choices)
    return Diagnostic(
        UNEXPECTED,
        f"`{word}` is not {what}",
        (Label(span, f"expected {either([f'`{choice}`' for choice in choices])}"),),
        help=f"did you mean `{near}`?" if near else None,
        edits=(Edit(span, near),) if near else (),
    )


UNEXPECTED: Final = Code("FLW104", "unexpected-token", Severity.ERROR)
UNKNOWN_STATEMENT: Final = Code("FLW105", "unknown-statement", Severity.ERROR)
MISPLACED: Final = Code("FLW106", "misplaced-statement", Severity.ERROR)
DUPLICATE_PROPERTY: Final = Code("FLW111", "duplicate-property", Severity.ERROR)
MISSING_PROPERTY: Final = Code("FLW112", "missing-property", Severity.ERROR)
RESERVED_NAME: Final = Code("FLW211", "reserved-name", Severity.ERROR)
