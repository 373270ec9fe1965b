"""`flowc check`: every finding of a project."""

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowc.cli.options import Color, ColorOption, PathsArgument, ProjectOption, QuietOption
from flowc.cli.projects import MANIFEST, is_skipped, projects_under
from flowc.cli.repairs import show_repairs, write_repairs
from flowc.cli.terminal import FINDINGS, FINE, Stop, Terminal
from flowc.cli.watching import watched

if TYPE_CHECKING:
    from flowc.compiler.compile import Outcome
    from flowc.compiler.project import Project
    from flowc.dsl.diagnostic import Diagnostic
    from flowc.dsl.source import SourceFile

__all__ = ["Format", "check", "findings_in", "findings_of", "has_errors", "report"]


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"
    GITLAB = "gitlab"
    JUNIT = "junit"


def check(
    paths: PathsArgument = None,
    output: Annotated[Format, typer.Option("--format", help="How findings are written.")] = Format.TEXT,
    fix: Annotated[bool, typer.Option("--fix", help="Make the edits that are certain.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what --fix would change, and change nothing.")] = False,
    statistics: Annotated[bool, typer.Option("--statistics", help="Count the findings by code.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Check again whenever a file changes.")] = False,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="REF", help="Also as the next version of a git revision or a bundle."),
    ] = None,
    project: ProjectOption = None,
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Check flows and print every finding. Exit 0: no errors, 1: errors, 2: it could not be checked.

    Example: flowc check flows/order_support.flow

    A single `-` checks the flow on standard input. With --diff: exit 1 where something would change.
    """
    terminal = Terminal(color, quiet)
    from_input = paths == [Path("-")]
    if from_input and (fix or watch):
        option = "--fix" if fix else "--watch"
        raise Stop(f"standard input cannot be used with `{option}`", help="name a file, or use --diff")
    if diff:
        raise typer.Exit(show_repairs(chosen(paths, project), terminal))

    def again() -> int:
        return once(paths, project, output, terminal, fix=fix, statistics=statistics, against=against)

    if watch:
        watched(paths, project, again, terminal)
    raise typer.Exit(again())


def once(
    paths: list[Path] | None,
    project: Path | None,
    output: Format,
    terminal: Terminal,
    *,
    fix: bool,
    statistics: bool,
    against: str | None = None,
) -> int:
    """Check, and print what was found; the exit code."""
    if fix:
        changed = sum(write_repairs(each) for each in chosen(paths, project))
        terminal.note(f"{changed} {'file' if changed == 1 else 'files'} changed")
    findings = tuple(findings_of(each, against) for each in chosen(paths, project))
    sources = {path: source for each in findings for path, source in each.sources.items()}
    diagnostics = tuple(diagnostic for each in findings for diagnostic in each.diagnostics)
    if statistics:
        terminal.write(counted(diagnostics))
    else:
        terminal.write(report(diagnostics, sources, output, colour=terminal.colour))
    if output is Format.TEXT and not diagnostics:
        terminal.note(f"checked {len(sources)} {'file' if len(sources) == 1 else 'files'}: no findings")
    return FINDINGS if has_errors(diagnostics) else FINE


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


def findings_of(project: "Project", against: str | None = None) -> Findings:
    """Every finding of `project`, where its flows have no error with those in its chats, and those as the next version
    of what `against` names."""
    from flowc.compiler.compile import check_project

    outcome = check_project(project)
    if against is not None and project.main is not None and not has_errors(outcome.diagnostics):
        from flowc.dsl.diagnostic import sort

        found_too = as_next_version(project, outcome, against)
        outcome = replace(outcome, diagnostics=sort((*outcome.diagnostics, *found_too)))
    found = findings_in(project, outcome)
    if project.main is None or has_errors(outcome.diagnostics):
        return found
    return with_chats(found, outcome)


def as_next_version(project: "Project", outcome: "Outcome", older: str) -> tuple["Diagnostic", ...]:
    """What is wrong with a sound project as the next version of `older`, a revision or a bundle."""
    from flowc.cli.revisions import program_at
    from flowc.compiler.against import check_against

    if outcome.model is None or outcome.model.main is None:
        return ()
    before = program_at(older, project.root or Path.cwd(), project.only)
    if before.main not in outcome.model.flows and outcome.model.main not in before.flows:
        raise Stop(f"`{older}` is another bot: its main flow is `{before.main}`, and here it is `{outcome.model.main}`")
    return check_against(outcome.model, before, outcome.sources)


def with_chats(found: Findings, outcome: "Outcome") -> Findings:
    """`found` with what is wrong in the project's `.chat` files."""
    from flowc.dsl.diagnostic import sort

    root = found.project.root
    files = chats_in(root) if root is not None else ()
    if not files or outcome.model is None:
        return found
    from flowc.compiler.chats import script_chats
    from flowc.compiler.lower import lower
    from flowc.dsl.parse import parse_chat

    program = lower(outcome.model)
    sources, problems = dict(found.sources), list(found.diagnostics)
    for path in files:
        source = read_chat(path)
        parsed = parse_chat(source)
        sources[source.path] = source
        problems += parsed.diagnostics or script_chats(parsed.file, program)[1]
    return replace(found, diagnostics=sort(problems), sources=sources)


def chats_in(root: Path) -> tuple[Path, ...]:
    """The `.chat` files of the project in `root`; a flow without a project has none."""
    inside = (path for path in root.rglob("*.chat") if not is_skipped(path.relative_to(root)))
    return tuple(sorted(inside)) if (root / MANIFEST).is_file() else ()


def read_chat(path: Path) -> "SourceFile":
    """The file at `path`, named as it is shown."""
    from flowc.dsl.source import SourceFile

    try:
        return SourceFile(f"{prefix_of(path.parent)}{path.name}", path.read_bytes().decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Stop(f"`{path}` is not UTF-8 (byte {error.start})", help="save the file as UTF-8") from error


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
    from flowc.dsl.render_reports import render_gitlab, render_sarif

    match output:
        case Format.TEXT:
            return render_text(diagnostics, sources, colour=colour, width=width()).rstrip("\n") if diagnostics else ""
        case Format.JSON:
            return render_json(diagnostics, sources).rstrip("\n")
        case Format.SARIF:
            return render_sarif(diagnostics, sources, version("flowc")).rstrip("\n")
        case Format.GITHUB:
            return render_github(diagnostics, sources).rstrip("\n")
        case Format.GITLAB:
            return render_gitlab(diagnostics, sources).rstrip("\n")
        case Format.JUNIT:
            return as_tests(diagnostics, sources).rstrip("\n")


def width() -> int:
    """How wide a picture may be: the terminal, where there is one."""
    from flowc.dsl.render import WIDTH

    return max(60, shutil.get_terminal_size().columns) if sys.stdout.isatty() else WIDTH


def as_tests(diagnostics: tuple["Diagnostic", ...], sources: Mapping[str, "SourceFile"]) -> str:
    """Each finding as a test, failed where it is an error; a file without findings is one that held."""
    from flowc.cli.junit import Result, junit
    from flowc.dsl.diagnostic import Severity
    from flowc.dsl.render import render_text

    mentioned = {each.span.path for each in diagnostics}
    results = [Result(path, "no findings") for path in sources if path not in mentioned]
    for each in diagnostics:
        source = sources.get(each.span.path)
        results.append(
            Result(
                each.span.path,
                f"{each.code.id} {each.message}",
                each.message if each.level is Severity.ERROR else None,
                render_text((each,), sources, colour=False),
                None if source is None else source.place(each.span.start).line,
            )
        )
    return junit("flowc check", results)


def counted(diagnostics: Iterable["Diagnostic"]) -> str:
    """One line for each code with how often it was found, most first."""
    from collections import Counter

    counts = Counter((each.code.id, each.code.name) for each in diagnostics)
    return "\n".join(f"{count:6}  {code}  {name}" for (code, name), count in counts.most_common())
