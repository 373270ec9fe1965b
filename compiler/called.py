"""Flows that run other flows: who calls whom, and what a called flow leaves to its callers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flowc.compiler.graph import FlowGraph, Wait, is_else, open_outcomes
from flowc.compiler.model import Model
from flowc.dsl.nodes import Call, Defer, Do, SilencePattern

__all__ = ["Left", "bottom_up", "callers", "has_else", "has_silence", "is_root", "left_to_callers"]

Graphs = Mapping[str, FlowGraph]


@dataclass(frozen=True, slots=True)
class Left:
    """The first wait or call that needs its caller for something, each None where there is none."""

    otherwise: Wait | None
    silence: Wait | None
    failure: Call | Defer | None
    unknown: Call | Defer | None


def callers(model: Model, graphs: Graphs) -> dict[str, list[tuple[str, Do]]]:
    """For each flow the places that run it, those of other flows only."""
    found: dict[str, list[tuple[str, Do]]] = {name: [] for name in graphs}
    for name, graph in graphs.items():
        for do in graph.dos:
            called = model.called.get(do)
            if called is not None and called != name and called in found:
                found[called].append((name, do))
    return found


def is_root(name: str, model: Model, calls: Mapping[str, list[tuple[str, Do]]]) -> bool:
    """Whether the flow has to be complete by itself: it is the main one, or nobody calls it."""
    return name == model.main or not calls[name]


def bottom_up(model: Model, graphs: Graphs) -> tuple[str, ...]:
    """The flows, called ones before their callers; where they call each other round, in some fixed order."""
    order: list[str] = []
    seen: set[str] = set()
    for root in graphs:
        pending = [(root, False)]
        while pending:
            name, done = pending.pop()
            if done:
                order.append(name)
            elif name not in seen:
                seen.add(name)
                pending.append((name, True))
                called = (model.called.get(do) for do in reversed(graphs[name].dos))
                pending.extend((each, False) for each in called if each is not None and each in graphs)
    return tuple(order)


def left_to_callers(model: Model, graphs: Graphs) -> dict[str, Left]:
    """What each flow leaves open, flows that it runs included."""
    found: dict[str, Left] = {}
    for name in bottom_up(model, graphs):
        graph, own = graphs[name], graphs[name].handlers
        called = [found[each] for each in (model.called.get(do) for do in graph.dos) if each in found]
        waits, calls = graph.waits, graph.calls
        found[name] = Left(
            None if own.otherwise else _first(waits, has_else, [each.otherwise for each in called]),
            None if own.silence else _first(waits, has_silence, [each.silence for each in called]),
            None if own.failure else _first_call(calls, model, [each.failure for each in called], unknown=False),
            None if own.unknown else _first_call(calls, model, [each.unknown for each in called], unknown=True),
        )
    return found


def has_else(wait: Wait) -> bool:
    return any(is_else(arm) for arm in wait.arms)


def has_silence(wait: Wait) -> bool:
    return any(isinstance(pattern, SilencePattern) for arm in wait.arms for pattern in arm.patterns)


def _first(waits: tuple[Wait, ...], has: Callable[[Wait], bool], inner: list[Wait | None]) -> Wait | None:
    own = (wait for wait in waits if not has(wait))
    return next((wait for wait in (*own, *inner) if wait is not None), None)


def _first_call(
    calls: tuple[Call | Defer, ...], model: Model, inner: list[Call | Defer | None], *, unknown: bool
) -> Call | Defer | None:
    own = (call for call in calls if any((kind == "unknown") == unknown for kind in open_outcomes(call, model)))
    return next((call for call in (*own, *inner) if call is not None), None)
