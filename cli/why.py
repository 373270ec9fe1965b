"""`flowc why`: one turn explained."""

import re
from typing import TYPE_CHECKING, Annotated, Final, assert_never

import typer

from flowc.cli.conversations import as_json, block, event_text, shown_text, tried_text
from flowc.cli.options import Color, ColorOption, EnvOption, JsonOption, ProjectOption
from flowc.cli.projects import project_here
from flowc.cli.stores import moment, nobody, store_of
from flowc.cli.tables import Column, table
from flowc.cli.terminal import BOLD, CYAN, DIM, FINDINGS, GREEN, RED, YELLOW, Stop, Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowc.compiler.places import Places
    from flowc.compiler.project import Project
    from flowc.runtime.history.explained import Called, Decided, Explained, Heard, Passed
    from flowc.runtime.history.programs import Programs
    from flowc.runtime.store.reading import Reader
    from flowc.runtime.store.rows import Address, JournalRow

__all__ = ["why"]

LONG: Final = 200  # a condition, and what it read
TURN: Final = re.compile(r"(?:(\d{1,12})\.)?(\d{1,12})(?:\.\d{1,6})?")


def why(
    conversation: Annotated[str, typer.Argument(help="Its id; with tokens, that of its token before it.")],
    turn: Annotated[
        str | None, typer.Argument(help="A turn: 4, or 1.4 of incarnation 1; a reply's id will do. The last one else.")
    ] = None,
    json: JsonOption = False,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
) -> None:
    """Explain a turn: what was understood and how surely, which conditions held, which calls were made, where it went.

    Example: flowc why website/c1 4

    The recorded turn is taken again, so nothing need be switched on before. What is marked pii or secret is not shown.
    """
    from flowc.runtime.history.explain import explain
    from flowc.runtime.history.programs import Programs
    from flowc.runtime.store.rows import Address

    terminal, opened = Terminal(color), project_here(project)
    with store_of(opened, env) as reader:
        rows = turns_of(reader, Address(conversation), turn)
        wanted = rows[-1].turn if turn is None else number_in(rows, turn)
        programs = Programs(reader)
        seen = explain(rows, wanted, programs)
        places = places_in(opened, programs, seen.deployment)
    terminal.write(as_json(json_of(seen, places)) if json else "\n".join(page(seen, places, terminal)))


def turns_of(reader: "Reader", address: "Address", turn: str | None) -> "Sequence[JournalRow]":
    """All turns of the incarnation that is meant. Stops where there is none."""
    found = TURN.fullmatch(turn) if turn is not None else None
    if turn is not None and found is None:
        raise Stop(f"`{turn}` is no turn", help="write its number, 4, or with its incarnation, 1.4")
    row = reader.load(address).row
    if row.erased:
        raise Stop(f"{address} was erased", code=FINDINGS)
    if row.turn == 0:
        raise nobody(address)
    incarnation = int(found[1]) if found is not None and found[1] else row.incarnation
    rows = reader.journal(address, incarnation)
    if not rows:
        known = ", ".join(map(str, reader.incarnations(address))) or "none"
        raise Stop(f"no turn of incarnation {incarnation} of {address} is kept", help=f"kept: {known}", code=FINDINGS)
    return rows


def number_in(rows: "Sequence[JournalRow]", turn: str) -> int:
    """The turn's number. Stops where it is not among them."""
    found = TURN.fullmatch(turn)
    assert found is not None
    number = int(found[2])
    if all(row.turn != number for row in rows):
        first, last = rows[0], rows[-1]
        raise Stop(
            f"{first.address} has no turn {first.incarnation}.{number}",
            help=f"it has {first.turn} to {last.turn}: flowc conversations show {first.address}",
            code=FINDINGS,
        )
    return number


def places_in(project: "Project", programs: "Programs", deployment: int) -> "Places | None":
    """Files and lines, where the project still is what was deployed; None where it has changed since."""
    from flowc.compiler.compile import compile_project
    from flowc.compiler.places import places_of
    from flowc.runtime.bundle import digest, to_bytes

    outcome = compile_project(project)
    if outcome.program is None or outcome.model is None:
        return None
    is_same = digest(to_bytes(outcome.program)) == programs.deployments[deployment].what.digest
    return places_of(outcome.model, outcome.sources) if is_same else None


# ----------------------------------------------------------------------------------------------------------- for people


def page(seen: "Explained", places: "Places | None", terminal: Terminal) -> list[str]:
    style = terminal.style
    title = f"turn {seen.incarnation}.{seen.turn} of {seen.conversation}"
    written = [
        style(title, BOLD) + style(f"  version {seen.version}, {moment(seen.at_ms)} UTC", DIM),
        *block("event", [event_text(seen.event)]),
    ]
    if seen.heard is not None:
        written += block("heard", heard_lines(seen.heard, terminal))
    if seen.before:
        written += block("from", [style(" > ".join(seen.before), CYAN)])
    written += path_lines(seen.path, places, terminal)
    for call in seen.calls:
        written += block("call", call_lines(call, terminal))
    written += block("said", [f'"{reply}"' for reply in seen.replies])
    written += block("to", [style(" > ".join(seen.after), CYAN) if seen.after else ended(seen)])
    return [*written, *[style(f"  note     {caveat}", YELLOW) for caveat in seen.caveats]]


def ended(seen: "Explained") -> str:
    return f"the end, {', '.join(filter(None, (seen.outcome, seen.cause)))}".rstrip(", ")


def heard_lines(heard: "Heard", terminal: Terminal) -> list[str]:
    """How sure it was, and what else it might have been."""
    lines = []
    if heard.intents:
        surest, *others = heard.intents
        is_enough = surest.confidence >= heard.least
        name = terminal.style(f"{surest.name} {surest.confidence:.2f}", GREEN if is_enough else RED)
        margin = "" if heard.margin is None else f", {heard.margin:.2f} before {others[0].name}"
        lines.append(f"{name} by {heard.provider}{margin}; {heard.least:.2f} is enough")
        lines += [terminal.style(f"{each.name} {each.confidence:.2f}", DIM) for each in others[1:4]]
    else:
        lines.append(f"no intent{f' (by {heard.provider})' if heard.provider else ''}; {heard.least:.2f} is enough")
    if heard.asked is not None:
        lines.append(f"the question was about {heard.asked}")
    return lines + [f"found {shown_text(each)}" for each in heard.found]


def path_lines(path: "Sequence[Decided | Passed]", places: "Places | None", terminal: Terminal) -> list[str]:
    told = [told_step(each, places) for each in path]
    columns = (
        Column("", [name for name, _, _ in told], widest=LONG),
        Column("", [value for _, value, _ in told], widest=LONG),
        Column("", [place for _, _, place in told], DIM),
    )
    lines = table(columns, terminal).splitlines()[1:]
    return block("path", lines)


def told_step(each: "Decided | Passed", places: "Places | None") -> tuple[str, str, str]:
    """What was passed, with which values, and where it stands in the flow."""
    from flowc.compiler.spelling import spelled
    from flowc.runtime.history.explained import Decided, Passed

    match each:
        case Decided():
            word = {"guard": f"{each.name} when", "check": f"check of {each.name}"}.get(each.kind, each.kind)
            read = ", ".join(f"{spelled(leaf)} = {value}" for leaf, value in each.read)
            return (
                f"{word} {spelled(each.condition)}",
                f"{each.value}{f'  ({read})' if read else ''}",
                place_of(each, places),
            )
        case Passed():
            return f"{passed_words(each)}", "", place_of(each, places)
        case _:
            assert_never(each)


def passed_words(each: "Passed") -> str:
    match each.kind:
        case "state":
            return f"-> {each.place}"
        case "outcome":
            return each.detail
        case "arm" | "interrupt":
            return each.detail
        case "fallback":
            return f"nobody took it: {each.detail or 'else'}"
        case "end":
            return f"end {each.detail}".rstrip()
        case _:
            return f"{each.kind} {each.detail}".rstrip()


def place_of(each: "Decided | Passed", places: "Places | None") -> str:
    """FILE:LINE where it is known, else the state."""
    from flowc.runtime.history.explained import Decided

    if isinstance(each, Decided):
        return "" if places is None else places.code.get((each.flow, each.at), "")
    state = each.place.partition(".")[0]
    known = None if places is None else places.states.get((each.flow, state))
    return known or f"{each.flow}/{state}"


def call_lines(call: "Called", terminal: Terminal) -> list[str]:
    arguments = ", ".join(f"{each.name}: {each.value}" for each in call.arguments)
    name = (
        f"{call.service}.{call.operation}({arguments})" if call.kind != "result" else f"{call.service}.{call.operation}"
    )
    if call.outcome is None:
        return [f"{name} {'deferred' if call.kind == 'job' else 'asked for'}"]
    outcome = terminal.style(call.outcome, GREEN if call.outcome == "ok" else RED)
    first = f"{name} {outcome}{f' {call.result}' if call.result else ''}"
    return [first, *[f"  {tried_text(each, terminal)}" for each in call.tried]]


# --------------------------------------------------------------------------------------------------------- for programs


def json_of(seen: "Explained", places: "Places | None") -> dict[str, object]:
    """The same as an object: conditions as they are written, with their places."""
    import msgspec

    told = msgspec.to_builtins(seen)
    told["path"] = [json_step(each, places) for each in seen.path]
    told["at"] = f"{moment(seen.at_ms)}Z".replace(" ", "T")
    return dict(told)


def json_step(each: "Decided | Passed", places: "Places | None") -> dict[str, object]:
    from flowc.compiler.spelling import spelled
    from flowc.runtime.history.explained import Decided

    if isinstance(each, Decided):
        read = {spelled(leaf): value for leaf, value in each.read}
        step: dict[str, object] = {"kind": each.kind, "flow": each.flow, "name": each.name}
        step |= {"condition": spelled(each.condition), "value": each.value, "read": read}
    else:
        step = {"kind": each.kind, "flow": each.flow, "place": each.place, "detail": each.detail}
    return {**step, "at": place_of(each, places)}
