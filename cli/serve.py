"""`flowc serve`: the server."""

import ipaddress
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from flowc.cli.environments import environment_of, settings_of, tokens_of, tracing_of
from flowc.cli.options import Color, ColorOption, EnvOption, ProjectOption, QuietOption
from flowc.cli.programs import compiled
from flowc.cli.projects import project_here
from flowc.cli.terminal import Stop, Terminal

if TYPE_CHECKING:
    import socket

    from flowc.runtime.channels.tokens import Token
    from flowc.runtime.environment import Environment
    from flowc.runtime.program import Program
    from flowc.runtime.telemetry import Log
    from flowc.runtime.telemetry.exporting import TracingSettings
    from flowc.runtime.telemetry.tracing import Tracing

__all__ = ["serve"]


REST_S = 1.0  # for what could not be finished before the server ended; the store has it


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on; 127.0.0.1 when left out.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port; 8080 when left out, 0 takes a free one.")
    ] = None,
    project: ProjectOption = None,
    env: EnvOption = "dev",
    color: ColorOption = Color.AUTO,
    quiet: QuietOption = False,
) -> None:
    """Serve the bot: its HTTP routes (docs/http.md) and a chat page at /.

    Example: flowc serve --port 8080

    Listens on this machine only, unless the environment has tokens and --host says more. Ends on Ctrl-C or SIGTERM,
    after the turns that run.
    """
    terminal = Terminal(color, quiet)
    opened = project_here(project)
    settings = settings_of(opened, env)
    program = compiled(opened)
    environment = environment_of(opened, env)
    tokens = tokens_of(settings, environment.folder)
    listening = bound_socket(
        host or settings.host or "127.0.0.1", port if port is not None else settings.port or 8080, tokens
    )
    run(program, environment, tokens, tracing_of(settings, environment.folder), listening, terminal)


def bound_socket(host: str, port: int, tokens: tuple["Token", ...]) -> "socket.socket":
    """The socket to serve on. Stops where it is open to others without tokens, or taken."""
    from flowc.runtime.channels.server import PortTaken, bound

    if not tokens and not is_loopback(host):
        raise Stop(
            f"listening on {host} needs tokens, or everybody could talk for your users",
            help="add [environments.NAME.tokens.NAME] to flowc.toml (docs/http.md), or listen on 127.0.0.1",
        )
    try:
        return bound(host, port)
    except PortTaken as error:
        raise Stop(
            str(error), help="stop the other process, or choose another port: flowc serve --port 8081"
        ) from error


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def here(host: str) -> str:
    """The address at which this machine reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def run(
    program: "Program",
    environment: "Environment",
    tokens: tuple["Token", ...],
    traced: "TracingSettings | None",
    listening: "socket.socket",
    terminal: Terminal,
) -> None:
    """Run the engine and its server until it is told to stop."""
    import asyncio
    import os
    import secrets
    from contextlib import nullcontext

    import anyio

    from flowc.runtime import Engine
    from flowc.runtime.channels.announced import Announced, announcing
    from flowc.runtime.channels.http import http_app
    from flowc.runtime.channels.server import serve as serve_app
    from flowc.runtime.channels.tokens import Tokens, hashed
    from flowc.runtime.engine.collector import spare_turns
    from flowc.runtime.engine.opening import file_of
    from flowc.runtime.telemetry import log_to
    from flowc.runtime.telemetry.exporting import tracing_to

    host, port = listening.getsockname()[:2]
    where = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    drawn = secrets.token_urlsafe(32)
    announced = Announced(here(host), port, drawn, os.getpid())

    def started() -> None:
        terminal.note(f"{program.bot} {program.version} ({environment.name}) on {where}, Ctrl-C ends")

    async def main() -> None:
        log = log_to(sys.stderr, json=not sys.stderr.isatty(), least="warning" if terminal.quiet else "info")
        with tracing_to(traced, program.bot, log) as tracing:
            await opened(log, tracing)

    async def opened(log: "Log", tracing: "Tracing | None") -> None:
        async with Engine.open(program, environment, log=log, tracing=tracing, drain_s=REST_S) as engine:
            closing = asyncio.Event()

            async def finish() -> None:
                closing.set()
                await engine.drain()

            app = http_app(engine, program, Tokens(tokens, hashed(drawn)), closing)
            spare_turns()
            path = file_of(environment.store, environment.folder)
            with nullcontext() if path is None else announcing(path, announced):
                await serve_app(app, listening, started, finish)

    with listening:
        anyio.run(main, backend_options={"use_uvloop": True})
