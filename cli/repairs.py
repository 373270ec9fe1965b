"""`flowc check --fix` and `--diff`: the certain edits of a project, written or shown."""

from collections.abc import Iterable
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING

from flowc.cli.terminal import FINDINGS, FINE, Stop, Terminal

if TYPE_CHECKING:
    from flowc.compiler.project import Project

__all__ = ["show_repairs", "write_repairs"]


def write_repairs(project: "Project") -> int:
    """Write what the certain edits make of the project's files; the number of files that changed."""
    from flowc.compiler.repair_project import repaired

    texts = repaired(project) if project.root is not None else {}
    for path, text in texts.items():
        assert project.root is not None
        try:
            (project.root / path).write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise Stop(f"`{path}` cannot be written: {error.strerror}") from error
    return len(texts)


def show_repairs(projects: Iterable["Project"], terminal: Terminal) -> int:
    """Print what would change; the exit code."""
    from flowc.compiler.repair_project import repaired

    changed = 0
    for project in projects:
        for path, text in sorted(repaired(project).items()):
            changed += 1
            terminal.write("".join(difference(project, path, text)).rstrip("\n"))
    terminal.note(f"{changed} {'file' if changed == 1 else 'files'} would change")
    return FINDINGS if changed else FINE


def difference(project: "Project", path: str, text: str) -> Iterable[str]:
    source = project.source(path) or project.settings_file
    assert source is not None
    shown = path if project.root in (None, Path.cwd()) else f"{project.root}/{path}"
    lines = unified_diff(source.text.splitlines(), text.splitlines(), shown, f"{shown} (fixed)", lineterm="")
    return (f"{line}\n" for line in lines)
