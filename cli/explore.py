"""`flowc explore`: every way through a bot, up to a bound."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowc.cli.options import Color, ColorOption, ProjectOption, QuietOption
from flowc.cli.programs import compiled
from flowc.cli.projects import project_here
from flowc.cli.terminal import BOLD, DIM, FINDINGS, FINE, RED, Stop, Terminal
from flowc.cli.test import chats_reach

if TYPE_CHECKING:
    from flowc.compiler.explore import Explored
    from flowc.compiler.explored_chat import Chats
    from flowc.compiler.project import Project
    from flowc.runtime.program import Flow, Program
    from flowc.runtime.values import Value

__all__ = ["explore"]


def explore(
    flow: Annotated[str | None, typer.Argument(help="A flow of the bot; the main one when left out.")] = None,
    depth: Annotated[int, typer.Option("--depth", min=1, max=1_000, help="At most so many inputs in a row.")] = 12,
    turns: Annotated[int, typer.Option("--turns", min=1, help="At most so many turns in all.")] = 20_000,
    seed: Annotated[int, typer.Option("--seed", help="Orders the ways, where not all are gone.")] = 0,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Write chats for what no chat reaches.")
    ] = None,
    project: ProjectOption = None,
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Go every way through a flow with simulated users and backends. Exit 0: nothing is wrong, 1: something is.

    Example: flowc explore --write flows/missing.chat

    Reported are flows that fail or go on for ever, messages without an answer and answers that may come too late, each
    as a chat that repeats it.
    """
    terminal = Terminal(color, quiet)
    here = project_here(project)
    program = compiled(here)
    name = flow or program.main
    if name not in program.flows:
        raise Stop(f"the bot has no flow `{name}`", help=f"it has: {', '.join(sorted(program.flows))}")
    if write is not None and write.exists():
        raise Stop(f"`{write}` is there already", help="name a file that is not, or remove it")
    found, chats = explored(program, name, depth, turns, seed)
    show_faults(found, chats, terminal)
    terminal.write(summary(program, name, found, terminal))
    if write is not None:
        write_missing(write, here, program, found, chats, terminal)
    raise typer.Exit(FINDINGS if found.faults else FINE)


def explored(program: "Program", name: str, depth: int, turns: int, seed: int) -> tuple["Explored", "Chats"]:
    """What was found, and what writes it down."""
    from flowc.compiler.explore import explore as search
    from flowc.compiler.explored_chat import Chats
    from flowc.runtime.kernel import load

    whole = load(program)
    arguments = arguments_of(program, program.flows[name])
    loaded = replace(whole, main=whole.flows[name], arguments=arguments)
    return search(program, loaded, depth=depth, turns=turns, seed=seed), Chats(program, loaded, arguments)


def arguments_of(program: "Program", flow: "Flow") -> dict[str, "Value"]:
    """A value for each parameter of a flow that others call."""
    from flowc.compiler.play import START
    from flowc.compiler.possible import values_of
    from flowc.runtime.values import Shapes

    shapes = Shapes(program.records, program.zone, program.currency)
    made = {each.name: values_of(each.type, shapes, each.name, START.date()) for each in flow.takes}
    missing = [name for name, values in made.items() if not values]
    if missing:
        what = f"`{missing[0]}` of `{flow.name}`"
        raise Stop(f"no value can be made up for {what}", help="explore the flow that calls it")
    return {name: values[0] for name, values in made.items()}


def show_faults(found: "Explored", chats: "Chats", terminal: Terminal) -> None:
    """Each fault with a chat that comes to it."""
    for fault in found.faults:
        terminal.write(f"{terminal.style(fault.kind, RED, BOLD)}: {terminal.style(fault.words, BOLD)}")
        terminal.write(chats.chat(fault.trail, f"{fault.kind}: {fault.words}", slow=fault.kind == "late"))


def summary(program: "Program", name: str, found: "Explored", terminal: Terminal) -> str:
    """How far it went, and what it never came to."""
    from flowc.compiler.coverage import goals_of

    reach = "all of it" if found.whole else "up to the bound"
    faults = "nothing is wrong" if not found.faults else f"{len(found.faults)} found"
    lines = [
        f"{terminal.style(name, BOLD)}: {found.turns} turns, {found.stands} places, {reach}: {faults}",
        f"  the longest wait for an answer is {found.slowest.total_seconds():g}s",
    ]
    if name == program.main:
        never = [goal for goal in goals_of(program) if goal not in found.goals]
        lines += [terminal.style(f"  no way {goal.words}", DIM) for goal in never]
    return "\n".join(lines)


def write_missing(
    file: Path, project: "Project", program: "Program", found: "Explored", chats: "Chats", terminal: Terminal
) -> None:
    """Write chats for what no chat of the project reaches."""
    from flowc.compiler.coverage import goals_of
    from flowc.compiler.explored_chat import missing_chats

    reached = chats_reach(project, program)
    texts = missing_chats(chats, found, [goal for goal in goals_of(program) if goal not in reached])
    if not texts:
        terminal.note("the chats reach whatever was explored; nothing was written")
        return
    try:
        file.write_text("\n".join(texts), encoding="utf-8")
    except OSError as error:
        raise Stop(f"`{file}` cannot be written: {error.strerror}") from error
    terminal.note(f"wrote {len(texts)} {'chat' if len(texts) == 1 else 'chats'} to {file}")
