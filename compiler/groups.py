"""Which reads run at the same time: one answer for `lower` and for the rules about time.

Consecutive reads are one group as long as running them together cannot be told from running them one after the other.
"""

from collections.abc import Iterator

from flowc.compiler.model import Model
from flowc.compiler.walk import Block, expressions_of, leaves, names_set, references, statements_in
from flowc.dsl.nodes import Ask, Call, Choose, Do, Handoff, Listen, Statement

__all__ = ["Group", "grouped", "joins"]

Group = tuple[Call, ...]


def grouped(body: Block, model: Model) -> Iterator[Statement | Group]:
    """The statements of `body` in order, with each run of reads that start together as one tuple (of one or more)."""
    group: list[Call] = []
    for statement in body:
        if isinstance(statement, Call) and _is_read(statement, model):
            if group and not joins(statement, group, model):
                yield tuple(group)
                group = []
            group.append(statement)
            continue
        if group:
            yield tuple(group)
            group = []
        yield statement
    if group:
        yield tuple(group)


def _is_read(call: Call, model: Model) -> bool:
    operation = model.operations.get(call)
    return operation is not None and operation.kind == "read"


def joins(call: Call, group: list[Call], model: Model) -> bool:
    """Whether `call` may start together with `group`: see "Reads run at the same time" in the language reference."""
    if any(_comes_back_later(arm.body, model) for each in group for arm in each.arms):
        return False
    changed = {each.target.text for each in group if each.target is not None}
    inner = [statement for each in group for arm in each.arms for statement in statements_in(arm.body)]
    for statement in inner:
        changed.update(names_set(statement))
    read = {reference.name for reference in references(*expressions_of(call))}
    if not read.isdisjoint(changed):
        return False
    if call.target is None:
        return True
    read_by_arms = {reference.name for statement in inner for reference in references(*expressions_of(statement))}
    return call.target.text not in changed and call.target.text not in read_by_arms


def _comes_back_later(body: Block, model: Model) -> bool:
    """Whether `body` may go on after it, having waited or written: what follows must not have started before."""
    if leaves(body):
        return False
    return any(_waits_or_writes(statement, model) for statement in statements_in(body))


def _waits_or_writes(statement: Statement, model: Model) -> bool:
    match statement:
        case Ask() | Choose() | Listen() | Do() | Handoff():
            return True
        case Call():
            return not _is_read(statement, model)
        case _:
            return False
