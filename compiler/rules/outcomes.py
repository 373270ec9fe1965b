"""Family 6, outcomes: every way that a call, a job, a flow or a choice can end is taken by somebody, and only such ways
are."""

from collections.abc import Iterator, Mapping
from typing import Final

from flowc.compiler.called import Left, callers, is_root, left_to_callers
from flowc.compiler.graph import SAME_TURN, FlowGraph, Node, names, open_outcomes, path_between, reach
from flowc.compiler.model import Model, OperationModel
from flowc.compiler.rules.places import head, listed, way
from flowc.compiler.suggest import nearest
from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity
from flowc.dsl.nodes import Arm, Call, Choose, Defer, Do, NamePattern

__all__ = [
    "FALLBACK_FAILS",
    "IMPOSSIBLE_OUTCOME",
    "OUTCOME_NOT_HANDLED",
    "UNKNOWN_OUTCOME_NOT_HANDLED",
    "fallback_fails",
    "impossible_outcome",
    "outcome_not_handled",
    "unknown_outcome_not_handled",
]

Graphs = Mapping[str, FlowGraph]


def outcome_not_handled(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW601: failures of calls and jobs, outcomes of flows, and empty lists that nothing takes."""
    calls, left = callers(model, graphs), left_to_callers(model, graphs)
    for name, graph in graphs.items():
        yield from _choices(model, graph)
        yield from _flows(model, graph)
        if graph.handlers.failure is not None or not is_root(name, model, calls):
            continue
        for call in graph.calls:
            missing = [kind for kind in open_outcomes(call, model) if kind != "unknown"]
            if missing:
                yield failure_open(call, missing)
        for do, failing in _leaving(model, graph, left, "failure"):
            yield left_failure(do, failing)


def unknown_outcome_not_handled(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW602: writes that may end in nobody knows, where nothing says what then."""
    calls, left = callers(model, graphs), left_to_callers(model, graphs)
    for name, graph in graphs.items():
        if graph.handlers.unknown is not None or not is_root(name, model, calls):
            continue
        for call in graph.calls:
            if "unknown" in open_outcomes(call, model):
                yield unknown_open(call)
        for do, failing in _leaving(model, graph, left, "unknown"):
            yield left_unknown(do, failing)


def _leaving(model: Model, graph: FlowGraph, left: Mapping[str, Left], what: str) -> Iterator[tuple[Do, Call | Defer]]:
    for do in graph.dos:
        called = left.get(model.called.get(do, ""))
        failing = None if called is None else called.failure if what == "failure" else called.unknown
        if failing is not None:
            yield do, failing


def _choices(model: Model, graph: FlowGraph) -> Iterator[Diagnostic]:
    for wait in graph.waits:
        if isinstance(wait, Choose) and not any(any(names(arm, model, "empty")) for arm in wait.arms):
            yield empty_open(wait)


def _flows(model: Model, graph: FlowGraph) -> Iterator[Diagnostic]:
    for do in graph.dos:
        called = model.flow_of(do)
        if called is None:
            continue
        taken = {pattern.name.text for arm in do.arms for pattern in arm.patterns if isinstance(pattern, NamePattern)}
        missing = [outcome for outcome in called.outcomes if outcome not in taken and outcome != "handoff"]
        if missing:
            yield outcome_open(do, missing)


def impossible_outcome(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW603: arms for what the operation cannot answer."""
    for graph in graphs.values():
        for call in graph.calls:
            operation = model.operations.get(call)
            if operation is None:
                continue
            for arm in call.arms:
                for pattern in names(arm, model, "failure", "kind"):
                    if pattern.name.text not in operation.outcomes and not model.is_unknown(pattern):
                        yield cannot_happen(pattern, operation)


def fallback_fails(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW604: calls that a handler of failures makes, and whose own failure would go to that handler again."""
    left = left_to_callers(model, graphs)
    for graph in graphs.values():
        for handler in (graph.handlers.failure, graph.handlers.unknown):
            if handler is not None:
                yield from _failing_again(handler, graph, model, left)


def _failing_again(handler: Arm, graph: FlowGraph, model: Model, left: Mapping[str, Left]) -> Iterator[Diagnostic]:
    found = reach(
        (handler,), lambda node: [edge for edge in graph.out(node) if edge.kind in SAME_TURN and edge.kind != "failure"]
    )
    for node in found:
        if isinstance(node, Call) and any(edge.to is handler and edge.kind == "failure" for edge in graph.out(node)):
            yield fails_again(node, handler, path_between(found, node))
        if isinstance(node, Do) and handler is graph.handlers.failure:
            called = left.get(model.called.get(node, ""))
            if called is not None and called.failure is not None:
                yield fails_again(node, handler, path_between(found, node))


# --------------------------------------------------------------------------------------------------------- diagnostics

OUTCOME_NOT_HANDLED: Final = Code("FLW601", "outcome-not-handled", Severity.ERROR)
UNKNOWN_OUTCOME_NOT_HANDLED: Final = Code("FLW602", "unknown-outcome-not-handled", Severity.ERROR)
IMPOSSIBLE_OUTCOME: Final = Code("FLW603", "impossible-outcome", Severity.ERROR)
FALLBACK_FAILS: Final = Code("FLW604", "fallback-fails", Severity.ERROR)


def _operation(call: Call | Defer) -> str:
    return f"`{call.service.text}.{call.operation.text}`"


def failure_open(call: Call | Defer, missing: list[str]) -> Diagnostic:
    arms = "`on failed`" if isinstance(call, Defer) else "arms, an `else`"
    return Diagnostic(
        OUTCOME_NOT_HANDLED,
        f"{_operation(call)} may fail with {listed(missing)}, and nothing handles that",
        (Label(call.head_span, "no arm here, and no `on failure` in `anywhere`"),),
        help=f"add {arms}, or `on failure` to `anywhere`",
    )


def left_failure(do: Do, failing: Call | Defer) -> Diagnostic:
    return Diagnostic(
        OUTCOME_NOT_HANDLED,
        f"flow `{do.flow.text}` leaves failed calls to its caller, and nothing handles them here",
        (
            Label(do.head_span, "no `on failure` in the `anywhere` of this flow"),
            Label(failing.head_span, "this may fail", secondary=True),
        ),
        help=f"add `on failure` to `anywhere` here, or in `{do.flow.text}`",
    )


def outcome_open(do: Do, missing: list[str]) -> Diagnostic:
    return Diagnostic(
        OUTCOME_NOT_HANDLED,
        f"flow `{do.flow.text}` may end with {listed(missing)}, and nothing handles that",
        (Label(do.head_span, "no arm for it"),),
        help=f"add `on {missing[0]}` under this line",
    )


def empty_open(choose: Choose) -> Diagnostic:
    return Diagnostic(
        OUTCOME_NOT_HANDLED,
        f"`choose {choose.name.text}` does not say what happens when there is nothing to choose from",
        (Label(head(choose), "no `on empty`"),),
        help="add `on empty` under this line",
    )


def unknown_open(call: Call | Defer) -> Diagnostic:
    return Diagnostic(
        UNKNOWN_OUTCOME_NOT_HANDLED,
        f"it may stay unknown whether {_operation(call)} was done, and nothing handles that",
        (Label(call.head_span, "no `on unknown`, here or in `anywhere`"),),
        help="add `on unknown`: say that it is not certain, and have it checked",
    )


def left_unknown(do: Do, failing: Call | Defer) -> Diagnostic:
    return Diagnostic(
        UNKNOWN_OUTCOME_NOT_HANDLED,
        f"flow `{do.flow.text}` does not say what happens when it stays unknown whether a write was done, nor does its"
        " caller",
        (
            Label(do.head_span, "no `on unknown` in the `anywhere` of this flow"),
            Label(failing.head_span, "this write", secondary=True),
        ),
        help=f"add `on unknown` to `anywhere` here, or in `{do.flow.text}`",
    )


def cannot_happen(pattern: NamePattern, operation: OperationModel) -> Diagnostic:
    name = pattern.name
    near = nearest(name.text, operation.outcomes)
    return Diagnostic(
        IMPOSSIBLE_OUTCOME,
        f"`{operation.service}.{operation.name}` never fails with `{name.text}`",
        (
            Label(name.span, "this never happens"),
            Label(operation.declaration.name.span, f"a {operation.kind} declared here", secondary=True),
        ),
        help=f"did you mean `{near}`?" if near else f"it may fail with {listed(operation.outcomes)}",
        edits=(Edit(name.span, near),) if near else (),
    )


def fails_again(call: Call | Do, handler: Arm, path: tuple[Node, ...]) -> Diagnostic:
    word = _operation(call) if isinstance(call, Call) else f"flow `{call.flow.text}`"
    steps = way(path)
    return Diagnostic(
        FALLBACK_FAILS,
        f"when {word} fails here too, the handler of failures begins again without end",
        (
            Label(call.head_span, "its failure leads back to the same handler"),
            Label(handler.head_span, "which makes this call", secondary=True),
        ),
        help="give this call an arm of its own, such as `else -> STATE`",
        notes=(f"the way from the handler: {steps}",),
    )
