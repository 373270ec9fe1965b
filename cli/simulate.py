"""`flowc simulate`: what users would meet, before anything is deployed."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowc.cli.options import Color, ColorOption, ProjectOption, QuietOption
from flowc.cli.programs import compiled
from flowc.cli.projects import project_here
from flowc.cli.terminal import BOLD, DIM, YELLOW, Stop, Terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowc.compiler.project import Project
    from flowc.runtime.program import Intent, Program
    from flowc.runtime.simulate.profile import Mix, Profile
    from flowc.runtime.simulate.summary import OfService, Summary

__all__ = ["simulate"]

BAR = 30


def simulate(
    flow: Annotated[str | None, typer.Argument(help="A flow of the bot; the main one when left out.")] = None,
    users: Annotated[int, typer.Option("--users", min=1, max=1_000_000, help="How many users come.")] = 1_000,
    profile: Annotated[
        Path | None,
        typer.Option("--profile", help="A TOML file: arrivals, what is said, backends (docs/operating.md)."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed, the same forecast.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file for curves over time, as SVG.")] = None,
    project: ProjectOption = None,
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Predict latency by class, queues, refusals and the load of each backend, by simulating the bot under load.

    Example: flowc simulate --users 1000 --profile launch.toml -o launch.svg

    The engine and its policies are the real ones, in simulated time. Messages are understood by the bot's examples.
    Without [[says]] in the profile, users say what the bot's chats say, else its examples.
    """
    from flowc.cli.chat import chosen_flow
    from flowc.runtime.simulate.crowd import crowd
    from flowc.runtime.simulate.forecast import forecast
    from flowc.runtime.simulate.profile import Profile, read_profile
    from flowc.runtime.simulate.summary import picture, summary

    terminal = Terminal(color, quiet)
    opened = project_here(project)
    program = chosen_flow(compiled(opened), flow)
    read = Profile() if profile is None else read_profile(profile, program)
    read = speaking(read, opened, program)
    visits = crowd(read, users, seed)
    found = forecast(
        program,
        visits,
        read.operations,
        read.at_once,
        turn_s=read.turn_s,
        seed=seed,
        progress=progress(users, terminal),
    )
    figures = summary(found, users)
    if output is not None:
        write(output, picture(f"{program.bot} {program.version}, {users:,} users", found))
    if json:
        import msgspec

        print(msgspec.json.encode(figures).decode())
    else:
        terminal.write(table(figures, terminal))
    if output is not None:
        terminal.note(f"wrote {output}")


def write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(f"`{path}` cannot be written: {error.strerror}") from error


def progress(users: int, terminal: Terminal) -> "Callable[[int], None]":
    """Draws a bar on a terminal."""
    shown = -1

    def draw(done: int) -> None:
        nonlocal shown
        percent = done * 100 // users
        if percent == shown:
            return
        shown = percent
        full = "█" * (done * BAR // users)
        end = "\r\x1b[K" if done == users else ""
        print(f"\r{full:░<{BAR}} {percent:3} %{end}", end="", file=sys.stderr, flush=True)

    return (lambda done: None) if terminal.quiet or not sys.stderr.isatty() else draw


# ---------------------------------------------------------------------------------------------------- what users say


def speaking(profile: "Profile", project: "Project", program: "Program") -> "Profile":
    """The profile with something to say."""
    from dataclasses import replace

    if profile.says:
        return profile
    mixes = of_chats(project, program) or of_examples(program)
    if not mixes:
        raise Stop(
            "nobody says anything: the bot has no chat and no example that could be said",
            help="add [[says]] with texts to a profile: docs/operating.md, Capacity",
        )
    return replace(profile, says=mixes)


def of_chats(project: "Project", program: "Program") -> "tuple[Mix, ...]":
    """What the users of the bot's chats say. Chats that do not read are left to `flowc test`."""
    from flowc.cli.projects import chat_files
    from flowc.cli.test import read_chats
    from flowc.compiler.chats import SayStep
    from flowc.runtime.simulate.profile import Mix

    files = chat_files([project.root], None) if project.root is not None else ()
    scripts = [script for path in files for script in read_chats(path, program)[1] if script.flow == program.main]
    texts = [tuple(step.text for step in script.steps if isinstance(step, SayStep)) for script in scripts]
    return tuple(Mix(said) for said in texts if said)


def of_examples(program: "Program") -> "tuple[Mix, ...]":
    """Each example of an intent as a message, its slots filled with values of their types."""
    from flowc.runtime.simulate.profile import Mix

    intents = program.flows[program.main].intents.values()
    return tuple(Mix((text,)) for intent in intents for text in examples(intent, program))


def examples(intent: "Intent", program: "Program") -> list[str]:
    from flowc.runtime.services.samples import NoSample, sample
    from flowc.runtime.values import Shapes

    slots = program.flows[program.main].slots
    shapes = Shapes(program.records, program.zone, program.currency)
    said: list[str] = []
    for example in intent.examples:
        try:
            parts = [part if isinstance(part, str) else str(sample(slots[part.name].type, shapes)) for part in example]
        except (NoSample, KeyError):
            continue
        said.append("".join(parts))
    return said


# ------------------------------------------------------------------------------------------------------------- report


def table(figures: "Summary", terminal: Terminal) -> str:
    """The figures as text."""
    parts = [
        terminal.style(f"{figures.users:,} users, {figures.messages:,} messages, {figures.seconds:,.0f} s", BOLD),
        "",
        *aligned(
            ["class", "messages", "p50 ms", "p95 ms", "p99 ms", "kept waiting", "refused", "failed", "to people"],
            [
                [
                    *(each.priority, f"{each.messages:,}", ms(each.p50_s), ms(each.p95_s), ms(each.p99_s)),
                    *map(count, (each.kept_waiting, each.refused, each.failed, each.handed_over)),
                ]
                for each in figures.classes
            ],
            terminal,
        ),
        "",
        *aligned(
            [
                "service",
                "calls",
                "attempts",
                "load",
                "busiest 10 s",
                "place p95 ms",
                "queue p95 ms",
                "from cache",
                "failed",
            ],
            [
                [
                    *(each.service, f"{each.calls:,}", f"{each.attempts:,}", share(each.load), share(each.busiest)),
                    *(ms(each.place_p95_s), ms(each.queue_p95_s), count(each.cached), failures(each)),
                ]
                for each in figures.services
            ],
            terminal,
        ),
    ]
    if figures.jobs:
        parts += [
            "",
            *aligned(
                ["job", "class", "done", "failed", "p50 s", "p95 s", "longest s"],
                [
                    [
                        *(f"{each.service}.{each.operation}", each.priority, f"{each.done:,}", count(each.failed)),
                        *(f"{each.p50_s:.1f}", f"{each.p95_s:.1f}", f"{each.longest_s:.1f}"),
                    ]
                    for each in figures.jobs
                ],
                terminal,
            ),
            terminal.style(f"at most {figures.most_jobs:,} jobs waited at a time", DIM),
        ]
    if figures.jobs_left:
        parts.append(terminal.style(f"{figures.jobs_left:,} jobs were not done an hour later", YELLOW))
    load = (
        f"the server: {figures.messages_per_s:,} messages in the busiest second, {figures.server_busiest:.0%} of a core"
    )
    parts += ["", terminal.style(f"{load} in the busiest 10 s", DIM)]
    return "\n".join(parts)


def aligned(heads: list[str], rows: list[list[str]], terminal: Terminal) -> list[str]:
    """A table whose first column is to the left, the others to the right."""
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]

    def line(row: list[str]) -> str:
        cells = [
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return [terminal.style(line(heads), DIM), *map(line, rows)]


def ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f}"


def count(number: int) -> str:
    return f"{number:,}" if number else "-"


def share(part: float | None) -> str:
    return "-" if part is None else f"{part:.0%}"


def failures(each: "OfService") -> str:
    """How many calls had no fresh answer, by outcome."""
    return ", ".join(f"{number:,} {kind}" for kind, number in each.failures.items()) or "-"
