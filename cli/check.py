"""`flowc check`: every finding of a project."""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowc.cli.options import Color, ColorOption, PathsArgument, ProjectOption, QuietOption
from flowc.cli.projects import projects_under
from flowc.cli.terminal import FINDINGS, FINE, Terminal

if TYPE_CHECKING:
    from flowc.compiler.compile import Outcome
    from flowc.compiler.project import Project
    from flowc.dsl.diagnostic import Diagnostic
    from flowc.dsl.source import SourceFile

__all__ = ["Format", "check", "findings_in", "findings_of", "has_errors", "report"]


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def check(
    paths: PathsArgument = None,
    output: Annotated[Format, typer.Option("--format", help="How findings are written.")] = Format.TEXT,
    fix: Annotated[bool, typer.Option("--fix", help="Apply the edits that are certain.")] = False,
    statistics: Annotated[bool, typer.Option("--statistics", help="Count the findings by code.")] = False,
    project: ProjectOption = None,
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Check flows and print every finding. Exit 0: no errors, 1: errors, 2: it could not be checked.

    Example: flowc check flows/order_support.flow

    A single `-` checks the flow on standard input.
    """
    terminal = Terminal(color, quiet)
    projects = chosen(paths, project)
    findings = tuple(findings_of(each) for each in projects)
    if fix:
        repaired = sum(apply_fixes(each) for each in findings)
        terminal.note(f"{repaired} {'file' if repaired == 1 else 'files'} changed")
        if repaired:
            findings = tuple(findings_of(each) for each in chosen(paths, project))
    sources = {path: source for each in findings for path, source in each.sources.items()}
    diagnostics = tuple(diagnostic for each in findings for diagnostic in each.diagnostics)
    if statistics:
        terminal.write(counted(diagnostics))
    else:
        terminal.write(report(diagnostics, sources, output, colour=terminal.colour))
    if output is Format.TEXT and not diagnostics:
        terminal.note(f"checked {len(sources)} {'file' if len(sources) == 1 else 'files'}: no findings")
    raise typer.Exit(FINDINGS if has_errors(diagnostics) else FINE)


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with one project, with paths as they are from the folder that the command runs in."""

    project: "Project"
    prefix: str
    diagnostics: tuple["Diagnostic", ...]
    sources: Mapping[str, "SourceFile"]


def chosen(paths: list[Path] | None, directory: Path | None) -> tuple["Project", ...]:
    """The projects to check; for `-` one made of standard input."""
    from flowc.compiler.project import Project

    if paths == [Path("-")]:
        return (Project.of_texts({"<stdin>.flow": sys.stdin.read()}),)
    return projects_under(paths, directory)


def findings_of(project: "Project") -> Findings:
    """Every finding of `project`."""
    from flowc.compiler.compile import check_project

    return findings_in(project, check_project(project))


def findings_in(project: "Project", outcome: "Outcome") -> Findings:
    """The findings of `outcome`, with the paths as they are shown. Raises a fault of ours where FLOWC_TRACEBACK asks
    for it."""
    if outcome.faults and os.environ.get("FLOWC_TRACEBACK"):
        raise outcome.faults[0]
    prefix = "" if project.root is None else prefix_of(project.root)
    return Findings(
        project,
        prefix,
        tuple(relocated(each, prefix) for each in outcome.diagnostics),
        {located(path, prefix): replace_path(source, prefix) for path, source in outcome.sources.items()},
    )


def prefix_of(root: Path) -> str:
    """What to put before a path of a project so that it is right from here; empty for the folder itself."""
    here = Path.cwd()
    if root == here:
        return ""
    shown = root.relative_to(here) if root.is_relative_to(here) else Path(os.path.relpath(root, here))
    return f"{shown.as_posix()}/"


def located(path: str, prefix: str) -> str:
    """`path` as it is shown; the shipped library keeps its name."""
    return path if path.startswith("std/") else prefix + path


def replace_path(source: "SourceFile", prefix: str) -> "SourceFile":
    from flowc.dsl.source import SourceFile

    return SourceFile(located(source.path, prefix), source.text) if prefix else source


def relocated(diagnostic: "Diagnostic", prefix: str) -> "Diagnostic":
    """The finding with its places as they are shown."""
    if not prefix:
        return diagnostic
    from flowc.dsl.source import Span

    def moved(span: Span) -> Span:
        return Span(located(span.path, prefix), span.start, span.end)

    return replace(
        diagnostic,
        labels=tuple(replace(label, span=moved(label.span)) for label in diagnostic.labels),
        edits=tuple(replace(edit, span=moved(edit.span)) for edit in diagnostic.edits),
    )


def has_errors(diagnostics: Iterable["Diagnostic"]) -> bool:
    from flowc.dsl.diagnostic import Severity

    return any(diagnostic.level is Severity.ERROR for diagnostic in diagnostics)


def report(
    diagnostics: tuple["Diagnostic", ...], sources: Mapping[str, "SourceFile"], output: Format, *, colour: bool
) -> str:
    """The findings in the format asked for, without a newline at the end; empty where there are none."""
    from flowc.dsl.render import render_github, render_json, render_text

    match output:
        case Format.TEXT:
            return render_text(diagnostics, sources, colour=colour).rstrip("\n") if diagnostics else ""
        case Format.JSON:
            return render_json(diagnostics, sources).rstrip("\n")
        case Format.GITHUB:
            return render_github(diagnostics, sources).rstrip("\n")


def counted(diagnostics: Iterable["Diagnostic"]) -> str:
    """One line for each code with how often it was found, most first."""
    from collections import Counter

    counts = Counter((each.code.id, each.code.name) for each in diagnostics)
    return "\n".join(f"{count:6}  {code}  {name}" for (code, name), count in counts.most_common())


def apply_fixes(findings: Findings) -> int:
    """Write the certain edits into the project's files; the number of files that changed."""
    from flowc.dsl.edits import apply_edits

    changed = 0
    for path, source in findings.sources.items():
        edits = [edit for each in findings.diagnostics for edit in each.edits if edit.span.path == path]
        root = findings.project.root
        if edits and root is not None and not path.startswith("std/"):
            target = root / path.removeprefix(findings.prefix)
            target.write_text(apply_edits(source.text, edits), encoding="utf-8", newline="")
            changed += 1
    return changed
