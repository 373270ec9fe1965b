"""A fault of ours, planted in a pass: it is a finding, and what does not depend on it is found all the same."""

from collections.abc import Iterator

import pytest
from command import flowc

from flowc.compiler import compile as pipeline
from flowc.compiler import rules
from flowc.compiler.compile import Outcome, check_project, compile_project
from flowc.compiler.graph import FlowGraph
from flowc.compiler.model import Model
from flowc.compiler.project import Project
from flowc.dsl.diagnostic import Diagnostic
from flowc.dsl.nodes import StateDeclaration
from flowc.dsl.parse import Parsed, parse
from flowc.dsl.render import render_text
from flowc.dsl.source import SourceFile

FINE = """flow {name} 1.0.0

state start
  say "Hello."
  end
"""
LOST = FINE.replace("  end\n", "  -> nowhere\n")


class PlantedError(Exception):
    """What no pass raises of itself."""


def codes(outcome: Outcome) -> list[tuple[str, str]]:
    return [(each.span.path, each.code.id) for each in outcome.diagnostics]


def text_of(outcome: Outcome) -> str:
    return render_text(outcome.diagnostics, outcome.sources, colour=False)


def project(**texts: str) -> Project:
    return Project.of_texts({f"{name}.flow": text.format(name=name) for name, text in texts.items()})


def test_a_file_that_cannot_be_read_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse_or_fail(source: SourceFile) -> Parsed:
        if source.path == "a.flow":
            raise PlantedError("planted")
        return parse(source)

    monkeypatch.setattr(pipeline, "parse", parse_or_fail)
    outcome = compile_project(project(a=FINE, b=LOST))
    assert codes(outcome) == [("a.flow", "FLW199"), ("b.flow", "FLW201")]
    assert outcome.program is None
    assert "error[FLW199]: this is a bug in flowc: PlantedError: planted\n --> a.flow:1:1\n" in text_of(outcome)
    assert "in `parse_or_fail`" in text_of(outcome)


def test_a_pass_that_fails_keeps_what_was_found_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PlantedError("planted")

    monkeypatch.setattr(pipeline, "check_flows", fail)
    outcome = check_project(project(a=LOST))
    assert codes(outcome) == [("a.flow", "FLW199"), ("a.flow", "FLW201")]
    assert outcome.model is None


def failing(model: Model, graphs: dict[str, FlowGraph]) -> Iterator[Diagnostic]:
    yield from (fail_at(state) for state in model.flows["a"].states.values())


def fail_at(state: StateDeclaration) -> Diagnostic:
    raise PlantedError(f"planted at {state.name.text}")


def test_a_rule_that_fails_shows_the_line_in_hand_and_hides_no_other_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "RULES", (failing, *rules.RULES))
    outcome = check_project(project(a=FINE + "\nstate lost\n  end\n"))
    assert codes(outcome) == [("a.flow", "FLW199"), ("a.flow", "FLW401")]
    assert "--> a.flow:3:1\n" in text_of(outcome)
    assert "3 | state start\n  | ^^^^^^^^^^^ at work here\n" in text_of(outcome)


def test_lowering_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Model, __: int) -> None:
        raise PlantedError("planted")

    monkeypatch.setattr("flowc.compiler.lower.lower", fail)
    outcome = compile_project(project(a=FINE))
    assert codes(outcome)[0] == ("a.flow", "FLW199")
    assert outcome.program is None
    assert [str(fault) for fault in outcome.faults] == ["planted"]


def test_the_command_shows_no_traceback_unless_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: SourceFile) -> Parsed:
        raise PlantedError("planted")

    monkeypatch.setattr(pipeline, "parse", fail)
    monkeypatch.delenv("FLOWC_TRACEBACK", raising=False)
    ran = flowc("check", "-", stdin=FINE.format(name="a"))
    assert (ran.code, ran.err) == (1, "")
    assert "error[FLW199]" in ran.out
    monkeypatch.setenv("FLOWC_TRACEBACK", "1")
    with pytest.raises(PlantedError):
        flowc("check", "-", stdin=FINE.format(name="a"))
