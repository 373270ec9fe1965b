"""Family 4, what can be reached and what can be left: states, statements, ends.

An unreachable state is one mistake, whatever only it leads to; a statement that control never comes to is one, whatever
follows it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from flowc.compiler.called import callers, is_root
from flowc.compiler.graph import Edge, FlowGraph, Node, Place
from flowc.compiler.model import Model
from flowc.compiler.rules.places import head, listed
from flowc.compiler.walk import Block, blocks_of, leaves
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import Arm, Ask, Choose, Handoff, If, Listen, StateDeclaration, Statement

__all__ = [
    "NEVER_ENDS",
    "NO_WAY_OUT",
    "UNREACHABLE_STATE",
    "UNREACHABLE_STATEMENT",
    "can_reach",
    "components",
    "never_ends",
    "no_way_out",
    "unreachable_statements",
    "unreachable_states",
]

Graphs = Mapping[str, FlowGraph]
T = TypeVar("T")


def unreachable_states(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW401: states that no path from the start reaches; of those that lead to each other only the first."""
    for graph in graphs.values():
        states = [state for state in graph.flow.states.values() if state not in graph.reached]
        if not states:
            continue
        into = _entered_from(states, graph)
        for group in components(states, into):
            if not any(source not in group for state in group for source in into[state]):
                first = min(group, key=lambda state: state.span.start)
                yield unreachable_state(first, [state for state in states if state is not first], graph)


def _entered_from(states: list[StateDeclaration], graph: FlowGraph) -> dict[StateDeclaration, list[StateDeclaration]]:
    """The states from which each of `states` is gone to, itself left out."""
    into: dict[StateDeclaration, list[StateDeclaration]] = {state: [] for state in states}
    for node, edges in graph.edges.items():
        home = graph.home.get(node)
        if isinstance(home, StateDeclaration) and home in into:
            for edge in edges:
                if isinstance(edge.to, StateDeclaration) and edge.to in into and edge.to is not home:
                    into[edge.to].append(home)
    return into


def unreachable_statements(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW402: the first statement of a block behind one that always leaves."""
    for graph in graphs.values():
        for body in _bodies(graph):
            yield from _dead(body)


def _bodies(graph: FlowGraph) -> Iterator[Block]:
    yield from (state.body for state in graph.flow.states.values())
    yield from (arm.body for arm in graph.flow.anywhere)


def _dead(body: Block) -> Iterator[Diagnostic]:
    for index, statement in enumerate(body):
        for block in blocks_of(statement):
            yield from _dead(block)
        if leaves((statement,)):
            if index + 1 < len(body):
                yield unreachable_statement(body[index + 1], statement)
            return


def no_way_out(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW403: states and handlers whose end control can come to."""
    for graph in graphs.values():
        for state in graph.flow.states.values():
            if not leaves(state.body):
                yield falls_off(state, graph)
        for arm in graph.flow.anywhere:
            if not leaves(arm.body):
                yield handler_falls_off(arm)


def never_ends(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW404: reached states from which no path leads out of the flow; one report for each trap."""
    calls = callers(model, graphs)
    for name, graph in graphs.items():
        interrupted = not is_root(name, model, calls) and any(graphs[each].flow.anywhere for each, _ in calls[name])
        good = can_reach(graph, _is_exit if not interrupted else _is_exit_or_wait, graph.out)
        bad = [state for state in graph.flow.states.values() if state in graph.reached and state not in good]
        if not bad:
            continue
        onward = {state: _states_from(state, graph) for state in bad}
        for group in components(bad, onward):
            trap = all(to in group for state in group for to in onward[state])
            if trap and _waits_in(group, graph):
                yield never_ends_here(min(group, key=lambda state: state.span.start), group, graph)


def _is_exit(node: Node) -> bool:
    match node:
        case Place("end" | "handoff" | "bottom" | "lost") | Handoff():
            return True
        case _:
            return False


def _is_exit_or_wait(node: Node) -> bool:
    """In a called flow a handler of its caller may leave from any wait."""
    return _is_exit(node) or isinstance(node, Ask | Choose | Listen)


def _states_from(state: StateDeclaration, graph: FlowGraph) -> tuple[StateDeclaration, ...]:
    """The states that `state` goes to by itself."""
    seen: set[Node] = {state}
    pending: list[Node] = [state]
    found: list[StateDeclaration] = []
    while pending:
        for edge in graph.out(pending.pop()):
            if edge.to in seen:
                continue
            seen.add(edge.to)
            if isinstance(edge.to, StateDeclaration):
                found.append(edge.to)
            else:
                pending.append(edge.to)
    return tuple(found)


def _waits_in(group: Iterable[StateDeclaration], graph: FlowGraph) -> bool:
    homes = set(group)
    return any(graph.home[wait] in homes for wait in graph.waits) or any(graph.home[do] in homes for do in graph.dos)


def can_reach(
    graph: FlowGraph, is_goal: Callable[[Node], bool], follow: Callable[[Node], Iterable[Edge]]
) -> frozenset[Node]:
    """The nodes from which some path over `follow` leads to a goal. Linear."""
    before: dict[Node, list[Node]] = {}
    goals: list[Node] = []
    for node in graph.edges:
        if is_goal(node):
            goals.append(node)
        for edge in follow(node):
            before.setdefault(edge.to, []).append(node)
    goals += [node for node in before if node not in graph.edges and is_goal(node)]
    found = set(goals)
    while goals:
        for node in before.get(goals.pop(), ()):
            if node not in found:
                found.add(node)
                goals.append(node)
    return frozenset(found)


def components(nodes: Iterable[T], onward: Mapping[T, Iterable[T]]) -> list[set[T]]:
    """The strongly connected components of `nodes`, where `onward` leads from each."""
    import networkx as nx

    inside = list(nodes)
    graph: nx.DiGraph[T] = nx.DiGraph()
    graph.add_nodes_from(inside)
    graph.add_edges_from((node, to) for node in inside for to in onward[node] if to in graph)
    return [set(group) for group in nx.strongly_connected_components(graph)]


# --------------------------------------------------------------------------------------------------------- diagnostics

UNREACHABLE_STATE: Final = Code("FLW401", "unreachable-state", Severity.WARNING, fixed=False)
UNREACHABLE_STATEMENT: Final = Code("FLW402", "unreachable-statement", Severity.WARNING, fixed=False)
NO_WAY_OUT: Final = Code("FLW403", "no-way-out", Severity.ERROR)
NEVER_ENDS: Final = Code("FLW404", "never-ends", Severity.ERROR, fixed=False)


def unreachable_state(state: StateDeclaration, others: list[StateDeclaration], graph: FlowGraph) -> Diagnostic:
    names = [other.name.text for other in others]
    return Diagnostic(
        UNREACHABLE_STATE,
        f"state `{state.name.text}` is never reached",
        (Label(state.name.span, f"no path from `{graph.flow.start}` leads here"),),
        help=f"add `-> {state.name.text}` where it belongs, or remove the state",
        notes=(f"not reached either: {listed(names[:5])}",) if names else (),
    )


def unreachable_statement(statement: Statement, before: Statement) -> Diagnostic:
    return Diagnostic(
        UNREACHABLE_STATEMENT,
        "this line is never reached",
        (
            Label(head(statement), "control never comes here"),
            Label(head(before), "this always leaves", secondary=True),
        ),
        help="remove it, or move it up",
    )


def falls_off(state: StateDeclaration, graph: FlowGraph) -> Diagnostic:
    return Diagnostic(
        NO_WAY_OUT,
        f"state `{state.name.text}` does not say what happens next",
        (Label(state.name.span, "control falls off its end"), *_why(state.body)),
        help="end it with `-> STATE`, `end` or `handoff`",
    )


def _why(body: Sequence[Statement]) -> tuple[Label, ...]:
    """Where a block goes on; nothing of a block that could not be read."""
    return tuple(Label(head(last), _why_it_goes_on(last), secondary=True) for last in body[-1:])


def _why_it_goes_on(statement: Statement) -> str:
    match statement:
        case If(branches) if branches[-1].condition is not None:
            return "nothing is said for when no condition holds"
        case If() | Listen() | Handoff():
            return "one of its blocks comes to its end"
        case _:
            return "nothing comes after this"


def handler_falls_off(arm: Arm) -> Diagnostic:
    return Diagnostic(
        NO_WAY_OUT,
        "this handler of `anywhere` does not say what happens next",
        (Label(arm.head_span, "control falls off its end"), *_why(arm.body)),
        help="end it with `resume`, `-> STATE`, `end` or `handoff`",
    )


def never_ends_here(state: StateDeclaration, group: set[StateDeclaration], graph: FlowGraph) -> Diagnostic:
    name = state.name.text
    others = sorted(each.name.text for each in group if each is not state)
    together = f" nor from {listed(others[:5])}" if others else ""
    return Diagnostic(
        NEVER_ENDS,
        f"a conversation in state `{name}` never ends",
        (Label(state.name.span, f"no path from here{together} leads to `end`, `handoff` or a caller"),),
        help="give one of its waits a way out, such as `on silence 30m -> goodbye`",
    )
