"""`flowc diff`: what changed from one version of a bot to another, in the graph, not in the lines."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowc.cli.options import Color, ColorOption, ProjectOption, QuietOption
from flowc.cli.programs import compiled
from flowc.cli.projects import manifest_folder, project_here
from flowc.cli.terminal import Stop, Terminal

if TYPE_CHECKING:
    from flowc.compiler.compatibility import Comparison
    from flowc.runtime.program import Program

__all__ = ["diff"]


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    SVG = "svg"


def diff(
    old: Annotated[str, typer.Argument(metavar="A", help="A file, a project, a git revision or a bundle.")],
    new: Annotated[str | None, typer.Argument(metavar="B", help="The same; the project here when left out.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How it is written; svg draws one flow.")] = Format.TEXT,
    flow: Annotated[str | None, typer.Option("--flow", help="The flow to draw; the main one when left out.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; standard output when left out.")
    ] = None,
    project: ProjectOption = None,
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Show what changed from A to B, what waiting conversations need, and the smallest honest version.

    Example: flowc diff v1.4.0 HEAD
    """
    from flowc.cli.revisions import program_at
    from flowc.compiler.compatibility import compare

    terminal = Terminal(color, quiet)
    here = project_here(project) if project is not None or new is None else None
    root = manifest_folder(project or Path.cwd()) or Path.cwd()
    before = program_at(old, root)
    after = compiled(here) if here is not None and new is None else program_at(new or "", root)
    if before.main not in after.flows and after.main not in before.flows:
        raise Stop(f"these are two bots: `{before.main}` and `{after.main}` have no flow in common")
    shown = _shown(before, after, compare(before, after), form, flow)
    if output is None:
        terminal.write(shown)
        return
    try:
        output.write_text(shown + "\n", encoding="utf-8")
    except OSError as error:
        raise Stop(f"`{output}` cannot be written: {error.strerror}") from error
    terminal.note(f"wrote {output}")


def _shown(before: "Program", after: "Program", compared: "Comparison", form: Format, flow: str | None) -> str:
    from flowc.compiler.spelled_changes import as_json, as_text

    match form:
        case Format.TEXT:
            return as_text(before, after, compared)
        case Format.JSON:
            return as_json(before, after, compared)
        case Format.SVG:
            from flowc.compiler.draw_changes import changes_svg

            name = flow or after.main
            both = sorted(before.flows.keys() & after.flows.keys())
            if name not in both:
                raise Stop(f"not both versions have a flow `{name}`", help=f"both have: {', '.join(both)}")
            return changes_svg(before.flows[name], after.flows[name], compared.changes).rstrip("\n")
