"""`flowc check --fix`, `--diff` and `--watch`: what is mended, what is left, and that nothing gets worse."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from command import flowc

from flowc.compiler.compile import check_project
from flowc.compiler.project import Project
from flowc.compiler.repair_project import repaired
from flowc.dsl.diagnostic import Severity

GOOD = """flow greeting 1.0.0
  "Say hello."
  use yes, no from "std/basics.flow"

state start
  say "Hello! Shall I go on?"
    buttons "Yes", "No"
  listen
    on yes -> goodbye
    on no -> goodbye

state goodbye
  say "Goodbye!"
  end

anywhere
  on silence 10m -> goodbye
  else
    say "Sorry, I did not get that."
    resume up to 2 -> goodbye
"""

BAD = {
    "several in one file": (
        GOOD.replace("on yes -> goodbye", "on yse -> godbye").replace("-> goodbye\n  else", "-> goodby\n  else")
    ),
    "one behind the other": (
        GOOD.replace('  say "Goodbye!"\n', '   sey "Goodbye!"\n').replace("on yes -> goodbye", "on yes  -> goodbyee")
    ),
    "a tab and a curly quote": GOOD.replace('  say "Hello! Shall I go on?"', "\tsay “Hello! Shall I go on?”"),
    "words and white space": GOOD.replace("state goodbye\n", "stat goodbye\n").replace("  end\n", "  end   \n\n\n"),
}


@pytest.mark.parametrize("name", BAD, ids=str)
def test_what_is_certain_is_mended_until_nothing_is_left(name: str, tmp_path: Path) -> None:
    (tmp_path / "greeting.flow").write_text(BAD[name])
    ran = flowc("check", "greeting.flow", "--fix", folder=tmp_path)
    assert (ran.code, ran.out) == (0, ""), ran
    assert (tmp_path / "greeting.flow").read_text() == GOOD


def test_a_repair_brings_no_new_error() -> None:
    for text in (*BAD.values(), GOOD.replace("on yes -> goodbye", "on no -> godbye")):
        project = Project.of_texts({"greeting.flow": text})
        before = check_project(project).diagnostics
        after = check_project(project.changed(repaired(project))).diagnostics
        known = {(each.code.id, each.message) for each in before}
        assert [
            each for each in after if each.level is Severity.ERROR and (each.code.id, each.message) not in known
        ] == []


def test_a_diff_shows_and_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "greeting.flow"
    file.write_text(BAD["several in one file"])
    ran = flowc("check", "greeting.flow", "--diff", folder=tmp_path)
    assert ran.code == 1
    assert "-    on yse -> godbye\n+    on yes -> goodbye\n" in ran.out
    assert file.read_text() == BAD["several in one file"]
    assert flowc("check", "-", "--diff", stdin=BAD["several in one file"]).code == 1
    file.write_text(GOOD)
    assert flowc("check", "greeting.flow", "--diff", folder=tmp_path).out == ""


def test_a_setting_is_mended_too(tmp_path: Path) -> None:
    (tmp_path / "greeting.flow").write_text(GOOD)
    (tmp_path / "flowc.toml").write_text('[bot]\nname = "greeting"\nmain = "greeting.flow"\nlocals = ["en"]\n')
    assert flowc("check", "--fix", folder=tmp_path).code == 0
    assert "locales" in (tmp_path / "flowc.toml").read_text()


@pytest.mark.parametrize("option", ["--fix", "--watch"])
def test_standard_input_is_no_file(option: str) -> None:
    ran = flowc("check", "-", option, stdin=GOOD)
    assert ran.code == 2
    assert "standard input" in ran.err
    assert "--diff" in ran.err


def test_chats_are_checked_with_their_flows(tmp_path: Path) -> None:
    (tmp_path / "greeting.flow").write_text(GOOD)
    (tmp_path / "flowc.toml").write_text('[bot]\nname = "greeting"\nmain = "greeting.flow"\n')
    (tmp_path / "greeting.chat").write_text('chat "x" of greeting\n  bot any\n  user "no" as noo\n  bot any\n  ends\n')
    ran = flowc("check", folder=tmp_path)
    assert ran.code == 1
    assert "FLW901" in ran.out
    assert "greeting.chat:3:" in ran.out


def test_watching_checks_again_after_each_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "greeting.flow"
    file.write_text(GOOD)

    def changes(*places: Path, **options: object) -> Iterator[object]:
        assert places == (file,)
        file.write_text(BAD["several in one file"])
        yield {("modified", str(file))}
        file.unlink()
        yield {("deleted", str(file))}
        file.write_text(GOOD)
        yield {("added", str(file))}
        raise KeyboardInterrupt

    monkeypatch.setattr("watchfiles.watch", changes)
    ran = flowc("check", "greeting.flow", "--watch", folder=tmp_path)
    assert ran.code == 130
    assert ran.out.count("error[FLW201]") == 2
    assert ran.err.count("no findings") == 2
    assert "there is no file or folder" in ran.err
