"""The edits of diagnostics, applied to a text. Knows no file system."""

from bisect import bisect_left
from collections.abc import Iterable

from flowc.dsl.diagnostic import Edit

__all__ = ["apply_edits"]


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """`text` with `edits` made, whose spans are in it. Of two that overlap or insert at one place the first is made."""
    accepted: list[tuple[int, int, str]] = []
    for edit in edits:
        wanted = (edit.span.start, edit.span.end, edit.replacement)
        at = bisect_left(accepted, wanted[:2], key=lambda each: each[:2])
        before = accepted[at - 1] if at > 0 else None
        after = accepted[at] if at < len(accepted) else None
        if (before is None or _apart(before, wanted)) and (after is None or _apart(wanted, after)):
            accepted.insert(at, wanted)
    return _replaced(text, accepted)


def _apart(left: tuple[int, int, str], right: tuple[int, int, str]) -> bool:
    return left[1] <= right[0] and left[:2] != right[:2]


def _replaced(text: str, accepted: list[tuple[int, int, str]]) -> str:
    pieces: list[str] = []
    done = 0
    for start, end, replacement in accepted:
        pieces += (text[done:start], replacement)
        done = end
    return "".join((*pieces, text[done:]))
