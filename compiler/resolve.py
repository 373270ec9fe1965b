"""Every name in the bodies of flows: states, intents and events, operations, flows, slots; and which variables there
are.

References inside expressions wait for `check_types`, which knows what is local where. A name that does not resolve
is reported once and its node is `unknown`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal, assert_never

from flowc.compiler.declare import (
    BUILT_IN,
    KINDS,
    Declarations,
    Report,
    Scope,
    duplicate_wait,
)
from flowc.compiler.model import OperationModel, ServiceModel, SlotModel
from flowc.compiler.resolved import Assignment, FlowNames, Locals, Resolved
from flowc.compiler.signatures import Signatures
from flowc.compiler.suggest import meant, nearest
from flowc.compiler.types import FlowType
from flowc.compiler.unresolved import (
    missing_question,
    no_states,
    no_such_arm,
    nothing_to_clear,
    read_only,
    unknown_flow,
    unknown_intent,
    unknown_operation,
    unknown_outcome,
    unknown_service,
    unknown_slot,
    unknown_state,
)
from flowc.dsl.mistakes import duplicate as duplicate_property
from flowc.dsl.nodes import (
    AnywhereDeclaration,
    Arm,
    Ask,
    Call,
    ChangePattern,
    Choose,
    Clear,
    Defer,
    Do,
    DonePattern,
    ElsePattern,
    End,
    EventDeclaration,
    ExampleSlot,
    FlowHeader,
    Goto,
    Handoff,
    If,
    IntentDeclaration,
    Listen,
    LiteralPattern,
    Mark,
    Match,
    Name,
    NamePattern,
    Pattern,
    Reject,
    Resume,
    Say,
    Set,
    SilencePattern,
    Statement,
)
from flowc.dsl.source import Span
from flowc.runtime.types import Record

__all__ = ["Assignment", "FlowNames", "Locals", "Resolved", "resolve"]

Place = Literal["wait", "choose", "call", "defer", "do", "handoff", "anywhere", "match"]
NOTHING: Final[Locals] = {}
ERROR: Final = Record("error")


def resolve(declarations: Declarations, signatures: Signatures, report: Report) -> Resolved:
    """Every flow of the project. Of two flows with one name the first."""
    resolved = Resolved()
    for scope in declarations.scopes.values():
        header = scope.own.file.header
        if isinstance(header, FlowHeader) and header.name.text not in resolved.flows:
            names = _flow_names(scope, header, signatures)
            resolved.flows[header.name.text] = names
            Resolver(names, declarations, signatures, resolved, report).resolve()
        _examples(scope, resolved, report)
    _spread_handoffs(resolved)
    for names in resolved.flows.values():
        for statement in names.dos:
            _outcomes(statement, resolved, report)
    return resolved


def _flow_names(scope: Scope, header: FlowHeader, signatures: Signatures) -> FlowNames:
    slots = {name: signatures.slots[slot] for name, (_, slot) in scope.slots.items()}
    services = {name: signatures.services[service] for name, (_, service) in scope.services.items()}
    return FlowNames(scope, header, slots, services)


def _examples(scope: Scope, resolved: Resolved, report: Report) -> None:
    """Slots that the examples of a file name."""
    for topic in scope.own.topics.values():
        if isinstance(topic, IntentDeclaration):
            for example in topic.examples:
                for part in example.parts:
                    if isinstance(part, ExampleSlot):
                        _example_slot(part, scope, resolved, report)


def _example_slot(part: ExampleSlot, scope: Scope, resolved: Resolved, report: Report) -> None:
    found = scope.slots.get(part.name.text)
    if found is not None:
        resolved.use(scope.path, part.name.text, found[1])
    elif part.name.text not in scope.lost:
        report(unknown_slot(part.name, scope.slots))


def _spread_handoffs(resolved: Resolved) -> None:
    """A flow that calls one that hands off, and has no arm for it, may end so itself."""
    changed = True
    while changed:
        changed = False
        for names in resolved.flows.values():
            if names.hands_off:
                names.outcomes.setdefault("handoff")
                continue
            for statement in names.dos:
                callee = resolved.flows.get(resolved.called.get(statement, ""))
                if callee is not None and callee.hands_off and not _has_arm(statement.arms, "handoff"):
                    names.hands_off = changed = True


def _has_arm(arms: Iterable[Arm], name: str) -> bool:
    return any(isinstance(each, NamePattern) and each.name.text == name for arm in arms for each in arm.patterns)


def _outcomes(statement: Do, resolved: Resolved, report: Report) -> None:
    callee = resolved.flows.get(resolved.called.get(statement, ""))
    for arm in statement.arms:
        for pattern in arm.patterns:
            if not isinstance(pattern, NamePattern):
                continue
            resolved.patterns[pattern] = "outcome"
            if callee is None:
                resolved.unknown.add(pattern)
            elif pattern.name.text not in callee.outcomes:
                resolved.unknown.add(pattern)
                report(unknown_outcome(pattern.name, callee.name, callee.outcomes))


@dataclass(frozen=True, slots=True)
class Inside:
    """Where a statement stands: the locals in sight, in an arm of a job or not, and the waits of its state."""

    locals: Locals
    waits: dict[tuple[str, str], Span]
    in_job: bool = False


@dataclass(frozen=True, slots=True)
class Resolver:
    """Walks one flow."""

    names: FlowNames
    declarations: Declarations
    signatures: Signatures
    resolved: Resolved
    report: Report

    def resolve(self) -> None:
        """The whole flow: header, states, anywhere, migrations."""
        own, header = self.names.scope.own, self.names.header
        if header.start is not None:
            self._state(header.start, header)
        if not own.states and own.file.path not in self.declarations.broken:
            self.report(no_states(header))
        for state in own.states.values():
            self._body(state.body, Inside(NOTHING, {}))
        for index, anywhere in enumerate(own.anywhere):
            if index:
                self.report(duplicate_property("anywhere", _head(anywhere), _head(own.anywhere[0])))
            for arm in anywhere.arms:
                self._arms((arm,), Inside(NOTHING, {}), "anywhere")
        for migration in own.migrations:
            for move in migration.moves:
                self._state(move.new, move)
        self._forgotten()

    def _body(self, statements: tuple[Statement, ...], inside: Inside) -> None:
        for statement in statements:
            self._statement(statement, inside)

    def _statement(self, statement: Statement, inside: Inside) -> None:
        match statement:
            case Say() | Mark():
                pass
            case Goto(state):
                self._state(state, statement)
            case Set(name):
                self._assigned(name, statement, inside)
            case Call():
                self._call(statement, inside)
            case If(branches):
                for branch in branches:
                    self._body(branch.body, inside)
            case Listen(arms):
                keyword = Span(statement.span.path, statement.span.start, statement.span.start + len("listen"))
                self._wait("listen", "", keyword, inside)
                self._arms(arms, inside, "wait")
            case Ask():
                self._ask(statement, inside)
            case Match(_, arms):
                self._arms(arms, inside, "match")
            case Clear(names):
                for name in names:
                    self._cleared(name, inside)
            case Reject(slot):
                self._slot(slot, statement)
            case Choose(name, _, _, _, arms):
                self._wait("choose", name.text, name.span, inside)
                self._assigned(name, statement, inside)
                self._arms(arms, inside, "choose")
            case Defer():
                self._defer(statement, inside)
            case Do():
                self._do(statement, inside)
            case Resume(_, then):
                if then is not None:
                    self._state(then, statement)
            case Handoff(_, arms):
                self.names.hands_off |= not arms
                if arms:
                    self._wait("handoff", "", statement.queue.span, inside)
                self._arms(arms, inside, "handoff")
            case End(outcome):
                if outcome is not None:
                    self.names.outcomes.setdefault(outcome.text)
            case _:
                assert_never(statement)

    # ------------------------------------------------------------------------------------------------ statements

    def _ask(self, ask: Ask, inside: Inside) -> None:
        for name in ask.slots:
            self._wait("ask", name.text, name.span, inside)
            slot = self._slot(name, ask)
            if slot is not None and slot.declaration.ask is None and ask.question is None:
                self._without_question(name, slot)
        self._arms(ask.arms, inside, "wait")

    def _without_question(self, name: Name, slot: SlotModel) -> None:
        marker = ("ask", slot.declaration)
        if marker not in self.resolved.used:
            self.resolved.used.add(marker)
            self.report(missing_question(name, slot.declaration))

    def _call(self, call: Call, inside: Inside) -> None:
        operation = self._operation(call)
        if operation is not None and operation.kind == "write":
            self._wait("write", f"{call.service.text}.{call.operation.text}", call.operation.span, inside)
        if call.target is not None:
            self._assigned(call.target, call, inside)
        self._arms(call.arms, inside, "call", operation)

    def _defer(self, defer: Defer, inside: Inside) -> None:
        operation = self._operation(defer)
        self._arms(defer.arms, replace(inside, in_job=True), "defer", operation)

    def _do(self, do: Do, inside: Inside) -> None:
        name = do.flow.text
        self._wait("do", name, do.flow.span, inside)
        scope = self.names.scope
        if name not in scope.flows and name not in scope.lost:
            self.report(unknown_flow(do.flow, scope))
            name = nearest(name, scope.flows) or name
        if name in scope.flows:
            self.resolved.called[do] = name
            self.resolved.use(scope.path, name, (scope.path, name))
        else:
            self.resolved.unknown.add(do)
        if do.target is not None:
            self._assigned(do.target, do, inside)
        self.names.dos.append(do)
        self._arms(do.arms, inside, "do")

    def _operation(self, call: Call | Defer) -> OperationModel | None:
        """The operation that `call` names, or the one it is a misspelling of."""
        service, operation = self._service(call.service), None
        if service is not None:
            operation = service.operations.get(call.operation.text)
            lost = self.declarations.scopes[service.declaration.span.path].lost
            if operation is None and call.operation.text not in lost:
                self.report(unknown_operation(call.operation, service))
                operation = meant(call.operation.text, service.operations)
        if operation is None:
            self.resolved.unknown.add(call)
            return None
        self.resolved.used.add(operation.declaration)
        self.resolved.operations[call] = operation
        return operation

    def _service(self, name: Name) -> ServiceModel | None:
        service = self.names.services.get(name.text)
        if service is None and name.text not in self.names.scope.lost:
            self.report(unknown_service(name, self.names.services))
            service = meant(name.text, self.names.services)
        if service is not None:
            self._use(name, service.declaration)
        return service

    # ------------------------------------------------------------------------------------------------------ names

    def _use(self, name: Name, declaration: object) -> None:
        self.resolved.use(self.names.scope.path, name.text, declaration)

    def _state(self, name: Name, node: object) -> None:
        if name.text in self.names.states:
            return
        self.resolved.unknown.add(node)
        if name.text not in self.names.scope.lost:
            self.report(unknown_state(name, self.names.name, self.names.states))

    def _slot(self, name: Name, node: object) -> SlotModel | None:
        slot = self.names.slots.get(name.text)
        if slot is not None:
            self._use(name, slot.declaration)
            return slot
        self.resolved.unknown.add(node)
        if name.text not in self.names.scope.lost:
            self.report(unknown_slot(name, self.names.slots))
            self.names.scope.lost.add(name.text)  # reading it is the same mistake
        return None

    def _assigned(self, name: Name, source: Set | Call | Do | Choose, inside: Inside) -> None:
        if name.text in BUILT_IN or name.text in inside.locals:
            self.report(
                read_only(name, "is built in" if name.text in BUILT_IN else "stands for what this arm is about")
            )
            return
        if inside.in_job:
            self.report(read_only(name, "an arm of a job sees the variables as they were, and changes none"))
        slot = self.names.slots.get(name.text)
        if slot is not None:
            self._use(name, slot.declaration)
        self.names.assignments.append(Assignment(name, source, inside.locals))

    def _cleared(self, name: Name, inside: Inside) -> None:
        if name.text in BUILT_IN or name.text in inside.locals:
            self.report(
                read_only(name, "is built in" if name.text in BUILT_IN else "stands for what this arm is about")
            )
        elif inside.in_job:
            self.report(read_only(name, "an arm of a job sees the variables as they were, and changes none"))
        else:
            self.names.forgotten.append(name)

    def _forgotten(self) -> None:
        known = {each.name.text for each in self.names.assignments}
        known.update(each.name.text for each in (*self.names.header.takes, *self.names.header.gives))
        for name in self.names.forgotten:
            slot = self.names.slots.get(name.text)
            if slot is not None:
                self._use(name, slot.declaration)
            elif name.text not in known and name.text not in self.names.scope.lost:
                self.report(nothing_to_clear(name, [*known, *self.names.slots]))

    def _wait(self, kind: str, name: str, span: Span, inside: Inside) -> None:
        first = inside.waits.setdefault((kind, name), span)
        if first is not span:
            self.report(duplicate_wait(span, first, f"`{kind} {name}`" if name else f"`{kind}`"))

    # ------------------------------------------------------------------------------------------------------- arms

    def _arms(
        self, arms: tuple[Arm, ...], inside: Inside, place: Place, operation: OperationModel | None = None
    ) -> None:
        for arm in arms:
            for pattern in arm.patterns:
                self._pattern(pattern, place, operation)
            local = self._locals(arm, place, operation)
            if local:
                within = replace(inside, locals={**inside.locals, **local})
                self.resolved.locals[arm] = within.locals
                self._body(arm.body, within)
            else:
                self._body(arm.body, inside)

    def _pattern(self, pattern: Pattern, place: Place, operation: OperationModel | None) -> None:
        match pattern:
            case NamePattern():
                self._name_pattern(pattern, place, operation)
            case ChangePattern(slots):
                for name in slots:
                    self._slot(name, pattern)
            case SilencePattern() | DonePattern() | LiteralPattern() | ElsePattern():
                pass
            case _:
                assert_never(pattern)

    def _name_pattern(self, pattern: NamePattern, place: Place, operation: OperationModel | None) -> None:
        name, kinds = pattern.name.text, self.resolved.patterns
        match place:
            case "do" | "match":
                pass
            case "call":
                if operation is None:
                    self.resolved.unknown.add(pattern)
                else:
                    declared = any(failure.name == name for failure in operation.failures)
                    kinds[pattern] = "kind" if name in KINDS and not declared else "failure"
            case "defer":
                if name in ("failed", "unknown"):
                    kinds[pattern] = "job_failed" if name == "failed" else "kind"
                else:
                    self._no_such_arm(pattern, "a deferred job", ("done", "failed", "unknown"))
            case "handoff":
                if name in ("returned", "unavailable"):
                    kinds[pattern] = "returned" if name == "returned" else "unavailable"
                else:
                    self._no_such_arm(pattern, "a handoff", ("returned", "unavailable"))
            case "choose" if name == "empty":
                kinds[pattern] = "empty"
            case "anywhere" if name in ("failure", "unknown"):
                kinds[pattern] = "any_failure" if name == "failure" else "kind"
            case "wait" | "choose" | "anywhere":
                self._topic(pattern)
            case _:
                assert_never(place)

    def _topic(self, pattern: NamePattern) -> None:
        scope = self.names.scope
        found = scope.topics.get(pattern.name.text)
        if found is not None:
            self._use(pattern.name, found[1])
            self.resolved.patterns[pattern] = "event" if isinstance(found[1], EventDeclaration) else "intent"
            return
        self.resolved.unknown.add(pattern)
        if pattern.name.text not in scope.lost:
            self.report(unknown_intent(pattern.name, scope))

    def _no_such_arm(self, pattern: NamePattern, what: str, known: tuple[str, ...]) -> None:
        self.resolved.unknown.add(pattern)
        self.report(no_such_arm(pattern.name, what, known))

    def _locals(self, arm: Arm, place: Place, operation: OperationModel | None) -> dict[str, FlowType]:
        """What is in sight in `arm` alone."""
        found: dict[str, FlowType] = {}
        kinds = {self.resolved.patterns.get(each) for each in arm.patterns if isinstance(each, NamePattern)}
        if place in ("call", "defer") or kinds & {"any_failure", "kind"}:
            found["error"] = ERROR
        match arm.patterns:
            case (DonePattern(name),) if name is not None:
                result = operation.result if operation is not None else None
                found = {name.text: result} if result is not None else {}
            case (DonePattern(),):
                found = {}
            case (NamePattern() as pattern,):
                kind, name = self.resolved.patterns.get(pattern), pattern.name
                if kind == "event":
                    found[name.text] = Record(f"event {name.text}")
                if kind == "failure" and operation is not None and operation.failure_fields(name.text):
                    found[name.text] = Record(f"failure {operation.service}.{operation.name}.{name.text}")
        return found


def _head(anywhere: AnywhereDeclaration) -> Span:
    start = anywhere.span.start
    return Span(anywhere.span.path, start, start + len("anywhere"))
