"""Drawing apart from wording: tests/render holds findings as JSON, and beside each what becomes of it."""

import json
import re
from pathlib import Path
from typing import Any
from unicodedata import category

import pytest
from golden import compare
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity, sort
from flowc.dsl.render import render_github, render_json, render_text
from flowc.dsl.source import SourceFile, Span

FOLDER = Path(__file__).parent / "render"
CASES = sorted(FOLDER.glob("*.json"))
EXPECTED = (".plain.txt", ".colour.txt", ".jsonl", ".github.txt")
Sources = dict[str, SourceFile]


def span(place: dict[str, Any], sources: Sources) -> Span:
    if "at" in place:
        return Span(place["file"], *place["at"])
    start = sources[place["file"]].text.index(place["on"])
    return Span(place["file"], start, start + len(place["on"]))


def diagnostic(facts: dict[str, Any], sources: Sources) -> Diagnostic:
    code, name, severity = facts["code"]
    return Diagnostic(
        Code(code, name, Severity(severity)),
        facts["message"],
        tuple(Label(span(each, sources), each["text"], each.get("secondary", False)) for each in facts["labels"]),
        facts.get("help"),
        tuple(facts.get("notes", ())),
        tuple(Edit(span(each, sources), each["replacement"]) for each in facts.get("edits", ())),
        Severity(facts["severity"]) if "severity" in facts else None,
    )


def load(case: Path) -> tuple[tuple[Diagnostic, ...], Sources]:
    facts = json.loads(case.read_text(encoding="utf-8"))
    sources = {path: SourceFile(path, text) for path, text in facts["files"].items()}
    return tuple(diagnostic(each, sources) for each in facts["diagnostics"]), sources


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_rendering(case: Path, snapshot: SnapshotAssertion) -> None:
    diagnostics, sources = load(case)
    compare(case.with_suffix(".plain.txt"), render_text(diagnostics, sources, colour=False), snapshot)
    compare(case.with_suffix(".colour.txt"), render_text(diagnostics, sources, colour=True), snapshot)
    compare(case.with_suffix(".jsonl"), render_json(diagnostics, sources), snapshot)
    compare(case.with_suffix(".github.txt"), render_github(diagnostics, sources), snapshot)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_colours_change_no_character(case: Path) -> None:
    diagnostics, sources = load(case)
    coloured = render_text(diagnostics, sources, colour=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render_text(diagnostics, sources, colour=False)


def test_every_expected_file_has_its_case() -> None:
    names = {case.stem for case in CASES}
    expected = {path.name for path in FOLDER.iterdir()} - {case.name for case in CASES}
    assert expected == {name + suffix for name in names for suffix in EXPECTED}


def test_nothing_found_is_nothing_printed() -> None:
    assert render_text((), {}, colour=True) == ""


CODE = Code("FLW104", "unexpected-token", Severity.ERROR)


@given(
    st.text(st.sampled_from("ab \t\n\r\x1b日\u0301\u200b👩‍\u202e") | st.characters(), max_size=60),
    st.lists(st.tuples(st.integers(0, 70), st.integers(0, 70), st.text(max_size=5)), min_size=1, max_size=3),
)
def test_any_span_of_any_text_is_drawn_safely(text: str, places: list[tuple[int, int, str]]) -> None:
    sources = {"a.flow": SourceFile("a.flow", text)}
    labels = tuple(
        Label(Span("a.flow", min(start, end), max(start, end)), label, secondary=at > 0)
        for at, (start, end, label) in enumerate(places)
    )
    found = Diagnostic(CODE, text, labels)
    drawn = render_text((found,), sources, colour=False)
    assert "^" in drawn
    assert {character for character in drawn if category(character) in {"Cc", "Cs", "Zl", "Zp"}} <= {"\n"}
    (line,) = render_json((found,), sources).splitlines()
    assert json.loads(line)["message"] == text
    assert render_github((found,), sources).count("\n") == 1


def test_sort_is_by_file_then_place() -> None:
    def at(path: str, start: int, code: str = "FLW104") -> Diagnostic:
        return Diagnostic(Code(code, "x", Severity.ERROR), "x", (Label(Span(path, start, start + 1), ""),))

    ordered = (at("a", 5), at("a", 30), at("a", 30, "FLW201"), at("b", 0))
    assert sort(reversed(ordered)) == ordered
