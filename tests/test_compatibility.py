"""A folder for each kind of change: two versions of a bot, and what comes of it, for the version and for a conversation
at every place."""

from functools import cache
from pathlib import Path

import pytest
from golden import compare as compare_golden
from syrupy.assertion import SnapshotAssertion

from flowc.compiler.compatibility import Comparison, Level, compare, raised
from flowc.compiler.compile import compile_project
from flowc.compiler.project import Project
from flowc.dsl.diagnostic import Severity
from flowc.runtime.program import Program

FOLDERS = Path(__file__).parent / "compatibility"
CASES = sorted(path for path in FOLDERS.iterdir() if path.is_dir())
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def version(case: Path, which: str) -> Program:
    """One of the two versions, which has no errors."""
    single, folder = case / f"{which}.flow", case / which
    files = {"bot.flow": single} if single.is_file() else {at.name: at for at in sorted(folder.iterdir())}
    return compiled(tuple((name, at.read_text(encoding="utf-8")) for name, at in files.items()))


@cache
def compiled(texts: tuple[tuple[str, str], ...]) -> Program:
    """Most folders have the same older version."""
    outcome = compile_project(Project.of_texts(dict(texts)))
    assert outcome.program is not None, [each.message for each in outcome.diagnostics if each.level is Severity.ERROR]
    return outcome.program


def shown(compared: Comparison) -> str:
    """What comes of the change, as text."""
    lines = [f"{compared.level} {compared.smallest}", "", "changes"]
    lines += [f"  {each.level:6}{each.subject} {each.action}: {_of(each.flow)}{each.text}" for each in compared.changes]
    lines += ["", "places"]
    width = max(len(f"{each.place.flow}/{each.place.name}") for each in compared.fates)
    lines += [
        f"  {f'{each.place.flow}/{each.place.name}':{width}}  {each.verdict:7} {each.reason}" for each in compared.fates
    ]
    return "\n".join(lines) + "\n"


def _of(flow: str) -> str:
    return f"{flow}: " if flow else ""


def test_there_are_enough() -> None:
    assert len(CASES) >= 60


@each_case
def test_what_comes_of_it(case: Path, snapshot: SnapshotAssertion) -> None:
    compared = compare(version(case, "old"), version(case, "new"))
    compare_golden(case / "expected.txt", shown(compared), snapshot)


@each_case
def test_no_change_is_no_change(case: Path) -> None:
    for which in ("old", "new"):
        program = version(case, which)
        compared = compare(program, program)
        assert (compared.level, compared.changes) == ("none", ())
        assert {each.verdict for each in compared.fates} == {"same"}


def test_what_would_stay_is_blocked_where_its_version_cannot_run() -> None:
    case = FOLDERS / "a-renamed-state"
    compared = compare(version(case, "old"), version(case, "new"), runs=False)
    fate = compared.fate("shop", "confirm.listen")
    assert fate is not None
    assert fate.verdict == "blocked"
    assert {each.verdict for each in compared.fates} == {"same", "blocked"}
    assert compared.fate("shop", "nowhere.listen") is None


@pytest.mark.parametrize(
    ("level", "expected"), [("none", "1.4.2"), ("patch", "1.4.3"), ("minor", "1.5.0"), ("major", "2.0.0")]
)
def test_the_next_version(level: Level, expected: str) -> None:
    assert raised("1.4.2", level) == expected


def test_the_main_flow_has_the_version_of_the_bot() -> None:
    case = FOLDERS / "a-called-flow-takes-more"
    compared = compare(version(case, "old"), version(case, "new"))
    flows = {each.flow: each for each in compared.flows}
    assert (flows["address"].level, flows["order"].level) == ("major", "major")
    assert (flows["order"].smallest, flows["order"].is_honest) == ("2.0.0", False)
    words = compare(*(version(FOLDERS / "words-of-a-called-flow", which) for which in ("old", "new")))
    assert [(each.flow, each.level, each.is_honest) for each in words.flows] == [
        ("order", "patch", True),
        ("address", "patch", True),
    ]
