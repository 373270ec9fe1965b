from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from store.making import ManualClock

from flowc.runtime.store.memory import memory_store
from flowc.runtime.store.port import Store
from flowc.runtime.store.sqlite import sqlite_store


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Store]:
    """Each store in turn: what is tested with this holds for all of them."""
    opened = memory_store(clock) if request.param == "memory" else sqlite_store(tmp_path / "flowc.db", clock)
    async with opened as one:
        yield one
