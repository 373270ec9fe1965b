"""Whether a cycle counts: a variable that only grows on it, and a condition that lets one go round only while it is
small.

Proved by taking away: without the guarded edges nothing goes round, and without the steps that count nothing does.
"""

from collections.abc import Iterator

from flowc.compiler.graph import Node
from flowc.compiler.rules.reachability import components
from flowc.compiler.walk import names_set
from flowc.dsl.nodes import (
    Binary,
    Expression,
    If,
    IntegerLiteral,
    NumberLiteral,
    Reference,
    Set,
    Statement,
)

__all__ = ["counts"]

Steps = dict[Node, list[Node]]


def counts(group: Steps) -> bool:
    """Whether some counter bounds every way round in `group`."""
    return any(_bounds(name, step, group) for name, step in _counters(group))


def _counters(group: Steps) -> Iterator[tuple[str, int]]:
    """Variables that every assignment in `group` moves the same way: up (1) or down (-1)."""
    steps: dict[str, set[int]] = {}
    for node in group:
        if isinstance(node, Statement):
            for name in names_set(node):
                steps.setdefault(name, set()).add(_step(node, name))
    return ((name, each.pop()) for name, each in steps.items() if each in ({1}, {-1}))


def _step(node: Statement, name: str) -> int:
    """The direction in which `node` moves the variable; 0 where that is not known."""
    match node:
        case Set(value=Binary("+", Reference(read), IntegerLiteral(by))) if read == name and by > 0:
            return 1
        case Set(value=Binary("-", Reference(read), IntegerLiteral(by))) if read == name and by > 0:
            return -1
        case _:
            return 0


def _bounds(name: str, step: int, group: Steps) -> bool:
    counting = {node for node in group if isinstance(node, Statement) and name in names_set(node)}
    unguarded = {node: [to for to in onward if not _guarded(node, to, name, step)] for node, onward in group.items()}
    uncounted = {node: [to for to in group[node] if to not in counting] for node in group if node not in counting}
    return _is_acyclic(unguarded) and _is_acyclic(uncounted)


def _guarded(node: Node, to: Node, name: str, step: int) -> bool:
    """Whether the edge from `node` to `to` is only gone over while the counter has not come to a fixed number."""
    if not isinstance(node, If):
        return False
    below, above = ("<", "<="), (">", ">=")
    holds, fails = (below, above) if step > 0 else (above, below)
    for branch in node.branches:
        if branch.condition is None:
            return False
        if branch.body and branch.body[0] is to:
            return any(_compares(each, name, holds) for each in _conjuncts(branch.condition))
        if _compares(branch.condition, name, fails):
            return True
    return False


def _conjuncts(condition: Expression) -> Iterator[Expression]:
    match condition:
        case Binary("and", left, right):
            yield from _conjuncts(left)
            yield from _conjuncts(right)
        case _:
            yield condition


def _compares(condition: Expression, name: str, operators: tuple[str, ...]) -> bool:
    match condition:
        case Binary(operator, Reference(read), IntegerLiteral() | NumberLiteral()):
            return read == name and operator in operators
        case _:
            return False


def _is_acyclic(steps: Steps) -> bool:
    groups = components(steps, steps)
    return all(len(group) == 1 for group in groups) and not any(node in steps[node] for node in steps)
