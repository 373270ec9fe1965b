"""Where values leave a flow, or are kept: texts, milestones, queues and the arguments of calls, and what each may not
get."""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from flowc.compiler.graph import Node
from flowc.compiler.model import FlowModel, Model
from flowc.compiler.rules.carried import Shown, Source, carried, declared_type, mark_in
from flowc.dsl.nodes import (
    Argument,
    Ask,
    Call,
    Choose,
    Defer,
    Do,
    Expression,
    Handoff,
    Mark,
    Name,
    Reject,
    Say,
    Set,
    Text,
)
from flowc.runtime.types import Field

__all__ = ["Kind", "Sink", "sinks", "texts_of_slots"]

Kind = Literal["pii", "secret", "read"]
SECRET: Final[frozenset[Kind]] = frozenset(["secret"])
MARKED: Final[frozenset[Kind]] = frozenset(["pii", "secret"])


class Sink(NamedTuple):
    """What goes there, what it may not be, and words for the place: `into` in a sentence, `label` under the span, and
    what to do."""

    sources: tuple[Source, ...]
    minds: frozenset[Kind]
    into: str
    label: str
    help: str
    deferred: bool = False


SHOWN: Final = ("a text", "shown to whoever reads the conversation", "a secret is never shown: leave it out")
COUNTED: Final = ("a `mark`", "a milestone is read by everybody who sees the numbers", "say what happened, not to whom")
QUEUED: Final = ("the queue of a `handoff`", "the name of a queue is seen in logs and numbers", "leave it out")


def sinks(node: Node, flow: FlowModel, model: Model) -> Iterator[Sink]:
    """Every place of `node` that minds what it gets."""
    match node:
        case Say(texts, buttons, images, links):
            shown = (*texts, *buttons, *images, *(text for link in links for text in (link.label, link.url)))
            yield from (_text(each, flow, model) for each in shown)
        case Ask(question=question):
            texts = (*(() if question is None else (question,)), *texts_of_slots(node, flow))
            yield from (_text(each, flow, model) for each in texts)
        case Reject(text=text):
            yield _text(text, flow, model)
        case Choose(name=name, items=items, question=question, show=show):
            yield _text(question, flow, model)
            if show is not None:
                of = tuple(carried(items, flow, model))
                yield Sink(tuple(carried(show, flow, model, {name.text: of})), SECRET, *SHOWN)
            yield from _kept(name, tuple(carried(items, flow, model)), flow)
        case Mark(milestone):
            yield _sink(milestone, MARKED, COUNTED, flow, model)
        case Handoff(queue=queue):
            yield _sink(queue, MARKED, QUEUED, flow, model)
        case Call() | Defer():
            yield from _arguments(node, flow, model)
        case Do():
            yield from _taken(node, flow, model)
        case Set(name, value):
            yield from _kept(name, tuple(carried(value, flow, model)), flow)
        case _:
            return


def _sink(
    expression: Expression, minds: frozenset[Kind], words: tuple[str, str, str], flow: FlowModel, model: Model
) -> Sink:
    return Sink(tuple(carried(expression, flow, model)), minds, *words)


def _text(text: Text, flow: FlowModel, model: Model) -> Sink:
    return _sink(text, SECRET, SHOWN, flow, model)


def texts_of_slots(ask: Ask, flow: FlowModel) -> Iterator[Text]:
    """What an `ask` of these slots may say."""
    for name in ask.slots:
        slot = flow.slots.get(name.text)
        if slot is not None:
            line = slot.declaration
            yield from (text for text in (line.ask, line.reask) if text is not None)
            yield from (check.text for check in line.checks)


def _arguments(call: Call | Defer, flow: FlowModel, model: Model) -> Iterator[Sink]:
    operation = model.operations.get(call)
    if operation is None:
        return
    what = f"{operation.service}.{operation.name}"
    parameters = {each.name: each for each in operation.parameters}
    for argument in call.arguments:
        parameter = parameters.get(argument.name.text)
        if parameter is not None:
            minds = _minds(parameter, is_write=operation.kind == "write")
            yield _argument(argument, minds, what, flow, model, deferred=isinstance(call, Defer))
    if isinstance(call, Call) and call.target is not None and mark_in(operation.result) == "secret":
        yield from _kept(call.target, (Shown("secret", f"what `{what}` answers", call.target.span),), flow)


def _minds(parameter: Field, *, is_write: bool) -> frozenset[Kind]:
    stale: frozenset[Kind] = frozenset(["read"]) if is_write else frozenset()
    match mark_in(parameter.type):
        case "secret":
            return stale
        case "pii":
            return SECRET | stale
        case _:
            return MARKED | stale


def _argument(
    argument: Argument, minds: frozenset[Kind], what: str, flow: FlowModel, model: Model, *, deferred: bool
) -> Sink:
    name = argument.name.text
    words = (
        f"`{name}` of `{what}`",
        f"`{name}` is not marked so",
        f"mark the parameter `{name}` of `{what}` in its type",
    )
    return _sink(argument.value, minds, words, flow, model)._replace(deferred=deferred)


def _taken(do: Do, flow: FlowModel, model: Model) -> Iterator[Sink]:
    called = model.flow_of(do)
    if called is None:
        return
    for argument in do.arguments:
        yield from _kept(argument.name, tuple(carried(argument.value, flow, model)), called)


def _kept(name: Name, sources: tuple[Source, ...], flow: FlowModel) -> Iterator[Sink]:
    """A secret in a name whose declaration does not say so would be stored."""
    of = declared_type(name.text, flow)
    if of is not None and mark_in(of) != "secret":
        words = (f"`{name.text}`", f"`{name.text}` is not marked so", f"declare `{name.text}` as `secret` too")
        yield Sink(sources, SECRET, *words)
