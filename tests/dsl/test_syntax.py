"""Every construct, with its tree: tests/syntax/*.flow and *.chat beside their *.tree.txt."""

from pathlib import Path

import pytest
from golden import compare
from outline import outline

from flowc.dsl.parse import parse, parse_chat, parse_expression
from flowc.dsl.source import SourceFile

FILES = sorted(
    path for path in (Path(__file__).parent.parent / "syntax").iterdir() if path.suffix in (".flow", ".chat")
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_tree(path: Path, pytestconfig: pytest.Config) -> None:
    source = SourceFile(path.name, path.read_bytes().decode())
    parsed = parse_chat(source) if path.suffix == ".chat" else parse(source)
    assert parsed.diagnostics == ()
    assert parsed.whole
    compare(path.with_suffix(".tree.txt"), outline(parsed.file, source), pytestconfig)


def test_expression_alone() -> None:
    value, diagnostics = parse_expression("a.b + 1", "x")
    assert diagnostics == ()
    assert outline(value, SourceFile("x", "a.b + 1")).splitlines()[0] == "Binary operator='+' 1:1-1:8"


@pytest.mark.parametrize("text", ["", "a +", "a b", "a < b < c", "(a", '"open', "on"])
def test_expression_that_is_none(text: str) -> None:
    value, diagnostics = parse_expression(text, "x")
    assert value is None
    assert len(diagnostics) == 1
