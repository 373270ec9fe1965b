"""Family 5, what happens when the user is silent or not understood: fallbacks, silences, events, handoffs.

A flow that others call may leave these to its callers; then each `do` answers for it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from flowc.compiler.called import callers, has_else, has_silence, is_root, left_to_callers
from flowc.compiler.graph import (
    SAME_TURN,
    Edge,
    FlowGraph,
    Node,
    Place,
    Step,
    Wait,
    is_else,
    names,
    path_between,
    reach,
)
from flowc.compiler.model import Model
from flowc.compiler.rules.places import head, named
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import Arm, Ask, Choose, Do, Handoff, Listen, Resume, StateDeclaration
from flowc.dsl.source import Span

__all__ = [
    "FALLBACK_NEVER_ESCALATES",
    "HANDOFF_UNHANDLED",
    "MISSING_FALLBACK",
    "MISSING_SILENCE",
    "fallback_never_escalates",
    "handoff_unhandled",
    "missing_fallback",
    "missing_silence",
]

Graphs = Mapping[str, FlowGraph]
MANY: Final = 3


def missing_fallback(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW501: waits without `else`, events without a handler, and runs of flows that need their caller for it."""
    calls, left = callers(model, graphs), left_to_callers(model, graphs)
    for name, graph in graphs.items():
        yield from _events(graph, model)
        if graph.handlers.otherwise is not None or not is_root(name, model, calls):
            continue
        for wait, others in _open(graph, has_else):
            yield no_fallback(wait, others, graph)
        for do in graph.dos:
            called = model.called.get(do)
            lacking = left[called].otherwise if called in left else None
            if called is not None and lacking is not None:
                yield left_fallback(do, lacking, graphs[called])


def missing_silence(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW503: waits that last for ever when the user goes away."""
    calls, left = callers(model, graphs), left_to_callers(model, graphs)
    for name, graph in graphs.items():
        if graph.handlers.silence or not is_root(name, model, calls):
            continue
        for wait, others in _open(graph, has_silence):
            yield no_silence(wait, others, graph)
        for do in graph.dos:
            called = model.called.get(do)
            lacking = left[called].silence if called in left else None
            if called is not None and lacking is not None:
                yield left_silence(do, lacking, graphs[called])


def _open(graph: FlowGraph, has: Callable[[Wait], bool]) -> Iterator[tuple[Wait, int]]:
    """Waits that lack something, each with how many more do. Where most of a flow's do, one line of `anywhere` is
    missing: once."""
    lacking = [wait for wait in graph.waits if wait in graph.reached and not has(wait)]
    if len(lacking) >= MANY and 2 * len(lacking) > len(graph.waits):
        yield lacking[0], len(lacking) - 1
        return
    for wait in lacking:
        yield wait, 0


def _events(graph: FlowGraph, model: Model) -> Iterator[Diagnostic]:
    """Events without a handler. One that was imported and is not used at all is FLW210."""
    arms = (arm for wait in graph.waits for arm in wait.arms)
    named = {pattern.name.text for arm in arms for pattern in names(arm, model, "event")}
    for name, event in graph.flow.events.items():
        declared = event.declaration.name.span
        own = declared.path == graph.flow.path
        if name not in graph.handlers.events and (own or name in named):
            yield event_unhandled(name, declared if own else _imported(name, graph), graph)


def _imported(name: str, graph: FlowGraph) -> Span:
    header = graph.flow.header
    return next((each.span for use in header.uses for each in use.names if each.text == name), header.name.span)


def fallback_never_escalates(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW502: an `else` from which a user who is never understood never comes to people or to an end. Where nobody
    does, that is FLW404."""
    for graph in graphs.values():
        follow = _misunderstood(graph)
        good: set[Node] = set()
        bad: set[Node] = set()
        for wait in graph.waits:
            arm = _else_of(wait, graph)
            if wait not in graph.reached or arm is None or arm in good or arm in bad:
                continue
            found, way_out = _until_way_out(arm, follow, good)
            if way_out is not None:
                good.update(path_between(found, way_out))
                continue
            bad.update(found)
            if any(_is_way_out(node) for node in reach((wait,), graph.out)):
                yield never_escalates(arm, wait, graph)


def _until_way_out(
    arm: Arm, follow: Callable[[Node], list[Edge]], good: set[Node]
) -> tuple[dict[Node, Step], Node | None]:
    """The nodes that `arm` leads to, up to the first that is, or leads to, a way out."""
    found: dict[Node, Step] = {arm: Step(None, None)}
    pending: list[Node] = [arm]
    for node in pending:
        if node in good or _is_way_out(node):
            return found, node
        for to, kind in follow(node):
            if to not in found:
                found[to] = Step(node, kind)
                pending.append(to)
    return found, None


def _else_of(wait: Wait, graph: FlowGraph) -> Arm | None:
    return next((arm for arm in wait.arms if is_else(arm)), graph.handlers.otherwise)


def _misunderstood(graph: FlowGraph) -> Callable[[Node], list[Edge]]:
    """Where a user comes to whose every message is not understood."""

    def follow(node: Node) -> list[Edge]:
        match node:
            case Listen() | Ask() | Choose():
                arm = _else_of(node, graph)
                taken = [] if arm is None else [Edge(arm, "taken")]
                return [*taken, *(edge for edge in graph.out(node) if edge.kind in ("skip", "empty"))]
            case Do() | Handoff():
                return [edge for edge in graph.out(node) if edge.kind in ("return", "outcome", "exit")]
            case _:
                return [edge for edge in graph.out(node) if edge.kind in SAME_TURN]

    return follow


def _is_way_out(node: Node) -> bool:
    """An end, people, or what another rule reports: a `resume` without a bound, a name that did not resolve."""
    match node:
        case Place("end" | "handoff" | "bottom" | "lost") | Handoff():
            return True
        case Resume(up_to=None):
            return True
        case _:
            return False


def handoff_unhandled(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW509: a handoff with arms that does not say what happens when nobody is there."""
    for graph in graphs.values():
        for node in graph.home:
            if isinstance(node, Handoff) and node.arms and not _answers_nobody(node, model):
                yield nobody_there(node)


def _answers_nobody(handoff: Handoff, model: Model) -> bool:
    return any(any(names(arm, model, "unavailable")) for arm in handoff.arms)


# --------------------------------------------------------------------------------------------------------- diagnostics

MISSING_FALLBACK: Final = Code("FLW501", "missing-fallback", Severity.ERROR)
FALLBACK_NEVER_ESCALATES: Final = Code("FLW502", "fallback-never-escalates", Severity.ERROR, fixed=False)
MISSING_SILENCE: Final = Code("FLW503", "missing-silence", Severity.WARNING, fixed=False)
HANDOFF_UNHANDLED: Final = Code("FLW509", "handoff-unhandled", Severity.ERROR, fixed=False)


def _state(wait: Wait, graph: FlowGraph) -> str:
    home = graph.home[wait]
    return f"state `{home.name.text}`" if isinstance(home, StateDeclaration) else "`anywhere`"


def _more(others: int, lack: str) -> tuple[str, ...]:
    return (f"{others} more waits of this flow {lack}",) if others else ()


def no_fallback(wait: Wait, others: int, graph: FlowGraph) -> Diagnostic:
    return Diagnostic(
        MISSING_FALLBACK,
        f"{named(wait)} in {_state(wait, graph)} does not say what happens when the user is not understood",
        (Label(head(wait), "no `else`, here or in `anywhere`"),),
        help="add an `else` arm here, or one to `anywhere` for the whole flow",
        notes=_more(others, "have no `else` either"),
    )


def left_fallback(do: Do, wait: Wait, called: FlowGraph) -> Diagnostic:
    return Diagnostic(
        MISSING_FALLBACK,
        f"flow `{called.flow.name}` does not say what happens when the user is not understood, nor does its caller",
        (
            Label(do.head_span, "no `else` in the `anywhere` of this flow"),
            Label(head(wait), "this wait has none", secondary=True),
        ),
        help=f"add an `else` arm to `anywhere` here, or in `{called.flow.name}`",
    )


def event_unhandled(name: str, span: Span, graph: FlowGraph) -> Diagnostic:
    return Diagnostic(
        MISSING_FALLBACK,
        f"event `{name}` has no handler in the `anywhere` of flow `{graph.flow.name}`",
        (Label(span, "it may come at any wait"),),
        help=f"add `on {name}` to `anywhere`",
    )


def no_silence(wait: Wait, others: int, graph: FlowGraph) -> Diagnostic:
    return Diagnostic(
        MISSING_SILENCE,
        f"{named(wait)} in {_state(wait, graph)} waits for ever when the user goes away",
        (Label(head(wait), "no `on silence`, here or in `anywhere`"),),
        help="add `on silence 30m -> STATE` here, or to `anywhere` for the whole flow",
        notes=_more(others, "have no `on silence` either"),
    )


def left_silence(do: Do, wait: Wait, called: FlowGraph) -> Diagnostic:
    return Diagnostic(
        MISSING_SILENCE,
        f"flow `{called.flow.name}` does not say what happens when the user goes away, nor does its caller",
        (
            Label(do.head_span, "no `on silence` in the `anywhere` of this flow"),
            Label(head(wait), "this wait has none", secondary=True),
        ),
        help=f"add `on silence 30m -> STATE` to `anywhere` here, or in `{called.flow.name}`",
    )


def never_escalates(arm: Arm, wait: Wait, graph: FlowGraph) -> Diagnostic:
    return Diagnostic(
        FALLBACK_NEVER_ESCALATES,
        "a user who is never understood gets neither to people nor to an end",
        (
            Label(arm.head_span, "this leads back to a wait, every time"),
            Label(head(wait), "where the message was not understood", secondary=True),
        ),
        help="bound it: `resume up to 2 -> STATE`, with a state that hands off or ends",
    )


def nobody_there(handoff: Handoff) -> Diagnostic:
    return Diagnostic(
        HANDOFF_UNHANDLED,
        "this handoff does not say what happens when nobody is there",
        (Label(head(handoff), "no `on unavailable`"),),
        help="add `on unavailable -> STATE`",
    )
