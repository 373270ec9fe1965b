"""What is followed, and what is not: marked values, secrets and stale reads, where they have to be exact.

Each file of in_motion/ is the states of a flow; a comment with a code is the finding that its line has.
"""

import re
from pathlib import Path

import pytest

from flowc.compiler.compile import check_project
from flowc.compiler.project import Project

FOLDER = Path(__file__).parent / "in_motion"
HEAD, FOOT = ((FOLDER / f"{name}.txt").read_text(encoding="utf-8") for name in ("head", "foot"))
CASES = [path for path in sorted(FOLDER.glob("*.txt")) if path.stem not in ("head", "foot")]
FOLLOWED = ("FLW610", "FLW801", "FLW802")
# What the cases leave unused, and how long their calls may take, is not their subject.
ELSE = ("FLW210", "FLW506", "FLW507", "FLW606")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_values_are_followed(case: Path) -> None:
    text = HEAD + case.read_text(encoding="utf-8") + FOOT
    outcome = check_project(Project.of_texts({"sample.flow": text}))
    assert [each for each in outcome.diagnostics if each.code.id not in FOLLOWED + ELSE] == []
    found = [
        (outcome.sources[each.span.path].place(each.span.start).line, each.code.id)
        for each in outcome.diagnostics
        if each.code.id in FOLLOWED
    ]
    lines = enumerate(text.splitlines(), 1)
    assert found == [(number, code[1]) for number, line in lines if (code := re.search(r"# (FLW\d+)$", line))]
