"""`flowc dead`: events that were set aside because their turns failed three times."""

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from flowc.cli.operate import operate
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
from flowc.cli.terminal import Stop, Terminal, as_json

if TYPE_CHECKING:
    from flowc.runtime.operations import Told

__all__ = ["app"]

TURN = re.compile(r"(\d{1,12})\.(\d{1,12})")

app = typer.Typer(invoke_without_command=True)

ConversationArgument = Annotated[str, typer.Argument(help="Its id; with tokens, that of its token before it.")]
TurnArgument = Annotated[str, typer.Argument(help="The turn that set it aside, as `flowc dead` lists it: 1.7.")]


@app.callback()
def dead(
    context: typer.Context,
    json: JsonOption = False,
    limit: LimitOption = 100,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
) -> None:
    """List the events that were set aside: their turns failed three times, by a mistake of flowc or of an adapter.

    Example: flowc dead --json

    Texts of users are not shown. `flowc dead retry` gives one to its conversation again, `skip` lets go of it.
    """
    if context.invoked_subcommand is None:
        listed(json, limit, project, env, color)


@app.command("list")
def listed(
    json: JsonOption = False,
    limit: LimitOption = 100,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
) -> None:
    """List them: conversation, turn, when, what, and why.

    Example: flowc dead list --limit 10
    """
    from flowc.runtime.operations import ListDead

    terminal = Terminal(color)
    told = operate(project_here(project), env, ListDead(limit))
    events = told["dead"]
    assert isinstance(events, list)
    for event in events:
        terminal.write(as_json(event) if json else line(event))
    if not events and not json:
        terminal.note("nothing was set aside")


@app.command()
def show(
    conversation: ConversationArgument,
    turn: TurnArgument,
    json: JsonOption = False,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
) -> None:
    """Show one: what kind of event it is, what it names, and why it was set aside. Texts of users are not shown.

    Example: flowc dead show website/c1 1.7
    """
    from flowc.runtime.operations import ShowDead

    told = operate(project_here(project), env, ShowDead(conversation, *numbers(turn)))
    Terminal(color).write(as_json(told) if json else "\n".join(f"{key}: {value}" for key, value in told.items()))


@app.command()
def retry(
    conversation: ConversationArgument,
    turn: TurnArgument,
    dry_run: DryRunOption = False,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Give it to its conversation again, as a new event behind all that waits there.

    Example: flowc dead retry website/c1 1.7

    Messages and external events only: a result or a timer is for a wait that was left.
    """
    from flowc.runtime.operations import RetryDead

    operate(project_here(project), env, RetryDead(conversation, *numbers(turn), dry_run))
    done = "would be tried again" if dry_run else "is tried again"
    Terminal(color, quiet).write(f"{conversation} {turn} {done}")


@app.command()
def skip(
    conversation: ConversationArgument,
    turn: TurnArgument,
    dry_run: DryRunOption = False,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Let go of it, for good.

    Example: flowc dead skip website/c1 1.7
    """
    from flowc.runtime.operations import SkipDead

    operate(project_here(project), env, SkipDead(conversation, *numbers(turn), dry_run))
    done = "would be let go of" if dry_run else "is gone"
    Terminal(color, quiet).write(f"{conversation} {turn} {done}")


def numbers(turn: str) -> tuple[int, int]:
    """Incarnation and turn of a turn's name."""
    found = TURN.fullmatch(turn)
    if found is None:
        raise Stop(f"`{turn}` is no turn", help="flowc dead lists them; a turn is written as in 1.7")
    return int(found[1]), int(found[2])


def line(event: "Told") -> str:
    at_ms = event["at_ms"]
    assert isinstance(at_ms, int)
    when = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    tries = "1 try" if event["tries"] == 1 else f"{event['tries']} tries"
    return f"{event['conversation']} {event['turn']}  {when}  {event['kind']}, {tries}: {event['reason']}"
