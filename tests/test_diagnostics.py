"""Every code has a folder: a flow with the mistake, what is said about it, and the flow without it; and a page."""

import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from golden import compare
from syrupy.assertion import SnapshotAssertion

from flowc.compiler.against import check_against
from flowc.compiler.chats import script_chats
from flowc.compiler.codes import all_codes
from flowc.compiler.compile import Outcome, check_project, compile_project
from flowc.compiler.project import Project
from flowc.dsl.diagnostic import INTERNAL_ERROR, sort
from flowc.dsl.edits import apply_edits
from flowc.dsl.parse import parse_chat
from flowc.dsl.render import render_text
from flowc.dsl.source import SourceFile

ROOT = Path(__file__).parent.parent
FOLDERS = Path(__file__).parent / "diagnostics"
PAGES = ROOT / "docs" / "diagnostics"
# A fault of ours cannot be shown by a flow.
ELSEWHERE = {INTERNAL_ERROR.id}


@dataclass(frozen=True, slots=True)
class Case:
    """A folder with `bad.flow` and `fixed.flow`, or with the folders `bad` and `fixed`; those of the versions have
    `against` too, the older version."""

    path: Path

    @property
    def code(self) -> str:
        return self.path.name.partition("-")[0]

    def texts(self, which: str) -> dict[str, str]:
        single = self.path / f"{which}.flow"
        if single.is_file():
            return {"bad.flow": single.read_text(encoding="utf-8")}
        folder = self.path / which
        return {
            at.relative_to(folder).as_posix(): at.read_text(encoding="utf-8")
            for at in sorted(folder.rglob("*"))
            if at.is_file()
        }


CASES = [Case(path) for path in sorted(FOLDERS.iterdir()) if path.is_dir()] if FOLDERS.is_dir() else []
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.path.name)


def checked(case: Case, which: str) -> Outcome:
    """What is found in the flows, against the older version where there is one, and in the chats where the flows are
    sound."""
    texts = case.texts(which)
    outcome = check_project(Project.of_texts(texts))
    older = case.texts("against")
    if older and outcome.model is not None and not outcome.diagnostics:
        before = compile_project(Project.of_texts(older)).program
        assert before is not None, f"{case.path.name}: the older version has errors"
        return replace(outcome, diagnostics=check_against(outcome.model, before, outcome.sources))
    chats = {path: SourceFile(path, text) for path, text in texts.items() if path.endswith(".chat")}
    program = compile_project(Project.of_texts(texts)).program if chats else None
    if program is None:
        return outcome
    found = [*outcome.diagnostics]
    for source in chats.values():
        parsed = parse_chat(source)
        found.extend((*parsed.diagnostics, *script_chats(parsed.file, program)[1]))
    return replace(outcome, diagnostics=sort(found), sources={**outcome.sources, **chats})


@each_case
def test_mistake_is_reported(case: Case, snapshot: SnapshotAssertion) -> None:
    outcome = checked(case, "bad")
    compare(case.path / "expected.txt", render_text(outcome.diagnostics, outcome.sources, colour=False), snapshot)
    assert {each.code.id for each in outcome.diagnostics} == {case.code}


@each_case
def test_fixed_flow_is_clean(case: Case) -> None:
    outcome = checked(case, "fixed")
    assert render_text(outcome.diagnostics, outcome.sources, colour=False) == ""


@each_case
def test_edits_make_the_fixed_flow(case: Case) -> None:
    texts = case.texts("bad")
    edits = [edit for each in checked(case, "bad").diagnostics for edit in each.edits]
    if edits:
        made = {path: apply_edits(text, [e for e in edits if e.span.path == path]) for path, text in texts.items()}
        assert made == case.texts("fixed")


def test_codes_are_unique() -> None:
    ids = [code.id for code in all_codes()]
    assert sorted(set(ids)) == ids


def test_every_code_has_a_folder_and_every_folder_a_code() -> None:
    codes = {code.id for code in all_codes()} - ELSEWHERE
    assert {case.code for case in CASES} == codes


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert {page.stem for page in PAGES.glob("FLW*.md")} == {code.id for code in all_codes()}


def test_pages_show_the_folders() -> None:
    script = ROOT / "scripts" / "diagnostic_pages.py"
    run = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("page", sorted(PAGES.glob("FLW*.md")), ids=lambda page: page.stem)
def test_page_explains(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    name = {code.id: code.name for code in all_codes()}[page.stem]
    assert text.startswith(f"# {page.stem} {name}\n")
    prose = text.partition("\n## ")[0]
    assert len(re.findall(r"\n\n\S", prose)) >= 3, "says what is wrong, and why it matters"
