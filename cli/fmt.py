"""`flowc fmt`: canonical text."""

import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowc.cli.options import Color, ColorOption, PathsArgument, ProjectOption, QuietOption
from flowc.cli.projects import files_under
from flowc.cli.terminal import FINDINGS, FINE, Stop, Terminal

if TYPE_CHECKING:
    from flowc.dsl.format import Formatted
    from flowc.dsl.source import SourceFile

__all__ = ["fmt"]

SUFFIXES = frozenset({".flow", ".chat"})


def fmt(
    paths: PathsArgument = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a file would change.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; print what would change.")] = False,
    project: ProjectOption = None,
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Put .flow and .chat files into their canonical form. Exit 0: fine, 1: would change (--check) or could not be
    read.

    Example: flowc fmt flows

    A single `-` formats standard input to standard output.
    """
    terminal = Terminal(color, quiet)
    if paths == [Path("-")]:
        raise typer.Exit(format_input(terminal))
    changed, refused = 0, 0
    files = files_under(paths, project, SUFFIXES)
    for path in files:
        source = read(path)
        formatted = formatted_text(source)
        if formatted.diagnostics:
            refused += 1
            show_findings(formatted, source, terminal)
        elif formatted.text != source.text:
            changed += 1
            write_or_show(path, source, formatted.text, terminal, diff=diff, check=check)
    terminal.note(summary(len(files), changed, refused, dry=check or diff))
    raise typer.Exit(FINDINGS if refused or (changed and (check or diff)) else FINE)


def format_input(terminal: Terminal) -> int:
    """Format standard input; the exit code."""
    from flowc.dsl.source import SourceFile

    source = SourceFile("<stdin>.flow", sys.stdin.read())
    formatted = formatted_text(source)
    if formatted.diagnostics:
        show_findings(formatted, source, terminal)
        return FINDINGS
    sys.stdout.write(formatted.text)
    return FINE


def read(path: Path) -> "SourceFile":
    """The file at `path`, its line ends as they are."""
    from flowc.dsl.source import SourceFile

    try:
        return SourceFile(path.as_posix(), path.read_bytes().decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Stop(f"`{path}` is not UTF-8 (byte {error.start})", help="save the file as UTF-8") from error


def formatted_text(source: "SourceFile") -> "Formatted":
    from flowc.dsl.format import format_source

    return format_source(source)


def show_findings(formatted: "Formatted", source: "SourceFile", terminal: Terminal) -> None:
    """Print why a file was left as it is."""
    from flowc.dsl.render import render_text

    terminal.write(render_text(formatted.diagnostics, {source.path: source}, colour=terminal.colour).rstrip("\n"))


def write_or_show(path: Path, source: "SourceFile", text: str, terminal: Terminal, *, diff: bool, check: bool) -> None:
    """Write the new text, or say that it would be written."""
    if diff:
        lines = difflib.unified_diff(
            source.text.splitlines(), text.splitlines(), str(path), f"{path} (formatted)", lineterm=""
        )
        terminal.write("\n".join(lines))
    elif check:
        terminal.write(f"would change {path}")
    else:
        path.write_text(text, encoding="utf-8", newline="")
        terminal.note(f"formatted {path}")


def summary(files: int, changed: int, refused: int, *, dry: bool) -> str:
    """What happened, in one line."""
    parts = [f"{files} {'file' if files == 1 else 'files'}"]
    parts.append(f"{changed} {'would change' if dry else 'changed'}")
    if refused:
        parts.append(f"{refused} could not be read")
    return ", ".join(parts)
