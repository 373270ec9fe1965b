"""The states of a flow by their shape: their code without the words and numbers in it, and without their own name.

So a state that is only renamed has the shape that it had, and what differs between two shapes is no matter of words.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final

import msgspec

from flowc.compiler.spelling import spelled_template
from flowc.runtime.program import Flow, Template

__all__ = ["ANYWHERE", "Shape", "renamed", "shapes"]

ANYWHERE: Final = "anywhere"
SELF: Final = "·"
NUMBERS: Final = frozenset({"after_ms", "within_ms", "up_to"})
PLACES: Final = frozenset({"wait", "place"})
LIKE: Final = 0.6  # how much of two states has to be the same for one to be the other under a new name
SHORT: Final = 4  # instructions: so short a state tells itself by its words


@dataclass(frozen=True, slots=True)
class Shape:
    """The code of one state, an instruction a line, with the texts and numbers that were taken out, by where they are
    said."""

    lines: tuple[str, ...]
    texts: tuple[str, ...]
    numbers: tuple[tuple[str, int], ...]


def shapes(flow: Flow, names: Mapping[str, str] | None = None) -> dict[str, Shape]:
    """The shape of each state by its name, and of `anywhere`. `names` says what other states are called."""
    entries = {state.entry: name for name, state in flow.states.items()}
    begins = sorted({*entries, len(flow.code)})
    found: dict[str, Shape] = {}
    behind = _anywhere_begins(flow)
    for begin, end in pairwise(begins):
        found[entries[begin]] = _Stripper(flow, entries[begin], (begin, min(end, behind)), names or {}).shape()
    found[ANYWHERE] = _Stripper(flow, ANYWHERE, (behind, len(flow.code)), names or {}).shape()
    return found


def _anywhere_begins(flow: Flow) -> int:
    """Where the arms of `anywhere` begin, behind the last state."""
    general = flow.anywhere
    tables = (*general.arms.intents.values(), *general.arms.events.values())
    guarded = [each.to for arms in tables for each in arms]
    others = [*(each.to for each in general.arms.silences), general.arms.otherwise, general.failure, general.unknown]
    return min((to for to in (*guarded, *others) if to is not None), default=len(flow.code))


class _Stripper:
    """Takes words and numbers out of one stretch of code; guards what was taken."""

    def __init__(self, flow: Flow, name: str, span: tuple[int, int], names: Mapping[str, str]) -> None:
        self._flow = flow
        self._name = name
        self._begin, self._end = span
        self._names = names
        self._texts: list[str] = []
        self._numbers: list[tuple[str, int]] = []

    def shape(self) -> Shape:
        code = self._flow.code[self._begin : self._end]
        lines = [repr(self._struct(each)) for each in code]
        if self._name == ANYWHERE:
            lines.append(repr(self._struct(self._flow.anywhere)))
        else:
            lines.append(repr(self._value("priority", self._flow.states[self._name].priority)))
        return Shape(tuple(lines), tuple(self._texts), tuple(self._numbers))

    def _struct(self, struct: msgspec.Struct) -> object:
        fields = [(name, self._value(name, getattr(struct, name))) for name in struct.__struct_fields__]
        return (type(struct).__name__, *fields)

    def _value(self, name: str, value: object) -> object:
        match value:
            case Template():
                self._texts.append(spelled_template(value))
                return "text"
            case bool():
                return value
            case int() if name in NUMBERS:
                return self._number(name, value)
            case int() if name != "value":
                return value - self._begin if self._begin <= value <= self._end else "elsewhere"
            case str() if name in PLACES:
                return SELF + value.removeprefix(self._name) if value.startswith(self._name + ".") else value
            case str() if name in ("state", "then"):
                return SELF if value == self._name else self._names.get(value, value)
            case tuple() if value and all(isinstance(each, Template) for each in value):
                for each in value:
                    self._value(name, each)
                return "texts"
            case tuple():
                return tuple(self._value(name, each) for each in value)
            case dict():
                return tuple(sorted(((str(key), self._value(name, each)) for key, each in value.items()), key=repr))
            case msgspec.Struct():
                return self._struct(value)
            case _:
                return value

    def _number(self, name: str, value: int) -> object:
        self._numbers.append((name, value))
        return "number"


def renamed(old: Flow, new: Flow) -> dict[str, str]:
    """States of `old` that `new` has under another name, by that. Those of the same shape first, then the most
    alike."""
    before, after = shapes(old), shapes(new)
    gone = [name for name in old.states if name not in new.states]
    came = [name for name in new.states if name not in old.states]
    pairs = sorted(_alike(before, after, gone, came), key=lambda pair: -pair[0])
    found: dict[str, str] = {}
    for _, name, to in pairs:
        if name not in found and to not in found.values():
            found[name] = to
    return found


def _alike(
    before: Mapping[str, Shape], after: Mapping[str, Shape], gone: list[str], came: list[str]
) -> Iterator[tuple[float, str, str]]:
    for name in gone:
        for to in came:
            one, other = before[name], after[to]
            same = SequenceMatcher(None, one.lines, other.lines, autojunk=False).ratio()
            words = SequenceMatcher(None, one.texts, other.texts, autojunk=False).ratio()
            if same >= LIKE and (words >= LIKE or len(one.lines) > SHORT):
                yield same + words / 10, name, to
