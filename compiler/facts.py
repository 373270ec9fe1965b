"""What is certain at one point of a flow, as the bits of one integer, and what a condition shows.

There is a bit for `x has a value`, for `the path x.y is not none`, and for `the slot x certainly has no value`.
Facts of two ways that meet are the bits of both (`&`). `NOWHERE` has every bit: it is the fact set of a place that
nothing reaches, so all that is said about such a place is silent, and meeting it changes nothing.
"""

from dataclasses import dataclass, field
from typing import Final

from flowc.dsl.nodes import (
    Binary,
    BooleanLiteral,
    DateLiteral,
    DurationLiteral,
    Expression,
    FieldAccess,
    IntegerLiteral,
    IsNone,
    ListLiteral,
    NoneLiteral,
    NumberLiteral,
    Reference,
    Text,
    TimeLiteral,
    Unary,
)

__all__ = ["NOWHERE", "Facts", "Path", "path_of"]

Path = tuple[str, ...]
NOWHERE: Final = -1
LITERALS: Final = (IntegerLiteral, NumberLiteral, BooleanLiteral, Text, DurationLiteral, DateLiteral, TimeLiteral)


@dataclass(slots=True)
class Facts:
    """Numbers the facts of one flow."""

    _bits: dict[tuple[str, Path], int] = field(default_factory=dict)
    _about: dict[str, int] = field(default_factory=dict)
    _shown: dict[Expression, tuple[int, int]] = field(default_factory=dict)
    empties: int = 0

    def _bit(self, kind: str, path: Path) -> int:
        bit = self._bits.get((kind, path))
        if bit is None:
            bit = self._bits[kind, path] = 1 << len(self._bits)
            self._about[path[0]] = self._about.get(path[0], 0) | bit
        return bit

    def has(self, name: str) -> int:
        """`name` has a value, which may be none."""
        return self._bit("has", (name,))

    def is_not_none(self, path: Path) -> int:
        """What `path` names is not none."""
        return self._bit("value", path)

    def is_empty(self, name: str) -> int:
        """The slot `name` has no value."""
        bit = self._bit("empty", (name,))
        self.empties |= bit
        return bit

    def about(self, name: str) -> int:
        """Every fact so far about `name` and its fields."""
        return self._about.get(name, 0)

    def assigned(self, facts: int, name: str, *, may_be_none: bool) -> int:
        """`facts` after `name` got a value."""
        if facts == NOWHERE:
            return facts
        gained = self.has(name) if may_be_none else self.has(name) | self.is_not_none((name,))
        return facts & ~self.about(name) | gained

    def forgotten(self, facts: int, name: str) -> int:
        """`facts` after `name` lost its value."""
        if facts == NOWHERE:
            return facts
        gained = self.is_empty(name)
        return facts & ~self.about(name) | gained

    def without(self, facts: int, *names: str) -> int:
        """`facts` without what is known about `names`."""
        for name in names:
            if facts != NOWHERE:
                facts &= ~self.about(name)
        return facts

    def shown(self, condition: Expression) -> tuple[int, int]:
        """What is certain where `condition` holds, and where it does not."""
        found = self._shown.get(condition)
        if found is None:
            found = self._shown[condition] = self._shows(condition)
        return found

    def _shows(self, condition: Expression) -> tuple[int, int]:
        match condition:
            case Binary("and", left, right):
                (yes, no), (also, nor) = self.shown(left), self.shown(right)
                return yes | also, no & nor
            case Binary("or", left, right):
                (yes, no), (also, nor) = self.shown(left), self.shown(right)
                return yes & also, no | nor
            case Unary("not", operand):
                yes, no = self.shown(operand)
                return no, yes
            case IsNone(operand, negated):
                there = self._there(operand)
                return (there, 0) if negated else (0, there)
            case Binary("==" | "!=" as operator, left, right):
                return self._equality(operator == "==", left, right)
            case Binary("in" | "not in" as operator, left, ListLiteral(items)):
                certain = all(isinstance(item, LITERALS) for item in items)
                there = self._there(left) if certain else 0
                return (there, 0) if operator == "in" else (0, there)
            case Reference() | FieldAccess():
                return self._there(condition), 0
            case _:
                return 0, 0

    def _equality(self, same: bool, left: Expression, right: Expression) -> tuple[int, int]:
        for one, other in ((left, right), (right, left)):
            if isinstance(other, NoneLiteral):
                there = self._there(one)
                return (0, there) if same else (there, 0)
            if isinstance(other, LITERALS):
                there = self._there(one)
                return (there, 0) if same else (0, there)
        return 0, 0

    def _there(self, operand: Expression) -> int:
        path = path_of(operand)
        if path is None:
            return 0
        there = self.is_not_none(path)
        return there | self.has(path[0]) if len(path) == 1 else there


def path_of(expression: Expression) -> Path | None:
    """The names of `a.b.c`, or None for anything else."""
    match expression:
        case Reference(name):
            return (name,)
        case FieldAccess(target, name):
            inner = path_of(target)
            return None if inner is None else (*inner, name.text)
        case _:
            return None
