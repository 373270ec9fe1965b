"""What is declared or imported, and nothing uses."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from flowc.compiler.check_flows import Checked
from flowc.compiler.declare import Declarations, Scope, uses_of
from flowc.compiler.project import STD
from flowc.compiler.resolve import FlowNames, Resolved
from flowc.compiler.signatures import Signatures
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import Call, ElsePattern, EventDeclaration, Name, NamePattern, Operation

__all__ = ["unused"]


def unused(
    declarations: Declarations,
    signatures: Signatures,
    resolved: Resolved,
    checked: Checked,
    *,
    meant: frozenset[str],
    libraries: bool,
) -> Iterable[Diagnostic]:
    """One warning for each; of a library only where the whole project is known (`libraries`), never of what is shipped.

    `meant` are names that a misspelled one probably stands for: that they seem unused follows from that mistake.
    """
    for each in _unused(declarations, signatures, resolved, checked, libraries=libraries and not declarations.broken):
        if each.name.text not in meant:
            yield unused_name(each.name, each.what)


class Unused(NamedTuple):
    name: Name
    what: str


def _unused(
    declarations: Declarations, signatures: Signatures, resolved: Resolved, checked: Checked, *, libraries: bool
) -> Iterable[Unused]:
    used = resolved.used | signatures.reader.used
    taken = _taken(resolved)
    for path, scope in declarations.scopes.items():
        if path in declarations.broken or path.startswith(STD):
            continue
        shared = scope.own.flow is None
        if libraries or not shared:
            yield from _declared(scope, used, shared=shared)
            yield from _failures(scope, used, taken)
        mentioned = signatures.reader.mentioned.get(path, set()) | resolved.mentioned.get(path, set())
        yield from _imports(scope, mentioned | checked.read.get(scope.own.flow or "", set()))
    for names in resolved.flows.values():
        if names.scope.path not in declarations.broken:
            yield from _variables(names, resolved, checked)


def _declared(scope: Scope, used: set[object], *, shared: bool) -> Iterable[Unused]:
    own = scope.own
    for topic in own.topics.values():
        if isinstance(topic, EventDeclaration) and not shared:
            continue  # an event that its flow does not handle is FLW501
        if topic not in used:
            yield Unused(topic.name, "event" if isinstance(topic, EventDeclaration) else "intent")
    for slot in own.slots.values():
        if slot not in used:
            yield Unused(slot.name, "slot")
    for type_ in own.types.values():
        if type_ not in used:
            yield Unused(type_.name, "type")
    for service in own.services.values():
        if service not in used:
            yield Unused(service.name, "service")
            continue
        for operation in service.operations:
            if operation not in used:
                yield Unused(operation.name, "operation")


def _failures(scope: Scope, used: set[object], taken: Mapping[Operation, set[str]]) -> Iterable[Unused]:
    """Failures that no call takes by name, nor with an `else` or `on failed` of its own."""
    operations = [each for service in scope.own.services.values() for each in service.operations]
    for operation in operations:
        names = taken.get(operation, set())
        if operation in used and "else" not in names and "failed" not in names:
            for line in operation.fails:
                yield from (Unused(each.name, "failure") for each in line.failures if each.name.text not in names)


def _taken(resolved: Resolved) -> dict[Operation, set[str]]:
    """What arms of calls take of each operation by name, `else` among it."""
    taken: dict[Operation, set[str]] = {}
    for call, model in resolved.operations.items():
        names = taken.setdefault(model.declaration, set())
        for pattern in (pattern for arm in call.arms for pattern in arm.patterns):
            match pattern:
                case ElsePattern():
                    names.add("else")
                case NamePattern(name):
                    names.add(name.text)
                case _:
                    pass
    return taken


def _imports(scope: Scope, mentioned: set[str]) -> Iterable[Unused]:
    for use in uses_of(scope.own.file):
        for name in use.names:
            if name.text not in scope.lost and name.text not in mentioned:
                yield Unused(name, "import")


def _variables(names: FlowNames, resolved: Resolved, checked: Checked) -> Iterable[Unused]:
    read = checked.read.get(names.name, set())
    results = {each.name.text for each in names.header.gives}
    seen: set[str] = set()
    for assignment in names.assignments:
        name = assignment.name.text
        operation = resolved.operations.get(assignment.source) if isinstance(assignment.source, Call) else None
        if operation is not None and operation.kind == "write":
            continue  # its effect is what is wanted; the name says what was done
        if name not in read and name not in results and name not in names.slots and name not in seen:
            seen.add(name)
            yield Unused(assignment.name, "variable")


# ------------------------------------------------------------------------------------------------------- diagnostics

UNUSED: Final = Code("FLW210", "unused", Severity.WARNING, fixed=False)
HELP: Final = {
    "variable": "remove it, or read it somewhere",
    "failure": "take it in an arm of a call, or remove it: it is `rejected` then",
}


def unused_name(name: Name, what: str) -> Diagnostic:
    return Diagnostic(
        UNUSED,
        f"the {what} `{name.text}` is never used",
        (Label(name.span, "nothing uses it"),),
        help=HELP.get(what, "remove it"),
    )
