"""What is said about names that do not resolve, and about what cannot be assigned. Wording only."""

from collections.abc import Collection, Iterable
from typing import Final

from flowc.compiler.declare import Scope
from flowc.compiler.model import ServiceModel
from flowc.compiler.signatures import UNKNOWN_NAME
from flowc.compiler.suggest import nearest
from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity
from flowc.dsl.mistakes import MISSING_PROPERTY
from flowc.dsl.nodes import FlowHeader, Name, SlotDeclaration

UNKNOWN_STATE: Final = Code("FLW201", "unknown-state", Severity.ERROR)
UNKNOWN_INTENT: Final = Code("FLW202", "unknown-intent", Severity.ERROR)
UNKNOWN_OPERATION: Final = Code("FLW204", "unknown-operation", Severity.ERROR)
UNKNOWN_FLOW: Final = Code("FLW206", "unknown-flow", Severity.ERROR)
READ_ONLY: Final = Code("FLW310", "read-only", Severity.ERROR)


def unresolved(code: Code, message: str, name: Name, label: str, known: Iterable[str], other: str | None) -> Diagnostic:
    """A name that does not exist, with the nearest of `known`, or `other` advice where none is near."""
    near = nearest(name.text, known)
    return Diagnostic(
        code,
        message,
        (Label(name.span, label),),
        help=f"did you mean `{near}`?" if near else other,
        edits=(Edit(name.span, near),) if near else (),
    )


def unknown_state(name: Name, flow: str, states: Iterable[str]) -> Diagnostic:
    label = f"not declared in flow `{flow}`"
    other = f"add `state {name.text}`, or go to one of the states of this flow"
    return unresolved(UNKNOWN_STATE, f"no state named `{name.text}`", name, label, states, other)


def unknown_intent(name: Name, scope: Scope) -> Diagnostic:
    other = f"add `intent {name.text}` with examples, or import it with `use {name.text} from …`"
    label = "neither declared nor imported in this file"
    return unresolved(UNKNOWN_INTENT, f"no intent or event named `{name.text}`", name, label, scope.topics, other)


def unknown_slot(name: Name, slots: Iterable[str]) -> Diagnostic:
    other = f"add `slot {name.text}: TYPE` with a question"
    return unresolved(UNKNOWN_NAME, f"no slot named `{name.text}`", name, "not declared", slots, other)


def nothing_to_clear(name: Name, known: Iterable[str]) -> Diagnostic:
    return unresolved(
        UNKNOWN_NAME, f"no slot or variable named `{name.text}`", name, "nothing sets it", known, "remove this name"
    )


def unknown_outcome(name: Name, callee: str, outcomes: Collection[str]) -> Diagnostic:
    ends = ", ".join(f"`{outcome}`" for outcome in outcomes)
    other = f"besides a plain end it has {ends}" if ends else "it has only a plain end"
    message = f"the flow `{callee}` has no outcome `{name.text}`"
    return unresolved(UNKNOWN_NAME, message, name, "never happens", outcomes, other)


def no_such_arm(name: Name, what: str, known: tuple[str, ...]) -> Diagnostic:
    listed = ", ".join(f"`{each}`" for each in known)
    return unresolved(
        UNKNOWN_NAME, f"{what} has no outcome `{name.text}`", name, "never happens", known, f"it has {listed}"
    )


def unknown_service(name: Name, services: Iterable[str]) -> Diagnostic:
    other = f"add `service {name.text} via http`, or import it with `use {name.text} from …`"
    label = "neither declared nor imported in this file"
    return unresolved(UNKNOWN_OPERATION, f"no service named `{name.text}`", name, label, services, other)


def unknown_operation(name: Name, service: ServiceModel) -> Diagnostic:
    listed = ", ".join(f"`{each}`" for each in service.operations)
    message = f"the service `{service.name}` has no operation `{name.text}`"
    other = f"it has {listed}" if listed else None
    return unresolved(UNKNOWN_OPERATION, message, name, "not declared there", service.operations, other)


def unknown_flow(name: Name, scope: Scope) -> Diagnostic:
    other = f'import it: `use {name.text} from "{name.text}.flow"`'
    return unresolved(
        UNKNOWN_FLOW, f"no flow named `{name.text}`", name, "not imported in this file", scope.flows, other
    )


def read_only(name: Name, why: str) -> Diagnostic:
    return Diagnostic(
        READ_ONLY,
        f"`{name.text}` cannot be changed",
        (Label(name.span, why),),
        help="give the variable another name"
        if "arm of a job" not in why
        else "go to a state with `->` and change it there",
    )


def missing_question(name: Name, slot: SlotDeclaration) -> Diagnostic:
    return Diagnostic(
        MISSING_PROPERTY,
        f"the slot `{name.text}` has no question",
        (Label(slot.name.span, "has no `ask`"), Label(name.span, "asked for here", secondary=True)),
        help=f'add `ask "…"` under `slot {name.text}`',
    )


def no_states(header: FlowHeader) -> Diagnostic:
    return Diagnostic(
        MISSING_PROPERTY,
        f"the flow `{header.name.text}` has no state",
        (Label(header.name.span, "where does it begin?"),),
        help="add `state start`",
    )
