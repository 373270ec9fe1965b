"""Writes `dsl/flow.tables.json`, the LALR tables of `dsl/flow.lark` that the parser steps: `make tables`.

Lark computes them. What is written depends on the grammar alone: states are numbered in the order in which they are
reached from the starts, by name; a line of the file is a rule or a state, so that a change can be read.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from lark import Lark, Token
from lark.grammar import Rule, Terminal
from lark.lexer import Lexer
from lark.parsers.lalr_analysis import IntParseTable, Shift

from flowc.dsl.build import Builder
from flowc.dsl.grammar import STARTS, Part, Written, WrittenRule, WrittenState

DSL: Final = Path(__file__).parent.parent / "dsl"


class NoLexer(Lexer):
    """Lark asks for a lexer; tokens come from `layout`."""

    def __init__(self, conf: object) -> None:
        """Needs nothing of the grammar's terminals."""

    def lex(self, lexer_state: object, parser_state: object) -> Iterator[Token]:
        """Nothing: Lark only makes the tables."""
        return iter(())


def tables(grammar: str) -> Written:
    """The tables of `grammar`."""
    lark = Lark(
        grammar, parser="lalr", lexer=NoLexer, start=list(STARTS), keep_all_tokens=True, maybe_placeholders=True
    )
    table: IntParseTable = lark.parse_interactive("", start=STARTS[0]).parser.parse_table
    rules = sorted(lark.rules, key=name)
    numbers = {rule: number for number, rule in enumerate(rules)}
    order = reached(table)
    return {
        "starts": {start: (order[table.start_states[start]], order[table.end_states[start]]) for start in STARTS},
        "rules": [written_rule(rule) for rule in rules],
        "states": [written_state(table.states[state], order, numbers) for state in order],
    }


def name(rule: Rule) -> tuple[str, ...]:
    return (rule.origin.name, *(symbol.name for symbol in rule.expansion), "", rule.alias or "")


def reached(table: IntParseTable) -> Mapping[int, int]:
    """The number of each state, in order."""
    states = [table.start_states[start] for start in STARTS]
    for state in states:  # grows
        after = (arg for _, (action, arg) in sorted(table.states[state].items()) if action is Shift)
        states.extend(each for each in dict.fromkeys(after) if each not in states)
    return {state: number for number, state in enumerate(states)}


def written_rule(rule: Rule) -> WrittenRule:
    builds = rule.alias or rule.origin.name
    return {
        "rule": rule.origin.name,
        "size": len(rule.expansion),
        "builds": builds if hasattr(Builder, builds) else None,
        "inline": rule.options.expand1 and not rule.alias,
        "parts": list(parts(rule)),
    }


def parts(rule: Rule) -> Iterator[Part]:
    """The layout is no part; an absent `[…]` is None; what a repetition collected is spread."""
    absent = iter(rule.options.empty_indices or [False] * len(rule.expansion))
    for place, symbol in enumerate(rule.expansion):
        while next(absent):
            yield None
        if not symbol.name.startswith("_"):
            yield place
        elif not isinstance(symbol, Terminal):
            yield [place]
    yield from (None for _ in absent)


def written_state(
    actions: Mapping[str, tuple[object, int | Rule]], order: Mapping[int, int], numbers: Mapping[Rule, int]
) -> WrittenState:
    to: dict[str, int] = {}
    before: list[str] = []
    reduced: set[int] = set()
    for kind, (_, arg) in sorted(actions.items()):
        if isinstance(arg, Rule):
            before.append(kind)
            reduced.add(numbers[arg])
        else:
            to[kind] = order[arg]
    written: WrittenState = {"to": to} if to else {}
    for rule in reduced:
        if "reduce" in written:
            raise SystemExit("a state may be reduced by two rules: the file has no place for that")
        written["reduce"] = rule
        written["before"] = before
    return written


def text(written: Written) -> str:
    """The file: a start, a rule or a state a line."""
    sections = (
        ("starts", "{}", [f"{json.dumps(start)}: {json.dumps(ends)}" for start, ends in written["starts"].items()]),
        ("rules", "[]", [json.dumps(rule) for rule in written["rules"]]),
        ("states", "[]", [json.dumps(state) for state in written["states"]]),
    )
    whole = ",\n".join(
        f'"{title}": {ends[0]}\n' + ",\n".join(lines) + f"\n{ends[1]}" for title, ends, lines in sections
    )
    return f"{{\n{whole}\n}}\n"


def main() -> None:
    written = tables((DSL / "flow.lark").read_text(encoding="utf-8"))
    (DSL / "flow.tables.json").write_text(text(written), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
