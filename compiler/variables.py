"""The types of variables that nothing declares: what all their assignments agree on.

Each assigned value is typed as if everything it reads were there, so `?` comes from the walk over the flow
(`check_types`), not from here. A value that reads a variable without a type yet is looked at again in the next
round.
"""

from collections.abc import Mapping
from typing import Final

from flowc.compiler.expressions import Expressions
from flowc.compiler.facts import NOWHERE
from flowc.compiler.resolve import Assignment, FlowNames, Resolved
from flowc.compiler.sight import At
from flowc.compiler.types import UNKNOWN, FlowType, NoneType, Unknown, merged, required, spelled
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import Call, Choose, Do, Set
from flowc.runtime.types import ListOf, Record

__all__ = ["infer"]


def infer(
    names: FlowNames, declared: Mapping[str, FlowType], expressions: Expressions, resolved: Resolved
) -> tuple[Diagnostic, ...]:
    """Adds the types of the variables to `expressions.names.variables`. Reports assignments that do not agree."""
    open_ = [each for each in names.assignments if each.name.text not in declared and each.name.text not in names.slots]
    variables = expressions.names.variables
    problems: dict[str, Diagnostic] = {}
    first: dict[str, Assignment] = {}
    expressions.quiet = True
    while open_:
        waiting = []
        for assignment in open_:
            expressions.pending = False
            of = _assigned(assignment, expressions, resolved)
            if expressions.pending:
                waiting.append(assignment)
            else:
                _agree(assignment, of, variables, first, problems)
        if len(waiting) == len(open_):
            for assignment in waiting:
                variables.setdefault(assignment.name.text, UNKNOWN)
            break
        open_ = waiting
    expressions.quiet = False
    for name, of in variables.items():
        variables[name] = required(of)
    return tuple(problems.values())


def _agree(
    assignment: Assignment,
    of: FlowType,
    variables: dict[str, FlowType],
    first: dict[str, Assignment],
    problems: dict[str, Diagnostic],
) -> None:
    name = assignment.name.text
    before = variables.get(name)
    both = of if before is None else merged(before, of)
    if not isinstance(of, NoneType | Unknown):
        first.setdefault(name, assignment)
    if both is None and before is not None and name not in problems:
        problems[name] = conflicting_types(assignment, of, first[name], before)
    variables[name] = UNKNOWN if both is None or name in problems else both


def _assigned(assignment: Assignment, expressions: Expressions, resolved: Resolved) -> FlowType:
    at = At(NOWHERE, assignment.locals)
    match assignment.source:
        case Set(_, value):
            return expressions.type_of(value, at)
        case Call() as call:
            operation = resolved.operations.get(call)
            return UNKNOWN if operation is None or operation.result is None else operation.result
        case Do() as statement:
            flow = resolved.called.get(statement)
            return UNKNOWN if flow is None else Record(f"{flow}.gives")
        case Choose(_, items):
            of = expressions.there(items, at)
            return of.item if isinstance(of, ListOf) else UNKNOWN


# ------------------------------------------------------------------------------------------------------- diagnostics

CONFLICTING_TYPES: Final = Code("FLW311", "conflicting-types", Severity.ERROR)


def conflicting_types(again: Assignment, of: FlowType, first: Assignment, before: FlowType) -> Diagnostic:
    return Diagnostic(
        CONFLICTING_TYPES,
        f"`{again.name.text}` is set to `{spelled(required(before))}`, and to `{spelled(required(of))}`",
        (
            Label(again.name.span, f"set to `{spelled(required(of))}`"),
            Label(first.name.span, f"set to `{spelled(required(before))}`", secondary=True),
        ),
        help="give the two values different names",
    )
