from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from store.making import ManualClock

from flowc.runtime.simulate.quick import QuickStore
from flowc.runtime.store.memory import memory_store
from flowc.runtime.store.port import Store
from flowc.runtime.store.sqlite import sqlite_store


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@asynccontextmanager
async def quick_store(clock: ManualClock) -> AsyncIterator[Store]:
    """That of forecasts."""
    store = QuickStore(clock)
    yield store
    await store.close()


@pytest.fixture(params=["memory", "quick", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Store]:
    """Each store in turn: what is tested with this holds for all of them."""
    opened = {
        "memory": lambda: memory_store(clock),
        "quick": lambda: quick_store(clock),
        "sqlite": lambda: sqlite_store(tmp_path / "flowc.db", clock),
    }
    async with opened[request.param]() as one:
        yield one
