"""`flowc doctor`: whether this machine and this project are fit to serve."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from flowc.cli.environments import environment_of, settings_of, tokens_of
from flowc.cli.options import Color, ColorOption, EnvOption, ProjectOption
from flowc.cli.projects import project_here
from flowc.cli.terminal import FINDINGS, FINE, GREEN, RED, YELLOW, Stop, Terminal

if TYPE_CHECKING:
    from flowc.compiler.project import Project
    from flowc.runtime.environment import Environment
    from flowc.runtime.program import Program

__all__ = ["doctor"]

REACH_S = 2.0
MOST_DOUBTS = 100


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `help` says what to do where it is not well."""

    state: Literal["well", "warning", "ill"]
    text: str
    help: str = ""


def doctor(project: ProjectOption = None, env: EnvOption = "dev", color: ColorOption = Color.AUTO) -> None:
    """Look at Python, the project, its environment, its store and its backends. Exit 0: fit to serve, 1: not.

    Example: flowc doctor --env production
    """
    terminal = Terminal(color)
    checks = []
    for check in examinations(project, env):
        checks.append(check)
        terminal.write(line(check, terminal))
    ill = any(check.state == "ill" for check in checks)
    terminal.write("not fit to serve" if ill else "fit to serve")
    raise typer.Exit(FINDINGS if ill else FINE)


def line(check: Check, terminal: Terminal) -> str:
    """One finding, with what to do about it."""
    marks = {"well": ("ok  ", GREEN), "warning": ("warn", YELLOW), "ill": ("FAIL", RED)}
    mark, colour = marks[check.state]
    text = f"{terminal.style(mark, colour)}  {check.text}"
    return f"{text}\n      help: {check.help}" if check.help else text


def examinations(directory: Path | None, env: str) -> Iterable[Check]:
    """Everything that is looked at, in order; what depends on something ill is left out."""
    yield Check("well", f"Python {sys.version.split()[0]}")
    yield sqlite_version()
    try:
        project = project_here(directory)
        yield Check("well", f"project {project.root}")
        program, check = flows(project)
        yield check
        settings_of(project, env)
        environment = environment_of(project, env)
        yield from token_check(project, env, environment)
    except Stop as stop:
        yield Check("ill", stop.message, stop.help or "")
        return
    yield store(environment)
    yield from doubts(environment)
    if program is not None:
        yield from services(program, environment)


def sqlite_version() -> Check:
    from flowc.runtime.store.file import engine_version

    return Check("well", f"SQLite {engine_version()}")


def flows(project: "Project") -> tuple["Program | None", Check]:
    """The program, if the flows have no errors."""
    from flowc.cli.check import findings_in
    from flowc.compiler.compile import compile_project

    outcome = compile_project(project)
    found = findings_in(project, outcome)
    if outcome.program is None:
        return None, Check("ill", f"the flows have {len(found.diagnostics)} findings", "flowc check")
    count = len(outcome.program.flows)
    return outcome.program, Check(
        "well", f"{outcome.program.bot} {outcome.program.version}: {count} flows without errors"
    )


def token_check(project: "Project", env: str, environment: "Environment") -> Iterable[Check]:
    tokens = tokens_of(settings_of(project, env), environment.folder)
    if tokens:
        yield Check("well", f"{len(tokens)} tokens")
    else:
        yield Check(
            "warning", "no tokens: the server listens on this machine only", "docs/http.md says how to add some"
        )


def store(environment: "Environment") -> Check:
    """Whether the store opens, or whoever serves it is alive."""
    from flowc.runtime.engine.opening import open_store
    from flowc.runtime.errors import FlowcError, StoreLocked

    async def open_and_close() -> None:
        opened = open_store(environment.store, environment.folder)
        await opened.close()

    try:
        run(open_and_close)
    except StoreLocked as error:
        return Check("well", f"store {environment.store}: {error}")
    except FlowcError as error:
        return Check("ill", str(error), getattr(error, "help", None) or "")
    return Check("well", f"store {environment.store} opens")


def doubts(environment: "Environment") -> Iterable[Check]:
    """Effects of which nobody knows, because the store goes on from a backup."""
    from flowc.cli.stores import moment
    from flowc.runtime.engine.opening import file_of
    from flowc.runtime.errors import FlowcError
    from flowc.runtime.store.reading import reading

    path = file_of(environment.store, environment.folder)
    if path is None or not path.exists():
        return
    try:
        with reading(path) as reader:
            found = reader.doubts(MOST_DOUBTS)
    except FlowcError:
        return  # what is wrong with it was said
    if not found:
        return
    backup, begun = moment(found[0].backup_ms), moment(found[0].begun_ms)
    yield Check(
        "warning",
        f"the store goes on since {begun} from the backup of {backup}: {len(found)} effects are in doubt, "
        "and those that were made after the backup are not known to it at all",
        "compare with the backends what they did since then",
    )
    for each in found:
        known = "no result yet" if each.is_outstanding else "its result came since then"
        yield Check("warning", f"in doubt: {each.service}.{each.operation} of {each.address}, key {each.key}: {known}")


def services(program: "Program", environment: "Environment") -> Iterable[Check]:
    """Whether every service is configured, and whether somebody listens at its address."""
    from flowc.runtime.services.open import adapters

    made = adapters(program, environment.services, environment.name)
    if isinstance(made, tuple):
        yield from (Check("ill", problem) for problem in made)
        return
    for name in program.services:
        url = environment.services[name].url if name in environment.services else None
        if url is None:
            yield Check("well", f"service {name} is in this process")
        elif reaches(url):
            yield Check("well", f"service {name} listens at {url}")
        else:
            yield Check(
                "warning", f"service {name}: nobody listens at {url}", "start it, or correct its url in flowc.toml"
            )


def reaches(url: str) -> bool:
    """Whether a TCP connection to the address of `url` can be made."""
    import socket
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=REACH_S):
            return True
    except OSError:
        return False


def run(work: Callable[[], object]) -> None:
    import anyio

    anyio.run(work)  # type: ignore[arg-type]  # an async function
