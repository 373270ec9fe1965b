"""`flowc init`: a project that passes check and test at once."""

import re
from enum import StrEnum
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from flowc.cli.options import Color, ColorOption, QuietOption
from flowc.cli.terminal import BOLD, Stop, Terminal

__all__ = ["init"]

IGNORED = ".flowc/\ndist/\n"
LEFT_OUT = frozenset({"__init__.py", "__pycache__", ".flowc"})


class Template(StrEnum):
    ORDER = "order"
    BOOKING = "booking"
    FAQ = "faq"
    EMPTY = "empty"


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
    template: Annotated[Template, typer.Option(help="What to begin with.")] = Template.ORDER,
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Make a project: flows, tests of them, and flowc.toml.

    Example: flowc init mybot --template booking
    """
    terminal = Terminal(color, quiet)
    if directory.exists() and not directory.is_dir():
        raise Stop(f"`{directory}` is a file", help="give a folder that does not exist yet")
    if directory.exists() and any(directory.iterdir()):
        raise Stop(f"`{directory}` is not empty", help="give a new folder, or empty this one")
    made = copy_template(template, directory)
    terminal.note(f"made {directory} with {', '.join(sorted(made))}")
    terminal.write(next_steps(directory, terminal))


def copy_template(template: Template, directory: Path) -> list[str]:
    """Copy the files of `template` into `directory`; their names."""
    made = []
    with as_file(files("flowc.cli") / "templates" / template.value) as source:
        for file in sorted(Path(source).rglob("*")):
            inside = file.relative_to(source)
            if file.is_dir() or LEFT_OUT & set(inside.parts):
                continue
            target = directory / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
            made.append(inside.as_posix())
    (directory / ".gitignore").write_text(IGNORED, encoding="utf-8")
    return made


def next_steps(directory: Path, terminal: Terminal) -> str:
    """What to type now."""
    where = str(directory) if re.fullmatch(r"[\w./-]+", str(directory)) else f'"{directory}"'
    steps = [f"cd {where}", "flowc check"]
    if any(directory.rglob("*.chat")):
        steps.append("flowc test")
    has_backends = (directory / "backends.py").exists()
    steps.append("python backends.py &" if has_backends else "flowc chat")
    if has_backends:
        steps.append("flowc chat")
    elif "services" in (directory / "flowc.toml").read_text(encoding="utf-8"):
        steps[-1] = "flowc chat --stub"
    return "\n".join(["Next:", *(f"  {terminal.style(step, BOLD)}" for step in steps)])
