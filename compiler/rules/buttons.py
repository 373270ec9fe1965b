"""Family 5, buttons: what a button says for the user has to be understood where the user is then waited for."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from flowc.compiler.called import bottom_up, callers
from flowc.compiler.graph import FlowGraph, names
from flowc.compiler.model import FlowModel, IntentModel, Model
from flowc.compiler.rules.places import head
from flowc.compiler.rules.turn import NOTHING, Key, onward
from flowc.compiler.suggest import nearest
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import Arm, Listen, NamePattern, Say, Text

__all__ = ["BUTTON_WITHOUT_ARM", "button_without_arm"]

Graphs = Mapping[str, FlowGraph]
END_PUNCTUATION: Final = ".!?… "


@dataclass(frozen=True, slots=True)
class Examples:
    """What is understood as one of some intents: whole examples, and those with places for slots."""

    whole: Mapping[str, frozenset[str]]
    open: tuple[tuple[re.Pattern[str], str], ...]

    def of(self, text: str) -> frozenset[str]:
        """The intents that `text` is an example of, but for case and end punctuation."""
        spoken = bare(text)
        return self.whole.get(spoken, frozenset()) | {name for pattern, name in self.open if pattern.fullmatch(spoken)}


def bare(text: str) -> str:
    """`text` without case and end punctuation."""
    return " ".join(text.split()).rstrip(END_PUNCTUATION).casefold()


def examples_of(intents: Iterable[IntentModel]) -> Examples:
    whole: dict[str, frozenset[str]] = {}
    open_: list[tuple[re.Pattern[str], str]] = []
    for intent in intents:
        for example in intent.examples:
            if all(isinstance(part, str) for part in example.parts):
                spoken = bare("".join(part for part in example.parts if isinstance(part, str)))
                whole[spoken] = whole.get(spoken, frozenset()) | {intent.name}
            else:
                words = (re.escape(bare(part)) if isinstance(part, str) else ".+" for part in example.parts)
                open_.append((re.compile(r"\s*".join(words)), intent.name))
    return Examples(whole, tuple(open_))


def button_without_arm(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW505: a button before a `listen` at which no handled intent has its text as an example."""
    outside = _handled_by_callers(model, graphs)
    for name, graph in graphs.items():
        says = [node for node in graph.home if isinstance(node, Say) and node.buttons and node in graph.reached]
        if not says:
            continue
        examples = examples_of(_in_reach(graph.flow, model, graphs, name).values())
        general = _intents_of(graph.flow.anywhere, model) | outside[name]
        for say in says:
            for button in say.buttons:
                yield from _ununderstood(say, button, graph, model, examples, general)


def _ununderstood(
    say: Say, button: Text, graph: FlowGraph, model: Model, examples: Examples, general: frozenset[str]
) -> Iterator[Diagnostic]:
    if button.plain is None:
        return
    meant = examples.of(button.plain)
    for wait in _waits_behind(say, graph):
        handled = _intents_of(wait.arms, model) | general
        if meant.isdisjoint(handled) and not _has_unknown(wait.arms + graph.flow.anywhere, model):
            yield not_understood(button, wait, meant, handled, examples)
            return


def _waits_behind(say: Say, graph: FlowGraph) -> Iterator[Listen]:
    """The `listen`s that may be the next wait after `say`. A question between them has its own answers."""
    seen: set[Key] = set()
    pending: list[Key] = [(say, NOTHING)]
    for key in pending:
        if isinstance(key[0], Listen):
            yield key[0]
        elif key not in seen:
            seen.add(key)
            pending += onward(key, graph)


def _intents_of(arms: tuple[Arm, ...], model: Model) -> frozenset[str]:
    return frozenset(pattern.name.text for arm in arms for pattern in names(arm, model, "intent"))


def _has_unknown(arms: tuple[Arm, ...], model: Model) -> bool:
    """Whether an arm is for a name that is not known, which may be meant for anything."""
    patterns = (pattern for arm in arms for pattern in arm.patterns)
    return any(isinstance(pattern, NamePattern) and pattern not in model.patterns for pattern in patterns)


def _handled_by_callers(model: Model, graphs: Graphs) -> dict[str, frozenset[str]]:
    """The intents that the `anywhere` of each flow's callers handle."""
    calls = callers(model, graphs)
    found: dict[str, frozenset[str]] = {}
    for name in reversed(bottom_up(model, graphs)):
        each = [_intents_of(graphs[by].flow.anywhere, model) | found.get(by, frozenset()) for by, _ in calls[name]]
        found[name] = frozenset().union(*each)
    return found


def _in_reach(flow: FlowModel, model: Model, graphs: Graphs, name: str) -> dict[str, IntentModel]:
    """The intents that the flow, or one of its callers, can understand."""
    found: dict[str, IntentModel] = {}
    calls = callers(model, graphs)
    pending, seen = [name], {name}
    while pending:
        for intent in model.flows[pending[-1]].intents.values():
            found.setdefault(intent.name, intent)
        for by, _ in calls[pending.pop()]:
            if by not in seen:
                seen.add(by)
                pending.append(by)
    return found


# --------------------------------------------------------------------------------------------------------- diagnostics

BUTTON_WITHOUT_ARM: Final = Code("FLW505", "button-without-arm", Severity.ERROR, fixed=False)


def not_understood(
    button: Text, wait: Listen, meant: frozenset[str], handled: frozenset[str], examples: Examples
) -> Diagnostic:
    text = button.plain or ""
    if meant:
        intent = min(meant)
        label, help_ = f"an example of `{intent}`", f"add `on {intent}` there"
    else:
        near = nearest(bare(text), (spoken for spoken, names in examples.whole.items() if names & handled))
        label = "an example of no intent"
        help_ = (
            f'did you mean "{near}"?'
            if near
            else f'add "{text.lower()}" to the examples of the intent that it stands for'
        )
    return Diagnostic(
        BUTTON_WITHOUT_ARM,
        f'the button "{text}" is not understood where it is offered',
        (
            Label(button.span, label),
            Label(head(wait), "no arm here, and none in `anywhere`, takes it", secondary=True),
        ),
        help=help_,
    )
