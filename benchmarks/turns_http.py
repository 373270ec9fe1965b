"""Durable turns a second over HTTP: the conversation of `turns.py` against a real server process, one core each
for the server and the load, 64 connections that are kept open.

`python benchmarks/turns_http.py [--live N] [--conversations N]` writes `benchmarks/results/turns_http.md`. The
client is a bare asyncio protocol, so that what is measured is the server.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvloop
from turns import AT_ONCE, CANCEL, ROOT, TRACK, Instant, limitless

HOST = "127.0.0.1"


# ---------------------------------------------------------------------------------------------------------- the server


def serve(port: int, folder: Path) -> None:
    """What `flowc serve` runs, with backends in the process that answer at once."""
    from flowc.compiler.compile import compile_project
    from flowc.compiler.project import open_project
    from flowc.runtime import Engine
    from flowc.runtime.channels.http import http_app
    from flowc.runtime.channels.server import bound
    from flowc.runtime.channels.server import serve as serve_app
    from flowc.runtime.channels.tokens import Tokens
    from flowc.runtime.engine.collector import spare_turns
    from flowc.runtime.environment import Environment
    from flowc.runtime.services.calls import Services
    from flowc.runtime.services.port import LoopClock

    program = compile_project(open_project(ROOT / "flows" / "order_support")).program
    assert program is not None
    program = limitless(program)
    services = Services(program, dict.fromkeys(program.services, Instant()), clock=LoopClock(), draw=random.random)
    environment = Environment("bench", "sqlite:///bench.db", folder=folder)

    async def main() -> None:
        async with Engine.open(program, environment, services=services) as engine:
            app = http_app(engine, program, Tokens())
            spare_turns()
            await serve_app(app, bound(HOST, port), lambda: print("ready", flush=True))
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(f"cpu {used.ru_utime + used.ru_stime}", flush=True)

    uvloop.install()
    asyncio.run(main())


# ------------------------------------------------------------------------------------------------------------ the load


class Connection(asyncio.Protocol):
    """One request at a time over a connection that stays open."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # that of uvloop is one without saying so

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) >= length and self._answer is not None:
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"the server answered {bytes(self._received)!r}")
            self._received.clear()
            self._answer.set_result(bytes(body))

    async def say(self, conversation: str, text: str) -> None:
        body = json.dumps({"text": text}).encode()
        head = (
            f"POST /v1/conversations/{conversation}/messages HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self._answer = asyncio.get_running_loop().create_future()
        assert self._transport is not None
        self._transport.write(head.encode() + body)
        await self._answer


async def talk(port: int, texts: tuple[str, ...], count: int, took: list[float]) -> None:
    _, connection = await asyncio.get_running_loop().create_connection(Connection, HOST, port)
    for _ in range(count):
        conversation = random.randbytes(12).hex()
        for text in texts:
            began = time.perf_counter()
            await connection.say(conversation, text)
            took.append(time.perf_counter() - began)


@dataclass(frozen=True, slots=True)
class Figures:
    """`cpu_us`: microseconds of the server's processor time a message."""

    name: str
    messages: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


def used_s(process: int) -> float:
    """Processor time of another process, in steps of 10 ms."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measured(port: int, process: int, name: str, texts: tuple[str, ...], conversations: int) -> Figures:
    took: list[float] = []
    began, used = time.perf_counter(), used_s(process)
    await asyncio.gather(*(talk(port, texts, conversations // AT_ONCE, took) for _ in range(AT_ONCE)))
    seconds = time.perf_counter() - began
    cpu_us = (used_s(process) - used) / len(took) * 1e6
    took.sort()
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    return Figures(name, len(took) / seconds, p50 * 1000, p99 * 1000, cpu_us)


async def load(port: int, process: int, live: int, conversations: int) -> list[Figures]:
    await measured(port, process, "fill", TRACK[:1], live)
    return [
        await measured(port, process, "track", TRACK, conversations),
        await measured(port, process, "cancel", CANCEL, conversations),
    ]


def report(figures: list[Figures], live: int) -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    rows = [
        f"| {each.name} | {each.messages:,.0f} | {each.p50_ms:.1f} | {each.p99_ms:.1f} | {each.cpu_us:.0f} |"
        for each in figures
    ]
    return "\n".join(
        [
            "# Durable turns over HTTP",
            "",
            f"The order conversation over {AT_ONCE} connections, random ids, {live:,} live conversations in the",
            "store, SQLite with full sync, backends in the server that answer at once, the load in a process of",
            "its own (`benchmarks/turns_http.py`).",
            "",
            "| conversation | messages/s | p50 ms | p99 ms | CPU µs a message |",
            "|---|---|---|---|---|",
            *rows,
            "",
            (
                f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} when it ended, {platform.machine()}, "
                f"Python {platform.python_version()}, commit {commit}."
            ),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--live", type=int, default=100_000)
    parser.add_argument("--conversations", type=int, default=6_400)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--dry", action="store_true", help="write no results")
    arguments = parser.parse_args()
    if arguments.serve is not None:
        serve(arguments.serve, arguments.folder)
        return
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        command = [sys.executable, __file__, "--serve", str(port), "--folder", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            server.stdout.readline()
            uvloop.install()
            figures = asyncio.run(load(port, server.pid, arguments.live, arguments.conversations))
            server.send_signal(signal.SIGTERM)
            server.wait(30)
    text = report(figures, arguments.live)
    print(text)
    if not arguments.dry:
        (Path(__file__).parent / "results" / "turns_http.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
