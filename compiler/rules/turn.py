"""One turn of a conversation as a walk: where it begins, and where it goes on without a wait.

A place of the walk is a node with the slots that were cleared on the way there: an `ask` of one of those surely
waits. Any other `ask` or `choose` is gone through as if it were not there.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

from flowc.compiler.graph import SAME_TURN, FlowGraph, Node, Place, Wait, is_else, left_open, names
from flowc.compiler.model import Model
from flowc.compiler.walk import names_set
from flowc.dsl.nodes import Arm, Ask, Call, ChangePattern, Clear, Do, Reject, Statement

__all__ = [
    "LEFT",
    "NOTHING",
    "Key",
    "Source",
    "left_failures",
    "message_sources",
    "onward",
    "outcome_arms",
    "passing",
    "turn_steps",
]

Cleared = frozenset[str]
FAILED: Final = "on failure"
UNKNOWN: Final = "on unknown"
LEFT: Final = (FAILED, UNKNOWN)
"""What a flow leaves to its caller when a call fails and nothing in it takes that: no outcome has such a name."""
NOTHING: Final[Cleared] = frozenset()


# A place of the walk. A plain tuple: walks make one for every line of a flow.
Key = tuple[Node, Cleared]


class Source(NamedTuple):
    """Where a message sets a turn going: the wait that took it (None: `anywhere`, or the beginning) and its arm, if one
    did."""

    wait: Wait | None
    arm: Arm | None
    start: Node


def message_sources(graph: FlowGraph, model: Model) -> Iterator[Source]:
    """Every way in which a message is taken in this flow, in source order."""
    for wait in graph.waits:
        if wait not in graph.reached:
            continue
        for edge in graph.out(wait):
            if edge.kind == "answer":
                yield Source(wait, None, edge.to)
            elif edge.kind == "taken" and isinstance(edge.to, Arm) and takes_message(edge.to, model):
                yield Source(wait, edge.to, edge.to)
    if graph.hub in graph.reached:
        for arm in graph.flow.anywhere:
            if takes_message(arm, model):
                yield Source(None, arm, arm)


def takes_message(arm: Arm, model: Model) -> bool:
    """Whether a message of the user can lead into `arm`: not only silence, an event or a failure."""
    changes = any(isinstance(pattern, ChangePattern) for pattern in arm.patterns)
    return changes or is_else(arm) or any(names(arm, model, "intent"))


def onward(key: Key, graph: FlowGraph) -> list[Key]:
    """Where the turn goes from `key` by itself; nowhere from a `do`, whose flow has to be asked."""
    node, cleared = key
    following = graph.turn.get(node, ())
    if not cleared and not isinstance(node, Clear | Reject):
        return [(to, cleared) for to in following]
    if _surely_asks(node, cleared):
        following = tuple(edge.to for edge in graph.out(node) if edge.kind in SAME_TURN and edge.kind != "skip")
    after = _cleared_after(node, cleared)
    return [(to, after) for to in following]


def _surely_asks(node: Node, cleared: Cleared) -> bool:
    return isinstance(node, Ask) and any(slot.text in cleared for slot in node.slots)


def _cleared_after(node: Node, cleared: Cleared) -> Cleared:
    match node:
        case Clear(names):
            return cleared | {name.text for name in names}
        case Reject(slot=slot):
            return cleared | {slot.text}
        case _ if cleared and isinstance(node, Statement):
            return cleared.difference(names_set(node))
        case _:
            return cleared


def outcome_arms(do: Do, graph: FlowGraph, model: Model) -> Iterator[tuple[str | None, Node]]:
    """Where each outcome of the flow that `do` runs goes on: None is a plain end. What it leaves of failures goes to
    `anywhere`."""
    for edge in graph.out(do):
        if edge.kind == "return":
            yield None, edge.to
        elif edge.kind == "outcome" and isinstance(edge.to, Arm):
            for pattern in names(edge.to, model, "outcome"):
                yield pattern.name.text, edge.to
    for name, handler in zip(LEFT, (graph.handlers.failure, graph.handlers.unknown), strict=True):
        if handler is not None:
            yield name, handler


def left_failures(
    node: Node, graph: FlowGraph, model: Model, passed: Mapping[str, Collection[str | None]]
) -> list[str]:
    """What of `LEFT` a call, or the flow of a `do`, leaves to the callers of this flow. `passed` are the outcomes
    of called flows."""
    handled = (graph.handlers.failure is not None, graph.handlers.unknown is not None)
    match node:
        case Call():
            open_ = left_open(node, model)
        case Do():
            outcomes = passed.get(model.called.get(node, ""), ())
            open_ = FAILED in outcomes, UNKNOWN in outcomes
        case _:
            return []
    return [name for name, is_open, is_handled in zip(LEFT, open_, handled, strict=True) if is_open and not is_handled]


def passing(order: tuple[str, ...], graphs: Mapping[str, FlowGraph], model: Model) -> dict[str, frozenset[str | None]]:
    """For each flow the outcomes with which it can end before its first wait: None is a plain end."""
    found: dict[str, frozenset[str | None]] = {}
    for name in order:
        graph = graphs[name]
        seen: set[Key] = {(graph.entry, NOTHING)}
        pending = list(seen)
        ends: set[str | None] = set()
        while pending:
            key = pending.pop()
            if isinstance(key[0], Place) and key[0].kind == "end":
                ends.add(key[0].outcome)
            for following in turn_steps(key, graph, model, found):
                if following not in seen:
                    seen.add(following)
                    pending.append(following)
        found[name] = frozenset(ends)
    return found


def turn_steps(key: Key, graph: FlowGraph, model: Model, passed: Mapping[str, frozenset[str | None]]) -> list[Key]:
    """Like `onward`, through the flows that a `do` runs too."""
    node, cleared = key
    if not isinstance(node, Do):
        return onward(key, graph)
    outcomes = passed.get(model.called.get(node, ""), frozenset())
    return [(to, cleared) for outcome, to in outcome_arms(node, graph, model) if outcome in outcomes]
