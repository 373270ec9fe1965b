"""Any text at all: it is read to its end, every character is accounted for, and every report has a place."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutate import SIGNS, mutate

from flowc.dsl.nodes import shape
from flowc.dsl.parse import Parsed, ParsedChat, parse, parse_chat, parse_expression
from flowc.dsl.source import SourceFile

TESTS = Path(__file__).parent.parent
VALID = [path.read_bytes().decode() for path in sorted((TESTS / "syntax").glob("*.flow"))]
CHATS = [path.read_bytes().decode() for path in sorted((TESTS / "syntax").glob("*.chat"))]
FRAGMENTS = ["flow a 1.0.0\n", "state s\n", "  say ", '"x"', "{{ x }}", "  ", "\n", "on ", "->", "if ", "(", ")", "a"]


def check(text: str, parsed: Parsed | ParsedChat) -> None:
    for diagnostic in parsed.diagnostics:
        for label in diagnostic.labels:
            assert 0 <= label.span.start <= label.span.end <= len(text)
        for edit in diagnostic.edits:
            assert 0 <= edit.span.start <= edit.span.end <= len(text)
    assert parsed.whole or parsed.diagnostics
    covered = [0] * len(text)
    for piece in (*parsed.tokens, *parsed.comments):
        assert text[piece.span.start : piece.span.end] == piece.text
        for at in range(piece.span.start, piece.span.end):
            covered[at] += 1
    assert all(count == 1 for count, sign in zip(covered, text, strict=True) if not sign.isspace())
    shape(parsed.file)


@given(st.text() | st.text(alphabet=SIGNS) | st.lists(st.sampled_from(FRAGMENTS)).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read(text: str) -> None:
    source = SourceFile("any.flow", text)
    check(text, parse(source))
    check(text, parse_chat(source))
    parse_expression(text, "any")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for every 500 edits, so that any number of them keeps the time limit of a test."""
    if "seeds" in metafunc.fixturenames:
        count = metafunc.config.getoption("edits")
        metafunc.parametrize("seeds", [range(at, min(at + 500, count)) for at in range(0, count, 500)], ids=str)


def test_edited_flows_are_read(seeds: range) -> None:
    for seed in seeds:
        choose = random.Random(seed)
        chat = seed % 4 == 0
        text = mutate(choose.choice(CHATS if chat else VALID), choose, VALID)
        source = SourceFile(f"seed-{seed}", text)
        check(text, parse_chat(source) if chat else parse(source))
