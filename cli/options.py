"""Options that many commands share, in one spelling."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Color",
    "ColorOption",
    "DryRunOption",
    "EnvOption",
    "JsonOption",
    "LimitOption",
    "PathsArgument",
    "ProjectOption",
    "QuietOption",
]


class Color(StrEnum):
    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


ColorOption = Annotated[Color, typer.Option("--color", help="Colours in what is printed.", show_default=True)]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print findings and results only.")]
ProjectOption = Annotated[
    Path | None, typer.Option("--project", help="The folder with flowc.toml; here and upward when left out.")
]
EnvOption = Annotated[str, typer.Option("--env", help="An environment of flowc.toml.", envvar="FLOWC_ENV")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many.")]
PathsArgument = Annotated[list[Path] | None, typer.Argument(help="Files or folders; the project when left out.")]
