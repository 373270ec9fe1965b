"""The smallest text that stands for a statement or a wait in a report, and its name in a sentence."""

from collections.abc import Iterable
from typing import assert_never

from flowc.compiler.graph import Node, Place
from flowc.dsl.nodes import (
    Arm,
    Ask,
    Call,
    Choose,
    Clear,
    Defer,
    Do,
    End,
    Goto,
    Handoff,
    If,
    Listen,
    Mark,
    Match,
    Reject,
    Resume,
    Say,
    Set,
    StateDeclaration,
    Statement,
)
from flowc.dsl.source import Span

__all__ = ["head", "listed", "named", "seconds", "way"]


def head(statement: Statement) -> Span:
    """The words that begin `statement`, without the blocks inside it."""
    match statement:
        case Call(head_span=span) | Defer(head_span=span) | Do(head_span=span):
            return span
        case Ask(slots=slots):
            return Span(statement.span.path, statement.span.start, slots[-1].span.end)
        case Choose(name=name):
            return Span(statement.span.path, statement.span.start, name.span.end)
        case Listen() | Say() | If() | Match() | Handoff():
            keyword = {Listen: "listen", Say: "say", If: "if", Match: "match", Handoff: "handoff"}[type(statement)]
            return Span(statement.span.path, statement.span.start, statement.span.start + len(keyword))
        case Reject() | Set() | Clear() | Goto() | Resume() | End() | Mark():
            return statement.span
        case _:
            assert_never(statement)


def named(wait: Ask | Choose | Listen) -> str:
    """The wait in a sentence: `ask order_id`."""
    match wait:
        case Ask(slots=slots):
            return f"`ask {', '.join(slot.text for slot in slots)}`"
        case Choose(name=name):
            return f"`choose {name.text}`"
        case Listen():
            return "`listen`"
        case _:
            assert_never(wait)


def listed(names: Iterable[str]) -> str:
    """Names in backticks: `a`, `b` and `c`."""
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def seconds(ms: int) -> str:
    """A time for a sum: `2.8s`, `800ms`."""
    return f"{ms}ms" if ms < 1000 else f"{ms / 1000:g}s"


def way(path: Iterable[Node]) -> str:
    """The states and waits of a path, for a note: `track → ask order_id → goodbye`."""
    words: list[str] = []
    for node in path:
        word = _word(node)
        if word is not None and (not words or words[-1] != word):
            words.append(word)
    return " → ".join(words)


def _word(node: Node) -> str | None:
    match node:
        case StateDeclaration(name=name):
            return name.text
        case Ask(slots=slots):
            return f"ask {', '.join(slot.text for slot in slots)}"
        case Choose(name=name):
            return f"choose {name.text}"
        case Listen():
            return "listen"
        case Call(service=service, operation=operation):
            return f"call {service.text}.{operation.text}"
        case Do(flow=flow):
            return f"do {flow.text}"
        case End(outcome=outcome):
            return "end" if outcome is None else f"end {outcome.text}"
        case Handoff():
            return "handoff"
        case (
            Arm() | Defer() | If() | Match() | Say() | Set() | Clear() | Mark() | Goto() | Resume() | Reject() | Place()
        ):
            return None
        case _:
            assert_never(node)
