"""Numbers that are counted on the event loop: plain additions, without a lock and without a library.

prometheus_client's `labels().inc()` takes a lock and 2 µs; a whole turn has 65. So numbers are kept here, and shown to
it when somebody asks (exposition.py). One thread counts a series; a scrape that reads meanwhile sees it a moment old.

A *family* has a name and labels; a *series* is one family with one value for each label. Labels are bounded words:
names of flows, states, services, classes; never a user, a conversation, a text or a number. What would be too many
anyway goes to one series whose labels are all OTHER.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import Final

OTHER: Final = "other"
MOST_SERIES: Final = 2_000  # of one family

Labels = tuple[str, ...]
Read = Callable[[], Mapping[Labels, float]]


class Count:
    """One series of a counter. On a hot path `value` is added to directly."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0


class Counter:
    """A number that only grows. `name` ends with `_total`. Where somebody else counts, `read_from` says whom to ask."""

    __slots__ = ("_read", "_series", "help", "labels", "name")

    def __init__(self, name: str, help: str, labels: Labels = ()) -> None:
        self.name = name
        self.help = help
        self.labels = labels
        self._series: dict[Labels, Count] = {}
        self._read: Read | None = None

    def at(self, *labels: str) -> Count:
        """The series with these labels, in the order of the family's. Keep it where it is needed often."""
        found = self._series.get(labels)
        if found is None:
            labels = bounded(self._series, labels, self.labels)
            found = self._series.setdefault(labels, Count())
        return found

    def add(self, *labels: str, by: float = 1) -> None:
        self.at(*labels).value += by

    def read_from(self, read: Read) -> None:
        self._read = read

    def values(self) -> Iterable[tuple[Labels, float]]:
        if self._read is not None:
            yield from self._read().items()
        for labels, count in self._series.items():
            yield labels, count.value


class Gauge:
    """A number that goes up and down: asked for when somebody looks, so it costs nothing until then."""

    __slots__ = ("_read", "help", "labels", "name")

    def __init__(self, name: str, help: str, labels: Labels = ()) -> None:
        self.name = name
        self.help = help
        self.labels = labels
        self._read: Read | None = None

    def read_from(self, read: Read) -> None:
        """`read` gives all series, quickly, on the event loop."""
        self._read = read

    def values(self) -> Iterable[tuple[Labels, float]]:
        return () if self._read is None else self._read().items()


class Spread:
    """One series of a histogram: how many values up to each bound, the last bucket for what is above, and their sum."""

    __slots__ = ("bounds", "buckets", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.buckets[bisect_left(self.bounds, value)] += 1
        self.total += value


class Histogram:
    """How values are spread. The name ends with their unit."""

    __slots__ = ("_series", "bounds", "help", "labels", "name")

    def __init__(self, name: str, help: str, bounds: tuple[float, ...], labels: Labels = ()) -> None:
        self.name = name
        self.help = help
        self.bounds = bounds
        self.labels = labels
        self._series: dict[Labels, Spread] = {}

    def at(self, *labels: str) -> Spread:
        found = self._series.get(labels)
        if found is None:
            labels = bounded(self._series, labels, self.labels)
            found = self._series.setdefault(labels, Spread(self.bounds))
        return found

    def add(self, value: float, *labels: str) -> None:
        self.at(*labels).add(value)

    def keep(self, spread: Spread, *labels: str) -> None:
        """A series that somebody else counts in."""
        self._series[labels] = spread

    def spreads(self) -> Iterable[tuple[Labels, Spread]]:
        return self._series.items()


Family = Counter | Gauge | Histogram


def bounded(series: Mapping[Labels, object], labels: Labels, names: Labels) -> Labels:
    """The labels of a new series, or those of all that are too many. Raises ValueError where labels are missing."""
    if len(labels) != len(names):
        raise ValueError(f"{len(labels)} labels, the family has {', '.join(names) or 'none'}")
    return labels if len(series) < MOST_SERIES else (OTHER,) * len(names)
