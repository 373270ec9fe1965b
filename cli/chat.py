"""`flowc chat`: talk to the bot in the terminal."""

import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from flowc.cli.environments import environment_of
from flowc.cli.options import Color, ColorOption, EnvOption, ProjectOption, QuietOption
from flowc.cli.programs import compiled
from flowc.cli.projects import project_here
from flowc.cli.talk import Answer, LiveTalk, StubTalk, Talk
from flowc.cli.terminal import CYAN, DIM, YELLOW, Stop, Terminal
from flowc.cli.typing_in import typed_lines

if TYPE_CHECKING:
    from flowc.compiler.project import Project
    from flowc.runtime.program import Program

__all__ = ["chat"]

DURATION = re.compile(r"\d{1,12}(ms|s|m|h|d)")
HELP = "/state where it is, /why what the last message did, /after 10m lets time pass (--stub), /quit ends"


def chat(
    flow: Annotated[str | None, typer.Argument(help="A flow of the project; the main one when left out.")] = None,
    say: Annotated[list[str] | None, typer.Option("--say", help="A message to send; may be repeated.")] = None,
    conversation: Annotated[
        str | None, typer.Option(help="The conversation to go on with; a new one when left out.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a turn.")] = False,
    stub: Annotated[bool, typer.Option("--stub", help="Made-up backends, simulated time, nothing stored.")] = False,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Talk to the bot with the services of an environment; its state is kept in the environment's store.

    Example: flowc chat --say "track my order" --say AB123456

    Reads messages from standard input when that is not a terminal. Type /help for what else it takes.
    """
    terminal = Terminal(color, quiet)
    opened = project_here(project)
    program = chosen_flow(compiled(opened), flow)
    view = View(terminal, json=json)
    import anyio

    async def main() -> None:
        source = told(say) if say else lines(terminal, view, program)
        async with talking(opened, program, env, conversation, stub=stub) as talk:
            await converse(talk, source, view, begin=conversation is None)

    anyio.run(main)


def chosen_flow(program: "Program", flow: str | None) -> "Program":
    """The program with `flow` as the one that begins."""
    import msgspec

    if flow is None or flow == program.main:
        return program
    if flow not in program.flows:
        raise Stop(f"the bot has no flow `{flow}`", help=f"it has: {', '.join(sorted(program.flows))}")
    if program.flows[flow].takes:
        names = ", ".join(field.name for field in program.flows[flow].takes)
        raise Stop(
            f"`{flow}` takes {names}, so it cannot begin by itself", help=f"test it: chat … of {flow}({names}: …)"
        )
    return msgspec.structs.replace(program, main=flow)


@asynccontextmanager
async def talking(
    project: "Project", program: "Program", env: str, conversation: str | None, *, stub: bool
) -> AsyncIterator[Talk]:
    """The conversation, for as long as the block runs."""
    if stub:
        from flowc.cli.test import classifier
        from flowc.compiler.play import Playing
        from flowc.runtime.kernel import load

        yield StubTalk(Playing(program, load(program), classifier(program)))
        return
    import secrets

    from flowc.runtime import Engine

    async with Engine.open(program, environment_of(project, env)) as engine:
        yield LiveTalk(engine, program, conversation or f"chat-{secrets.token_hex(4)}")


class View:
    """Prints answers: for a person on a terminal, plain lines in a pipe, or JSON. What has an id is printed once."""

    def __init__(self, terminal: Terminal, *, json: bool) -> None:
        self.terminal = terminal
        self.json = json
        self.is_live = sys.stdout.isatty() and not json
        self._shown: set[object] = set()

    def show(self, answer: Answer) -> None:
        if self.json:
            import json

            print(json.dumps(answer.body, ensure_ascii=False), flush=True)
            self._shown.update(reply.get("id") for reply in answer.replies)
            return
        for reply in answer.replies:
            self.reply(reply)
        if answer.state == "ended":
            self.remark("the conversation has ended; a message begins a new one")
        elif answer.state == "handoff":
            self.remark("people have taken over")

    def reply(self, reply: dict[str, object]) -> None:
        if "id" in reply and reply["id"] in self._shown:
            return
        self._shown.add(reply.get("id"))
        mark = self.terminal.style("bot  ", YELLOW) if self.is_live else ""
        print(f"{mark}{reply['text']}", flush=True)
        buttons = reply.get("buttons")
        if isinstance(buttons, list):
            print(self.terminal.style("     " * self.is_live + " ".join(f"[{label}]" for label in buttons), DIM))

    def remark(self, text: str) -> None:
        if self.is_live:
            print(self.terminal.style(f"     ({text})", DIM), flush=True)


async def told(texts: list[str]) -> AsyncIterator[str]:
    """The messages of `--say`."""
    for text in texts:
        yield text


def lines(terminal: Terminal, view: View, program: "Program") -> AsyncIterator[str]:
    """What is typed, or comes by a pipe."""
    if sys.stdin.isatty():
        view.remark(f"{program.bot} {program.version}; {HELP}")
    return typed_lines(terminal.style("you  ", CYAN) if sys.stdin.isatty() and view.is_live else "")


async def converse(talk: Talk, source: AsyncIterator[str], view: View, *, begin: bool) -> None:
    """Send what comes from `source` and show what comes back."""
    import anyio

    async def follow() -> None:
        async for reply in talk.later():
            view.reply(reply)

    async with anyio.create_task_group() as tasks:
        if begin:
            view.show(await talk.open())
        if view.is_live and sys.stdin.isatty():
            tasks.start_soon(follow)
        async for text in source:
            if text in ("/quit", "/exit"):
                break
            await one(talk, text, view)
        tasks.cancel_scope.cancel()


async def one(talk: Talk, text: str, view: View) -> None:
    """One line of the user: a message, or something that begins with a slash."""
    command, _, rest = text.partition(" ")
    match command:
        case "/state":
            print("\n".join(await talk.where()))
        case "/why":
            print("\n".join(await talk.why()))
        case "/help":
            print(HELP)
        case "/after":
            from flowc.dsl.literals import duration_ms

            found = DURATION.fullmatch(rest.strip())
            if found is None:
                print("/after takes a duration: /after 10m")
                return
            try:
                view.show(await talk.pass_time(duration_ms(found[0])))
            except Stop as stop:
                print(f"{stop.message}; {stop.help}")
        case _:
            await said(talk, text, view)


async def said(talk: Talk, text: str, view: View) -> None:
    """A message. What is refused is told to who can say it again; a script ends with it."""
    from flowc.runtime.engine.errors import Refusal

    try:
        view.show(await talk.say(text))
    except Refusal as refusal:
        if not view.is_live:
            raise
        view.remark(str(refusal))
