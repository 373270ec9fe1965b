"""Durable turns a second of the whole engine: the order conversation of four messages, 64 at a time, random
conversation ids, 100,000 live conversations in the store, SQLite with full sync, backends in this process that answer
at once.

Where the processor's time goes is sampled, once a millisecond of it: a sample belongs to the innermost layer on the
stack, so what a layer asks of a library is its own.

`python benchmarks/turns.py [--live N] [--conversations N]` writes `benchmarks/results/turns.md`.
"""

import argparse
import asyncio
import linecache
import os
import platform
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import FrameType

import uvloop

from flowc.compiler.compile import compile_project
from flowc.compiler.project import open_project
from flowc.runtime.engine.collector import spare_turns
from flowc.runtime.engine.engine import Engine
from flowc.runtime.engine.message import Message
from flowc.runtime.environment import Environment
from flowc.runtime.policy.verdict import Answered, RawAnswer
from flowc.runtime.program import Program
from flowc.runtime.services.calls import Services
from flowc.runtime.services.port import AttemptRequest, LoopClock
from flowc.runtime.store.sqlite import SqliteStore, sqlite_store

ROOT = Path(__file__).parent.parent
AT_ONCE = 64
ORDER = {"id": "AB123456", "status": "shipped", "eta": date(2026, 12, 1)}
CUSTOMER = {"id": "c", "name": "Ada", "tier": "gold"}
ANSWERS = {"get": ORDER, "cancel": ORDER, "customer": CUSTOMER, "create": "T-1"}

TRACK = ("where is my order", "AB123456", "yes", "where is my order")  # two reads; four turns
CANCEL = ("cancel my order", "AB123456", "yes", "no")  # a keyed write; its result is a turn of its own, so five


class Instant:
    """A backend that answers at once."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield

    async def attempt(self, request: AttemptRequest) -> RawAnswer:
        return Answered(ANSWERS[request.operation.name])


@dataclass(frozen=True, slots=True)
class Figures:
    """`messages` and `turns` a second, milliseconds a message, microseconds of this process a turn: all, and of each
    layer. `synced_us` is what COMMIT took a turn, by the clock."""

    name: str
    messages: float
    turns: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    layers_us: dict[str, float]
    synced_us: float
    group: float


# ------------------------------------------------------------------------------------------------------------- sampling

LAYERS = ("engine", "kernel", "store", "services", "policy", "understanding")
STATEMENTS, COMMIT, VALUES = "SQLite's statements", "SQLite's COMMIT", "values"
LOOP, CLIENT = "loop and threads", "this benchmark"
SAMPLE_S = 0.001


def layer_of(frame: FrameType | None) -> str:
    while frame is not None:
        path = frame.f_code.co_filename
        if "/runtime/" in path:
            layer = path.rpartition("/runtime/")[2].split("/")[0]
            if layer != "store":
                return layer if layer in LAYERS else VALUES
            if frame.f_code.co_name == "_sync":
                return COMMIT
            return STATEMENTS if ".execute(" in linecache.getline(path, frame.f_lineno or 0) else layer
        if path == __file__:
            return CLIENT if frame.f_code.co_name == "talk" else LOOP
        frame = frame.f_back
    return LOOP


@contextmanager
def sampled() -> Iterator[Counter[str]]:
    samples: Counter[str] = Counter()

    def sample(_: int, frame: FrameType | None) -> None:
        samples[layer_of(frame)] += 1

    signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, SAMPLE_S, SAMPLE_S)
    try:
        yield samples
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


# ------------------------------------------------------------------------------------------------------------ measuring


async def talk(engine: Engine, texts: Sequence[str], count: int, took: list[float]) -> int:
    """One conversation after the other; the number of turns."""
    turns = 0
    for _ in range(count):
        conversation, last = random.randbytes(12).hex(), 0
        for text in texts:
            began = time.perf_counter()
            last = (await engine.handle(Message(conversation, text))).turn
            took.append(time.perf_counter() - began)
        turns += last
    return turns


async def measured(engine: Engine, store: SqliteStore, name: str, texts: Sequence[str], conversations: int) -> Figures:
    took: list[float] = []
    spare_turns()
    synced_s, groups, jobs = store.figures.synced_s, store.figures.groups, store.figures.jobs
    began, cpu = time.perf_counter(), time.process_time()
    counts = await asyncio.gather(*[talk(engine, texts, conversations // AT_ONCE, took) for _ in range(AT_ONCE)])
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    synced_s, groups, jobs = (
        store.figures.synced_s - synced_s,
        store.figures.groups - groups,
        store.figures.jobs - jobs,
    )
    with sampled() as samples:  # apart: a thousand looks a second are 2 % of what they look at
        await asyncio.gather(*[talk(engine, texts, conversations // AT_ONCE // 2, []) for _ in range(AT_ONCE)])
    took.sort()
    turns = sum(counts)
    cpu_us = cpu / turns * 1e6
    return Figures(
        name,
        len(took) / seconds,
        turns / seconds,
        took[len(took) // 2] * 1000,
        took[len(took) * 99 // 100] * 1000,
        cpu_us,
        {layer: count / samples.total() * cpu_us for layer, count in samples.items()},
        synced_s / turns * 1e6,
        jobs / groups,
    )


async def run(program: Program, arguments: argparse.Namespace) -> list[Figures]:
    # Breakers, retries and places are at work; the rate limit of the flow would be all that is measured.
    adapters = {name: Instant() for name in program.services}
    services = Services(program, adapters, clock=LoopClock(), draw=random.random)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        async with (
            sqlite_store(Path(folder) / "bench.db") as store,
            Engine.open(program, Environment("bench"), store=store, services=services) as engine,
        ):
            began = time.perf_counter()
            live = [talk(engine, TRACK[:1], arguments.live // AT_ONCE, []) for _ in range(AT_ONCE)]
            await asyncio.gather(*live)
            print(f"{arguments.live} live conversations after {time.perf_counter() - began:.1f} s")
            return [
                await measured(engine, store, "track", TRACK, arguments.conversations),
                await measured(engine, store, "cancel", CANCEL, arguments.conversations),
            ]


def limitless(program: Program) -> Program:
    """The same program without rate limits: at most so many calls a second is what they are for."""
    from msgspec.structs import replace

    services = {
        name: replace(service, policy=replace(service.policy, limit=None, places=10_000))
        for name, service in program.services.items()
    }
    return replace(program, services=services)


def report(figures: list[Figures], arguments: argparse.Namespace) -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    rows = [
        f"| {each.name} | {each.messages:,.0f} | {each.turns:,.0f} | {each.p50_ms:.1f} | {each.p99_ms:.1f} "
        f"| {each.cpu_us:.0f} | {each.synced_us:.0f} | {each.group:.0f} |"
        for each in figures
    ]
    names = sorted(figures[0].layers_us, key=lambda name: -figures[0].layers_us[name])
    layers = [
        f"| {name} | " + " | ".join(f"{each.layers_us.get(name, 0):.0f}" for each in figures) + " |" for name in names
    ]
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} when it ended"
    machine = f"{load}, {platform.machine()}, Python {platform.python_version()}, commit {commit}."
    return "\n".join(
        [
            "# Durable turns",
            "",
            f"The order conversation, four messages, {AT_ONCE} conversations at a time, random ids,",
            f"{arguments.live:,} live conversations in the store, SQLite with full sync, backends in the process",
            "that answer at once (`benchmarks/turns.py`).",
            "`track` has two reads at the same time, `cancel` a write with a key whose result is a fifth turn.",
            "",
            "| conversation | messages/s | turns/s | p50 ms | p99 ms | CPU µs a turn | COMMIT µs a turn | in a group |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            "| CPU µs a turn of | " + " | ".join(each.name for each in figures) + " |",
            "|---|" + "---|" * len(figures),
            *layers,
            "",
            machine,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--live", type=int, default=100_000)
    parser.add_argument("--conversations", type=int, default=12_800)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--dry", action="store_true", help="write no results")
    arguments = parser.parse_args()
    program = compile_project(open_project(ROOT / "flows" / "order_support")).program
    assert program is not None
    uvloop.install()
    text = report(asyncio.run(run(limitless(program), arguments)), arguments)
    print(text)
    if not arguments.dry:
        results = Path(__file__).parent / "results" / "turns.md"
        results.parent.mkdir(exist_ok=True)
        results.write_text(text)


if __name__ == "__main__":
    main()
