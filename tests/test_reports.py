"""Findings for other programs: their shape, and that they say what the pictures say.

`sarif.schema.json` is a trimmed schema of the standard's objects, written from its text and stricter than the
published one.
"""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from command import flowc
from jsonschema import Draft202012Validator
from test_render import CASES, load

from flowc.cli.check import as_tests
from flowc.dsl.diagnostic import Severity
from flowc.dsl.render_reports import render_gitlab, render_sarif

SCHEMA = Draft202012Validator(json.loads((Path(__file__).parent / "sarif.schema.json").read_text(encoding="utf-8")))
FLOW = """flow shop 1.0.0
  "A shop."

state start
  say "Hello"
  -> {target}

state goodbye
  say "Goodbye!"
  end
"""

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)


@each_case
def test_sarif_is_as_the_standard_says(case: Path) -> None:
    diagnostics, sources = load(case)
    log = json.loads(render_sarif(diagnostics, sources, "1.0"))
    SCHEMA.validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [result["ruleId"] for result in run["results"]] == [each.code.id for each in diagnostics]
    for result, each in zip(run["results"], diagnostics, strict=True):
        assert rules[result["ruleIndex"]] == each.code.id
        assert each.message in result["message"]["text"]
        region = result["locations"][0]["physicalLocation"].get("region")
        if region is not None and region["startLine"] == region["endLine"]:
            shown = sources[each.span.path].line(region["startLine"])[
                region["startColumn"] - 1 : region["endColumn"] - 1
            ]
            assert shown == sources[each.span.path].text[each.span.start : each.span.end].rstrip("\r\n")
    marks = [result["partialFingerprints"]["flowc/v1"] for result in run["results"]]
    assert len(set(marks)) == len(marks)


@each_case
def test_gitlab_has_a_problem_for_each(case: Path) -> None:
    diagnostics, sources = load(case)
    problems = json.loads(render_gitlab(diagnostics, sources))
    assert [each["check_name"] for each in problems] == [each.code.id for each in diagnostics]
    for problem, each in zip(problems, diagnostics, strict=True):
        assert problem["description"].startswith(each.message)
        assert problem["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert problem["location"]["path"] == each.span.path
        assert problem["location"]["lines"]["begin"] >= 1
    assert len({problem["fingerprint"] for problem in problems}) == len(problems)


@each_case
def test_junit_fails_for_errors_alone(case: Path) -> None:
    diagnostics, sources = load(case)
    root = ElementTree.fromstring(as_tests(diagnostics, sources))
    errors = [each for each in diagnostics if each.level is Severity.ERROR]
    assert len(root.findall(".//failure")) == len(errors) == int(root.get("failures", ""))
    assert len(root.findall(".//testcase")) == int(root.get("tests", "")) >= len(diagnostics)


def test_a_mark_stays_when_the_line_moves(tmp_path: Path) -> None:
    def mark(text: str) -> str:
        (tmp_path / "shop.flow").write_text(text)
        (problem,) = json.loads(flowc("check", "shop.flow", "--format", "gitlab", folder=tmp_path).out)
        return str(problem["fingerprint"])

    first = mark(FLOW.format(target="nowhere"))
    moved = mark("# A shop.\n\n" + FLOW.format(target="nowhere"))
    other = mark(FLOW.format(target="elsewhere"))
    assert first == moved != other


@pytest.mark.parametrize("output", ["sarif", "gitlab", "junit"])
def test_nothing_found_is_still_a_report(output: str, tmp_path: Path) -> None:
    (tmp_path / "shop.flow").write_text(FLOW.format(target="goodbye"))
    ran = flowc("check", "shop.flow", "--format", output, folder=tmp_path)
    assert ran.code == 0
    match output:
        case "sarif":
            SCHEMA.validate(json.loads(ran.out))
            assert json.loads(ran.out)["runs"][0]["results"] == []
        case "gitlab":
            assert json.loads(ran.out) == []
        case _:
            assert ElementTree.fromstring(ran.out).get("failures") == "0"
