from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from engine.world import START_MS, World

from flowc.runtime.simulate.clock import SimulatedClock
from flowc.runtime.store.memory import MemoryStore
from flowc.runtime.store.port import Store
from flowc.runtime.store.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    clock = SimulatedClock(START_MS)
    store: Store = MemoryStore(clock)
    if request.param == "sqlite":
        sqlite = SqliteStore.open(tmp_path / "store.db", clock)
        sqlite._writer.timer = lambda: 0.0  # the writer stays on the loop: `settle` counts its rounds
        store = sqlite
    yield World(store, clock)
    await store.close()
