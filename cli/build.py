"""`flowc build`: the bot as one bundle file."""

from pathlib import Path
from typing import Annotated

import typer

from flowc.cli.options import Color, ColorOption, ProjectOption, QuietOption
from flowc.cli.programs import compiled
from flowc.cli.projects import project_here
from flowc.cli.terminal import Stop, Terminal

__all__ = ["build"]


def build(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write; dist/BOT-VERSION.bundle when left out.")
    ] = None,
    project: ProjectOption = None,
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Compile the bot into one bundle and print its digest. The same sources give the same bytes on any machine.

    Example: flowc build -o order_support.bundle
    """
    from flowc.runtime.bundle import digest, to_bytes

    terminal = Terminal(color, quiet)
    opened = project_here(project)
    program = compiled(opened)
    content = to_bytes(program)
    target = output or (opened.root or Path.cwd()) / "dist" / f"{program.bot}-{program.version}.bundle"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    except OSError as error:
        raise Stop(f"`{target}` cannot be written: {error.strerror}") from error
    terminal.note(f"wrote {target} ({len(content):,} bytes, {len(program.flows)} flows)")
    terminal.write(f"sha256:{digest(content)}")
