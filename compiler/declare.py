"""What each file declares, and what it has in reach by its own words or by `use`.

A scope is one file's view: own declarations and imported ones, each with the file it comes from, because a
declaration is read in the scope of its own file. Meaning of bodies is `resolve`'s affair.
"""

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from flowc.compiler.project import shipped_paths
from flowc.compiler.suggest import nearest
from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity
from flowc.dsl.mistakes import RESERVED_NAME
from flowc.dsl.nodes import (
    AnywhereDeclaration,
    Arm,
    EventDeclaration,
    FlowFile,
    FlowHeader,
    IntentDeclaration,
    LibraryHeader,
    MigrateDeclaration,
    Name,
    ServiceDeclaration,
    SlotDeclaration,
    StateDeclaration,
    TypeDeclaration,
    TypedName,
    Use,
)
from flowc.dsl.source import Span

__all__ = ["KINDS", "Declarations", "Scope", "declare", "target_of"]

KINDS: Final = ("timeout", "unavailable", "overloaded", "rejected", "malformed", "unknown")
BUILT_IN: Final = frozenset(["user", "message", "conversation", "now", "today", "error"])


class Named(Protocol):
    @property
    def name(self) -> Name: ...


Declared = TypeVar("Declared", bound=Named)
Report = Callable[[Diagnostic], None]


@dataclass(frozen=True, slots=True)
class Own:
    """What one file declares, by name space. Of two declarations of one name the first is kept."""

    file: FlowFile
    types: Mapping[str, TypeDeclaration]
    states: Mapping[str, StateDeclaration]
    services: Mapping[str, ServiceDeclaration]
    topics: Mapping[str, IntentDeclaration | EventDeclaration]
    slots: Mapping[str, SlotDeclaration]
    anywhere: tuple[AnywhereDeclaration, ...]
    migrations: tuple[MigrateDeclaration, ...]

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms of `anywhere`."""
        return tuple(arm for each in self.anywhere for arm in each.arms)

    @property
    def flow(self) -> str | None:
        """The flow that the file is, unless it is a library."""
        header = self.file.header
        return header.name.text if isinstance(header, FlowHeader) else None


@dataclass(frozen=True, slots=True)
class Scope:
    """One file's view. Values are pairs of the path of the declaring file and the declaration.

    `flows` maps names to paths. `lost` are imported names that nobody can look up, because their file is missing or
    broken: they were reported, or their file was.
    """

    own: Own
    types: dict[str, tuple[str, TypeDeclaration]]
    services: dict[str, tuple[str, ServiceDeclaration]]
    topics: dict[str, tuple[str, IntentDeclaration | EventDeclaration]]
    slots: dict[str, tuple[str, SlotDeclaration]]
    flows: dict[str, str]
    lost: set[str]
    imports: dict[str, Name]

    @property
    def path(self) -> str:
        return self.own.file.path


@dataclass(frozen=True, slots=True)
class Declarations:
    """Scopes by path; for files that could not be read whole, the words that may have been declarations."""

    scopes: Mapping[str, Scope]
    broken: Mapping[str, frozenset[str]]


def declare(
    files: Sequence[FlowFile], broken: Mapping[str, frozenset[str]]
) -> tuple[Declarations, tuple[Diagnostic, ...]]:
    """The scope of every file, with what is declared twice, reserved, or imported in vain."""
    problems: list[Diagnostic] = []
    owns = {file.path: own_names(file, problems.append) for file in files}
    problems.extend(_twice_named_flows(owns))
    problems.extend(_cycles(owns))
    scopes = {path: _scope(own, owns, broken, problems.append) for path, own in owns.items()}
    return Declarations(scopes, broken), tuple(problems)


def target_of(importer: str, use: Use) -> str:
    """The path that `use` of the file `importer` names, relative to the project."""
    written = use.path.plain or ""
    if written.startswith("std/"):
        return written
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), written))


# -------------------------------------------------------------------------------------------------------- one file


@dataclass(slots=True)
class Table:
    """The tables of one file while they are filled."""

    types: dict[str, TypeDeclaration] = field(default_factory=dict)
    states: dict[str, StateDeclaration] = field(default_factory=dict)
    services: dict[str, ServiceDeclaration] = field(default_factory=dict)
    topics: dict[str, IntentDeclaration | EventDeclaration] = field(default_factory=dict)
    slots: dict[str, SlotDeclaration] = field(default_factory=dict)
    anywhere: list[AnywhereDeclaration] = field(default_factory=list)
    migrations: list[MigrateDeclaration] = field(default_factory=list)


def own_names(file: FlowFile, report: Report) -> Own:
    """The tables of `file`; reports names that are declared twice or reserved."""
    table = Table()
    for declaration in file.declarations:
        match declaration:
            case StateDeclaration():
                _add(table.states, declaration.name, declaration, "state", report)
            case IntentDeclaration():
                _add(table.topics, declaration.name, declaration, "intent", report)
            case EventDeclaration():
                _add(table.topics, declaration.name, declaration, "event", report)
            case SlotDeclaration():
                _reserved(declaration.name, report)
                _add(table.slots, declaration.name, declaration, "slot", report)
            case TypeDeclaration():
                _add(table.types, declaration.name, declaration, "type", report)
            case ServiceDeclaration():
                _add(table.services, declaration.name, declaration, "service", report)
            case AnywhereDeclaration():
                table.anywhere.append(declaration)
            case MigrateDeclaration():
                table.migrations.append(declaration)
    _parameters(file, table, report)
    return Own(
        file,
        table.types,
        table.states,
        table.services,
        table.topics,
        table.slots,
        tuple(table.anywhere),
        tuple(table.migrations),
    )


def _add(names: dict[str, Declared], name: Name, declaration: Declared, kind: str, report: Report) -> None:
    first = names.get(name.text)
    if first is None:
        names[name.text] = declaration
    else:
        report(duplicate(name, first.name, kind))


def _parameters(file: FlowFile, table: Table, report: Report) -> None:
    if not isinstance(file.header, FlowHeader):
        return
    for typed in (file.header.takes, file.header.gives):
        unique(typed, "parameter" if typed is file.header.takes else "result", report)
    for typed_name in file.header.takes:
        _reserved(typed_name.name, report)
        slot = table.slots.get(typed_name.name.text)
        if slot is not None:
            report(duplicate(slot.name, typed_name.name, "slot", first_kind="parameter"))


def unique(names: Iterable[TypedName], kind: str, report: Report) -> None:
    """Reports each of `names` that was there before."""
    seen: dict[str, Name] = {}
    for each in names:
        first = seen.setdefault(each.name.text, each.name)
        if first is not each.name:
            report(duplicate(each.name, first, kind))


def _reserved(name: Name, report: Report) -> None:
    if name.text in BUILT_IN:
        report(reserved_name(name))


def _twice_named_flows(owns: Mapping[str, Own]) -> Iterable[Diagnostic]:
    seen: dict[str, Name] = {}
    for own in owns.values():
        header = own.file.header
        if isinstance(header, FlowHeader):
            first = seen.setdefault(header.name.text, header.name)
            if first is not header.name:
                yield duplicate(header.name, first, "flow")


# --------------------------------------------------------------------------------------------------------- imports


def uses_of(file: FlowFile) -> tuple[Use, ...]:
    """The `use` lines of `file`."""
    return file.header.uses if file.header is not None else ()


def _scope(own: Own, owns: Mapping[str, Own], broken: Mapping[str, frozenset[str]], report: Report) -> Scope:
    path = own.file.path
    scope = Scope(
        own,
        {name: (path, each) for name, each in own.types.items()},
        {name: (path, each) for name, each in own.services.items()},
        {name: (path, each) for name, each in own.topics.items()},
        {name: (path, each) for name, each in own.slots.items()},
        {own.flow: path} if own.flow is not None else {},
        set(broken.get(path, ())),
        {},
    )
    for use in uses_of(own.file):
        target = target_of(path, use)
        source = owns.get(target)
        if source is None:
            report(no_such_file(use, target, owns))
            scope.lost.update(name.text for name in use.names)
            continue
        for name in use.names:
            scope.imports.setdefault(name.text, name)
            if not _bring(scope, source, name, report):
                scope.lost.add(name.text)
                if name.text not in broken.get(target, ()):
                    problem = no_such_name(name, use, source)
                    scope.lost.update(edit.replacement for edit in problem.edits)
                    report(problem)
    return scope


def _bring(scope: Scope, source: Own, name: Name, report: Report) -> bool:
    """Adds what `source` shares under `name`; whether there is anything."""
    if source.flow is not None:
        if source.flow != name.text:
            return False
        scope.flows.setdefault(name.text, source.file.path)
        return True
    path = source.file.path
    return any(
        [
            _take(scope.types, source.types, name, path, "type", report),
            _take(scope.services, source.services, name, path, "service", report),
            _take(scope.topics, source.topics, name, path, "intent", report),
            _take(scope.slots, source.slots, name, path, "slot", report),
        ]
    )


def _take(
    here: dict[str, tuple[str, Declared]],
    there: Mapping[str, Declared],
    name: Name,
    path: str,
    kind: str,
    report: Report,
) -> bool:
    declaration = there.get(name.text)
    if declaration is None:
        return False
    _, first = here.setdefault(name.text, (path, declaration))
    if first is not declaration:
        report(duplicate(name, first.name, kind))
    return True


def _cycles(owns: Mapping[str, Own]) -> Iterable[Diagnostic]:
    """One report for each `use` between libraries that closes a circle."""
    done: set[str] = set()
    trail: list[str] = []

    def visit(path: str) -> Iterable[Diagnostic]:
        trail.append(path)
        for use in uses_of(owns[path].file):
            target = target_of(path, use)
            if target not in owns or not isinstance(owns[target].file.header, LibraryHeader):
                continue
            if target in trail:
                yield import_cycle(use, [*trail[trail.index(target) :], target])
            elif target not in done:
                yield from visit(target)
        trail.pop()
        done.add(path)

    for path in owns:
        if path not in done:
            yield from visit(path)


# ------------------------------------------------------------------------------------------------------- diagnostics

DUPLICATE_NAME: Final = Code("FLW207", "duplicate-name", Severity.ERROR)
IMPORT_NOT_FOUND: Final = Code("FLW208", "import-not-found", Severity.ERROR)
IMPORT_CYCLE: Final = Code("FLW209", "import-cycle", Severity.ERROR)


def duplicate(name: Name, first: Name | None, kind: str, *, first_kind: str | None = None) -> Diagnostic:
    labels = [Label(name.span, "declared again" if first_kind is None else f"a {kind} of the same name")]
    if first is not None:
        said = "first declared here" if first_kind is None else f"the {first_kind} is declared here"
        labels.append(Label(first.span, said, secondary=True))
    article = "an" if kind[0] in "aeio" else "a"
    return Diagnostic(
        DUPLICATE_NAME,
        f"there is already {article} {first_kind or kind} named `{name.text}`",
        tuple(labels),
        help="give one of them another name",
    )


def duplicate_wait(span: Span, first: Span, what: str) -> Diagnostic:
    return Diagnostic(
        DUPLICATE_NAME,
        f"this state has {what} twice",
        (
            Label(span, "a conversation that waits here could not be told from one that waits at the first"),
            Label(first, "the first one", secondary=True),
        ),
        help="give one of them a state of its own",
    )


def no_such_file(use: Use, target: str, known: Iterable[str]) -> Diagnostic:
    near = nearest(target, [*known, *shipped_paths()])
    return Diagnostic(
        IMPORT_NOT_FOUND,
        f"no file `{target}`",
        (Label(use.path.span, "not found"),),
        help=f"did you mean `{near}`?" if near else "a path is relative to this file; `std/` is what flowc ships",
    )


def no_such_name(name: Name, use: Use, source: Own) -> Diagnostic:
    offered = [source.flow] if source.flow else [*source.types, *source.services, *source.topics, *source.slots]
    near = nearest(name.text, offered)
    only = f"of the flow in `{use.path.plain}` only `{source.flow}` itself can be imported" if source.flow else None
    return Diagnostic(
        IMPORT_NOT_FOUND,
        f"`{use.path.plain}` has no `{name.text}`",
        (Label(name.span, "not declared there"),),
        help=f"did you mean `{near}`?" if near else only,
        edits=(Edit(name.span, near),) if near else (),
    )


def import_cycle(use: Use, cycle: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        IMPORT_CYCLE,
        f"`{cycle[0]}` imports itself",
        (Label(use.path.span, "closes the circle"),),
        help="move what both need into a library of its own",
        notes=(f"the circle: {' → '.join(f'`{path}`' for path in cycle)}",),
    )


def reserved_name(name: Name) -> Diagnostic:
    return Diagnostic(
        RESERVED_NAME,
        f"`{name.text}` cannot be used as a name",
        (Label(name.span, "is built in"),),
        help=f"take another one, such as `my_{name.text}`",
    )
