"""`flowc db`: the store of an environment checked, copied, and brought to this flowc's schema."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowc.cli.operate import store_file
from flowc.cli.options import (
    Color,
    ColorOption,
    DryRunOption,
    EnvOption,
    JsonOption,
    LimitOption,
    ProjectOption,
    QuietOption,
)
from flowc.cli.projects import project_here
from flowc.cli.stores import store_of
from flowc.cli.terminal import FINDINGS, FINE, Stop, Terminal, as_json

if TYPE_CHECKING:
    from flowc.compiler.project import Project

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)

SAMPLE = 200


@app.callback()
def db() -> None:
    """Look after the store of an environment.

    Example: flowc db check --env production
    """


@app.command()
def check(
    quick: Annotated[bool, typer.Option("--quick", help="Without comparing indexes to their tables.")] = False,
    sample: Annotated[int, typer.Option(min=0, help="Conversations to take again from their journals.")] = SAMPLE,
    json: JsonOption = False,
    limit: LimitOption = 100,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
) -> None:
    """Check the file, what its rows say, every conversation's state, and a sample of them by taking their turns again.

    Example: flowc db check --sample 1000

    Reads beside the server, or without one. Exit 0: no findings, 1: findings.
    """
    from itertools import islice

    from flowc.runtime.history.checked import Checking

    terminal = Terminal(color)
    count = 0
    with store_of(project_here(project), env) as reader:
        checking = Checking(reader, sample, quick)
        for finding in islice(checking.findings(), limit):
            count += 1
            terminal.write(as_json({"finding": finding}) if json else finding)
    if not json:
        found = "no findings" if count == 0 else f"{count} findings" if count > 1 else "1 finding"
        told = f"checked {checking.conversations:,} conversations, took {checking.replayed:,} again: {found}"
        terminal.note(told)
    raise typer.Exit(FINDINGS if count else FINE)


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="The file to make; it must not be there.")],
    dry_run: DryRunOption = False,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Copy the store as it is at one moment, while its server goes on or without one.

    Example: flowc db backup backups/monday.db

    docs/operating.md says how to go on from a copy.
    """
    import time

    from flowc.runtime.store.backup import backup as made

    terminal = Terminal(color, quiet)
    path = existing(project_here(project), env)
    if target.exists():
        raise Stop(f"`{target}` is there already", help="name a file that is not there")
    if not target.absolute().parent.is_dir():
        raise Stop(f"there is no folder `{target.parent}`", help="make it first")
    if dry_run:
        return terminal.write(f"{path} would be copied to {target}: about {path.stat().st_size:,} bytes")
    size = made(path, target, round(time.time() * 1000))
    return terminal.write(f"{target}: {size:,} bytes")


@app.command()
def migrate(
    dry_run: DryRunOption = False,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Bring the store to the schema of this flowc. A server does so by itself when it starts.

    Example: flowc db migrate --dry-run

    There is no way back: make a backup before.
    """
    from flowc.runtime.store.file import lock, migrate_file, schema_of

    terminal = Terminal(color, quiet)
    path = existing(project_here(project), env)
    held = None if dry_run else lock(path)
    try:
        has, knows = schema_of(path)
        if has == knows:
            return terminal.write(f"{path} has schema {has}: nothing to do")
        if held is None:
            return terminal.write(f"{path} would go from schema {has} to {knows}")
        migrate_file(path)
        return terminal.write(f"{path} has schema {knows} now; it had {has}")
    finally:
        if held is not None:
            held.close()


def existing(project: "Project", env: str) -> Path:
    """The file of the environment's store. Stops where there is none yet."""
    path = store_file(project, env)
    if not path.exists():
        raise Stop(f"there is no store at {path} yet", help="flowc serve makes it; --env names another environment")
    return path
