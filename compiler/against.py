"""The findings of `flowc check --against`: what a conversation that waits in the older version would miss in this one.

A flow whose header says that it is a new major version says with it that its waiting conversations stay where they are,
so what would keep them there is no mistake.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from flowc.compiler.compatibility import Comparison, FlowVersion, compare
from flowc.compiler.lower import lower
from flowc.compiler.model import FlowModel, Model
from flowc.compiler.rules.places import listed
from flowc.compiler.severities import with_severities
from flowc.compiler.shapes import renamed
from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity, sort
from flowc.dsl.nodes import MigrateDeclaration, Set
from flowc.dsl.source import SourceFile, Span
from flowc.runtime.moving.fates import Cause, Fate, Obstacle
from flowc.runtime.moving.inference import gives
from flowc.runtime.moving.needs import LOCAL, read_by
from flowc.runtime.moving.tables import applying
from flowc.runtime.program import Expression, Flow, Program

__all__ = ["check_against"]

MOST_PLACES: Final = 5  # named in one finding


def check_against(model: Model, old: Program, sources: Mapping[str, SourceFile]) -> tuple[Diagnostic, ...]:
    """What is wrong with `model`, which has no errors, as the next version of `old`. In source order."""
    new = lower(model)
    compared = compare(old, new)
    found = tuple(_found(model, old, new, compared, sources))
    return with_severities(sort(found), sources, model.project.settings, versions=True)


def _found(
    model: Model, old: Program, new: Program, compared: Comparison, sources: Mapping[str, SourceFile]
) -> Iterator[Diagnostic]:
    told: dict[str, tuple[Diagnostic, ...]] = {}
    for version in compared.flows:
        flow = model.flows[version.flow]
        is_major = _major(version.new) > _major(version.old)
        stuck = () if is_major else tuple(_stuck(flow, old, new, compared, sources[flow.path]))
        told[version.flow] = (*_migrations(flow, old, new), *stuck)
        yield from told[version.flow]
    gone = [name for name in old.flows if name not in new.flows]
    if _major(new.version) == _major(old.version):
        yield from (flow_removed(model.flows[new.main], name) for name in gone)
    for version in compared.flows:  # the main flow has the version of the whole bot
        explained = any(told.values()) or bool(gone) if version.flow == new.main else bool(told[version.flow])
        yield from _version(model.flows[version.flow], version, explained=explained)


def _major(version: str) -> int:
    return int(version.partition(".")[0])


# ------------------------------------------------------------------------------------------------------------- places


def _stuck(
    flow: FlowModel, old: Program, new: Program, compared: Comparison, source: SourceFile
) -> Iterator[Diagnostic]:
    """What keeps conversations at places of `flow`, once for each cause and subject."""
    grouped: dict[tuple[Cause, str], list[tuple[Fate, Obstacle]]] = {}
    for fate in compared.fates:
        if fate.place.flow == flow.name:
            for each in fate.obstacles:
                subject = fate.place.state if each.cause == "wait removed" else each.subject
                grouped.setdefault((each.cause, subject), []).append((fate, each))
    names = renamed(old.flows[flow.name], new.flows[flow.name])
    for (cause, subject), stuck in grouped.items():
        first, notes = stuck[0][1], _places(fate for fate, _ in stuck)
        match cause:
            case "wait removed":
                yield wait_removed(flow, subject, names, source, old.flows[flow.name], notes)
            case "variable changed":
                yield variable_changed(flow, first, notes)
            case "caller changed":
                yield caller_changed(flow, first, notes)
            case "handler removed":
                yield handler_removed(flow, stuck[0][0], first, notes)
            case "bad migration":
                yield from _set_lines(flow, first, notes)


def _places(fates: Iterable[Fate]) -> tuple[str, ...]:
    names = list(dict.fromkeys(fate.place.name for fate in fates))
    shown = ", ".join(f"`{name}`" for name in names[:MOST_PLACES])
    more = f" and {len(names) - MOST_PLACES} more" if len(names) > MOST_PLACES else ""
    return (f"a conversation may wait at {shown}{more}",)


def _set_lines(flow: FlowModel, obstacle: Obstacle, notes: tuple[str, ...]) -> Iterator[Diagnostic]:
    """A `set` whose value is not sure to be there; one of another type is told where the lines are checked."""
    if "may have no value" in obstacle.text:
        line = next(line for each in flow.migrations for line in each.sets if line.name.text == obstacle.subject)
        yield Diagnostic(
            VARIABLE_CHANGED,
            obstacle.text,
            (Label(line.value.span, "not in every conversation that waits there"),),
            help="set it to something that is always there, or ask for it",
            notes=notes,
        )


# ------------------------------------------------------------------------------------------------------------ migrate


def _migrations(flow: FlowModel, old: Program, new: Program) -> Iterator[Diagnostic]:
    """Lines for the older version that map from nothing, twice, or to another type."""
    before = old.flows[flow.name]
    applying_now = applying(new.flows[flow.name], before)
    names = {name for each in applying_now for name in each.states}
    values = {line.name: line.value for each in applying_now for line in each.sets}
    major, minor, _ = (int(part) for part in before.version.split("."))
    for declared in flow.migrations:
        if declared.major == major and declared.minor in (None, minor):
            yield from _moves(declared, names, before)
            yield from _sets(declared, values, old, new, before)


def _moves(declared: MigrateDeclaration, names: AbstractSet[str], before: Flow) -> Iterator[Diagnostic]:
    seen: dict[str, Span] = {}
    for move in declared.moves:
        name = move.old.text
        if name in seen:
            yield mapped_twice(move.old.span, name, seen[name])
        elif name in names and name not in before.states:
            yield from_nothing(move.old.span, f"state named `{name}`", before)
        seen.setdefault(name, move.old.span)


def _sets(
    declared: MigrateDeclaration, values: Mapping[str, Expression], old: Program, new: Program, before: Flow
) -> Iterator[Diagnostic]:
    seen: dict[str, Span] = {}
    wanted = new.flows[before.name].variables
    for line in declared.sets:
        name = line.name.text
        value = values.get(name)
        unknown = [] if value is None else sorted(_read(value) - before.variables.keys())
        if name in seen:
            yield mapped_twice(line.name.span, name, seen[name])
        elif unknown:
            yield from_nothing(line.value.span, f"variable or slot named `{unknown[0]}`", before)
        elif value is not None and not gives(value, wanted[name], before.variables, (old.records, new.records)):
            yield wrong_type(line)
        seen.setdefault(name, line.name.span)


def _read(expression: Expression) -> frozenset[str]:
    """The variables that are read as if they had a value."""
    return frozenset(name for name in read_by(expression) if not name.startswith(LOCAL))


# ----------------------------------------------------------------------------------------------------------- versions


def _version(flow: FlowModel, version: FlowVersion, *, explained: bool) -> Iterator[Diagnostic]:
    """`explained`: what makes a new major version of it is told by findings of its own."""
    if version.level == "none" or version.is_honest:
        return
    if version.new == version.old:
        yield version_not_raised(flow, version)
    elif not (explained and version.level == "major"):
        yield version_too_small(flow, version)


# ------------------------------------------------------------------------------------------------------- diagnostics


WAIT_REMOVED: Final = Code("FLW701", "wait-removed", Severity.ERROR)
VARIABLE_CHANGED: Final = Code("FLW702", "variable-changed", Severity.ERROR)
CALLER_CHANGED: Final = Code("FLW703", "caller-changed", Severity.ERROR)
HANDLER_REMOVED: Final = Code("FLW704", "handler-removed", Severity.ERROR)
VERSION_TOO_SMALL: Final = Code("FLW705", "version-too-small", Severity.ERROR, fixed=False)
VERSION_NOT_RAISED: Final = Code("FLW706", "version-not-raised", Severity.ERROR, fixed=False)
BAD_MIGRATION: Final = Code("FLW707", "bad-migration", Severity.ERROR)
OR_MAJOR: Final = "or make it a new major version, and they stay with the old one"


def wait_removed(
    flow: FlowModel, state: str, names: Mapping[str, str], source: SourceFile, before: Flow, notes: tuple[str, ...]
) -> Diagnostic:
    to = names.get(state)
    if state in flow.states:
        return Diagnostic(
            WAIT_REMOVED,
            f"state `{state}` no longer waits where conversations of the older version may wait",
            (Label(flow.states[state].name.span, "has no such wait"),),
            help=f"keep it, map the state with `migrate`, {OR_MAJOR}",
            notes=notes,
        )
    if to is None:
        return Diagnostic(
            WAIT_REMOVED,
            f"state `{state}` is gone, and no `migrate` maps it",
            (Label(flow.header.name.span, f"has no state `{state}` any more"),),
            help=f"say where its conversations go on: `state {state} -> STATE` under `migrate`, {OR_MAJOR}",
            notes=notes,
        )
    return Diagnostic(
        WAIT_REMOVED,
        f"state `{state}` is gone, and no `migrate` maps it",
        (Label(flow.states[to].name.span, "this looks like it"),),
        help=f"map it: `state {state} -> {to}`",
        notes=notes,
        edits=(_mapping(flow, source, before, f"  state {state} -> {to}\n"),),
    )


def _mapping(flow: FlowModel, source: SourceFile, before: Flow, line: str) -> Edit:
    """Adds a line under the `migrate` for the older version; makes one where there is none."""
    major = _major(before.version)
    declared = next((each for each in flow.migrations if each.major == major and each.minor is None), None)
    end = len(source.text)
    if declared is None:
        return Edit(Span(source.path, end, end), f"\nmigrate from {major}\n{line}")
    last = max(*(each.span.end for each in declared.moves), *(each.span.end for each in declared.sets), 0, 0)
    after = source.text.find("\n", last) + 1 or end
    return Edit(Span(source.path, after, after), line)


def flow_removed(main: FlowModel, name: str) -> Diagnostic:
    return Diagnostic(
        WAIT_REMOVED,
        f"the flow `{name}` is gone, and conversations may wait in it",
        (Label(main.header.version.span, "not a new major version"),),
        help="keep the flow until nobody waits in it, or make this a new major version",
    )


def variable_changed(flow: FlowModel, obstacle: Obstacle, notes: tuple[str, ...]) -> Diagnostic:
    return Diagnostic(
        VARIABLE_CHANGED,
        obstacle.text,
        (Label(_declared(flow, obstacle.subject), "waiting conversations would go on without a fitting value"),),
        help=f"say what it is for them: `set {obstacle.subject} = …` under `migrate`, {OR_MAJOR}",
        notes=notes,
    )


def caller_changed(flow: FlowModel, obstacle: Obstacle, notes: tuple[str, ...]) -> Diagnostic:
    return Diagnostic(
        CALLER_CHANGED,
        obstacle.text,
        (Label(_declared(flow, obstacle.subject), "a conversation in the middle of the call could not go on"),),
        help=f"keep what it takes and gives, or the call where it is; map with `migrate`, {OR_MAJOR}",
        notes=notes,
    )


def handler_removed(flow: FlowModel, fate: Fate, obstacle: Obstacle, notes: tuple[str, ...]) -> Diagnostic:
    """`obstacle` is about a place, or about an event, which belongs to the flow."""
    name = fate.to.partition(".")[0] if fate.to else fate.place.state
    state = flow.states.get(name) if obstacle.subject == fate.place.name else None
    return Diagnostic(
        HANDLER_REMOVED,
        obstacle.text,
        (Label(flow.header.name.span if state is None else state.name.span, "what is pending would find no handler"),),
        help=f"keep an arm for it, {OR_MAJOR}",
        notes=notes,
    )


def _declared(flow: FlowModel, name: str) -> Span:
    """Where the flow declares `name`: a slot, a parameter, a result; else its header."""
    own = flow.slots.get(name)
    if own is not None and own.declaration.span.path == flow.path:
        return own.declaration.name.span
    fields = (*flow.header.takes, *flow.header.gives)
    return next((field.name.span for field in fields if field.name.text == name), flow.header.name.span)


def version_too_small(flow: FlowModel, version: FlowVersion) -> Diagnostic:
    return Diagnostic(
        VERSION_TOO_SMALL,
        f"`{flow.name}` changed by a {version.level} version, from {version.old} to {version.new} is less",
        (Label(flow.header.version.span, f"the smallest honest version is {version.smallest}"),),
        help=f"make it {version.smallest}, or change less: flowc diff shows what changed",
        edits=(Edit(flow.header.version.span, version.smallest),),
    )


def version_not_raised(flow: FlowModel, version: FlowVersion) -> Diagnostic:
    return Diagnostic(
        VERSION_NOT_RAISED,
        f"`{flow.name}` changed, and is still version {version.old}",
        (Label(flow.header.version.span, f"the smallest honest version is {version.smallest}"),),
        help=f"make it {version.smallest}: flowc diff shows what changed",
        edits=(Edit(flow.header.version.span, version.smallest),),
    )


def mapped_twice(span: Span, name: str, first: Span) -> Diagnostic:
    return Diagnostic(
        BAD_MIGRATION,
        f"`{name}` is mapped twice",
        (Label(span, "mapped again"), Label(first, "first mapped here", secondary=True)),
        help="keep one of both",
    )


def from_nothing(span: Span, what: str, before: Flow) -> Diagnostic:
    known = listed(sorted(before.states)) if what.startswith("state") else listed(sorted(before.variables) or ["none"])
    return Diagnostic(
        BAD_MIGRATION,
        f"version {before.version} has no {what}",
        (Label(span, "maps from nothing"),),
        help=f"it has {known}",
    )


def wrong_type(line: Set) -> Diagnostic:
    return Diagnostic(
        BAD_MIGRATION,
        f"`{line.name.text}` does not take what it is set to",
        (Label(line.value.span, "a value of another type in the older version"),),
        help="set it to a value of its type",
    )
