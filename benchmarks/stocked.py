"""A store with as many waiting conversations as are wanted, quickly: copies of one real turn under random ids, each
with its silence timer. For the benchmarks that ask how anything grows with what is stored."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace
from turns import AT_ONCE, Instant

from flowc.runtime.engine.engine import Engine
from flowc.runtime.engine.message import Message
from flowc.runtime.environment import Environment
from flowc.runtime.program import Program
from flowc.runtime.services.calls import Services
from flowc.runtime.services.port import LoopClock
from flowc.runtime.store.recent import EventHash
from flowc.runtime.store.rows import Address, Committed, Direct, Outcome, Row, Unit
from flowc.runtime.store.sqlite import SqliteStore, sqlite_store

FIRST = "where is my order"  # the answer is a question, which the conversation then waits at


def instant_services(program: Program) -> Services:
    """Backends in this process that answer at once."""
    adapters = {name: Instant() for name in program.services}
    return Services(program, adapters, clock=LoopClock(), draw=random.random)


async def first_turn(store: SqliteStore, program: Program) -> Unit:
    """The turn that a first message causes, as it was committed."""
    seen: list[Unit] = []
    commit = store.commit

    async def noted(units: Sequence[Unit]) -> Sequence[Outcome]:
        seen.extend(units)
        return await commit(units)

    store.commit = noted  # type: ignore[method-assign]  # the one place where a turn leaves the engine
    try:
        services = instant_services(program)
        async with Engine.open(program, Environment("bench"), store=store, services=services) as engine:
            await engine.handle(Message(random.randbytes(12).hex(), FIRST))
    finally:
        store.commit = commit  # type: ignore[method-assign]
    return seen[0]


async def stock(path: Path, program: Program, count: int, within_s: tuple[float, float] | None = None) -> list[str]:
    """Adds `count` conversations to the store at `path`; their ids. `within_s`: when their silences end, drawn between
    the two, from now; as the flow says where left out."""
    ids: list[str] = []
    async with sqlite_store(path) as store:
        unit = await first_turn(store, program)
        share = -(-count // AT_ONCE)
        await asyncio.gather(
            *(_copies(store, unit, min(share, count - at * share), within_s, ids) for at in range(AT_ONCE))
        )
    return ids


async def _copies(
    store: SqliteStore, unit: Unit, count: int, within_s: tuple[float, float] | None, ids: list[str]
) -> None:
    for _ in range(count):
        copy = copied(unit, store, within_s)
        (outcome,) = await store.commit([copy])
        assert isinstance(outcome, Committed), outcome
        ids.append(copy.base.address)


def copied(unit: Unit, store: SqliteStore, within_s: tuple[float, float] | None) -> Unit:
    address, name = Address(random.randbytes(12).hex()), EventHash(random.randbytes(8))
    assert isinstance(unit.source, Direct)
    incoming = replace(unit.source.event, address=address, hash=name)
    now_ms = store.clock.now_ms()
    timers = unit.timers
    if within_s is not None:
        timers = tuple(replace(each, due_ms=now_ms + round(random.uniform(*within_s) * 1000)) for each in timers)
    return replace(
        unit,
        base=Row(address),
        source=Direct(incoming),
        cause=name,
        timers=timers,
        entry=replace(unit.entry, now_ms=now_ms),
    )
