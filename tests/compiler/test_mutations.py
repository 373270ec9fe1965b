"""Any edit of a flow is checked to the end: no crash, no internal error, the same answer twice."""

import random
import re
from pathlib import Path

import pytest

from flowc.compiler.compile import check_project
from flowc.compiler.project import Project

ROOT = Path(__file__).parent.parent.parent
FLOWS = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "flows").glob("*_*/*.flow"))}
WORD = re.compile(r"\w+|[^\w\s]")


def mutated(text: str, choose: random.Random) -> str:
    """`text` after one to four small edits."""
    for _ in range(choose.randint(1, 4)):
        words, lines = list(WORD.finditer(text)), text.splitlines(keepends=True)
        match choose.randrange(7):
            case 0 if words:
                gone = choose.choice(words)
                text = text[: gone.start()] + text[gone.end() :]
            case 1 if words:
                one, other = choose.choice(words), choose.choice(words)
                text = text[: one.start()] + other[0] + text[one.end() :]
            case 2 if lines:
                del lines[choose.randrange(len(lines))]
                text = "".join(lines)
            case 3 if lines:
                lines.insert(choose.randrange(len(lines)), choose.choice(lines))
                text = "".join(lines)
            case 4 if words:
                at = choose.choice(words)
                text = text[: at.start()] + at[0][1:] + at[0][:1] + text[at.end() :]
            case 5 if lines:
                number = choose.randrange(len(lines))
                lines[number] = "  " + lines[number]
                text = "".join(lines)
            case _ if lines:
                number = choose.randrange(len(lines))
                lines[number] = lines[number].removeprefix("  ")
                text = "".join(lines)
    return text


@pytest.mark.parametrize("seed", range(40))
def test_mutated_flows_are_checked(seed: int) -> None:
    choose = random.Random(seed)
    texts = dict(FLOWS)
    name = choose.choice(sorted(texts))
    texts[name] = mutated(texts[name], choose)
    project = Project.of_texts(texts)
    first = check_project(project)
    assert [each for each in first.diagnostics if each.code.id == "FLW199"] == []
    assert check_project(project).diagnostics == first.diagnostics
