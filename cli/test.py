"""`flowc test`: runs `.chat` files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowc.cli.check import Format, read_chat, report
from flowc.cli.options import Color, ColorOption, PathsArgument, ProjectOption, QuietOption
from flowc.cli.programs import compiled
from flowc.cli.projects import chat_files, is_skipped, projects_under
from flowc.cli.terminal import BOLD, DIM, FINDINGS, FINE, GREEN, RED, Stop, Terminal

if TYPE_CHECKING:
    from flowc.compiler.chats import Script
    from flowc.compiler.coverage import Coverage
    from flowc.compiler.play import Played, Understand
    from flowc.compiler.project import Project
    from flowc.dsl.diagnostic import Diagnostic
    from flowc.dsl.source import SourceFile
    from flowc.runtime.kernel import Asking, LoadedProgram
    from flowc.runtime.kernel.events import Understood
    from flowc.runtime.program import Program

__all__ = ["run_tests"]


def run_tests(
    paths: PathsArgument = None,
    coverage: Annotated[bool, typer.Option("--coverage", help="Say what no chat reaches.")] = False,
    least: Annotated[
        float | None, typer.Option("--min", min=0, max=100, help="Fail below this coverage in percent.")
    ] = None,
    project: ProjectOption = None,
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Run the chats of .chat files: simulated users, time and backends. Exit 0: all held, 1: not.

    Example: flowc test --coverage --min 95
    """
    terminal = Terminal(color, quiet)
    runs = [run_project(each, files, terminal) for each, files in chosen(paths, project)]
    failed = sum(each.failed for each in runs)
    passed = sum(each.passed for each in runs)
    low = False
    if coverage or least is not None:
        for each in runs:
            terminal.write(coverage_text(each.program, each.coverage, terminal))
            low |= least is not None and each.coverage.percent < least
    terminal.write(summary(passed, failed, terminal))
    raise typer.Exit(FINDINGS if failed or low else FINE)


@dataclass(frozen=True, slots=True)
class Run:
    """The chats of one project, run."""

    program: "Program"
    passed: int
    failed: int
    coverage: "Coverage"


def chosen(paths: list[Path] | None, directory: Path | None) -> list[tuple["Project", tuple[Path, ...]]]:
    """Each project with its chats among `paths`."""
    projects = [each for each in projects_under(paths, directory) if each.main is not None]
    wanted = {file.resolve() for file in chat_files(paths, directory)}
    found = [(each, chats_of(each, wanted)) for each in projects]
    if not any(files for _, files in found):
        raise Stop("no .chat file here", help="write one beside a flow: docs/language.md, Tests")
    return [(each, files) for each, files in found if files]


def chats_of(project: "Project", wanted: set[Path]) -> tuple[Path, ...]:
    """The `.chat` files of `project` that are wanted."""
    root = project.root or Path.cwd()
    inside = (path.resolve() for path in root.rglob("*.chat") if not is_skipped(path.relative_to(root)))
    return tuple(sorted(path for path in inside if path in wanted))


def run_project(project: "Project", files: Sequence[Path], terminal: Terminal) -> Run:
    """Run the chats in `files` and print those that fail."""
    from flowc.compiler.coverage import coverage_of

    program = compiled(project)
    understand = classifier(program)
    played: list[Played] = []
    failed = 0
    for path in files:
        source, scripts, problems = read_chats(path, program)
        if problems:
            failed += 1
            terminal.write(report(problems, {source.path: source}, Format.TEXT, colour=terminal.colour))
        for result in run_scripts(program, scripts, understand):
            played.append(result)
            if result.failure is not None:
                failed += 1
                terminal.write(failure_text(result, source, terminal))
    passed = sum(result.failure is None for result in played)
    return Run(program, passed, failed, coverage_of(program, played))


def read_chats(path: Path, program: "Program") -> tuple["SourceFile", tuple["Script", ...], tuple["Diagnostic", ...]]:
    """The scripts of a file, and what is wrong with it."""
    from flowc.compiler.chats import script_chats
    from flowc.dsl.parse import parse_chat

    source = read_chat(path)
    parsed = parse_chat(source)
    if parsed.diagnostics:
        return source, (), parsed.diagnostics
    scripts, problems = script_chats(parsed.file, program)
    return source, scripts, problems


def run_scripts(program: "Program", scripts: Iterable["Script"], understand: "Understand") -> Iterable["Played"]:
    """Each script, played from its beginning."""
    from flowc.compiler.play import play
    from flowc.runtime.kernel import load

    whole = load(program)
    for script in scripts:
        loaded = with_main(whole, script)
        yield play(program, loaded, script, understand)


def with_main(loaded: "LoadedProgram", script: "Script") -> "LoadedProgram":
    """The program with the script's flow as the one that begins."""
    return replace(loaded, main=loaded.flows[script.flow], arguments=dict(script.arguments))


def classifier(program: "Program") -> "Understand":
    """What messages mean by the bot's examples and the values of its slots, as `flowc serve` understands them first."""
    from flowc.runtime.understanding.port import Heard
    from flowc.runtime.understanding.rules import Rules

    rules = Rules(program)

    def understand(text: str, asking: "Asking", now: datetime) -> "Understood":
        return rules.hear(Heard(text, now), asking)

    return understand


def failure_text(played: "Played", source: "SourceFile", terminal: Terminal) -> str:
    """A chat that failed: its title, the line, and what happened instead."""
    failure = played.failure
    assert failure is not None
    place = source.place(failure.span.start)
    number = str(place.line)
    gutter = " " * len(number)
    return "\n".join(
        [
            f"{terminal.style('failed', RED, BOLD)}: {terminal.style(played.script.title, BOLD)}",
            f"{gutter}--> {source.path}:{place.line}:{place.column}",
            f"{gutter} |",
            f"{number} | {source.line(place.line)}",
            f"{gutter} | {' ' * (place.column - 1)}{terminal.style(f'^ {failure.message}', RED)}",
            "",
        ]
    )


def coverage_text(program: "Program", coverage: "Coverage", terminal: Terminal) -> str:
    """The share that is reached, and what is missing."""
    reached_states = coverage.states - len(coverage.missing_states)
    reached_outcomes = coverage.outcomes - len(coverage.missing_outcomes)
    lines = [
        f"{terminal.style(program.bot, BOLD)}: {coverage.percent:.1f}% covered",
        f"  states         {reached_states} of {coverage.states}",
        f"  call outcomes  {reached_outcomes} of {coverage.outcomes}",
    ]
    lines += [terminal.style(f"  no chat enters {state}", DIM) for state in coverage.missing_states]
    lines += [
        terminal.style(f"  no chat has {each.kind} of {each.place} in {each.flow}", DIM)
        for each in coverage.missing_outcomes
    ]
    return "\n".join(lines)


def summary(passed: int, failed: int, terminal: Terminal) -> str:
    """How many held."""
    if failed:
        return terminal.style(f"{failed} failed, {passed} held", RED, BOLD)
    return terminal.style(f"{passed} {'chat' if passed == 1 else 'chats'} held", GREEN)
