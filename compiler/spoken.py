"""Before which reads of a flow something may have been said in the same turn: those reads are a turn of their own, and
a wait.

A forward analysis over the flat code, in one direction only (something may have been said), so each instruction is
looked at twice at most.
"""

from flowc.compiler.lower_code import FlowCode
from flowc.runtime.program import (
    Ask,
    Branch,
    Choose,
    Do,
    End,
    Failed,
    Goto,
    Handoff,
    Instruction,
    Jump,
    Listen,
    Match,
    Reads,
    Reject,
    Resume,
    Say,
    Target,
    Write,
)

__all__ = ["spoken_reads"]


def spoken_reads(flow: FlowCode, called_at: str | None) -> frozenset[int]:
    """Indices of reads that may follow a reply of their turn. A called flow, which begins in the state `called_at`, may
    begin behind a reply of its caller."""
    said: set[Target] = set()
    pending: list[Target] = []

    def reach(targets: tuple[Target, ...]) -> None:
        for to in targets:
            if to < len(flow.code) and to not in said:
                said.add(to)
                pending.append(to)

    if called_at is not None:
        reach((flow.entries[called_at],))
    for at, instruction in enumerate(flow.code):
        reach(_after_words(at, instruction, flow))
    while pending:
        at = pending.pop()
        reach(_next(at, flow.code[at], flow))
    return frozenset(at for at in said if isinstance(flow.code[at], Reads))


def _after_words(at: Target, instruction: Instruction, flow: FlowCode) -> tuple[Target, ...]:
    """Where control goes right after something was, or may have been, said here in this turn."""
    match instruction:
        case Say():
            return (at + 1,)
        case Reject(ask=at_ask):
            ask = flow.code[at_ask]  # it waits again, unless its tries are used up
            own = ask.arms.otherwise if isinstance(ask, Ask) else None
            return _given(flow.anywhere.arms.otherwise if own is None else own)
        case Do(outcomes=outcomes, next=after):
            return (*outcomes.values(), after)
        case _:
            return ()


def _next(at: Target, instruction: Instruction, flow: FlowCode) -> tuple[Target, ...]:
    """Where control goes in the same turn. Behind a write or a wait it is another turn's affair."""
    match instruction:
        case Ask(arms=arms, next=after):
            return (*_given(arms.otherwise), after)
        case Choose(arms=arms, empty=empty, next=after):
            return (*_given(arms.otherwise), empty, after)
        case Failed(arms=arms):
            general = flow.anywhere.failure
            return (at + 1, *arms.named.values(), *_given(arms.otherwise), *_given(general))
        case Jump(to):
            return (to,)
        case Branch(otherwise=otherwise):
            return (at + 1, otherwise)
        case Match(cases=cases, otherwise=otherwise):
            return (*(case.to for case in cases), otherwise)
        case Goto(state):
            return (flow.entries[state],)
        case Resume(then=then):
            return () if then is None else (flow.entries[then],)
        case Listen() | Write() | Reads() | Handoff() | End() | Do() | Reject():
            return ()
        case _:
            return (at + 1,)


def _given(target: Target | None) -> tuple[Target, ...]:
    return () if target is None else (target,)
