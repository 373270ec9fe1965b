"""Types, services, events, intents and slots of every file as the model has them: what their words amount to.

A type is read in the scope of the file that writes it. Records keep their declared name; where two files of a project
declare different records under one name, the later one is `NAME@PATH`.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, assert_never

from flowc.compiler.declare import KINDS, Declarations, Report, Scope, unique
from flowc.compiler.model import EventModel, IntentModel, OperationModel, ServiceModel, SlotModel
from flowc.compiler.project import Project
from flowc.compiler.settings import unknown_adapter
from flowc.compiler.suggest import nearest
from flowc.compiler.types import (
    BOOLEAN,
    DURATION,
    INTEGER,
    MONEY,
    NUMBER,
    TEXT,
    UNKNOWN,
    FlowType,
    Unknown,
    optional,
    plain,
)
from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity
from flowc.dsl.nodes import (
    ChoiceType,
    Chunk,
    EventDeclaration,
    Example,
    ExampleSlot,
    IntentDeclaration,
    Limit,
    ListType,
    MarkedType,
    Name,
    NamedType,
    Operation,
    OptionalType,
    PatternType,
    PolicyLines,
    RangeType,
    ServiceDeclaration,
    SlotDeclaration,
    TypeDeclaration,
    TypedName,
    TypeNode,
)
from flowc.dsl.source import Span
from flowc.runtime.program import Breaker, Failure, OwnPolicy, Policy, RateLimit, Retry, ServicePolicy
from flowc.runtime.types import Basic, Choice, Field, Integer, ListOf, Marked, Number, Optional, Record, Text, Type

__all__ = ["BASICS", "Signatures", "sign"]

BASICS: Final[Mapping[str, Type]] = {
    "text": TEXT,
    "integer": INTEGER,
    "number": NUMBER,
    "boolean": BOOLEAN,
    "duration": DURATION,
    "money": MONEY,
    "date": Basic("date"),
    "time": Basic("time"),
    "datetime": Basic("datetime"),
    "email": Basic("email"),
    "phone": Basic("phone"),
    "url": Basic("url"),
}
ADAPTERS: Final = ("http", "python", "queue")
READ_KINDS: Final = KINDS[:-1]
WRITE_KINDS: Final = ("unavailable", "overloaded", "rejected", "unknown")
PLACE: Final = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Signatures:
    """What declarations amount to, keyed by the declaration. `used` are the types that something names."""

    records: dict[str, tuple[Field, ...]]
    services: Mapping[ServiceDeclaration, ServiceModel]
    events: Mapping[EventDeclaration, EventModel]
    intents: Mapping[IntentDeclaration, IntentModel]
    slots: Mapping[SlotDeclaration, SlotModel]
    reader: "TypeReader"


def sign(declarations: Declarations, project: Project, report: Report) -> Signatures:
    """The models of all declarations, imported or not. Reports unknown types and incomplete operations."""
    reader = TypeReader(declarations, report)
    for scope in declarations.scopes.values():
        for declaration in scope.own.types.values():
            reader.declared(scope.path, declaration)
    services, events, intents, slots = {}, {}, {}, {}
    for path, scope in declarations.scopes.items():
        for service in scope.own.services.values():
            services[service] = ServiceSigner(path, service, reader, report).signed()
        for topic in scope.own.topics.values():
            match topic:
                case IntentDeclaration():
                    intents[topic] = IntentModel(topic.name.text, _examples(path, topic, project, report), topic)
                case EventDeclaration():
                    unique(topic.fields, "field", report)
                    events[topic] = EventModel(topic.name.text, reader.fields(path, topic.fields), topic)
        for slot in scope.own.slots.values():
            slots[slot] = SlotModel(slot.name.text, reader.read(path, slot.type), slot)
    return Signatures(reader.records, services, events, intents, slots, reader)


# ----------------------------------------------------------------------------------------------------------- types


@dataclass(slots=True)
class TypeReader:
    """Reads types as they are written. Keeps the records, and which declarations something names."""

    declarations: Declarations
    report: Report
    records: dict[str, tuple[Field, ...]] = field(default_factory=dict)
    used: set[TypeDeclaration] = field(default_factory=set)
    mentioned: dict[str, set[str]] = field(default_factory=dict)
    _known: dict[TypeDeclaration, FlowType] = field(default_factory=dict)
    _open: list[TypeDeclaration] = field(default_factory=list)

    def read(self, path: str, node: TypeNode) -> FlowType:
        """The type that `node` of the file `path` is."""
        match node:
            case NamedType(name, span):
                basic = BASICS.get(name)
                return basic if basic is not None else self._named(path, name, span)
            case OptionalType(inner):
                return optional(self.read(path, inner))
            case MarkedType(mark, inner):
                return _marked(mark, self.read(path, inner))
            case ListType(item):
                of = self.read(path, item)
                return UNKNOWN if isinstance(of, Unknown) else ListOf(of)  # type: ignore[arg-type]  # nobody writes `none`
            case ChoiceType(values):
                return Choice(tuple(dict.fromkeys(value.plain or "" for value in values)))
            case PatternType(pattern):
                return Text(pattern)
            case RangeType("integer", low, high):
                return Integer(int(low), int(high))
            case RangeType(_, low, high):
                return Number(_decimal(low), _decimal(high))
            case _:
                assert_never(node)

    def fields(self, path: str, names: tuple[TypedName, ...]) -> tuple[Field, ...]:
        """`names` with their types. One that was not found stays unknown in its field, which is never lowered."""
        types = ((each.name.text, self.read(path, each.type)) for each in names)
        return tuple(Field(name, of) for name, of in types)  # type: ignore[arg-type]  # unknown, see above

    def _named(self, path: str, name: str, span: Span) -> FlowType:
        """The type that is declared as `name`, or that it is a misspelling of."""
        scope = self.declarations.scopes[path]
        if name not in scope.types and name not in scope.lost:
            self.report(unknown_type(name, span, scope))
            name = nearest(name, [*BASICS, *scope.types]) or name
        if name not in scope.types:
            return BASICS.get(name, UNKNOWN)
        home, declaration = scope.types[name]
        self.used.add(declaration)
        self.mentioned.setdefault(path, set()).add(name)
        return self.declared(home, declaration)

    def declared(self, path: str, declaration: TypeDeclaration) -> FlowType:
        """The type that `declaration` of the file `path` gives a name to."""
        known = self._known.get(declaration)
        if known is not None:
            return known
        if declaration.alias is not None:
            if declaration in self._open:
                self.report(endless_type(declaration))
                return UNKNOWN
            self._open.append(declaration)
            self._known[declaration] = self.read(path, declaration.alias)
            self._open.pop()
            return self._known[declaration]
        name = declaration.name.text
        record = Record(name if name not in self.records else f"{name}@{path}")
        self._known[declaration] = record
        self.records[record.name] = ()
        unique(declaration.fields or (), "field", self.report)
        self.records[record.name] = self.fields(path, declaration.fields or ())
        return record


def _marked(mark: str, of: FlowType) -> FlowType:
    inner = plain(of)
    if isinstance(inner, Unknown):
        return UNKNOWN
    marked = Marked("secret" if mark == "secret" else "pii", inner)  # type: ignore[arg-type]  # nobody writes `none`
    return Optional(marked) if isinstance(of, Optional) else marked


def _decimal(value: Decimal) -> str:
    return format(value, "f")


# ---------------------------------------------------------------------------------------------------------- intents


def _examples(path: str, intent: IntentDeclaration, project: Project, report: Report) -> tuple[Example, ...]:
    examples = list(intent.examples)
    for file in intent.example_files:
        at = posixpath.normpath(posixpath.join(posixpath.dirname(path), file.plain or ""))
        text = project.extra(at)
        if text is None:
            report(no_example_file(file.span, at))
            continue
        examples.extend(_example(line.strip(), file.span) for line in text.splitlines() if line.strip())
    return tuple(examples)


def _example(line: str, span: Span) -> Example:
    parts: list[str | ExampleSlot] = []
    at = 0
    for place in PLACE.finditer(line):
        if place.start() > at:
            parts.append(line[at : place.start()])
        name, colon, value = place[1].partition(":")
        parts.append(ExampleSlot(Name(name.strip(), span), value.strip() if colon else None, span))
        at = place.end()
    if at < len(line):
        parts.append(line[at:])
    return Example(tuple(parts), span)


# --------------------------------------------------------------------------------------------------------- services


@dataclass(frozen=True, slots=True)
class ServiceSigner:
    """Reads one service."""

    path: str
    service: ServiceDeclaration
    reader: TypeReader
    report: Report

    def signed(self) -> ServiceModel:
        """The service with its operations; of two operations of one name the first."""
        service = self.service
        known = _adapters(service.adapter.text)
        if service.adapter.text not in known:
            self.report(unknown_adapter(service.adapter.span, service.adapter.text, known))
        operations: dict[str, OperationModel] = {}
        for operation in service.operations:
            name = operation.name.text
            if name in operations:
                self.report(duplicate_operation(operation, operations[name].declaration))
            else:
                operations[name] = self._operation(operation)
        return ServiceModel(
            service.name.text, service.adapter.text, service_policy(service.policy), operations, service
        )

    def _operation(self, operation: Operation) -> OperationModel:
        unique(operation.parameters, "parameter", self.report)
        self._complete(operation)
        failures = tuple(self._failures(operation))
        kinds = READ_KINDS if operation.kind == "read" else WRITE_KINDS
        return OperationModel(
            service=self.service.name.text,
            name=operation.name.text,
            kind=operation.kind,
            parameters=self.reader.fields(self.path, operation.parameters),
            result=None if operation.result is None else self.reader.read(self.path, operation.result),
            policy=operation_policy(operation, self.service.policy),
            own=own_policy(operation.policy),
            failures=failures,
            outcomes=(*dict.fromkeys(failure.name for failure in failures), *kinds),
            declaration=operation,
        )

    def _failures(self, operation: Operation) -> list[Failure]:
        found = []
        for line in operation.fails:
            path = line.when_path.steps if line.when_path is not None else None
            for failure in line.failures:
                fields = self.reader.fields(self.path, failure.fields)
                found.append(Failure(failure.name.text, fields, line.status, path, line.when_equals))
        return found

    def _complete(self, operation: Operation) -> None:
        """Reports a place of an http operation's path that is no parameter."""
        if self.service.adapter.text != "http" or operation.request is None:
            return
        names = [parameter.name.text for parameter in operation.parameters]
        for part in operation.request.path.parts:
            if isinstance(part, Chunk):
                for place in PLACE.finditer(part.text):
                    if place[1] not in names:
                        self.report(unknown_place(place, part.span, operation, names))


def _adapters(wanted: str) -> tuple[str, ...]:
    if wanted in ADAPTERS:
        return ADAPTERS
    from importlib.metadata import entry_points

    return (*ADAPTERS, *sorted(point.name for point in entry_points(group="flowc.adapters")))


def service_policy(lines: PolicyLines) -> ServicePolicy:
    """What operations of a service share, defaults filled in."""
    own = own_policy(lines) or OwnPolicy()
    return ServicePolicy(
        breaker=own.breaker or Breaker(50, 10, 5_000),
        places=64 if own.places is None else own.places,
        limit=own.limit,
        limit_per_user=own.limit_per_user,
    )


def own_policy(lines: PolicyLines) -> OwnPolicy | None:
    """What the lines say of breaker, places and limits; None where they say nothing."""
    breaker = lines.breaker
    own = OwnPolicy(
        breaker=Breaker(breaker.percent, breaker.calls, breaker.open_for.ms) if breaker else None,
        places=lines.concurrency.places if lines.concurrency else None,
        limit=rate_limit(lines.limit),
        limit_per_user=rate_limit(lines.limit_per_user),
    )
    return None if own == OwnPolicy() else own


def rate_limit(line: Limit | None) -> RateLimit | None:
    return None if line is None else RateLimit(line.rate.count, line.rate.per_s)


def operation_policy(operation: Operation, service: PolicyLines) -> Policy:
    """The numbers of one operation. A write without a key is not repeated because its service's reads are."""
    own = operation.policy
    timeout = own.timeout or service.timeout
    timeout_ms = timeout.ms if timeout else 2_000
    keyless = operation.kind == "write" and operation.key is None
    line = own.retry or (None if keyless else service.retry)
    if line is not None:
        retry = Retry(line.attempts, line.base.ms, line.cap.ms)
    else:
        retry = Retry(0 if keyless else 2, 100, 1_000)
    within = own.within or service.within
    waits = sum(min(retry.cap_ms, retry.base_ms * 2**turn) for turn in range(min(retry.attempts, 64)))
    cache = (own.cache or service.cache) if operation.kind == "read" else None
    return Policy(
        timeout_ms=timeout_ms,
        within_ms=within.ms if within else (retry.attempts + 1) * timeout_ms + waits,
        retry=retry,
        cache_ms=cache.ms if cache else None,
    )


# ------------------------------------------------------------------------------------------------------- diagnostics

UNKNOWN_NAME: Final = Code("FLW203", "unknown-name", Severity.ERROR)
UNKNOWN_TYPE: Final = Code("FLW205", "unknown-type", Severity.ERROR)


def unknown_type(name: str, span: Span, scope: Scope) -> Diagnostic:
    near = nearest(name, [*BASICS, *scope.types])
    return Diagnostic(
        UNKNOWN_TYPE,
        f"no type named `{name}`",
        (Label(span, "neither built in, nor declared or imported in this file"),),
        help=f"did you mean `{near}`?" if near else None,
        edits=(Edit(span, near),) if near else (),
    )


def endless_type(declaration: TypeDeclaration) -> Diagnostic:
    return Diagnostic(
        UNKNOWN_TYPE,
        f"the type `{declaration.name.text}` is defined by itself",
        (Label(declaration.name.span, "its own definition comes back to it"),),
        help="only the fields of a record may name the record",
    )


def no_example_file(span: Span, path: str) -> Diagnostic:
    from flowc.compiler.declare import IMPORT_NOT_FOUND

    return Diagnostic(
        IMPORT_NOT_FOUND,
        f"no file `{path}`",
        (Label(span, "not found"),),
        help="a path is relative to this file; it has one example a line",
    )


def duplicate_operation(operation: Operation, first: Operation) -> Diagnostic:
    from flowc.compiler.declare import duplicate

    return duplicate(operation.name, first.name, "operation")


def unknown_place(place: "re.Match[str]", within: Span, operation: Operation, names: list[str]) -> Diagnostic:
    span = Span(within.path, within.start + place.start(1), within.start + place.end(1))
    near = nearest(place[1], names)
    return Diagnostic(
        UNKNOWN_NAME,
        f"`{operation.name.text}` has no parameter named `{place[1]}`",
        (Label(span, "nothing to put here"),),
        help=f"did you mean `{near}`?" if near else f"add `{place[1]}: text` to its parameters",
        edits=(Edit(span, near),) if near else (),
    )


def unknown_variable(name: Name, known: Iterable[str]) -> Diagnostic:
    near = nearest(name.text, known)
    return Diagnostic(
        UNKNOWN_NAME,
        f"no slot or variable named `{name.text}`",
        (Label(name.span, "nothing of this name in the flow"),),
        help=f"did you mean `{near}`?" if near else None,
        edits=(Edit(name.span, near),) if near else (),
    )
