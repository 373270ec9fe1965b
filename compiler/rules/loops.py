"""Family 4, loops: a turn that never comes to a wait, flows that run each other round.

A cycle in the graph is a fault only if it can be gone round without a wait. So a cycle is not reported if an `ask`
on it asks for a slot that the cycle itself always clears, or if it counts: some variable only grows on it, and a
condition stops it there.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from flowc.compiler.called import bottom_up
from flowc.compiler.graph import SAME_TURN, Edge, FlowGraph, Node, path_between, reach
from flowc.compiler.model import Model
from flowc.compiler.rules.counters import counts
from flowc.compiler.rules.places import head, way
from flowc.compiler.rules.reachability import components
from flowc.compiler.rules.turn import outcome_arms, passing
from flowc.compiler.walk import names_set
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import Arm, Ask, Clear, Do, Goto, Reject, StateDeclaration, Statement
from flowc.dsl.source import Span

__all__ = ["LOOP_WITHOUT_USER", "UNBOUNDED_RECURSION", "loop_without_user", "unbounded_recursion"]

Graphs = Mapping[str, FlowGraph]
Steps = dict[Node, list[Node]]


def loop_without_user(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW405: cycles that can pass without a wait, each once. Failures that lead back to their handler are FLW604."""
    passed = passing(bottom_up(model, graphs), graphs, model)
    for graph in graphs.values():
        steps = _peeled({node: _steps(node, graph, model, passed) for node in graph.edges if node in graph.reached})
        if not steps:
            continue
        for group in _cycles(steps):
            kept = _without_certain_asks(group, steps)
            if kept and not counts(kept):
                yield endless(_shortest_cycle(kept), graph)


def _steps(node: Node, graph: FlowGraph, model: Model, passed: Mapping[str, frozenset[str | None]]) -> list[Node]:
    if isinstance(node, Do):
        outcomes = passed.get(model.called.get(node, ""), frozenset())
        return [to for outcome, to in outcome_arms(node, graph, model) if outcome in outcomes]
    return [to for to, kind in graph.out(node) if kind in SAME_TURN and kind not in ("failure", "spent")]


def _peeled(steps: Steps) -> Steps:
    """What is left when whatever is surely on no cycle is taken away: nothing, as a rule. Linear."""
    entering = dict.fromkeys(steps, 0)
    for onward in steps.values():
        for to in onward:
            if to in entering:
                entering[to] += 1
    free = [node for node, count in entering.items() if not count]
    while free:
        node = free.pop()
        del entering[node]
        for to in steps[node]:
            if to in entering:
                entering[to] -= 1
                if not entering[to]:
                    free.append(to)
    return {node: [to for to in steps[node] if to in entering] for node in entering}


def _cycles(steps: Steps) -> Iterator[Steps]:
    """The strongly connected parts of `steps` in which one can go round."""
    for group in components(steps, steps):
        if len(group) > 1 or any(node in steps[node] for node in group):
            yield {node: [to for to in steps[node] if to in group] for node in steps if node in group}


def _without_certain_asks(group: Steps, whole: Steps) -> Steps:
    """`group` without the way through each `ask` whose slot is always cleared before one comes to it again; empty where
    nothing is left to go round."""
    certain = [
        node for node in group if isinstance(node, Ask) and any(_is_certain(node, s.text, group) for s in node.slots)
    ]
    if not certain:
        return group
    cut = {node: [] if node in certain else onward for node, onward in group.items()}
    return next(_cycles(_peeled(cut)), {})


def _is_certain(ask: Ask, slot: str, group: Steps) -> bool:
    """Whether, going round in `group`, the slot has no value whenever one comes to `ask`."""
    clearing = {node for node in group if slot in _cleared(node)}
    if not clearing:
        return False
    setting = [
        node for node in group if node not in clearing and isinstance(node, Statement) and slot in names_set(node)
    ]
    starts = [to for node in {*setting, ask} for to in group[node] if to not in clearing]
    found = reach(starts, lambda node: [Edge(to, "next") for to in group[node] if to not in clearing])
    return ask not in found


def _cleared(node: Node) -> tuple[str, ...]:
    match node:
        case Clear(names):
            return tuple(name.text for name in names)
        case Reject(slot=slot):
            return (slot.text,)
        case _:
            return ()


def _shortest_cycle(group: Steps) -> tuple[Node, ...]:
    """A shortest way round from the first state in it, else from its first node."""
    first = next((node for node in group if isinstance(node, StateDeclaration)), next(iter(group)))
    found = reach(group[first], lambda node: [Edge(to, "next") for to in group[node]])
    return (first, *path_between(found, first))


def unbounded_recursion(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW406: flows that run each other round, each circle once."""
    onward: dict[str, list[str]] = {
        name: [model.called[do] for do in graph.dos if do in graph.reached and model.called.get(do, "") in graphs]
        for name, graph in graphs.items()
    }
    if not any(onward.values()):
        return
    for group in components(onward, onward):
        if len(group) > 1 or any(name in onward[name] for name in group):
            first = next(name for name in graphs if name in group)
            yield recursion(_circle(first, group, onward), graphs, model)


def _circle(first: str, group: set[str], onward: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    before: dict[str, str] = {}
    layer = [first]
    while first not in before:
        following = []
        for name in layer:
            for to in onward[name]:
                if to in group and to not in before:
                    before[to] = name
                    following.append(to)
        layer = following
    path = [first, before[first]]
    while path[-1] != first:
        path.append(before[path[-1]])
    return tuple(reversed(path))


# --------------------------------------------------------------------------------------------------------- diagnostics

LOOP_WITHOUT_USER: Final = Code("FLW405", "loop-without-user", Severity.ERROR)
UNBOUNDED_RECURSION: Final = Code("FLW406", "unbounded-recursion", Severity.ERROR)


def endless(cycle: tuple[Node, ...], graph: FlowGraph) -> Diagnostic:
    back = cycle[-2]
    start = cycle[0]
    name = start.name.text if isinstance(start, StateDeclaration) else None
    place = back.span if isinstance(back, Goto) else _place(back, graph)
    return Diagnostic(
        LOOP_WITHOUT_USER,
        "this can go round for ever without waiting for the user",
        (
            Label(place, f"back to `{name}`" if name else "and round again"),
            *((Label(start.name.span, "from here", secondary=True),) if isinstance(start, StateDeclaration) else ()),
        ),
        help="wait on the way: with `listen`, or with an `ask` whose slot was cleared",
        notes=(f"the way round: {way(cycle)}",),
    )


def _place(node: Node, graph: FlowGraph) -> Span:
    match node:
        case StateDeclaration(name=name):
            return name.span
        case Arm(head_span=span):
            return span
        case _ if isinstance(node, Statement):
            return head(node)
        case _:
            return graph.entry.name.span


def recursion(circle: tuple[str, ...], graphs: Graphs, model: Model) -> Diagnostic:
    graph = graphs[circle[0]]
    do = next(do for do in graph.dos if model.called.get(do) == circle[1] and do in graph.reached)
    return Diagnostic(
        UNBOUNDED_RECURSION,
        f"flow `{circle[0]}` runs itself again" + ("" if len(circle) == 2 else " through others"),
        (Label(do.head_span, "without a bound"),),
        help="go on with `-> STATE`, or let the called flow end and its caller decide",
        notes=(f"the circle: {' → '.join(circle)}",),
    )
