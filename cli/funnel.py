"""`flowc funnel`: where conversations of a flow drop off."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from flowc.cli.conversations import as_json
from flowc.cli.options import Color, ColorOption, EnvOption, JsonOption, ProjectOption, QuietOption
from flowc.cli.projects import project_here
from flowc.cli.stores import moment, ms_of, now_ms, store_of
from flowc.cli.tables import Column, table
from flowc.cli.terminal import BOLD, CYAN, DIM, GREEN, RED, Stop, Terminal

if TYPE_CHECKING:
    from flowc.runtime.history.funnel import Funnel, Place
    from flowc.runtime.history.programs import Programs
    from flowc.runtime.program import Program

__all__ = ["funnel"]

BAR = 20


def funnel(
    flow: Annotated[str | None, typer.Argument(help="A flow; the main one when left out.")] = None,
    since: Annotated[str | None, typer.Option(help="Conversations that began so long ago at most, such as 7d.")] = None,
    version: Annotated[str | None, typer.Option(help="Those that began under this version.")] = None,
    json: JsonOption = False,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Show where conversations of a flow drop off: state by state, by version and cause.

    Example: flowc funnel order_support --since 7d

    Reads the journal once, beside the server or without one: some seconds for 100,000 conversations.
    """
    from flowc.runtime.history.funnel import funnel as counted
    from flowc.runtime.history.programs import Programs

    terminal = Terminal(color, quiet)
    since_ms = 0 if since is None else now_ms() - ms_of(since, "--since")
    with store_of(project_here(project), env) as reader:
        programs = Programs(reader)
        program = program_of(programs, flow)
        check_version(programs, version)
        name = flow or program.main
        found = counted(
            reader.turns(since_ms), program, name, {each: programs.version(each) for each in programs.deployments}
        )
    shown = [each for each in found if version in (None, each.version)]
    states = tuple(program.flows[name].states)
    if json:
        for each in shown:
            terminal.write(as_json(json_of(each, name, states)))
        return
    if not shown:
        terminal.note(f"no conversation of {name} began{'' if since is None else f' in the last {since}'}")
        return
    begun = sum(each.begun for each in shown)
    period = f"  since {moment(since_ms)} UTC" if since_ms else ""
    terminal.write(terminal.style(name, BOLD) + terminal.style(f"{period}  {begun:,} conversations", DIM))
    for each in shown:
        terminal.write("\n" + "\n".join(page(each, states, terminal)))


def program_of(programs: "Programs", flow: str | None) -> "Program":
    """The newest program that has the flow. Stops where none has."""
    known: set[str] = set()
    for number in sorted(programs.deployments, reverse=True)[:20]:
        program = programs(number).program
        if flow is None or flow in program.flows:
            return program
        known |= set(program.flows)
    if not known:
        raise Stop("nothing was ever deployed to this store", help="flowc serve does it")
    raise Stop(f"there is no flow `{flow}`", help=f"the flows are {', '.join(f'`{each}`' for each in sorted(known))}")


def check_version(programs: "Programs", version: str | None) -> None:
    known = dict.fromkeys(each.what.version for each in programs.deployments.values())
    if version is not None and version not in known:
        raise Stop(f"version {version} was never deployed", help=f"the versions are {', '.join(known)}")


def ordered(found: "Funnel", states: Sequence[str]) -> list[tuple[str, "Place"]]:
    """The states in the order of the flow; those that are no more at the end."""
    names = [*(name for name in states if name in found.places), *sorted(found.places.keys() - set(states))]
    return [(name, found.places[name]) for name in names]


def page(found: "Funnel", states: Sequence[str], terminal: Terminal) -> list[str]:
    from flowc.runtime.history.funnel import ENDS

    places = ordered(found, states)
    causes = [cause for cause in ENDS if any(place.ended[cause] for _, place in places)]
    done = found.ended["done"]
    title = terminal.style(f"version {found.version}", BOLD)
    facts = f"{found.begun:,} began, {share(done, found.begun)} done, {found.here:,} still here"
    columns = (
        Column("state", [name for name, _ in places], CYAN),
        Column("reached", [f"{place.reached:,}" for _, place in places], right=True),
        Column("", [share(place.reached, found.begun) for _, place in places], right=True),
        Column("", [bar(place.reached, found.begun) for _, place in places], GREEN),
        *[
            Column(
                cause,
                [f"{place.ended[cause]:,}" if place.ended[cause] else "" for _, place in places],
                None if cause == "done" else RED,
                right=True,
            )
            for cause in causes
        ],
        Column("still here", [f"{place.here:,}" if place.here else "" for _, place in places], right=True),
    )
    lines = [f"{title}  {facts}", *[f"  {line}" for line in table(columns, terminal).splitlines()]]
    ends = ", ".join(f"{name or 'end'} {count:,}" for name, count in found.outcomes.most_common())
    lines += [f"  outcomes: {ends}"] if ends else []
    marks = ", ".join(f"{name} {count:,}" for name, count in found.marks.most_common())
    return [*lines, f"  marks: {marks}"] if marks else lines


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def bar(part: int, whole: int) -> str:
    eighths = round(BAR * 8 * part / whole) if whole else 0
    rest: str = " ▏▎▍▌▋▊▉"[eighths % 8]
    return ("█" * (eighths // 8) + rest).rstrip()


def json_of(found: "Funnel", flow: str, states: Sequence[str]) -> dict[str, object]:
    return {
        "flow": flow,
        "version": found.version,
        "begun": found.begun,
        "ended": dict(found.ended),
        "outcomes": dict(found.outcomes),
        "here": found.here,
        "marks": dict(found.marks),
        "states": [
            {"state": name, "reached": place.reached, "ended": dict(place.ended), "here": place.here}
            for name, place in ordered(found, states)
        ],
    }
