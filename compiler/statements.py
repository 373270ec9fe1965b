"""Walking statements."""

from collections.abc import Iterator

from flowc.dsl.nodes import Ask, Call, Choose, Defer, Do, Handoff, If, Listen, Match, Statement

__all__ = ["statements_of"]


def statements_of(body: tuple[Statement, ...]) -> Iterator[Statement]:
    """Every statement in `body`, those of arms and branches too, in source order."""
    for statement in body:
        yield statement
        match statement:
            case If(branches):
                for branch in branches:
                    yield from statements_of(branch.body)
            case (
                Ask(arms=arms)
                | Choose(arms=arms)
                | Listen(arms=arms)
                | Call(arms=arms)
                | Defer(arms=arms)
                | Do(arms=arms)
                | Match(arms=arms)
                | Handoff(arms=arms)
            ):
                for arm in arms:
                    yield from statements_of(arm.body)
            case _:
                pass
