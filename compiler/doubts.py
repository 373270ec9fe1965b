"""Words for reads of what may have no value, with the path on which it has none.

The walk (`check_types`) notes where and what; here the jumps that it recorded are followed backwards to the shortest
path on which the fact is missing. A read whose every such path goes through a read that was reported is the same
mistake and is silent.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from flowc.compiler.check_types import NotGiven, Walk
from flowc.compiler.facts import NOWHERE, Path
from flowc.compiler.sight import Doubt, Region
from flowc.compiler.types import is_optional, spelled
from flowc.compiler.undoing import clears
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import Arm, ElsePattern, NamePattern, SilencePattern

__all__ = ["worded"]


SET_HERE: Final = "set here, which is not on every path"


@dataclass(frozen=True, slots=True)
class Trail:
    """Regions from where the fact is lost to where it is missed; `begins` tells that the first is the start of the
    flow."""

    regions: tuple[Region, ...]
    begins: bool


def worded(walk: Walk, start: str) -> Iterable[Diagnostic]:
    """A diagnostic for each doubt of `walk` that has a cause of its own."""
    missed: dict[tuple[str, Path], set[Region]] = {}
    lost = walk.names.scope.lost
    for doubt in sorted(walk.expressions.doubts, key=lambda each: each.span.start):
        if doubt.path is not None and doubt.path[0] in lost:
            continue
        if doubt.path is None:
            yield maybe_none(doubt, None, ())
            continue
        bit = walk.facts.has(doubt.path[0]) if doubt.kind == "unset" else walk.facts.is_not_none(doubt.path)
        region = doubt.region
        before = missed.setdefault((doubt.kind, doubt.path), set())
        if not _follows(walk, region, bit, before, start):
            yield _worded(walk, doubt, doubt.path, trail(walk, region, bit, start))
        before.add(region)
    for each in walk.not_given:
        if each.name in lost:
            continue
        yield result_not_given(walk, each, trail(walk, each.region, walk.facts.has(each.name), start))


def _follows(walk: Walk, region: Region, bit: int, before: set[Region], start: str) -> bool:
    """Whether every way on which the fact is missing comes through a region where that was reported."""
    if region == start or not isinstance(region, str) or walk.entry.get(region, NOWHERE) & bit:
        return region in before
    sources = {source for (source, _), facts in walk.edges.get(region, {}).items() if not facts & bit}
    return bool(sources) and sources <= before | {region} and bool(sources & before)


def trail(walk: Walk, region: Region, bit: int, start: str) -> Trail | None:
    """The shortest path on which the fact is missing at `region`; None where it is lost inside it."""
    if not isinstance(region, str) or walk.entry.get(region, NOWHERE) & bit:
        return None
    seen: dict[Region, Region | None] = {region: None}
    queue: deque[Region] = deque([region])
    while queue:
        at = queue.popleft()
        if at == start:
            return Trail(_chain(seen, at), begins=True)
        for (source, _), facts in walk.edges.get(at, {}).items():
            if facts & bit or source in seen:
                continue
            seen[source] = at
            if not isinstance(source, str) or walk.entry.get(source, NOWHERE) & bit:
                return Trail(_chain(seen, source), begins=False)
            queue.append(source)
    return None


def _chain(seen: dict[Region, Region | None], first: Region) -> tuple[Region, ...]:
    chain: list[Region] = []
    at: Region | None = first
    while at is not None:
        chain.append(at)
        at = seen[at]
    return tuple(chain)


def _notes(found: Trail | None) -> tuple[str, ...]:
    if found is None or len(found.regions) < 2:
        return ()
    return (f"on the path {' → '.join(spelled_region(region) for region in found.regions)}",)


def spelled_region(region: Region) -> str:
    match region:
        case str():
            return f"`{region}`"
        case Arm(patterns=(NamePattern(name), *_)):
            return f"`on {name.text}` of `anywhere`"
        case Arm(patterns=(SilencePattern(), *_)):
            return "`on silence` of `anywhere`"
        case Arm(patterns=(ElsePattern(), *_)):
            return "`else` of `anywhere`"
        case Arm():
            return "an arm of `anywhere`"
        case _:
            return f"an arm of `defer {region.service.text}.{region.operation.text}`"


def _worded(walk: Walk, doubt: Doubt, path: Path, found: Trail | None) -> Diagnostic:
    name = path[0]
    cause = _cause(walk, name, found)
    notes = _notes(found) if len(path) == 1 else ()
    if isinstance(doubt.region, Arm) and found is None:
        notes = ("an arm of `anywhere` reads only what every wait of the flow has",)
    if doubt.kind == "unset":
        return maybe_unset(doubt, name, cause, notes)
    slot = walk.names.slots.get(name)
    if slot is not None and len(path) == 1 and not is_optional(slot.type):
        return slot_without_value(doubt, name, cause, notes)
    return maybe_none(doubt, ".".join(path), notes)


def _cause(walk: Walk, name: str, found: Trail | None) -> Label | None:
    """Where the value is lost, or where alone it is set."""
    undoing = next((span for each, span in clears(walk.names.scope.own.arms) if each == name), None)
    if undoing is not None:
        return Label(undoing, "this arm resumes, so any wait may be left without it", secondary=True)
    first = found.regions[0] if found is not None else None
    if isinstance(first, str) and not (found is not None and found.begins):
        inside = walk.names.states[first].span
        for each in walk.names.forgotten:
            if each.text == name and inside.start <= each.span.start < inside.end:
                return Label(each.span, "cleared here", secondary=True)
    if isinstance(first, Arm):
        for each in walk.names.forgotten:
            if each.text == name and first.span.start <= each.span.start < first.span.end:
                return Label(each.span, "cleared here", secondary=True)
    for assignment in walk.names.assignments:
        if assignment.name.text == name:
            return Label(assignment.name.span, SET_HERE, secondary=True)
    return None


# ------------------------------------------------------------------------------------------------------- diagnostics

MAYBE_UNSET: Final = Code("FLW304", "maybe-unset", Severity.ERROR)
MAYBE_NONE: Final = Code("FLW305", "maybe-none", Severity.ERROR)
RESULT_NOT_GIVEN: Final = Code("FLW309", "result-not-given", Severity.ERROR)


def maybe_unset(doubt: Doubt, name: str, cause: Label | None, notes: tuple[str, ...]) -> Diagnostic:
    return Diagnostic(
        MAYBE_UNSET,
        f"`{name}` may have no value here",
        (Label(doubt.span, "not set on some path to here"), *_labels(cause)),
        help=f"set it on every path, or test it first: `if {name} is not none`",
        notes=notes,
    )


def slot_without_value(doubt: Doubt, name: str, cause: Label | None, notes: tuple[str, ...]) -> Diagnostic:
    cleared = cause if cause is not None and cause.text != SET_HERE else None
    what = "nothing has asked for it on some path" if cleared is None else "some path has cleared it"
    return Diagnostic(
        MAYBE_NONE,
        f"the slot `{name}` may have no value here",
        (Label(doubt.span, what), *_labels(cleared)),
        help=f"`ask {name}` before, or test it first: `if {name} is not none`",
        notes=notes,
    )


def maybe_none(doubt: Doubt, name: str | None, notes: tuple[str, ...]) -> Diagnostic:
    wanted = f"where a `{spelled(doubt.wanted)}` is needed" if doubt.wanted is not None else "used as if it were there"
    return Diagnostic(
        MAYBE_NONE,
        f"`{name}` may be none here" if name else "this may be none",
        (Label(doubt.span, wanted),),
        help=f"test it first: `if {name} is not none`"
        if name
        else "`set` a variable to it, and test that: `is not none`",
        notes=notes,
    )


def result_not_given(walk: Walk, each: NotGiven, found: Trail | None) -> Diagnostic:
    declared = next(given.span for given in walk.names.header.gives if given.name.text == each.name)
    return Diagnostic(
        RESULT_NOT_GIVEN,
        f"the result `{each.name}` may have no value at this `end`",
        (Label(each.span, "gives the results"), Label(declared, "promised here", secondary=True)),
        help=f"set `{each.name}` on every path, or end with an outcome: `end NAME`",
        notes=_notes(found),
    )


def _labels(cause: Label | None) -> tuple[Label, ...]:
    return () if cause is None else (cause,)
