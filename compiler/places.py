"""Where a program comes from: file and line of each instruction and state, for `flowc why`. Not part of a program: a
bundle has no paths in it."""

from collections.abc import Mapping
from dataclasses import dataclass

from flowc.compiler.lower_code import lower_code
from flowc.compiler.lower_values import Values
from flowc.compiler.model import Model
from flowc.dsl.source import SourceFile, Span

__all__ = ["Places", "places_of"]


@dataclass(frozen=True, slots=True)
class Places:
    """`code` by flow and index of the instruction, `states` by flow and state: FILE:LINE."""

    code: Mapping[tuple[str, int], str]
    states: Mapping[tuple[str, str], str]


def places_of(model: Model, sources: Mapping[str, SourceFile]) -> Places:
    """The places of the program that `lower` makes of the same model."""
    code: dict[tuple[str, int], str] = {}
    states: dict[tuple[str, str], str] = {}
    for name in model.bot:
        flow = model.flows[name]
        lowered = lower_code(flow, model, Values(model))
        code.update({(name, index): place(span, sources) for index, span in enumerate(lowered.spans)})
        states.update({(name, each): place(state.span, sources) for each, state in flow.states.items()})
    return Places(code, states)


def place(span: Span, sources: Mapping[str, SourceFile]) -> str:
    source = sources.get(span.path)
    return span.path if source is None else f"{span.path}:{source.place(span.start).line}"
