"""The bell within one process: whoever commits rings, whoever sweeps hears. With more processes it is the
database's."""

from collections.abc import Sequence

import anyio

from flowc.runtime.store.port import Ring


class MemoryBell:
    def __init__(self) -> None:
        self._rings: list[Ring] = []
        self._rung = anyio.Event()

    async def ring(self, rings: Sequence[Ring]) -> None:
        self._rings.extend(rings)
        if self._rings:
            self._rung.set()

    async def hear(self) -> Sequence[Ring]:
        """All rings since the last time, at least one."""
        await self._rung.wait()
        self._rung = anyio.Event()
        heard, self._rings = tuple(self._rings), []
        return heard
