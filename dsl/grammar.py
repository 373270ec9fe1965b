"""The tables of `flow.lark`: what the machine steps and what it makes of the parts of each rule.

Lark computes them in a fifth of a second, so they are computed once, when the grammar changes, and shipped:
`scripts/grammar_tables.py` writes `flow.tables.json`, and a test compares it with the grammar. This module reads it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from operator import itemgetter
from typing import Final, TypedDict, cast

from flowc.dsl.machine import Callback, Reduction, Tables

__all__ = ["STARTS", "Grammar", "Written", "grammar"]

STARTS: Final = (
    "flow_file", "chat_file", "template", "expression", "header_lines", "declaration_lines", "state_lines", "arm_lines",
    "say_lines", "choose_lines", "type_lines", "intent_lines", "slot_lines", "service_lines", "operation_lines",
    "migrate_lines", "step_lines",
)  # fmt: skip

# What a builder's method is given: a part by its place, nothing (for `[…]` that is absent), or all of a list.
Part = int | None | list[int]
Method = Callable[..., object]
Bind = Callable[[Method], Callback]


class WrittenRule(TypedDict):
    """A rule as it is in the file. `builds` is null where its parts stay a list, in the middle of a repetition."""

    rule: str
    size: int
    builds: str | None
    inline: bool  # a single part stands for the whole
    parts: list[Part]


class WrittenState(TypedDict, total=False):
    """A state as it is in the file: where tokens and rules lead to, and the rule to reduce by before which tokens."""

    to: dict[str, int]
    reduce: int
    before: list[str]


class Written(TypedDict):
    """The whole file. A start is the state to begin in and the one to end in."""

    starts: dict[str, tuple[int, int]]
    rules: list[WrittenRule]
    states: list[WrittenState]


@dataclass(frozen=True, slots=True)
class Grammar:
    """The tables, and for each rule what to make of its parts, or what makes that of a builder's method."""

    tables: Tables
    rules: Sequence[tuple[str, Bind] | Callback]

    def callbacks(self, builder: object) -> list[Callback]:
        """What to make of the parts of each rule, by its number: the methods of `builder` have the names of rules."""
        return [each[1](getattr(builder, each[0])) if isinstance(each, tuple) else each for each in self.rules]


@cache
def grammar() -> Grammar:
    """The shipped tables: read once a process, in a few milliseconds."""
    written: Written = json.loads(files("flowc.dsl").joinpath("flow.tables.json").read_bytes())
    reductions = [Reduction(rule["size"], rule["rule"], number) for number, rule in enumerate(written["rules"])]
    starts = written["starts"]
    tables = Tables(
        tuple(actions(state, reductions) for state in written["states"]),
        {start: first for start, (first, _) in starts.items()},
        {start: last for start, (_, last) in starts.items()},
    )
    return Grammar(tables, tuple(made(rule) for rule in written["rules"]))


def actions(state: WrittenState, reductions: Sequence[Reduction]) -> Mapping[str, int | Reduction]:
    found: dict[str, int | Reduction] = dict(state.get("to", {}))
    if "reduce" in state:
        found.update(dict.fromkeys(state["before"], reductions[state["reduce"]]))
    return found


def made(rule: WrittenRule) -> tuple[str, Bind] | Callback:
    """What takes the list of all parts of `rule`. Most rules are met a lot, hence a function for each kind of them."""
    parts, name = rule["parts"], rule["builds"]
    if any(not isinstance(part, int) for part in parts):
        collect = collector(parts)
        return collect if name is None else (name, collected(collect, inline=rule["inline"]))
    places = cast(list[int], parts)
    if rule["inline"] and len(places) == 1:
        return itemgetter(*places)
    if name is None:  # in the middle of a repetition
        return list if len(places) == rule["size"] else lambda given: [given[place] for place in places]
    return name, chosen(places, rule["size"])


def chosen(places: Sequence[int], size: int) -> Bind:
    """The method with the parts at `places`."""
    match tuple(places):
        case ():
            return lambda method: lambda given: method()
        case (place,):
            return lambda method: lambda given: method(given[place])
        case every if len(every) == size:
            return lambda method: lambda given: method(*given)
        case some:
            pick: Callable[[list[object]], tuple[object, ...]] = itemgetter(*some)
            return lambda method: lambda given: method(*pick(given))


def collected(collect: Callable[[list[object]], list[object]], *, inline: bool) -> Bind:
    """The method with what `collect` makes of the parts."""

    def bind(method: Method) -> Callback:
        def build(given: list[object]) -> object:
            found = collect(given)
            return found[0] if inline and len(found) == 1 else method(*found)

        return build

    return bind


def collector(parts: Sequence[Part]) -> Callable[[list[object]], list[object]]:
    """For a rule with parts that may be absent, or that are lists."""

    def collect(given: list[object]) -> list[object]:
        found: list[object] = []
        for part in parts:
            if part is None:
                found.append(None)
            elif isinstance(part, int):
                found.append(given[part])
            elif found:
                found += cast(list[object], given[part[0]])
            else:  # a repetition grows the list that it already has
                found = cast(list[object], given[part[0]])
        return found

    return collect
