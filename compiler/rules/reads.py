"""Family 6, reads: what could run at the same time and does not, because of what stands between."""

from collections.abc import Iterator, Mapping
from typing import Final

from flowc.compiler.graph import FlowGraph
from flowc.compiler.groups import Group, grouped, joins
from flowc.compiler.model import Model
from flowc.compiler.rules.places import head, seconds
from flowc.compiler.walk import Block, blocks_of, expressions_of, names_set, references
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import Call, Clear, Mark, Set, Statement

__all__ = ["READS_IN_SEQUENCE", "reads_in_sequence"]

Graphs = Mapping[str, FlowGraph]


def reads_in_sequence(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW608: two groups of reads with only assignments and marks between them that neither needs. A `say` between them
    is meant: it answers before the second."""
    for graph in graphs.values():
        for state in graph.flow.states.values():
            yield from _in_block(state.body, model)
        for arm in graph.flow.anywhere:
            yield from _in_block(arm.body, model)


def _in_block(body: Block, model: Model) -> Iterator[Diagnostic]:
    before: Group = ()
    between: list[Statement] = []
    for item in grouped(body, model):
        if isinstance(item, tuple):
            if before and between and _might_join(item, before, between, model):
                yield could_run_together(item, before, between, _saved(item, before, model))
            before, between = item, []
        elif isinstance(item, Set | Clear | Mark):
            between.append(item)
        else:
            before, between = (), []
    for statement in body:
        for block in blocks_of(statement):
            yield from _in_block(block, model)


def _might_join(group: Group, before: Group, between: list[Statement], model: Model) -> bool:
    """Whether the reads of `group` need nothing of what stands before them, and nothing before needs them."""
    changed = {name for statement in between for name in names_set(statement)}
    read = {each.name for statement in between for each in references(*expressions_of(statement))}
    for call in group:
        needed = {each.name for each in references(*expressions_of(call))}
        target = {call.target.text} if call.target is not None else set()
        if needed & changed or target & (changed | read) or not joins(call, list(before), model):
            return False
    return True


def _saved(group: Group, before: Group, model: Model) -> int:
    first = max(model.operations[call].policy.within_ms for call in before)
    second = max(model.operations[call].policy.within_ms for call in group)
    return min(first, second)


# --------------------------------------------------------------------------------------------------------- diagnostics

READS_IN_SEQUENCE: Final = Code("FLW608", "reads-in-sequence", Severity.INFO, fixed=False)


def could_run_together(group: Group, before: Group, between: list[Statement], saved: int) -> Diagnostic:
    call, earlier = group[0], before[-1]
    return Diagnostic(
        READS_IN_SEQUENCE,
        f"{_operation(call)} waits for {_operation(earlier)} and does not need it",
        (
            Label(call.head_span, "could run at the same time"),
            Label(head(between[0]), "this keeps them apart", secondary=True),
            Label(earlier.head_span, "with this", secondary=True),
        ),
        help=f"move what is between them behind both: it saves up to {seconds(saved)}",
    )


def _operation(call: Call) -> str:
    return f"`{call.service.text}.{call.operation.text}`"
