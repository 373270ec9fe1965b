"""Numbers that only the store knows (conversations that live, events that wait), counted when somebody looks."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from flowc.runtime.engine.surroundings import Surroundings
from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.store.overview import Census
from flowc.runtime.telemetry.counting import Labels

EVERY_S: Final = 10.0
MOST_OF_A_CORE: Final = 0.05  # it reads a row of every conversation: with a million of them that takes a second


class Standing:
    """The last census, as the gauges of the engine's metrics show it."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._rows: Sequence[Census] = ()
        self._next_s = float("-inf")
        self._versions: dict[int, str] = {}
        metrics = around.metrics
        metrics.live.read_from(lambda: self._counts("wait", self._version))
        metrics.oldest.read_from(lambda: self._ages("wait", self._version))
        metrics.commands.read_from(lambda: self._counts("job", _class))
        metrics.inbox.read_from(lambda: self._counts("inbox", _class))
        metrics.inbox_oldest.read_from(lambda: self._ages("inbox", _class))
        metrics.dead.read_from(lambda: {(): float(sum(self._counts("dead", _class).values()))})

    async def count(self) -> None:
        """Counts anew, unless that was done just now. What the store does not answer stays as it was."""
        clock = self._around.time
        began = clock.now()
        if began < self._next_s:
            return
        self._next_s = began + EVERY_S  # also for who asks while it is counted
        try:
            self._rows = await self._around.store.census()
            deployments = await self._around.store.deployments()
        except StoreUnavailable:
            return
        self._versions = {each.number: each.what.version for each in deployments}
        now = clock.now()
        self._next_s = now + max(EVERY_S, (now - began) / MOST_OF_A_CORE)

    def _version(self, row: Census) -> str:
        return self._versions.get(row.deployment, "")

    def _counts(self, kind: str, label: Callable[[Census], str]) -> Mapping[Labels, float]:
        counts: defaultdict[Labels, float] = defaultdict(float)
        for row in self._rows:
            if row.kind == kind:
                counts[label(row),] += row.count
        return counts

    def _ages(self, kind: str, label: Callable[[Census], str]) -> Mapping[Labels, float]:
        """Seconds since the oldest."""
        now_ms = self._around.store.clock.now_ms()
        oldest: dict[Labels, float] = {}
        for row in self._rows:
            if row.kind == kind:
                labels = (label(row),)
                oldest[labels] = max(oldest.get(labels, 0.0), (now_ms - row.oldest_ms) / 1000)
        return oldest


def _class(row: Census) -> str:
    return row.priority
