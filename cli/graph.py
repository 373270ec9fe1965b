"""`flowc graph`: the state graph of a flow as a picture."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flowc.cli.options import Color, ColorOption, ProjectOption, QuietOption
from flowc.cli.programs import compiled
from flowc.cli.projects import project_here
from flowc.cli.terminal import Stop, Terminal

__all__ = ["graph"]


class Drawing(StrEnum):
    MERMAID = "mermaid"
    DOT = "dot"
    SVG = "svg"
    JSON = "json"


def graph(
    flow: Annotated[str | None, typer.Argument(help="A flow of the bot; the main one when left out.")] = None,
    drawing: Annotated[Drawing, typer.Option("--format", help="How it is drawn.")] = Drawing.MERMAID,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; standard output when left out.")
    ] = None,
    project: ProjectOption = None,
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Draw the states of a flow and what leads from one to the other.

    Example: flowc graph --format svg -o order_support.svg
    """
    terminal = Terminal(color, quiet)
    program = compiled(project_here(project))
    name = flow or program.main
    if name not in program.flows:
        raise Stop(f"the bot has no flow `{name}`", help=f"it has: {', '.join(sorted(program.flows))}")
    from flowc.compiler.draw import as_json, dot, mermaid, svg

    draw = {Drawing.MERMAID: mermaid, Drawing.DOT: dot, Drawing.SVG: svg, Drawing.JSON: as_json}[drawing]
    text = draw(program, name)
    if output is None:
        terminal.write(text.rstrip("\n"))
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(f"`{output}` cannot be written: {error.strerror}") from error
    terminal.note(f"wrote {output}")
