"""Where values live: what a place needs, what may still be read behind it, and which reads are a turn of their own."""

from collections.abc import Iterable, Mapping
from typing import Final

from flowc.compiler.graph import Edge, FlowGraph, Node, Place
from flowc.compiler.model import FlowModel, Model
from flowc.compiler.rules.carried import needed
from flowc.compiler.rules.sinks import texts_of_slots
from flowc.compiler.walk import expressions_of, names_set, statements_in
from flowc.dsl.nodes import (
    Arm,
    Ask,
    Call,
    Choose,
    Clear,
    Do,
    Expression,
    Handoff,
    Listen,
    Reject,
    Resume,
    Say,
    Set,
    StateDeclaration,
)

__all__ = ["ANSWERS", "Live", "assigned", "needed_at", "resumes_of", "spoken_reads"]

ANSWERS: Final = frozenset(["skip", "answer"])
NOTHING: Final[frozenset[str]] = frozenset()


def assigned(node: Node, edge: Edge) -> tuple[str, ...]:
    """Names that surely have another value behind `edge`."""
    match node:
        case Set(name=name):
            return (name.text,)
        case Clear(names):
            return tuple(name.text for name in names)
        case Reject(slot=slot):
            return (slot.text,)
        case Choose(name=name) if edge.kind in ANSWERS:
            return (name.text,)
        case Call(target=target) if target is not None and edge.kind == "next":
            return (target.text,)
        case Do(target=target) if target is not None and edge.kind == "return":
            return (target.text,)
        case _:
            return ()


class Live:
    """Which names may still be read behind each place: the ranges in which values are worth following."""

    def __init__(
        self,
        graph: FlowGraph,
        interrupted: list[Node],
        resumes: frozenset[Node],
        reading: Mapping[Node, set[str]],
    ) -> None:
        self._at: dict[Node, set[str]] = {}
        pending = [(node, name) for node, names in reading.items() for name in names]
        if not pending:
            return
        before: dict[Node, list[tuple[Node, Edge]]] = {}
        for node in graph.reached:
            for edge in graph.out(node):
                before.setdefault(edge.to, []).append((node, edge))
        changed = _changed_by_handlers(graph)
        waits = frozenset(interrupted)
        while pending:
            node, name = pending.pop()
            names = self._at.setdefault(node, set())
            if name in names:
                continue
            names.add(name)
            for source, edge in before.get(node, ()):
                if name not in assigned(source, edge):
                    pending.append((source, name))
            if name in changed and node in waits:
                pending += [(each, name) for each in resumes]

    def at(self, node: Node, name: str) -> bool:
        """Whether `name` may be read at `node` or later."""
        return name in self._at.get(node, ())


def needed_at(node: Node, flow: FlowModel) -> frozenset[str]:
    """The names whose values `node` itself needs."""
    expressions = tuple(_evaluated(node, flow))
    return needed(*expressions) if expressions else NOTHING


def _evaluated(node: Node, flow: FlowModel) -> Iterable[Expression]:
    """What is evaluated when control is at `node`: the guards of a wait's arms behind it."""
    match node:
        case Arm(when=when):
            return () if when is None else (when,)
        case Ask(question=question):
            return (*(() if question is None else (question,)), *texts_of_slots(node, flow))
        case Choose(items=items, question=question, show=show):
            return (items, question) if show is None else (items, question, show)
        case Listen() | Place() | StateDeclaration():
            return ()
        case _:
            return expressions_of(node)


def resumes_of(graph: FlowGraph) -> frozenset[Node]:
    """Every `resume` of `anywhere`, which goes back to whatever was interrupted."""
    arms = frozenset(graph.flow.anywhere)
    resumes = (node for node in graph.reached if isinstance(node, Resume) and node not in graph.owners)
    return frozenset(node for node in resumes if graph.home.get(node) in arms)


def _changed_by_handlers(graph: FlowGraph) -> frozenset[str]:
    return frozenset(
        name for arm in graph.flow.anywhere for statement in statements_in(arm.body) for name in names_set(statement)
    )


def spoken_reads(graph: FlowGraph, model: Model, *, is_called: bool) -> frozenset[Node]:
    """Reads before which something may have been said in the same turn: the turn ends before them. A called flow may
    begin behind a reply of its caller."""
    followers = {call for group in graph.groups.values() for call in group[1:]}
    seen: set[Node] = set()
    pending: list[Node] = [graph.entry] if is_called else []
    for node in graph.reached:
        match node:
            case Say():
                pending += [edge.to for edge in graph.out(node)]
            case Reject():
                pending += [edge.to for edge in graph.out(node) if edge.kind == "spent"]
            case Do():
                pending += [edge.to for edge in graph.out(node) if edge.kind in ("return", "outcome")]
            case _:
                pass
    found: set[Node] = set()
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        match node:
            case Call() if node in followers:
                pending += graph.turn.get(node, ())
            case Call():
                operation = model.operations.get(node)
                if operation is not None and operation.kind == "read":
                    found.add(node)
            case Listen() | Handoff() | Do() | Reject():
                pass
            case _:
                pending += graph.turn.get(node, ())
    return frozenset(found)
