"""What waiting costs: the processor's time of `flowc serve` while nobody says anything, with 100,000 conversations that
wait, each with silence timers that are due in hours, and with jobs whose backend is down, beside a server with an empty
store.

`python benchmarks/idle.py [--waiting N] [--seconds S]` writes `benchmarks/results/idle.md`.
"""

import argparse
import asyncio
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
from growth import FLOW, order_support
from shop.processes import HOST, cpu_s, free_port, running
from stocked import stock
from turns import ROOT, Instant

from flowc.runtime.engine.engine import Engine
from flowc.runtime.engine.message import Message
from flowc.runtime.environment import Environment
from flowc.runtime.policy.verdict import Lost, RawAnswer
from flowc.runtime.program import Program
from flowc.runtime.services.calls import Services
from flowc.runtime.services.port import AttemptRequest, LoopClock
from flowc.runtime.store.sqlite import sqlite_store

SILENCE_S = (4 * 3600.0, 24 * 3600.0)
JOBS = 1_000
SETTLES_S = 10.0
JOBS_SETTLE_S = 60.0  # the leases of the server that left them lapse after half of it
DOUBTFUL = ("cancel my order", "AB123456", "yes")  # nobody knows whether it was done, so a ticket is deferred


@dataclass(frozen=True, slots=True)
class Idled:
    """The processor's time in `seconds`, and how often the process woke."""

    name: str
    seconds: float
    cpu_s: float
    waits: int


class Doubtful(Instant):
    """Nobody learns what became of it."""

    async def attempt(self, request: AttemptRequest) -> RawAnswer:
        return Lost("the connection")


class Gone(Instant):
    """Never answers while it is opened here: its jobs are left to the next server."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield

    async def attempt(self, request: AttemptRequest) -> RawAnswer:
        await asyncio.sleep(3600)
        raise AssertionError("nobody waits that long")


async def park(path: Path, program: Program, count: int) -> None:
    """Adds conversations with a job each, whose backend does not answer."""
    adapters = {"orders": Doubtful(), "crm": Instant(), "tickets": Gone()}
    services = Services(program, adapters, clock=LoopClock(), draw=random.random)
    async with (
        sqlite_store(path) as store,
        Engine.open(program, Environment("bench"), store=store, services=services, drain_s=0) as engine,
    ):
        for _ in range(count):
            conversation = random.randbytes(12).hex()
            for text in DOUBTFUL:
                await engine.handle(Message(conversation, text))


def idled(name: str, path: Path, seconds: float, settles_s: float = SETTLES_S) -> Idled:
    """A server that is left alone with the store."""
    port = free_port()
    command = [sys.executable, "-m", "flowc.cli", "serve", "--project", str(FLOW), "--port", str(port), "--quiet"]
    environment = {**os.environ, "FLOWC_STORE": f"sqlite:///{path}"}
    environment |= {f"FLOWC_SERVICE_{each}_URL": f"http://{HOST}:9" for each in ("ORDERS", "CRM", "TICKETS")}
    with running(command, port, environment=environment) as process:
        time.sleep(settles_s)
        before, switches, began = cpu_s(process.pid), waits(process.pid), time.monotonic()
        time.sleep(seconds)
        found = Idled(name, time.monotonic() - began, cpu_s(process.pid) - before, waits(process.pid) - switches)
    print(found, flush=True)
    return found


def waits(pid: int) -> int:
    """How often the process went to sleep so far; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def report(found: list[Idled]) -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    rows = [
        f"| {each.name} | {each.cpu_s / each.seconds * 100:.2f} % | {each.waits / each.seconds:.1f} |" for each in found
    ]
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} when it ended"
    return "\n".join(
        [
            "# Idle",
            "",
            f"`python benchmarks/idle.py`: `flowc serve`, and nobody says anything for {found[0].seconds:.0f} s.",
            "Silences end in 4 to 24 hours; the jobs' backend refuses connections.",
            "",
            "| the store has | of one core | wakes a second |",
            "|---|--:|--:|",
            *rows,
            "",
            f"{load}, {platform.machine()}, Python {platform.python_version()}, commit {commit}.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--waiting", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--dry", action="store_true", help="write no results")
    arguments = parser.parse_args()
    uvloop.install()
    program = order_support()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder) / "idle.db"
        found = [idled("nothing", path, arguments.seconds)]
        asyncio.run(stock(path, program, arguments.waiting, SILENCE_S))
        found.append(idled(f"{arguments.waiting:,} conversations with timers", path, arguments.seconds))
        asyncio.run(park(path, program, JOBS))
        found.append(idled(f"and {JOBS:,} jobs whose backend is down", path, arguments.seconds, JOBS_SETTLE_S))
    text = report(found)
    print(text)
    if not arguments.dry:
        (ROOT / "benchmarks" / "results" / "idle.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
