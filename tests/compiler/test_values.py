"""What is certain where: `tests/values` has flows whose lines say, behind `#!`, what is reported about them."""

import re
from pathlib import Path

import pytest

from flowc.compiler.compile import check_project
from flowc.compiler.project import Project

FLOWS = sorted((Path(__file__).parent.parent / "values").glob("*.flow"))
EXPECTED = re.compile(r"#! (FLW\d{3}(?: FLW\d{3})*)")
FAMILIES = ("FLW1", "FLW2", "FLW3")


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_lines_are_reported_as_they_say(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    outcome = check_project(Project.of_texts({path.name: text}))
    source = outcome.sources[path.name]
    found = {
        (source.place(each.span.start).line, each.code.id): each.message
        for each in outcome.diagnostics
        if each.code.id.startswith(FAMILIES) and each.code.id != "FLW210"
    }
    expected = {
        (number, code)
        for number, line in enumerate(text.splitlines(), start=1)
        for marker in EXPECTED.finditer(line)
        for code in marker[1].split()
    }
    assert expected, "a flow here has something to report"
    assert set(found) == expected, {key: found.get(key) for key in set(found) ^ expected}
