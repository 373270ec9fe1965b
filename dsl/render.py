"""Diagnostics for people and for programs: text with pictures, JSON lines, annotations of GitHub.

Wording is finished before it comes here. Nothing here reads a file: the text of each path is given in `sources`;
a path without one is named but not drawn.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from flowc.dsl.diagnostic import Diagnostic, Edit, Label, Severity
from flowc.dsl.render_lines import inside
from flowc.dsl.render_text import BOLD, draw, painted
from flowc.dsl.source import Place, SourceFile, Span

__all__ = ["WIDTH", "render_github", "render_json", "render_text", "summary"]

WIDTH: Final = 120  # columns of a line of text, when the caller knows no better
WORDS: Final = {
    Severity.ERROR: ("error", "errors"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.INFO: ("remark", "remarks"),
}
GITHUB: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render_text(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, SourceFile], *, colour: bool, width: int = WIDTH
) -> str:
    """A picture of each, in the given order, and a line with the counts; nothing when there are none."""
    if not diagnostics:
        return ""
    pictures = [draw(each, sources, colour=colour, width=width) for each in diagnostics]
    return "\n".join((*pictures, painted(summary(diagnostics), BOLD if colour else None) + "\n"))


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """How many of each severity, and where: `2 errors, 1 warning in 3 files`."""
    found = tuple(diagnostics)
    levels = Counter(each.level for each in found)
    counts = (f"{levels[level]} {words[levels[level] != 1]}" for level, words in WORDS.items() if levels[level])
    paths = {each.span.path for each in found}
    return f"{', '.join(counts) or 'nothing'} in {f'{len(paths)} files' if len(paths) != 1 else paths.pop()}"


def render_json(diagnostics: Iterable[Diagnostic], sources: Mapping[str, SourceFile]) -> str:
    """One object a line; lines and columns from 1, columns in characters, ends exclusive."""
    return "".join(f"{json.dumps(_record(each, sources))}\n" for each in diagnostics)


def _record(diagnostic: Diagnostic, sources: Mapping[str, SourceFile]) -> dict[str, object]:
    return {
        "code": diagnostic.code.id,
        "name": diagnostic.code.name,
        "severity": diagnostic.level.value,
        "message": diagnostic.message,
        **_where(diagnostic.span, sources),
        "help": diagnostic.help,
        "notes": diagnostic.notes,
        "related": [_related(label, sources) for label in diagnostic.labels[1:]],
        "fix": [_fix(edit, sources) for edit in diagnostic.edits] or None,
    }


def _related(label: Label, sources: Mapping[str, SourceFile]) -> dict[str, str | int]:
    return {"message": label.text, **_where(label.span, sources)}


def _fix(edit: Edit, sources: Mapping[str, SourceFile]) -> dict[str, str | int]:
    return {**_where(edit.span, sources), "replacement": edit.replacement}


def _where(span: Span, sources: Mapping[str, SourceFile]) -> dict[str, str | int]:
    start, end = _places(span, sources)
    return {
        "file": span.path,
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
    }


def _places(span: Span, sources: Mapping[str, SourceFile]) -> tuple[Place, Place]:
    source = sources.get(span.path)
    if source is None:
        return Place(1, 1), Place(1, 1)
    start, end = inside(source, span)
    return source.place(start), source.place(end)


def render_github(diagnostics: Iterable[Diagnostic], sources: Mapping[str, SourceFile]) -> str:
    """A workflow command for each, which GitHub shows at the line in a pull request."""
    return "".join(_command(each, sources) for each in diagnostics)


def _command(diagnostic: Diagnostic, sources: Mapping[str, SourceFile]) -> str:
    start, end = _places(diagnostic.span, sources)
    # GitHub takes columns only where both ends are on one line.
    columns = {"col": start.column, "endColumn": end.column} if start.line == end.line else {}
    properties = {
        "file": diagnostic.span.path,
        "line": start.line,
        "endLine": end.line,
        **columns,
        "title": f"{diagnostic.code.id} {diagnostic.code.name}",
    }
    facts = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    label = diagnostic.labels[0].text
    lines = [f"{diagnostic.message}{f' ({label})' if label else ''}", *diagnostic.notes]
    if diagnostic.help:
        lines.append(f"help: {diagnostic.help}")
    message = "\n".join(lines)
    return f"::{GITHUB[diagnostic.level]} {facts}::{_message(message)}\n"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
