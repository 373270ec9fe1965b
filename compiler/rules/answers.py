"""Family 5: an answer from an earlier round that stands in for one that the user has just given.

A message changes a slot that has a value only at an `ask` that names it. So where an intent whose examples name a slot
leads to an `ask` of that slot, and the slot may still have the value of an earlier round, that `ask` is skipped and
what the user just said is not heard. The walk follows each such value over the graph (see `motion`), first as old,
then, behind an arm for such an intent, as one that is in the way.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from flowc.compiler.graph import Edge, FlowGraph, Node, names
from flowc.compiler.model import Model
from flowc.compiler.rules.places import head, way
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import Arm, Ask, Clear, Listen, Name, Reject, Set
from flowc.dsl.source import Span

__all__ = ["ANSWER_FROM_BEFORE", "answer_from_before"]

Graphs = Mapping[str, FlowGraph]
WAITING: Final = frozenset(["answer", "taken", "interruption", "people"])


class Old(NamedTuple):
    """The slot has a value since `given`; `arm` took an intent that may have said another one, in this turn."""

    slot: str
    given: Name
    arm: Arm | None = None


Key = tuple[Node, Old]


def answer_from_before(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW510: one report for each `ask` and intent."""
    for graph in graphs.values():
        named = {slot for intent in graph.flow.intents.values() for slot in intent.slots} & set(graph.flow.slots)
        if named:
            seen: set[tuple[Node, Arm]] = set()
            for ask, old, path in _skipped(graph, model, named):
                assert old.arm is not None
                if (ask, old.arm) not in seen:
                    seen.add((ask, old.arm))
                    yield skipped(ask, old, old.arm, path, model)


def _skipped(graph: FlowGraph, model: Model, named: set[str]) -> Iterator[tuple[Ask, Old, tuple[Node, ...]]]:
    """Every `ask` that an old value may skip, with the way from the arm."""
    before: dict[Key, Key | None] = {}
    pending: deque[Key] = deque()

    def push(key: Key, source: Key | None) -> None:
        if key not in before:
            before[key] = source
            pending.append(key)

    for node in graph.reached:
        if isinstance(node, Ask):
            for name in node.slots:
                if name.text in named:
                    for edge in graph.out(node):
                        if edge.kind in ("answer", "skip"):
                            push((edge.to, Old(name.text, name)), None)
    while pending:
        key = pending.popleft()
        node, old = key
        if old.arm is not None and isinstance(node, Ask) and _asks(node, old.slot):
            yield node, old, _way(key, before)
        for edge in graph.out(node):
            after = _over(node, edge, old, model, graph)
            if after is not None:
                push((edge.to, after), key)


def _over(node: Node, edge: Edge, old: Old, model: Model, graph: FlowGraph) -> Old | None:
    """What is true of the value behind `edge`; None where there is another, or none."""
    match node:
        case Set(name=name) if name.text == old.slot:
            return None
        case Clear(names=cleared) if any(name.text == old.slot for name in cleared):
            return None
        case Reject(slot=slot) if slot.text == old.slot:
            return None
        case Ask() if _asks(node, old.slot):
            return None  # here a message changes it, and behind it it is as old as this `ask`
        case Listen():
            old = old._replace(arm=None)
        case _ if edge.kind in WAITING:
            old = old._replace(arm=None)
        case _:
            pass
    arm = edge.to
    if isinstance(arm, Arm) and edge.kind in ("taken", "handler"):
        for pattern in names(arm, model, "intent"):
            intent = graph.flow.intents.get(pattern.name.text)
            if intent is not None and old.slot in intent.slots:
                return old._replace(arm=arm)
    return old


def _asks(ask: Ask, slot: str) -> bool:
    return any(name.text == slot for name in ask.slots)


def _way(key: Key, before: Mapping[Key, Key | None]) -> tuple[Node, ...]:
    """The way since the arm took the message."""
    path: list[Node] = []
    at: Key | None = key
    while at is not None and at[1].arm is not None:
        path.append(at[0])
        at = before[at]
    return tuple(reversed(path))


# --------------------------------------------------------------------------------------------------------- diagnostics

ANSWER_FROM_BEFORE: Final = Code("FLW510", "answer-from-before", Severity.WARNING, fixed=False)


def skipped(ask: Ask, old: Old, arm: Arm, path: tuple[Node, ...], model: Model) -> Diagnostic:
    slot = old.slot
    intent = next(names(arm, model, "intent")).name.text
    labels = [
        Label(arm.head_span, f"`{intent}` may say another `{slot}`"),
        Label(_asked(ask, slot), "this is skipped while the old one is there", secondary=True),
    ]
    if old.given is not _name(ask, slot):
        labels.append(Label(old.given.span, "the old one is from here", secondary=True))
    steps = way(path)
    return Diagnostic(
        ANSWER_FROM_BEFORE,
        f"`{slot}` of an earlier round may stand in for the one that the user says here",
        tuple(labels),
        help=f"`clear {slot}` where the earlier round ends, or allow it where the old one is meant",
        notes=(f"the way: {steps}",) if "→" in steps else (),
    )


def _name(ask: Ask, slot: str) -> Name:
    return next(name for name in ask.slots if name.text == slot)


def _asked(ask: Ask, slot: str) -> Span:
    begin = head(ask)
    return Span(begin.path, begin.start, _name(ask, slot).span.end)
