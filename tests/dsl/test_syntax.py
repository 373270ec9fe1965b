"""Every construct, with its tree: tests/syntax/*.flow and *.chat beside their *.tree.txt."""

import logging
from importlib.resources import files
from pathlib import Path

import pytest
from golden import compare
from grammar_tables import DSL, NoLexer, tables, text
from lark import Lark, logger
from outline import outline
from syrupy.assertion import SnapshotAssertion

from flowc.dsl.grammar import STARTS, grammar
from flowc.dsl.machine import END
from flowc.dsl.nodes import shape
from flowc.dsl.parse import parse, parse_chat, parse_expression
from flowc.dsl.source import SourceFile
from flowc.dsl.tokens import KEYWORDS
from flowc.dsl.wording import WORDS

GRAMMAR = files("flowc.dsl").joinpath("flow.lark").read_text(encoding="utf-8")
AMBIGUOUS = '\nambiguous: "if" NAME ambiguous | "if" NAME ambiguous "else" ambiguous | NAME\n'
FILES = sorted(
    path for path in (Path(__file__).parent.parent / "syntax").iterdir() if path.suffix in (".flow", ".chat")
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_tree(path: Path, snapshot: SnapshotAssertion) -> None:
    source = SourceFile(path.name, path.read_bytes().decode())
    parsed = parse_chat(source) if path.suffix == ".chat" else parse(source)
    assert parsed.diagnostics == ()
    assert parsed.whole
    compare(path.with_suffix(".tree.txt"), outline(parsed.file, source), snapshot)


def test_carriage_returns_mean_nothing() -> None:
    text = (Path(__file__).parent.parent / "syntax" / "texts.flow").read_text(encoding="utf-8")
    with_returns = parse(SourceFile("a.flow", text.replace("\n", "\r\n")))
    assert with_returns.diagnostics == ()
    assert shape(with_returns.file) == shape(parse(SourceFile("a.flow", text)).file)


def test_keywords_are_the_words_of_the_grammar() -> None:
    tables = grammar().tables
    kinds = {kind for actions in tables.actions for kind in actions if kind.isupper()}
    assert {word.upper() for word in KEYWORDS} <= kinds
    assert kinds - {"ERROR"} <= WORDS.keys() | {END}


def test_tables_are_those_of_the_grammar() -> None:
    assert text(tables(GRAMMAR)) == (DSL / "flow.tables.json").read_bytes().decode(), "run `make tables`"


def test_grammar_has_no_conflicts(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger=logger.name):
        Lark(GRAMMAR + AMBIGUOUS, parser="lalr", lexer=NoLexer, start=[*STARTS, "ambiguous"], debug=True)
    assert len(caplog.records) > 0, "a conflict would be seen"
    caplog.clear()
    with caplog.at_level(logging.DEBUG, logger=logger.name):
        Lark(GRAMMAR, parser="lalr", lexer=NoLexer, start=list(STARTS), debug=True)
    assert [each.message for each in caplog.records] == []


def test_expression_alone() -> None:
    value, diagnostics = parse_expression("a.b + 1", "x")
    assert diagnostics == ()
    assert outline(value, SourceFile("x", "a.b + 1")).splitlines()[0] == "Binary operator='+' 1:1-1:8"


@pytest.mark.parametrize("text", ["", "a +", "a b", "a < b < c", "(a", '"open', "on"])
def test_expression_that_is_none(text: str) -> None:
    value, diagnostics = parse_expression(text, "x")
    assert value is None
    assert len(diagnostics) == 1
