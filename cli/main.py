"""The `flowc` command. Imports nothing heavy: `flowc --version` answers at once."""

from typing import Annotated

import typer

app = typer.Typer(name="flowc", no_args_is_help=True, help="Write, check, test and run conversation flows.")


def print_version(wanted: bool) -> None:
    """Print the installed version and leave, when it is wanted."""
    if wanted:
        from importlib.metadata import version  # costs more than the rest of this module

        typer.echo(f"flowc {version('flowc')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    """Write, check, test and run conversation flows."""


def main() -> None:
    """Run the command that the arguments name."""
    app()
