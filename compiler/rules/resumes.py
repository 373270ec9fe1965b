"""Family 4, `resume`: where there is nothing to resume, and where it has no bound."""

from collections.abc import Iterator, Mapping
from typing import Final

from flowc.compiler.graph import FlowGraph, is_else, names, open_outcomes
from flowc.compiler.model import Model
from flowc.compiler.walk import Block, arms_of, blocks_of
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import Arm, Ask, Call, Choose, Defer, Listen, Resume

__all__ = ["RESUME_OUTSIDE_HANDLER", "RESUME_WITHOUT_BOUND", "resume_outside_handler", "resume_without_bound"]

Graphs = Mapping[str, FlowGraph]


def resume_outside_handler(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW408: a `resume` where nothing was interrupted."""
    for graph in graphs.values():
        for state in graph.flow.states.values():
            yield from (nothing_to_resume(each, None) for each in _loose(state.body))
        unknown = ("kind",) if _follows_call(graph, model) else ()
        for arm in graph.flow.anywhere:
            if any(names(arm, model, "any_failure", *unknown)):
                yield from (nothing_to_resume(each, arm) for each in _loose(arm.body))


def _follows_call(graph: FlowGraph, model: Model) -> bool:
    """Whether `on unknown` also takes the result of a call, not only of deferred jobs."""
    return any(isinstance(call, Call) and "unknown" in open_outcomes(call, model) for call in graph.calls)


def _loose(body: Block) -> Iterator[Resume]:
    """Every `resume` in `body` that is not in an arm of a wait or of a job inside it."""
    for statement in body:
        match statement:
            case Resume():
                yield statement
            case Ask() | Choose() | Listen() | Defer():
                pass
            case _:
                for block in blocks_of(statement):
                    yield from _loose(block)


def resume_without_bound(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW407: a `resume` without `up to` for a message that was not understood."""
    for graph in graphs.values():
        for arm in graph.flow.anywhere:
            if is_else(arm):
                yield from _unbounded(arm)
        for wait in graph.waits:
            for arm in arms_of(wait):
                if is_else(arm) and wait in graph.reached:
                    yield from _unbounded(arm)


def _unbounded(arm: Arm) -> Iterator[Diagnostic]:
    return (no_bound(each, arm) for each in _loose(arm.body) if each.up_to is None)


# --------------------------------------------------------------------------------------------------------- diagnostics

RESUME_WITHOUT_BOUND: Final = Code("FLW407", "resume-without-bound", Severity.WARNING, fixed=False)
RESUME_OUTSIDE_HANDLER: Final = Code("FLW408", "resume-outside-handler", Severity.ERROR)


def no_bound(resume: Resume, arm: Arm) -> Diagnostic:
    return Diagnostic(
        RESUME_WITHOUT_BOUND,
        "a user who is not understood is asked again for ever",
        (
            Label(resume.span, "this has no bound"),
            Label(arm.head_span, "for a message that was not understood", secondary=True),
        ),
        help="say how often, and where to go then: `resume up to 2 -> STATE`",
    )


def nothing_to_resume(resume: Resume, handler: Arm | None) -> Diagnostic:
    where = () if handler is None else (Label(handler.head_span, "after a failed call", secondary=True),)
    return Diagnostic(
        RESUME_OUTSIDE_HANDLER,
        "there is nothing to resume here",
        (Label(resume.span, "nothing was interrupted"), *where),
        help="go on with `-> STATE`; `resume` stands in an arm of a wait, of `anywhere` or of a deferred job",
    )
