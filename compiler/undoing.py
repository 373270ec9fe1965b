"""What handlers that resume may undo: after any wait, it is not certain any more."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from flowc.compiler.resolve import Assignment, Resolved
from flowc.compiler.sight import At
from flowc.compiler.types import UNKNOWN, FlowType, is_optional
from flowc.compiler.walk import statements_in
from flowc.dsl.nodes import Arm, Call, Clear, Do, Expression, Name, Resume, Set, Statement
from flowc.dsl.source import Span

__all__ = ["Undone", "clears", "undone"]


@dataclass(frozen=True, slots=True)
class Undone:
    """A name that such a handler clears, or sets to something that may be none."""

    name: str
    cleared: bool
    may_be_none: bool


def clears(arms: Iterable[Arm]) -> Iterator[tuple[str, Span]]:
    """Names that an arm which resumes clears, and where."""
    for statement in _resuming(arms):
        if isinstance(statement, Clear):
            yield from ((name.text, name.span) for name in statement.names)


def undone(
    arms: tuple[Arm, ...],
    assignments: Iterable[Assignment],
    resolved: Resolved,
    type_of: Callable[[Expression, At], FlowType],
) -> Iterator[Undone]:
    """All of it, from the arms of `anywhere`."""
    yield from (Undone(name, cleared=True, may_be_none=True) for name, _ in clears(arms))
    inside = {each.source: each.locals for each in assignments}
    for statement in _resuming(arms):
        match statement:
            case Set(name, value):
                of = type_of(value, At(0, inside.get(statement, {})))
                yield Undone(name.text, cleared=False, may_be_none=is_optional(of))
            case Call(target=Name() as name):
                operation = resolved.operations.get(statement)
                of = UNKNOWN if operation is None or operation.result is None else operation.result
                yield Undone(name.text, cleared=False, may_be_none=operation is None or is_optional(of))
            case Do(target=Name() as name):
                yield Undone(name.text, cleared=False, may_be_none=False)
            case _:
                pass


def _resuming(arms: Iterable[Arm]) -> Iterator[Statement]:
    for arm in arms:
        statements = tuple(statements_in(arm.body))
        if any(isinstance(each, Resume) for each in statements):
            yield from statements
