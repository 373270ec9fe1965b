"""Time that passes only when it is told to: the store's clock and the one that waits, in one."""

from collections.abc import Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from itertools import count
from math import inf

import anyio


class SimulatedClock:
    """Starts at `start_ms`, milliseconds since 1970 UTC. Who waits is woken in the order of time, then of asking."""

    def __init__(self, start_ms: int) -> None:
        self._now_ms = float(start_ms)
        self._order = count()
        self._waiting: list[tuple[float, int, anyio.CancelScope]] = []
        self._over: set[int] = set()

    def now_ms(self) -> int:
        return int(self._now_ms)

    def now(self) -> float:
        return self._now_ms / 1000

    @property
    def next_ms(self) -> float | None:
        """When the first that waits is woken."""
        while self._waiting and self._waiting[0][1] in self._over:
            self._over.discard(heappop(self._waiting)[1])
        return self._waiting[0][0] if self._waiting else None

    def pass_to(self, at_ms: float) -> None:
        """Lets time pass, and wakes whose time comes."""
        self._now_ms = max(self._now_ms, at_ms)
        while (first := self.next_ms) is not None and first <= self._now_ms:
            heappop(self._waiting)[2].cancel()

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            with self.timeout(seconds):
                await anyio.sleep_forever()

    @contextmanager
    def timeout(self, seconds: float) -> Iterator[anyio.CancelScope]:
        with anyio.CancelScope() as scope:
            if seconds == inf:
                yield scope
                return
            number = next(self._order)
            heappush(self._waiting, (self._now_ms + seconds * 1000, number, scope))
            try:
                yield scope
            finally:
                if any(number == waiting for _, waiting, _ in self._waiting):
                    self._over.add(number)
