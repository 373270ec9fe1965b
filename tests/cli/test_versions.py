"""`flowc diff` and `flowc check --against`, with files, bundles and revisions of a real git repository."""

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from command import Ran, flowc

FOLDER = Path(__file__).parents[1] / "compatibility" / "a-renamed-state-with-migrate"
SETTINGS = '[bot]\nname = "shop"\nmain = "shop.flow"\n'


def git(folder: Path, *arguments: str) -> None:
    """git without the settings of whoever runs the tests."""
    settings = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *settings, *arguments], cwd=folder, check=True, capture_output=True)


def text(which: str, *, migrate: bool = True) -> str:
    found = (FOLDER / f"{which}.flow").read_text(encoding="utf-8")
    return found if migrate else found.partition("\nmigrate")[0]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The older version, tagged; in the working copy the newer one, which says nothing about who waits."""
    (tmp_path / "flowc.toml").write_text(SETTINGS)
    (tmp_path / "shop.flow").write_text(text("old"))
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    git(tmp_path, "tag", "shop/v1.2.0")
    (tmp_path / "shop.flow").write_text(text("new", migrate=False))
    return tmp_path


def refused(ran: Ran) -> str:
    assert ran.code == 2, ran
    assert "Traceback" not in ran.err
    return ran.err


# ---------------------------------------------------------------------------------------------------- check --against


def test_check_against_a_revision(repository: Path) -> None:
    ran = flowc("check", "--against", "shop/v1.2.0", folder=repository)
    assert ran.code == 1
    assert "error[FLW701]: state `confirm` is gone" in ran.out
    assert "`confirm.listen`" in ran.out


def test_a_repair_makes_it_clean(repository: Path) -> None:
    (repository / "shop.flow").write_text(text("new"))
    ran = flowc("check", "--against", "shop/v1.2.0", folder=repository)
    assert ran.code == 0, ran
    assert "FLW7" not in ran.out


def test_check_against_a_bundle(repository: Path) -> None:
    git(repository, "stash", "--quiet")
    assert flowc("build", "--output", "old.bundle", folder=repository).code == 0
    git(repository, "stash", "pop", "--quiet")
    assert "FLW701" in flowc("check", "--against", "old.bundle", folder=repository).out


def test_what_is_not_in_the_tree_is_not_read(repository: Path) -> None:
    """Not from the working copy: what stands there now, and what git does not know, makes no difference."""
    git(repository, "config", "core.autocrlf", "true")
    (repository / "shop.flow").write_text(text("new"))
    (repository / "stray.flow").write_text("no flow at all\n")
    ran = flowc("diff", "shop/v1.2.0", "HEAD", folder=repository)
    assert ran.code == 0
    assert ran.out.startswith("shop 1.2.0 → 1.2.0: both do the same")


@pytest.mark.parametrize("revision", ["--output=stolen", "-", "--help"])
def test_a_revision_that_looks_like_an_option_is_refused(repository: Path, revision: str) -> None:
    said = refused(flowc("check", f"--against={revision}", folder=repository))
    assert "is no revision: none begins with `-`" in said
    assert not (repository / "stolen").exists()


def test_what_is_not_there_is_said_in_a_sentence(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert "no file and no revision `v9`" in refused(flowc("check", "--against", "v9", folder=repository))
    (repository / "junk.bundle").write_text("junk")
    assert "not a flowc bundle" in refused(flowc("check", "--against", "junk.bundle", folder=repository))
    outside = tmp_path_factory.mktemp("outside")
    (outside / "flowc.toml").write_text(SETTINGS)
    (outside / "shop.flow").write_text(text("old"))
    assert "lies in no git repository" in refused(flowc("check", "--against", "HEAD", folder=outside))


def test_a_revision_that_does_not_compile_is_said(repository: Path) -> None:
    (repository / "shop.flow").write_text("flow shop 1.0.0\n\nstate start\n  -> nowhere\n")
    git(repository, "commit", "--quiet", "--all", "--message", "broken")
    (repository / "shop.flow").write_text(text("new"))
    said = refused(flowc("check", "--against", "HEAD", folder=repository))
    assert "`HEAD` cannot be compiled" in said
    assert "FLW201" in said


def test_a_project_below_the_top_of_its_repository(repository: Path) -> None:
    inner = repository / "bots" / "shop"
    inner.mkdir(parents=True)
    for name in ("flowc.toml", "shop.flow"):
        (inner / name).write_text((repository / name).read_text())
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "two")
    assert flowc("diff", "HEAD", folder=inner).out.startswith("shop 1.3.0 → 1.3.0: both do the same")
    assert "has no flow in this folder" in refused(flowc("diff", "shop/v1.2.0", folder=inner))


# --------------------------------------------------------------------------------------------------------------- diff


def test_diff_says_what_changed_in_the_graph(repository: Path) -> None:
    ran = flowc("diff", "HEAD", folder=repository)
    assert ran.code == 0
    assert ran.out.startswith("shop 1.2.0 → 1.3.0: a major change, the smallest honest version is 2.0.0\n")
    assert "> the state `confirm` is `check_order` now" in ran.out
    assert "pinned  shop/confirm.listen  `confirm.listen` is gone" in ran.out


def test_diff_as_json(repository: Path) -> None:
    shown = json.loads(flowc("diff", "HEAD", "--format", "json", folder=repository).out)
    assert (shown["from"], shown["to"], shown["level"], shown["smallest"]) == ("1.2.0", "1.3.0", "major", "2.0.0")
    assert [each["to"] for each in shown["changes"] if each["action"] == "renamed"] == ["check_order"]
    assert {each["verdict"] for each in shown["places"]} == {"same", "pinned"}


def test_diff_as_a_drawing() -> None:
    """Green is what came, red what went, yellow what is another than it was."""
    case = FOLDER.parent / "a-state-is-gone"
    drawn = flowc("diff", case / "old.flow", case / "new.flow", "--format", "svg").out
    root = ElementTree.fromstring(drawn)
    classes = [each.get("class", "") for each in root.iter()]
    assert classes.count("box state removed") == 1
    assert classes.count("box state changed") == 1
    assert any(each.startswith("arrow plain added") for each in classes)
    again = flowc("diff", case / "new.flow", case / "old.flow", "--format", "svg").out
    assert "box state added" in again


def test_two_bots_are_not_compared(tmp_path: Path) -> None:
    (tmp_path / "other.flow").write_text('flow other 1.0.0\n\nstate start\n  say "Hello"\n  end\n')
    said = refused(flowc("diff", FOLDER / "old.flow", tmp_path / "other.flow"))
    assert "these are two bots" in said
    said = refused(flowc("check", FOLDER / "old.flow", "--against", tmp_path / "other.flow"))
    assert "is another bot: its main flow is `other`, and here it is `shop`" in said


def test_the_documentation_shows_what_is_printed(repository: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "releasing.md").read_text(encoding="utf-8")
    shown = flowc("diff", "shop/v1.2.0", folder=repository).out
    assert f"```console\n$ flowc diff shop/v1.2.0\n{shown}```" in page


def test_what_is_allowed_is_silent(repository: Path) -> None:
    """An allowance of a finding against an older version says nothing where there is none to compare with."""
    allowed = "# flowc: allow FLW706 because it is raised when it is released\n"
    (repository / "shop.flow").write_text(allowed + text("old").replace("Goodbye!", "Bye!"))
    assert flowc("check", "--against", "HEAD", folder=repository).code == 0
    assert "FLW904" not in flowc("check", folder=repository).out
    (repository / "shop.flow").write_text(allowed + text("old"))
    assert "FLW904" in flowc("check", "--against", "HEAD", folder=repository).out


def test_wrong_names_are_refused_in_a_sentence(repository: Path) -> None:
    assert "no folder `nope`" in refused(flowc("diff", "HEAD", "--project", "nope", folder=repository))
    assert "an empty name is no file" in refused(flowc("diff", "", folder=repository))
    assert "no file and no revision `HEAD..HEAD`" in refused(flowc("diff", "HEAD..HEAD", folder=repository))
    said = refused(flowc("diff", "HEAD", "--format", "svg", "--flow", "nope", folder=repository))
    assert "not both versions have a flow `nope`" in said


def test_a_revision_and_a_folder_of_one_name(repository: Path) -> None:
    (repository / "release").mkdir()
    (repository / "release" / "flowc.toml").write_text(SETTINGS)
    (repository / "release" / "shop.flow").write_text(text("new"))
    git(repository, "branch", "release")
    assert "1.2.0 → 1.2.0" in flowc("diff", "HEAD", "release", folder=repository).out
    assert "1.2.0 → 1.3.0" in flowc("diff", "HEAD", "./release", folder=repository).out
