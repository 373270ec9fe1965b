"""`flowc service`: backends that are not to be called for a while."""

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from flowc.cli.operate import me, operate
from flowc.cli.options import Color, ColorOption, DryRunOption, EnvOption, JsonOption, ProjectOption, QuietOption
from flowc.cli.programs import compiled
from flowc.cli.projects import project_here
from flowc.cli.terminal import Stop, Terminal, as_json

if TYPE_CHECKING:
    from flowc.compiler.project import Project

__all__ = ["app"]

RATE = re.compile(r"([1-9][0-9]{0,5})/s")

app = typer.Typer(invoke_without_command=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A service of the bot, as its flows name it.")]


@app.callback()
def service(
    context: typer.Context,
    json: JsonOption = False,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
) -> None:
    """List the services that are paused, or let out slowly after a pause.

    Example: flowc service --json

    Pause a service while its backend is repaired: nothing is sent to it, and nothing is lost.
    """
    if context.invoked_subcommand is None:
        listed(json=json, project=project_here(project), env=env, terminal=Terminal(color))


def listed(*, json: bool, project: "Project", env: str, terminal: Terminal) -> None:
    """Prints what is paused, one line each."""
    from flowc.runtime.operations import ListPauses

    pauses = operate(project, env, ListPauses())["pauses"]
    assert isinstance(pauses, list)
    for pause in pauses:
        terminal.write(as_json(pause) if json else line(pause))
    if not pauses and not json:
        terminal.note("no service is paused")


@app.command()
def pause(
    name: NameArgument,
    dry_run: DryRunOption = False,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Send nothing to a service any more: calls get `unavailable`, jobs keep their place and their time stands still.

    Example: flowc service pause orders

    What is under way is finished. A pause outlives the server, until it is resumed.
    """
    from flowc.runtime.operations import PauseService

    opened, terminal = project_here(project), Terminal(color, quiet)
    check_name(opened, name)
    if not dry_run:
        operate(opened, env, PauseService(name, me()))
    terminal.write(f"{name} {'would be' if dry_run else 'is'} paused")


@app.command()
def resume(
    name: NameArgument,
    rate: Annotated[
        str | None, typer.Option(help="Jobs a second, until none waits any more: 20/s. At once when left out.")
    ] = None,
    dry_run: DryRunOption = False,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Let a service go on: calls are sent at once, jobs come out in order.

    Example: flowc service resume orders --rate 20/s
    """
    from flowc.runtime.operations import ResumeService

    opened, terminal, jobs_per_s = project_here(project), Terminal(color, quiet), rate_of(rate)
    check_name(opened, name)
    slowly = "" if rate is None else f", its jobs come out at {rate}"
    if dry_run:
        terminal.write(f"{name} would be resumed{slowly}")
    elif operate(opened, env, ResumeService(name, me(), jobs_per_s))["was_paused"]:
        terminal.write(f"{name} is resumed{slowly}")
    else:
        terminal.note(f"{name} was not paused")


def rate_of(rate: str | None) -> int | None:
    """Jobs a second."""
    found = None if rate is None else RATE.fullmatch(rate)
    if rate is not None and found is None:
        raise Stop(f"`{rate}` is no rate", help="give jobs a second, such as --rate 20/s")
    return None if found is None else int(found[1])


def check_name(project: "Project", name: str) -> None:
    """Stops where the bot has no such service."""
    from flowc.compiler.suggest import nearest

    known = sorted(compiled(project).services)
    if name not in known:
        near = nearest(name, known)
        listed = ", ".join(f"`{each}`" for each in known) or "none"
        raise Stop(
            f"the bot calls no service `{name}`", help=f"did you mean `{near}`?" if near else f"it has: {listed}"
        )


def line(pause: dict[str, object]) -> str:
    at_ms = pause["at_ms"]
    assert isinstance(at_ms, int)
    at = f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    state = "paused" if pause["rate"] is None else f"let out at {pause['rate']}/s"
    return f"{pause['service']} {state} since {at} by {pause['by']}"
