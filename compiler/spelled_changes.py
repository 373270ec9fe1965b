"""A comparison as text for people and as JSON for programs."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Final

from flowc.compiler.change import Action, Change
from flowc.compiler.compatibility import Comparison
from flowc.runtime.moving.fates import Fate
from flowc.runtime.program import Program

__all__ = ["as_json", "as_text"]

SIGNS: Final[dict[Action, str]] = {"added": "+", "removed": "-", "changed": "~", "renamed": ">"}


def as_text(old: Program, new: Program, compared: Comparison) -> str:
    """What changed, flow by flow, and what waiting conversations need; without a newline at the end."""
    lines = [_head(old, new, compared)]
    for title, found in _by_flow(compared.changes):
        lines += ["", title, *(f"  {SIGNS[each.action]} {each.text}" for each in found)]
    lines += ["", *_places(compared.fates)]
    return "\n".join(lines)


def _head(old: Program, new: Program, compared: Comparison) -> str:
    versions = f"{new.bot} {old.version} → {new.version}"
    if compared.level == "none":
        return f"{versions}: both do the same"
    return f"{versions}: a {compared.level} change, the smallest honest version is {compared.smallest}"


def _by_flow(changes: Iterable[Change]) -> Iterator[tuple[str, tuple[Change, ...]]]:
    """The changes of each flow, those of the whole bot last. The words of what changed say more than that something
    did."""
    found = tuple(changes)
    for flow in dict.fromkeys(each.flow for each in found if each.flow):
        own = tuple(each for each in found if each.flow == flow)
        yield f"flow {flow}", tuple(each for each in own if not _is_said(each, own))
    rest = tuple(each for each in found if not each.flow)
    if rest:
        yield "the bot", rest


def _is_said(change: Change, others: Iterable[Change]) -> bool:
    """Whether others say what exactly happened in a state."""
    if (change.subject, change.action) != ("state", "changed"):
        return False
    return any(each.name.partition(".")[0] == change.name and each.subject in ("edge", "question") for each in others)


def _places(fates: Iterable[Fate]) -> Iterator[str]:
    found = tuple(fates)
    other = [each for each in found if each.verdict != "same"]
    same = len(found) - len(other)
    if not other:
        yield f"conversations: all {same} places are the same, who waits goes on"
        return
    yield f"conversations: {same} of {len(found)} places are the same"
    width = max(len(_name(each)) for each in other)
    yield from (f"  {each.verdict:7} {_name(each):{width}}  {each.reason}" for each in other)


def _name(fate: Fate) -> str:
    return f"{fate.place.flow}/{fate.place.name}"


def as_json(old: Program, new: Program, compared: Comparison) -> str:
    """The comparison as one object."""
    places = [
        {
            **asdict(each.place),
            "verdict": each.verdict,
            "to": each.to,
            "at_top": each.at_top,
            "reason": each.reason,
            "obstacles": [asdict(obstacle) for obstacle in each.obstacles],
        }
        for each in compared.fates
    ]
    shown = {
        "bot": new.bot,
        "from": old.version,
        "to": new.version,
        "level": compared.level,
        "smallest": compared.smallest,
        "flows": [asdict(each) for each in compared.flows],
        "changes": [asdict(each) for each in compared.changes],
        "places": places,
    }
    return json.dumps(shown, ensure_ascii=False, indent=2)
