"""How the engine grows with what is stored: turns a second, their p99 and the file with 1,000, 10,000, 100,000 and
1,000,000 waiting conversations; memory of a conversation that is live in the process; and the time from the start of
`flowc serve` to the first answer with all of them stored.

`python benchmarks/growth.py [--most N]` writes `benchmarks/results/growth.md`.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import uvloop
from shop.processes import HOST, cpu_s, free_port, running
from stocked import FIRST, instant_services, stock
from turns import AT_ONCE, ROOT, TRACK, Figures, limitless, measured

from flowc.compiler.compile import compile_project
from flowc.compiler.project import open_project
from flowc.runtime.engine.engine import Engine
from flowc.runtime.engine.message import Message
from flowc.runtime.environment import Environment
from flowc.runtime.program import Program
from flowc.runtime.store.sqlite import sqlite_store

FLOW = ROOT / "flows" / "order_support"
SIZES = (1_000, 10_000, 100_000, 1_000_000)
LIVE = 20_000  # conversations whose memory is measured, less than a server holds at most
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Grown:
    """With `stored` conversations: `file_bytes` each; from the start of the server to its first answer, to one that was
    stored, seconds and those of the processor."""

    stored: int
    figures: Figures
    file_bytes: float
    first_s: float
    first_cpu_s: float


def order_support() -> Program:
    program = compile_project(open_project(FLOW)).program
    assert program is not None
    return limitless(program)


async def turns(path: Path, program: Program, conversations: int) -> Figures:
    services = instant_services(program)
    async with (
        sqlite_store(path) as store,
        Engine.open(program, Environment("bench"), store=store, services=services) as engine,
    ):
        return await measured(engine, store, "track", TRACK, conversations)


def first_answer_s(path: Path, conversation: str) -> tuple[float, float]:
    """From the start of `flowc serve` to its first answer: seconds, and those of the processor."""
    port = free_port()
    command = [sys.executable, "-m", "flowc.cli", "serve", "--project", str(FLOW), "--port", str(port), "--quiet"]
    began = time.perf_counter()
    with running(command, port, environment={**os.environ, "FLOWC_STORE": f"sqlite:///{path}"}) as process:
        body = json.dumps({"text": "no idea"}).encode()
        url = f"http://{HOST}:{port}/v1/conversations/{conversation}/messages"
        request = urllib.request.Request(url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            found = json.load(answer)
        took = time.perf_counter() - began, cpu_s(process.pid)
    assert found["turn"] == 2, found  # it went on where it was
    return took


async def memory_bytes(path: Path, program: Program) -> float:
    """What one more live conversation takes in the process."""
    services = instant_services(program)
    async with (
        sqlite_store(path) as store,
        Engine.open(program, Environment("bench"), store=store, services=services) as engine,
    ):
        await some(engine, 2_000)
        before = resident_bytes()
        await some(engine, LIVE)
        return (resident_bytes() - before) / LIVE


async def some(engine: Engine, count: int) -> None:
    async def talk(share: int) -> None:
        for _ in range(share):
            await engine.handle(Message(random.randbytes(12).hex(), FIRST))

    await asyncio.gather(*(talk(count // AT_ONCE) for _ in range(AT_ONCE)))


def resident_bytes() -> int:
    """Of this process; the most so far where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def grown(path: Path, program: Program, sizes: list[int], conversations: int) -> list[Grown]:
    found, stored = [], 0
    for size in sizes:
        began = time.perf_counter()
        ids = asyncio.run(stock(path, program, size - stored))
        stored = size
        size_bytes = sum(each.stat().st_size for each in path.parent.iterdir())
        first_s, first_cpu_s = first_answer_s(path, random.choice(ids))
        figures = asyncio.run(turns(path, program, conversations))
        stored += conversations
        found.append(Grown(size, figures, size_bytes / size, first_s, first_cpu_s))
        print(f"{size:,} stored, {time.perf_counter() - began:.0f} s: {figures.turns:,.0f} turns/s", flush=True)
    return found


def report(found: list[Grown], memory: float, conversations: int) -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    rows = [
        f"| {each.stored:,} | {each.figures.turns:,.0f} | {each.figures.p50_ms:.1f} | {each.figures.p99_ms:.1f} "
        f"| {each.figures.cpu_us:.0f} | {each.file_bytes:,.0f} | {each.first_s:.2f} | {each.first_cpu_s:.2f} |"
        for each in found
    ]
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} when it ended"
    return "\n".join(
        [
            "# Growth",
            "",
            "`python benchmarks/growth.py`: the order conversation of four messages, two reads that are answered at",
            f"once, {AT_ONCE} at a time, {conversations:,} of them, random ids, SQLite with full sync, beside so many",
            "that are stored and wait. `start`: from the start of `flowc serve` to its first answer, to one of these,",
            "and the processor's time of it.",
            "",
            "| stored | turns/s | p50 ms | p99 ms | CPU µs a turn | bytes of file each | start, s | CPU s |",
            "|--:|--:|--:|--:|--:|--:|--:|--:|",
            *rows,
            "",
            f"A conversation that is live in the process takes {memory:,.0f} bytes of its memory ({LIVE:,} of them; a",
            "server holds the 50,000 that were heard last, the store has all).",
            "",
            f"{load}, {platform.machine()}, Python {platform.python_version()}, commit {commit}.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the largest number that is stored")
    parser.add_argument("--conversations", type=int, default=6_400)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--memory", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--dry", action="store_true", help="write no results")
    arguments = parser.parse_args()
    uvloop.install()
    program = order_support()
    if arguments.memory:
        print(asyncio.run(memory_bytes(arguments.memory, program)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder) / "grown.db"
        sizes = [size for size in SIZES if size <= arguments.most]
        found = grown(path, program, sizes, arguments.conversations)
        # In a process of its own: memory that this one has had is used again.
        command = [sys.executable, __file__, "--memory", str(path)]
        memory = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    text = report(found, memory, arguments.conversations)
    print(text)
    if not arguments.dry:
        (ROOT / "benchmarks" / "results" / "growth.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
