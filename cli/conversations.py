"""`flowc conversations`: those that live, and one of them looked at."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from flowc.cli.erase import erase
from flowc.cli.operate import me, operate
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
from flowc.cli.stores import ago, moment, ms_of, nobody, now_ms, store_of
from flowc.cli.tables import Column, table
from flowc.cli.terminal import BOLD, CYAN, DIM, RED, YELLOW, Stop, Terminal

if TYPE_CHECKING:
    from flowc.runtime.history.explained import Attempt, Happened, Shown
    from flowc.runtime.history.look import Look, Outstanding, Taken
    from flowc.runtime.history.programs import Programs
    from flowc.runtime.store.overview import Summary

__all__ = ["app", "tried_text"]

app = typer.Typer(invoke_without_command=True)

StateOption = Annotated[str | None, typer.Option("--state", help="Those that stand in this state.")]
StuckOption = Annotated[
    str | None, typer.Option("--stuck", help="Those that stand for so long, such as 2h; the longest first.")
]
FlowOption = Annotated[str | None, typer.Option("--flow", help="Those that stand in this flow.")]
EndedOption = Annotated[bool, typer.Option("--ended", help="Those that have ended, too.")]


@app.callback()
def conversations(
    context: typer.Context,
    state: StateOption = None,
    stuck: StuckOption = None,
    flow: FlowOption = None,
    ended: EndedOption = False,
    json: JsonOption = False,
    limit: LimitOption = 100,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
) -> None:
    """List conversations: where each stands, since when, and in which version.

    Example: flowc conversations --stuck 2h

    Reads the store beside its server, or without one. `flowc conversations show ID` says more of one.
    """
    if context.invoked_subcommand is None:
        listed(state, stuck, flow, ended, json, limit, project, env, color)


@app.command("list")
def listed(
    state: StateOption = None,
    stuck: StuckOption = None,
    flow: FlowOption = None,
    ended: EndedOption = False,
    json: JsonOption = False,
    limit: LimitOption = 100,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
) -> None:
    """List conversations: where each stands, since when, and in which version.

    Example: flowc conversations list --state confirm
    """
    from flowc.runtime.history.programs import Programs
    from flowc.runtime.store.reading import Wish

    terminal, now = Terminal(color), now_ms()
    before = None if stuck is None else now - ms_of(stuck, "--stuck")
    with store_of(project_here(project), env) as reader:
        programs = Programs(reader)
        found = reader.listed(Wish(flow, state, before, ended), limit)
        if not found:
            check_names(programs, flow, state)
    if json:
        for each in found:
            terminal.write(as_json(summary(each, programs, now)))
        return
    terminal.write(lines(found, programs, now, terminal))
    if not found:
        live = "there is no conversation yet" if ended else "no conversation is live; --ended lists those that were"
        terminal.note("no conversation stands there" if flow or state or stuck else live)
    elif len(found) == limit:
        terminal.note(f"the first {limit}; --limit shows more")


def check_names(programs: "Programs", flow: str | None, state: str | None) -> None:
    """Stops where the newest version has no such flow or state: then it is misspelled rather than empty."""
    newest = programs.newest
    if newest is None:
        return
    flows = newest.program.flows
    if flow is not None and flow not in flows:
        raise Stop(f"there is no flow `{flow}`", help=f"the flows are {', '.join(f'`{each}`' for each in flows)}")
    states = {name for each in flows.values() if flow in (None, each.name) for name in each.states}
    if state is not None and state not in states:
        raise Stop(
            f"there is no state `{state}`", help=f"the states are {', '.join(f'`{each}`' for each in sorted(states))}"
        )


def lines(found: Sequence["Summary"], programs: "Programs", now: int, terminal: Terminal) -> str:
    columns = (
        Column("conversation", [each.address for each in found], BOLD),
        Column("stands at", ["ended" if each.ended else each.wait for each in found], CYAN),
        Column("for", [ago(now - each.at_ms) for each in found], right=True),
        Column("turn", [f"{each.incarnation}.{each.turn}" for each in found], right=True),
        Column("version", [programs.version(each.deployment) for each in found], DIM),
        Column("class", ["" if each.priority == "normal" else each.priority for each in found], YELLOW),
        Column("jobs", [str(each.jobs or "") for each in found], right=True),
        Column("inbox", [str(each.waiting or "") for each in found], right=True),
    )
    return table(columns, terminal)


def summary(each: "Summary", programs: "Programs", now: int) -> dict[str, object]:
    return {
        "conversation": each.address,
        "incarnation": each.incarnation,
        "turn": each.turn,
        "wait": each.wait,
        "ended": each.ended,
        "at": f"{moment(each.at_ms)}Z".replace(" ", "T"),
        "for_s": round((now - each.at_ms) / 1000),
        "deployment": each.deployment,
        "version": programs.version(each.deployment),
        "class": each.priority,
        "jobs": each.jobs,
        "inbox": each.waiting,
    }


def as_json(value: object) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()


# ----------------------------------------------------------------------------------------------------------------- show


app.command("erase")(erase)


@app.command()
def end(
    conversation: Annotated[str, typer.Argument(help="Its id; with tokens, that of its token before it.")],
    dry_run: DryRunOption = False,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """End a conversation where it stands, as soon as it waits for its user or for people. Nothing is said; jobs go on.

    Example: flowc conversations end website/c1

    Its outcome is `dismissed`. The next message under its id begins a new conversation.
    """
    from flowc.runtime.operations import EndConversation

    told = operate(project_here(project), env, EndConversation(conversation, me(), dry_run))
    done = "would be ended" if dry_run else "ends as soon as it waits"
    Terminal(color, quiet).write(f"{conversation} {done}; it stands at {told['wait'] or 'its beginning'}")


@app.command()
def show(
    conversation: Annotated[str, typer.Argument(help="Its id; with tokens, that of its token before it.")],
    json: JsonOption = False,
    limit: LimitOption = 20,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
) -> None:
    """Show one: where it stands, what it knows, what it waits for, its last turns. What is marked pii or secret is not
    shown.

    Example: flowc conversations show website/c1
    """
    from flowc.runtime.history.look import look
    from flowc.runtime.history.programs import Programs
    from flowc.runtime.store.rows import Address

    terminal, address = Terminal(color), Address(conversation)
    with store_of(project_here(project), env) as reader:
        found = reader.load(address)
        if found.row.erased:
            raise Stop(f"{conversation} was erased", code=1)
        if found.row.turn == 0:
            raise nobody(conversation)
        rows = reader.journal(address, found.row.incarnation)
        late = sum(count for _, count in reader.late(address))
        seen = look(found, rows, reader.commands(address), late, Programs(reader))
    terminal.write(as_json(seen) if json else "\n".join(page(seen, limit, now_ms(), terminal)))


def page(seen: "Look", limit: int, now: int, terminal: Terminal) -> list[str]:
    style = terminal.style
    stands = " > ".join(seen.waits) or (f"ended{f', {seen.outcome}' if seen.outcome else ''}")
    facts = [
        ("stands", f"{style(stands, CYAN)} for {ago(now - seen.at_ms)}, since {moment(seen.at_ms)} UTC"),
        ("turn", f"{seen.incarnation}.{seen.turn}"),
        ("version", f"{seen.bot} {seen.version}, deployment {seen.deployment}"),
        ("class", "" if seen.priority == "normal" else style(seen.priority, YELLOW)),
        ("owner", seen.owner),
        ("trace", style(f"flowc.conversation={seen.trace}", DIM)),
    ]
    written = [style(seen.conversation, BOLD)]
    written += [f"  {name:<9}{value}" for name, value in facts if value]
    written += block("user", [shown_text(each) for each in seen.user])
    written += block("knows", [shown_text(each) for each in seen.knows])
    written += block("silence", [f"in {ago(each.due_ms - now)}" for each in seen.silences if each.after_ms])
    written += block("commands", [line for each in seen.commands for line in outstanding_lines(each, now, terminal)])
    if seen.late_results:
        written += block("late", [f"{seen.late_results} results came after their command was done"])
    written += block("inbox", [f"{kind} for {ago(now - at_ms)}" for kind, at_ms in seen.inbox])
    kept = seen.turns[-limit:]
    left_out = len(seen.turns) - len(kept)
    written += [
        "",
        style("  turns", BOLD) + (style(f"  (the last {limit}; --limit shows more)", DIM) if left_out else ""),
    ]
    return [*written, *turn_lines(kept, terminal)]


def block(name: str, several: list[str]) -> list[str]:
    """A fact of several lines."""
    return [f"  {name if index == 0 else '':<9}{each}" for index, each in enumerate(several)]


def shown_text(each: "Shown") -> str:
    return f"{each.name} = {each.value}"


def outstanding_lines(each: "Outstanding", now: int, terminal: Terminal) -> list[str]:
    """A command without a result: when it is tried next, until when, and what was tried."""
    when = f"next in {ago(each.at_ms - now)}" if each.at_ms > now else "next now"
    until = f"for {ago(each.until_ms - now)} more" if each.until_ms > now else "its time is over"
    doubt = terminal.style(", may have been done", YELLOW) if each.in_doubt else ""
    first = f"{each.service}.{each.operation} {each.state}{doubt}, {when}, {until}"
    return [first, *[f"  {tried_text(one, terminal)}" for one in each.tried]]


def tried_text(each: "Attempt", terminal: Terminal) -> str:
    """An attempt: how it ended, how long it took, and why it was not sent."""
    outcome = terminal.style(each.outcome, *(() if each.outcome == "ok" else (RED,)))
    if not each.sent:
        return f"not sent: {outcome}, {each.why}"
    queued = f" after {each.queued_ms} ms in the queue" if each.queued_ms else ""
    return f"attempt {each.number} {outcome} in {each.took_ms} ms{queued}"


def turn_lines(turns: Sequence["Taken"], terminal: Terminal) -> list[str]:
    columns = (
        Column("turn", [str(each.turn) for each in turns], right=True),
        Column("at", [moment(each.at_ms) for each in turns], DIM),
        Column("event", [event_text(each.event) for each in turns]),
        Column("taken for", [taken_for(each) for each in turns]),
        Column("to", [each.to or f"end {each.outcome or ''}".strip() for each in turns], CYAN),
        Column("replies", [str(each.replies or "") for each in turns], right=True),
    )
    return [f"  {line}" for line in table(columns, terminal).splitlines()]


def taken_for(each: "Taken") -> str:
    return "" if each.intent is None else f"{each.intent} {each.confidence:.2f}"


def event_text(event: "Happened") -> str:
    """An event in one line."""
    if event.text is not None:
        return f'"{event.text}"'
    if event.name is not None:
        return f"event {event.name}({', '.join(shown_text(each) for each in event.fields)})"
    return " ".join(filter(None, (event.kind, event.detail)))
