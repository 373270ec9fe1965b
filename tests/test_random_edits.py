"""Any edit of the example flows is parsed, checked and formatted to its end: no crash, no fault of ours, in time."""

import subprocess
import sys
from pathlib import Path

import pytest
import random_edits
from hypothesis import given, settings
from hypothesis import strategies as st
from mutate import PIECES, SIGNS

from flowc.compiler.compile import check_project
from flowc.compiler.project import Project

FEWER = 8  # of the edits for the parser alone: a whole project takes longer
TEXTS = random_edits.projects()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for every 25 edits, so that any number of them keeps the time limit of a test."""
    if "seeds" in metafunc.fixturenames:
        count = metafunc.config.getoption("edits") // FEWER
        metafunc.parametrize("seeds", [range(at, min(at + 25, count)) for at in range(0, count, 25)], ids=str)


def test_edited_projects_are_checked_and_formatted(seeds: range) -> None:
    for seed in seeds:
        random_edits.try_edits(seed)


@given(data=st.data(), project=st.integers(0, len(TEXTS) - 1))
@settings(max_examples=40, deadline=None)
def test_any_text_anywhere_in_a_project(data: st.DataObject, project: int) -> None:
    texts = TEXTS[project]
    path = data.draw(st.sampled_from(sorted(texts)))
    start = data.draw(st.integers(0, len(texts[path])))
    end = data.draw(st.integers(start, min(len(texts[path]), start + 80)))
    put = data.draw(st.text(max_size=40) | st.text(SIGNS, max_size=20) | st.sampled_from(PIECES))
    random_edits.survive(project, {path: texts[path][:start] + put + texts[path][end:]})


@pytest.mark.parametrize("seed", range(5))
def test_an_edited_project_gives_the_same_findings_each_time(seed: int) -> None:
    project, changed, _ = random_edits.edited(seed)
    texts = {**TEXTS[project], **changed}
    assert check_project(Project.of_texts(texts)).diagnostics == check_project(Project.of_texts(texts)).diagnostics


def test_a_failure_says_how_to_repeat_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(random_edits, "tidy", fall)
    with pytest.raises(KeyError) as caught:
        random_edits.try_edits(0)
    command = caught.value.__notes__[0].removeprefix("to repeat it: python ")
    ran = subprocess.run(
        [sys.executable, *command.split()],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert " of 1 projects, 0 failed" in ran.stdout


def test_a_slow_edit_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_edits, "LIMIT_S", 0.0)
    with pytest.raises(AssertionError, match=r"0\.\d\d s"):
        random_edits.try_edits(0)
