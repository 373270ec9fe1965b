"""`flowc erase`: a conversation deleted for good."""

from typing import Annotated

import typer

from flowc.cli.operate import operate
from flowc.cli.options import Color, ColorOption, DryRunOption, EnvOption, ProjectOption, QuietOption
from flowc.cli.projects import project_here
from flowc.cli.terminal import Terminal

__all__ = ["erase"]


def erase(
    conversation: Annotated[str, typer.Argument(help="Its id; with tokens, that of its token before it: website/c1.")],
    dry_run: DryRunOption = False,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Delete all that is known of a conversation, for good. A turn that runs is lost, commands not sent are cancelled.

    Example: flowc erase website/c1

    Its address takes nothing any more: whoever writes to it is told that it was erased (410). Backups are not touched.
    """
    from flowc.runtime.operations import Erase

    terminal = Terminal(color, quiet)
    told = operate(project_here(project), env, Erase(conversation, dry_run))
    done = "would be erased" if dry_run else "is erased"
    terminal.write(f"{conversation} {done}: {told['turns']} turns, {told['commands']} commands that were not done")
