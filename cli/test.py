"""`flowc test`: runs `.chat` files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowc.cli.check import Format, read_chat, report
from flowc.cli.junit import Result, junit
from flowc.cli.options import Color, ColorOption, PathsArgument, ProjectOption, QuietOption
from flowc.cli.programs import compiled
from flowc.cli.projects import chat_files, is_skipped, projects_under
from flowc.cli.terminal import BOLD, DIM, FINDINGS, FINE, GREEN, RED, Stop, Terminal

if TYPE_CHECKING:
    from flowc.compiler.chats import Script
    from flowc.compiler.coverage import Coverage, Goal
    from flowc.compiler.play import Played, Understand
    from flowc.compiler.project import Project
    from flowc.dsl.diagnostic import Diagnostic
    from flowc.dsl.source import SourceFile
    from flowc.runtime.kernel import Asking, LoadedProgram
    from flowc.runtime.kernel.events import Understood
    from flowc.runtime.program import Program

__all__ = ["chats_reach", "classifier", "run_scripts", "run_tests"]

WORDS = {
    "state": "states",
    "transition": "transitions",
    "arm": "arms",
    "outcome": "call outcomes",
    "fallback": "fallbacks",
    "silence": "silences",
    "interruption": "interruptions",
}


def run_tests(
    paths: PathsArgument = None,
    coverage: Annotated[bool, typer.Option("--coverage", help="Say what no chat reaches.")] = False,
    least: Annotated[
        float | None, typer.Option("--min", min=0, max=100, help="Fail below this coverage in percent.")
    ] = None,
    report_file: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the results there, as JUnit's XML.")
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
    if report_file is not None:
        write_results(report_file, [result for each in runs for result in each.results])
    terminal.write(summary(passed, failed, terminal))
    raise typer.Exit(FINDINGS if failed or low else FINE)


@dataclass(frozen=True, slots=True)
class Run:
    """The chats of one project, run."""

    program: "Program"
    passed: int
    failed: int
    coverage: "Coverage"
    results: tuple["Result", ...]


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
    results: list[Result] = []
    failed = 0
    for path in files:
        source, scripts, problems = read_chats(path, program)
        if problems:
            failed += 1
            terminal.write(report(problems, {source.path: source}, Format.TEXT, colour=terminal.colour))
            results += [Result(source.path, each.message, each.message) for each in problems]
        for result in run_scripts(program, scripts, understand):
            played.append(result)
            results.append(result_of(result, source))
            if result.failure is not None:
                failed += 1
                terminal.write(failure_text(result, source, terminal))
    passed = sum(result.failure is None for result in played)
    return Run(program, passed, failed, coverage_of(program, played), tuple(results))


def result_of(played: "Played", source: "SourceFile") -> Result:
    """One chat for a build server."""
    failure = played.failure
    if failure is None:
        return Result(source.path, played.script.title)
    place = source.place(failure.span.start)
    details = f"{source.path}:{place.line}:{place.column}: {failure.message}"
    return Result(source.path, played.script.title, failure.message, details, place.line)


def write_results(file: Path, results: Sequence[Result]) -> None:
    try:
        file.write_text(junit("flowc test", results), encoding="utf-8")
    except OSError as error:
        raise Stop(f"`{file}` cannot be written: {error.strerror}") from error


def chats_reach(project: "Project", program: "Program") -> set["Goal"]:
    """What the chats of the project reach that hold so far."""
    from flowc.compiler.coverage import reached_by

    root = project.root or Path.cwd()
    files = [path for path in sorted(root.rglob("*.chat")) if not is_skipped(path.relative_to(root))]
    reached: set[Goal] = set()
    for path in files:
        for played in run_scripts(program, read_chats(path, program)[1], classifier(program)):
            reached |= reached_by(played.transitions, played.outcomes)
    return reached


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
    from flowc.compiler.coverage import KINDS

    lines = [f"{terminal.style(program.bot, BOLD)}: {coverage.percent:.1f}% covered"]
    for kind in KINDS:
        reached, whole = coverage.count(kind)
        if whole:
            lines.append(f"  {WORDS[kind]:14} {reached} of {whole}")
    lines += [terminal.style(f"  no chat {goal.words}", DIM) for goal in coverage.missing]
    return "\n".join(lines)


def summary(passed: int, failed: int, terminal: Terminal) -> str:
    """How many held."""
    if failed:
        return terminal.style(f"{failed} failed, {passed} held", RED, BOLD)
    return terminal.style(f"{passed} {'chat' if passed == 1 else 'chats'} held", GREEN)
