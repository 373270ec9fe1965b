"""Durable units a second of the SQLite store: 100,000 live conversations with random ids, 64 units at a time, full
sync.

Each unit is a turn: a position of 600 bytes, a journal row, a silence timer, and a command, which the conversation's
next turn settles. With `--backlog` no command is settled, as while a backend is down. `python benchmarks/store.py
[--backlog] [--profile]`.
"""

import argparse
import asyncio
import cProfile
import gc
import os
import pstats
import random
import statistics
import tempfile
import time
from pathlib import Path

import uvloop

from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.store.recent import EventHash
from flowc.runtime.store.rows import (
    Address,
    Committed,
    Direct,
    Entry,
    Holder,
    Incoming,
    NewCommand,
    Row,
    ServerId,
    SilenceTimer,
    Unit,
)
from flowc.runtime.store.sqlite import SqliteStore, sqlite_store

HOLDER = Holder(ServerId("bench"), 30_000)
POSITION, EVENT, REPLIES, ARGUMENTS = os.urandom(600), os.urandom(200), os.urandom(150), os.urandom(150)


def unit_of(row: Row, now_ms: int, settles: CommandKey | None, key: CommandKey | None, deployment: int = 1) -> Unit:
    """The next turn of a conversation."""
    seen = EventHash(os.urandom(8))
    return Unit(
        base=row,
        source=Direct(Incoming(row.address, seen, "message", b"", EVENT[:8])),
        entry=Entry(EVENT, now_ms, int.from_bytes(os.urandom(15), "big"), b"", REPLIES, 1, POSITION[:8]),
        position=POSITION,
        wait="order_support/track.ask",
        deployment=deployment,
        holder=HOLDER,
        cause=seen,
        opens=row.turn == 0,
        commands=()
        if key is None
        else (NewCommand(key, "track.orders.find", "orders", "find", ARGUMENTS, False, now_ms, now_ms + 60_000),),
        timers=(SilenceTimer(1, 600_000, now_ms + 600_000),),
        settles=settles,
    )


async def fill(store: SqliteStore, conversations: int) -> list[Row]:
    rows: list[Row] = []
    now_ms = store.clock.now_ms()
    for start in range(0, conversations, 1024):
        fresh = [Row(Address(os.urandom(8).hex())) for _ in range(min(1024, conversations - start))]
        outcomes = await store.commit([unit_of(row, now_ms, None, None) for row in fresh])
        rows += [outcome.row for outcome in outcomes if isinstance(outcome, Committed)]
    assert len(rows) == conversations
    return rows


async def work(
    store: SqliteStore, rows: list[Row], seconds: float, at_a_time: int, backlog: bool
) -> tuple[int, list[float], float]:
    """Units committed, how long each took, and the seconds."""
    latencies: list[float] = []
    until = time.perf_counter() + seconds

    async def turn(at: int, settles: CommandKey | None, key: CommandKey | None) -> None:
        began = time.perf_counter()
        (outcome,) = await store.commit([unit_of(rows[at], store.clock.now_ms(), settles, key)])
        latencies.append(time.perf_counter() - began)
        assert isinstance(outcome, Committed), outcome
        rows[at] = outcome.row

    async def one(lane: int) -> None:
        while time.perf_counter() < until:
            at = random.randrange(lane, len(rows), at_a_time)  # each lane has its own conversations
            key = CommandKey(os.urandom(16).hex())
            await turn(at, None, key)
            if not backlog:
                await turn(at, key, None)

    began = time.perf_counter()
    await asyncio.gather(*(one(lane) for lane in range(at_a_time)))
    return len(latencies), latencies, time.perf_counter() - began


async def measure(
    seconds: float, conversations: int, at_a_time: int, backlog: bool, folder: Path, profile: cProfile.Profile | None
) -> None:
    async with sqlite_store(folder / "bench.db") as store:
        began = time.perf_counter()
        rows = await fill(store, conversations)
        print(f"{conversations} conversations in {time.perf_counter() - began:.1f} s")
        gc.freeze()  # the rows that this benchmark keeps are no part of what is measured
        groups, busy_s, cpu = store.figures.groups, store.figures.busy_s, time.process_time()
        if profile:
            profile.enable()
        units, latencies, took = await work(store, rows, seconds, at_a_time, backlog)
        if profile:
            profile.disable()
        cuts = statistics.quantiles(latencies, n=100)
        figures = store.figures
        print(
            f"{units / took:.0f} units/s, p50 {cuts[49] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.1f} ms, "
            f"{(time.process_time() - cpu) / units * 1e6:.0f} µs CPU a unit, "
            f"{units / (figures.groups - groups):.0f} a group, "
            f"committing {(figures.busy_s - busy_s) / took:.0%} of the time, "
            f"{figures.checkpoints} checkpoints, {'in a thread' if store._writer.is_threaded else 'on the loop'}"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=8)
    options.add_argument("--conversations", type=int, default=100_000)
    options.add_argument("--at-a-time", type=int, default=64)
    options.add_argument("--backlog", action="store_true")
    options.add_argument("--profile", action="store_true")
    options.add_argument(
        "--folder", type=Path, default=None, help="where the file is made; its disk is what is measured"
    )
    chosen = options.parse_args()
    profile = cProfile.Profile() if chosen.profile else None
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        uvloop.run(
            measure(chosen.seconds, chosen.conversations, chosen.at_a_time, chosen.backlog, Path(folder), profile)
        )
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
