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
    tables: Tables
    rules: Sequence[WrittenRule]

    def callbacks(self, builder: object) -> list[Callback]:
        """What to make of the parts of each rule, by its number: the methods of `builder` have the names of rules."""
        return [callback(rule, getattr(builder, rule["builds"]) if rule["builds"] else None) for rule in self.rules]


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
    return Grammar(tables, written["rules"])


def actions(state: WrittenState, reductions: Sequence[Reduction]) -> Mapping[str, int | Reduction]:
    found: dict[str, int | Reduction] = dict(state.get("to", {}))
    if "reduce" in state:
        found.update(dict.fromkeys(state["before"], reductions[state["reduce"]]))
    return found


def callback(rule: WrittenRule, method: Method | None) -> Callback:
    """A function of the list of all parts of `rule`. Most rules are called a lot, hence a function for each kind."""
    parts = rule["parts"]
    places = cast(list[int], parts)  # wherever the parts are no more than that
    if any(not isinstance(part, int) for part in parts):
        return spread(rule, method)
    if rule["inline"] and len(parts) == 1:
        return itemgetter(places[0])
    if method is None:
        return list if places == list(range(rule["size"])) else lambda given: [given[place] for place in places]
    if places == list(range(rule["size"])):
        return lambda given: method(*given)
    if len(places) == 1:
        only = places[0]
        return lambda given: method(given[only])
    if not places:
        return lambda given: method()
    chosen: Callable[[list[object]], tuple[object, ...]] = itemgetter(*places)
    return lambda given: method(*chosen(given))


def spread(rule: WrittenRule, method: Method | None) -> Callback:
    """The same for a rule with parts that may be absent, or that are lists."""
    parts, inline = rule["parts"], rule["inline"]

    def build(given: list[object]) -> object:
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
        if inline and len(found) == 1:
            return found[0]
        return method(*found) if method else found

    return build
