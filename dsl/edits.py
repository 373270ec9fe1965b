"""The edits of diagnostics, applied to a text. Knows no file system."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping

from flowc.dsl.diagnostic import Edit

__all__ = ["apply_edits", "apply_groups"]

Accepted = list[tuple[int, int, str]]


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """`text` with `edits` made, whose spans are in it. Of two that overlap or insert at one place the first is made."""
    accepted: Accepted = []
    for edit in edits:
        _accept(accepted, edit)
    return _replaced(text, accepted)


def apply_groups(texts: Mapping[str, str], groups: Iterable[tuple[Edit, ...]]) -> dict[str, str]:
    """The texts that change, by path. Each group is made as a whole or, where one before is in its way, not at all; so
    is one with an edit in a text that is not there."""
    accepted: dict[str, Accepted] = {}
    for group in groups:
        if any(edit.span.path not in texts for edit in group):
            continue
        trial = {edit.span.path: list(accepted.get(edit.span.path, ())) for edit in group}
        if all(_accept(trial[edit.span.path], edit) for edit in group):
            accepted.update(trial)
    changed = {path: _replaced(texts[path], edits) for path, edits in accepted.items()}
    return {path: text for path, text in changed.items() if text != texts[path]}


def _accept(accepted: Accepted, edit: Edit) -> bool:
    """Puts `edit` in its place, unless another is in the way."""
    wanted = (edit.span.start, edit.span.end, edit.replacement)
    at = bisect_left(accepted, wanted[:2], key=lambda each: each[:2])
    before = accepted[at - 1] if at > 0 else None
    after = accepted[at] if at < len(accepted) else None
    if (before is None or _apart(before, wanted)) and (after is None or _apart(wanted, after)):
        accepted.insert(at, wanted)
        return True
    return False


def _apart(left: tuple[int, int, str], right: tuple[int, int, str]) -> bool:
    return left[1] <= right[0] and left[:2] != right[:2]


def _replaced(text: str, accepted: Accepted) -> str:
    pieces: list[str] = []
    done = 0
    for start, end, replacement in accepted:
        pieces += (text[done:start], replacement)
        done = end
    return "".join((*pieces, text[done:]))
