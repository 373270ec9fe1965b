"""All flows, slots and services of a project, checked: the order of the passes that `check_types` and its neighbours
are."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from flowc.compiler.arms import check_arms
from flowc.compiler.check_types import Interface, Walk
from flowc.compiler.declare import Declarations, Scope
from flowc.compiler.doubts import worded
from flowc.compiler.expressions import Expressions
from flowc.compiler.facts import NOWHERE, Facts
from flowc.compiler.literals import text_fits
from flowc.compiler.model import AskFacts, NameKind
from flowc.compiler.project import Project
from flowc.compiler.resolve import FlowNames, Resolved
from flowc.compiler.settings import key_span, unknown_user_type
from flowc.compiler.sight import At, Names
from flowc.compiler.signatures import BASICS, Signatures, unknown_variable
from flowc.compiler.type_mistakes import TYPE_MISMATCH
from flowc.compiler.types import DATETIME, NUMBER, TEXT, FlowType, optional, plain, required, spelled
from flowc.compiler.variables import infer
from flowc.dsl.diagnostic import Diagnostic, Label
from flowc.dsl.nodes import Ask, Expression, Reference, ServiceDeclaration, SlotDeclaration
from flowc.dsl.source import Span
from flowc.runtime.types import Choice, Field, Marked, Type

__all__ = ["Checked", "check_flows"]

Report = Callable[[Diagnostic], None]
PII_TEXT: Final = Marked("pii", TEXT)


@dataclass(slots=True)
class Checked:
    """What the checks learnt: side tables of the whole project, and the variables of each flow."""

    records: dict[str, tuple[Field, ...]]
    user_fields: tuple[Field, ...]
    interfaces: dict[str, Interface] = field(default_factory=dict)
    types: dict[Expression, FlowType] = field(default_factory=dict)
    kinds: dict[Reference, NameKind] = field(default_factory=dict)
    asks: dict[Ask, AskFacts] = field(default_factory=dict)
    variables: dict[str, dict[str, FlowType]] = field(default_factory=dict)
    read: dict[str, set[str]] = field(default_factory=dict)


def check_flows(
    declarations: Declarations, signatures: Signatures, resolved: Resolved, project: Project, report: Report
) -> Checked:
    """Types and certainties of every flow, slot and service."""
    user = _user(project, report)
    checked = Checked(signatures.records, user)
    _built_in_records(checked.records, user)
    for name, names in resolved.flows.items():
        checked.interfaces[name] = _interface(names, signatures)
        results = checked.interfaces[name].results
        fields = (Field(each, of) for each, of in results.items())  # type: ignore[arg-type]  # may be unknown
        checked.records[f"{name}.gives"] = tuple(fields)
    for event in signatures.events.values():
        checked.records[f"event {event.name}"] = event.fields
    for service in signatures.services.values():
        for operation in service.operations.values():
            for failure in operation.failures:
                record = f"failure {service.name}.{operation.name}.{failure.name}"
                checked.records[record] = checked.records.get(record) or failure.fields
    for scope in declarations.scopes.values():
        _file(scope, signatures, resolved, checked, report)
    for names in resolved.flows.values():
        _flow(names, resolved, checked, report)
    return checked


def _user(project: Project, report: Report) -> tuple[Field, ...]:
    """The fields that `[user]` of the settings adds, each `T?`."""
    fields: list[Field] = []
    for name, written in (project.settings.user if project.settings else {}).items():
        mark, _, rest = written.rpartition(" ")
        of: Type | None = BASICS.get(rest.removesuffix("?"))
        if of is None or mark not in ("", "pii", "secret"):
            assert project.settings_file is not None
            report(unknown_user_type(key_span(project.settings_file, ("user", name)), name, written))
            of = TEXT
        elif mark:
            of = Marked("secret" if mark == "secret" else "pii", of)
        fields.append(Field(name, optional(of)))  # type: ignore[arg-type]  # of a type it is a type
    return tuple(fields)


def _built_in_records(records: dict[str, tuple[Field, ...]], user: tuple[Field, ...]) -> None:
    maybe_text: Type = optional(TEXT)  # type: ignore[assignment]  # of a type it is a type
    maybe_name: Type = optional(PII_TEXT)  # type: ignore[assignment]  # as well
    records["user"] = (
        Field("id", TEXT),
        Field("name", maybe_name),
        Field("locale", maybe_text),
        Field("channel", TEXT),
        *user,
    )
    records["message"] = (Field("text", PII_TEXT), Field("intent", maybe_text), Field("confidence", NUMBER))
    records["conversation"] = (Field("id", TEXT), Field("started", DATETIME))
    records["error"] = tuple(Field(name, TEXT) for name in ("service", "operation", "kind", "message"))


def _interface(names: FlowNames, signatures: Signatures) -> Interface:
    path, header, reader = names.scope.path, names.header, signatures.reader
    return Interface(
        {each.name.text: reader.read(path, each.type) for each in header.takes},
        {each.name.text: reader.read(path, each.type) for each in header.gives},
        {name: slot.type for name, slot in names.slots.items()},
    )


# ------------------------------------------------------------------------------------------------------- one file


def _file(scope: Scope, signatures: Signatures, resolved: Resolved, checked: Checked, report: Report) -> None:
    """Services of the file, and slots of a library: what is read in no flow."""
    sight = Names({}, frozenset(), {}, frozenset(scope.lost))
    expressions = _expressions(sight, Facts(), resolved, checked, report)
    for service in scope.own.services.values():
        _service(service, signatures, expressions)
    for slot in scope.own.slots.values():
        of = signatures.slots[slot].type
        _words(slot, of, report)
        if scope.own.flow is None:
            _slot(slot, of, expressions, 0)


def _expressions(names: Names, facts: Facts, resolved: Resolved, checked: Checked, report: Report) -> Expressions:
    return Expressions(names, facts, checked.records, checked.types, checked.kinds, resolved.unknown, report)


def _service(service: ServiceDeclaration, signatures: Signatures, expressions: Expressions) -> None:
    for line in service.adapter_lines:
        expressions.type_of(line.value, At(NOWHERE, {}))
    for operation in signatures.services[service].operations.values():
        local: dict[str, FlowType] = {each.name: each.type for each in operation.parameters}
        at = At(NOWHERE, local)
        declaration = operation.declaration
        for header in declaration.headers:
            expressions.say(header.name, at)
            expressions.type_of(header.value, at)
        if declaration.body is not None:
            expressions.type_of(declaration.body, at)
        for line in declaration.adapter_lines:
            expressions.type_of(line.value, at)
        if declaration.request is not None:
            expressions.say(declaration.request.path, at)


def _words(slot: SlotDeclaration, of: FlowType, report: Report) -> None:
    choice = plain(of)
    for each in slot.words:
        words = each.value.plain or ""
        if not isinstance(choice, Choice) or not text_fits(words, choice):
            report(no_such_value(each.value.span, words, slot.name.text, choice))


def _slot(slot: SlotDeclaration, of: FlowType, expressions: Expressions, facts: int) -> None:
    """The texts and checks of a slot; in a check its name is the new value."""
    for text in (slot.ask, slot.reask):
        if text is not None:
            expressions.say(text, At(facts, {}))
    local = {slot.name.text: required(of)}
    for check in slot.checks:
        at = At(expressions.facts.without(facts, slot.name.text), local)
        expressions.condition(check.condition, at)
        expressions.say(check.text, at)


# ------------------------------------------------------------------------------------------------------- one flow


def _flow(names: FlowNames, resolved: Resolved, checked: Checked, report: Report) -> None:
    interface = checked.interfaces[names.name]
    declared = {**interface.parameters, **{k: of for k, of in interface.results.items() if k not in names.slots}}
    sight = Names(interface.slots, frozenset(interface.parameters), dict(declared), frozenset(names.scope.lost))
    expressions = _expressions(sight, Facts(), resolved, checked, report)
    for problem in infer(names, declared, expressions, resolved):
        report(problem)
    walk = Walk(names, interface, checked.interfaces, resolved, expressions, expressions.facts, report)
    start = names.header.start.text if names.header.start is not None else next(iter(names.states), "")
    walk.walk(start if start in names.states else next(iter(names.states), ""))
    check_arms(names.scope.own.arms, report)
    for slot in names.scope.own.slots.values():
        expressions.region, expressions.assumed = "", 0
        _slot(slot, names.slots[slot.name.text].type, expressions, walk.asked_at.get(slot.name.text, NOWHERE))
    _header(names, expressions)
    _migrations(names, walk, expressions, report)
    for problem in worded(walk, start):
        report(problem)
    for name in expressions.read & set(names.slots):
        resolved.use(names.scope.path, name, names.slots[name].declaration)
    checked.asks.update(walk.asks)
    checked.read[names.name] = expressions.read
    checked.variables[names.name] = {
        **interface.slots,
        **{
            name: optional(of) if name in walk.optional and name not in declared else of
            for name, of in sight.variables.items()
        },
    }


def _header(names: FlowNames, expressions: Expressions) -> None:
    """A header reads only what is built in."""
    header, sight = names.header, expressions.names
    expressions.names = Names({}, frozenset(), {})
    at = At(0, {})
    for line in header.priorities:
        if line.when is not None:
            expressions.condition(line.when, at)
    if header.reply_within is not None and header.reply_within.text is not None:
        expressions.say(header.reply_within.text, at)
    expressions.names = sight


def _migrations(names: FlowNames, walk: Walk, expressions: Expressions, report: Report) -> None:
    expressions.names = replace(expressions.names, old=True)
    at = At(NOWHERE, {})
    for migration in names.scope.own.migrations:
        for line in migration.sets:
            name = line.name.text
            wanted = expressions.names.slots.get(name) or expressions.names.variables.get(name)
            if wanted is None:
                known = [*expressions.names.slots, *expressions.names.variables]
                report(unknown_variable(line.name, known))
                expressions.type_of(line.value, at)
            else:
                expressions.need(line.value, optional(wanted) if name in walk.optional else wanted, at)
    expressions.names = replace(expressions.names, old=False)


# ------------------------------------------------------------------------------------------------------- diagnostics


def no_such_value(span: Span, words: str, slot: str, of: FlowType) -> Diagnostic:
    return Diagnostic(
        TYPE_MISMATCH,
        f'the slot `{slot}` has no value "{words}"',
        (Label(span, f"its type is `{spelled(of)}`"),),
        help="other words stand only for a value of a choice",
    )
