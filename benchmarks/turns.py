"""Durable turns a second of the whole engine: the order conversation of four messages, 64 at a time, random
conversation ids, 100,000 live conversations in the store, SQLite with full sync, backends in this process that answer
at once.

`python benchmarks/turns.py [--live N] [--conversations N] [--profile]` writes `benchmarks/results/turns.md`.
"""

import argparse
import asyncio
import cProfile
import os
import platform
import pstats
import random
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

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
    """`messages` and `turns` a second, milliseconds a message, microseconds of this process a turn."""

    name: str
    messages: float
    turns: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


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


async def measured(engine: Engine, name: str, texts: Sequence[str], conversations: int) -> Figures:
    took: list[float] = []
    spare_turns()
    began, cpu = time.perf_counter(), time.process_time()
    counts = await asyncio.gather(*[talk(engine, texts, conversations // AT_ONCE, took) for _ in range(AT_ONCE)])
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    took.sort()
    turns = sum(counts)
    return Figures(
        name,
        len(took) / seconds,
        turns / seconds,
        took[len(took) // 2] * 1000,
        took[len(took) * 99 // 100] * 1000,
        cpu / turns * 1e6,
    )


async def run(program: Program, arguments: argparse.Namespace) -> tuple[list[Figures], str]:
    # Breakers, retries and places are at work; the rate limit of the flow would be all that is measured.
    adapters = {name: Instant() for name in program.services}
    services = Services(program, adapters, clock=LoopClock(), draw=random.random)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        environment = Environment("bench", "sqlite:///bench.db", folder=Path(folder))
        async with Engine.open(program, environment, services=services) as engine:
            began = time.perf_counter()
            live = [talk(engine, TRACK[:1], arguments.live // AT_ONCE, []) for _ in range(AT_ONCE)]
            await asyncio.gather(*live)
            print(f"{arguments.live} live conversations after {time.perf_counter() - began:.1f} s")
            figures = [
                await measured(engine, "track", TRACK, arguments.conversations),
                await measured(engine, "cancel", CANCEL, arguments.conversations),
            ]
            if not arguments.profile:
                return figures, ""
            profile = cProfile.Profile()
            profile.enable()
            await measured(engine, "track", TRACK, arguments.conversations // 4)
            profile.disable()
            return figures, shares(profile)


def shares(profile: cProfile.Profile) -> str:
    """The time of each layer itself, as a table; a profile slows Python more than C."""
    layers: dict[str, float] = {}
    stats = pstats.Stats(profile)
    stats.sort_stats("tottime").print_stats(45)
    for (path, _, name), (_, _, own, _, _) in stats.stats.items():  # type: ignore[attr-defined]  # not in the stubs
        layer = next((part for part in LAYERS if f"/runtime/{part}" in path), "")
        if not layer:
            layer = "sqlite" if "apsw" in name or "execute" in name else "the loop and the rest"
        layers[layer] = layers.get(layer, 0.0) + own
    total = sum(layers.values())
    ordered = sorted(layers.items(), key=lambda each: -each[1])
    lines = [f"| {layer} | {100 * own / total:.0f} % |" for layer, own in ordered]
    return "\n".join(["| layer | of the time |", "|---|---|", *lines])


LAYERS = ("engine", "kernel", "store", "services", "policy", "understanding", "values")


def limitless(program: Program) -> Program:
    """The same program without rate limits: at most so many calls a second is what they are for."""
    from msgspec.structs import replace

    services = {
        name: replace(service, policy=replace(service.policy, limit=None, places=10_000))
        for name, service in program.services.items()
    }
    return replace(program, services=services)


def report(figures: list[Figures], table: str, arguments: argparse.Namespace) -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    rows = [
        f"| {each.name} | {each.messages:,.0f} | {each.turns:,.0f} | {each.p50_ms:.1f} | {each.p99_ms:.1f} "
        f"| {each.cpu_us:.0f} |"
        for each in figures
    ]
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} when it ended"
    machine = f"{load}, {platform.machine()}, Python {platform.python_version()}, commit {commit}."
    return "\n".join(
        [
            "# Durable turns",
            "",
            f"The order conversation, four messages, {AT_ONCE} conversations at a time, random ids,",
            f"{arguments.live:,} live conversations in the store, SQLite with full sync, backends in the process",
            "that answer at once (`benchmarks/turns.py --profile`).",
            "`track` has two reads at the same time, `cancel` a write with a key whose result is a fifth turn.",
            "",
            "| conversation | messages/s | turns/s | p50 ms | p99 ms | CPU µs a turn |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            *([table, ""] if table else []),
            machine,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--live", type=int, default=100_000)
    parser.add_argument("--conversations", type=int, default=12_800)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--dry", action="store_true", help="write no results")
    arguments = parser.parse_args()
    program = compile_project(open_project(ROOT / "flows" / "order_support")).program
    assert program is not None
    uvloop.install()
    figures, table = asyncio.run(run(limitless(program), arguments))
    text = report(figures, table, arguments)
    print(text)
    if not arguments.dry:
        results = Path(__file__).parent / "results" / "turns.md"
        results.parent.mkdir(exist_ok=True)
        results.write_text(text)


if __name__ == "__main__":
    main()
