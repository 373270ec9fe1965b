"""Families 4 and 5, what is asked and what is heard for nothing: answers that nobody reads, questions that are already
answered, examples that mean two things, handlers that nothing ever comes to."""

from collections.abc import Iterator, Mapping
from typing import Final

from flowc.compiler.called import has_else
from flowc.compiler.graph import FlowGraph, is_else, names
from flowc.compiler.model import Model
from flowc.compiler.rules.buttons import bare
from flowc.compiler.walk import expressions_of, references
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import Arm, Ask, Example, Expression, Name, Statement

__all__ = [
    "AMBIGUOUS_EXAMPLES",
    "ASKED_BUT_UNUSED",
    "HIDDEN_HANDLER",
    "QUESTION_ALREADY_ANSWERED",
    "ambiguous_examples",
    "asked_but_unused",
    "hidden_handler",
    "question_already_answered",
]

Graphs = Mapping[str, FlowGraph]


def asked_but_unused(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW506: slots that are asked for, and that nothing reads."""
    for graph in graphs.values():
        asked: dict[str, Name] = {}
        for wait in graph.waits:
            if isinstance(wait, Ask) and wait in graph.reached:
                for slot in wait.slots:
                    asked.setdefault(slot.text, slot)
        if not asked:
            continue
        read = _read(graph) | set(graph.flow.results)
        yield from (
            unused_answer(name) for slot, name in asked.items() if slot in graph.flow.slots and slot not in read
        )


def _read(graph: FlowGraph) -> set[str]:
    """The names that the flow reads; the question of a slot does not count for the slot itself."""
    found: set[str] = set()
    for node in graph.home:
        if isinstance(node, Statement):
            found.update(reference.name for reference in references(*expressions_of(node)))
    for name, slot in graph.flow.slots.items():
        texts = (slot.declaration.ask, slot.declaration.reask)
        own: list[Expression] = [text for text in texts if text is not None]
        own += [each for check in slot.declaration.checks for each in (check.condition, check.text)]
        found.update(reference.name for reference in references(*own) if reference.name != name)
    return found


def question_already_answered(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW507: slots that are asked for where they have a value on every path."""
    for graph in graphs.values():
        for wait in graph.waits:
            facts = model.asks.get(wait) if isinstance(wait, Ask) else None
            if isinstance(wait, Ask) and facts is not None and wait in graph.reached:
                yield from (already_answered(slot) for slot in wait.slots if slot.text in facts.filled)


def ambiguous_examples(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW508: one example under two intents that a flow can understand."""
    for graph in graphs.values():
        first: dict[tuple[str, ...], tuple[str, Example]] = {}
        for intent in graph.flow.intents.values():
            for example in intent.examples:
                name, other = first.setdefault(_words(example), (intent.name, example))
                if name != intent.name:
                    earlier, later = sorted(((name, other), (intent.name, example)), key=_place)
                    yield means_two(later, earlier)


def _words(example: Example) -> tuple[str, ...]:
    return tuple(bare(part) if isinstance(part, str) else f"{{{part.name.text}}}" for part in example.parts)


def _place(each: tuple[str, Example]) -> tuple[bool, str, int]:
    """The shipped library comes first: it is not what an author changes."""
    span = each[1].span
    return (not span.path.startswith("std/"), span.path, span.start)


def hidden_handler(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW409: arms of `anywhere` that an arm of every wait goes before. A flow that runs others has their waits too."""
    for graph in graphs.values():
        waits = [wait for wait in graph.waits if wait in graph.reached]
        if graph.dos or not waits:
            continue
        taken = frozenset.intersection(*(_always_taken(wait.arms, model) for wait in waits))
        for arm in graph.flow.anywhere:
            for pattern in names(arm, model, "intent"):
                if pattern.name.text in taken:
                    yield hidden(pattern.name.text, arm)
            if is_else(arm) and all(has_else(wait) for wait in waits):
                yield hidden("else", arm)


def _always_taken(arms: tuple[Arm, ...], model: Model) -> frozenset[str]:
    return frozenset(pattern.name.text for arm in arms if arm.when is None for pattern in names(arm, model, "intent"))


# --------------------------------------------------------------------------------------------------------- diagnostics

HIDDEN_HANDLER: Final = Code("FLW409", "hidden-handler", Severity.WARNING, fixed=False)
ASKED_BUT_UNUSED: Final = Code("FLW506", "asked-but-unused", Severity.WARNING, fixed=False)
QUESTION_ALREADY_ANSWERED: Final = Code("FLW507", "question-already-answered", Severity.WARNING, fixed=False)
AMBIGUOUS_EXAMPLES: Final = Code("FLW508", "ambiguous-examples", Severity.WARNING, fixed=False)


def unused_answer(slot: Name) -> Diagnostic:
    return Diagnostic(
        ASKED_BUT_UNUSED,
        f"the user is asked for `{slot.text}`, and nothing reads the answer",
        (Label(slot.span, "asked for here"),),
        help="use it, or do not ask",
    )


def already_answered(slot: Name) -> Diagnostic:
    return Diagnostic(
        QUESTION_ALREADY_ANSWERED,
        f"`{slot.text}` always has a value here, so this never asks",
        (Label(slot.span, "has a value on every path"),),
        help=f"remove it, or `clear {slot.text}` before it",
    )


def means_two(later: tuple[str, Example], earlier: tuple[str, Example]) -> Diagnostic:
    name, example = later
    words = "".join(part if isinstance(part, str) else f"{{{part.name.text}}}" for part in example.parts)
    return Diagnostic(
        AMBIGUOUS_EXAMPLES,
        f'"{words}" is an example of both `{earlier[0]}` and `{name}`',
        (
            Label(example.span, f"under `{name}`"),
            Label(earlier[1].span, f"under `{earlier[0]}`", secondary=True),
        ),
        help="keep it under the one that users mean by it",
    )


def hidden(pattern: str, arm: Arm) -> Diagnostic:
    return Diagnostic(
        HIDDEN_HANDLER,
        f"this handler of `{pattern}` is never reached",
        (Label(arm.head_span, "every wait has an arm of its own for it"),),
        help="remove it, or the arms of the waits",
    )
