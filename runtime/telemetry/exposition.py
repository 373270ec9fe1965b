"""Metrics as Prometheus reads them: our families through prometheus_client, which knows the format.

The numbers are taken on the event loop, which takes no time; the page of thousands of lines is written in a thread, so
that no turn waits for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import anyio
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from flowc.runtime.telemetry.counting import Counter, Family, Gauge, Histogram, Labels
from flowc.runtime.telemetry.metrics import Metrics

__all__ = ["CONTENT_TYPE", "exposed", "page"]

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


@dataclass(frozen=True, slots=True)
class Numbers:
    """The series of a counter or gauge, as they are now."""

    family: Counter | Gauge
    series: tuple[tuple[Labels, float], ...]


@dataclass(frozen=True, slots=True)
class Spreads:
    """Those of a histogram: what is in each bucket, and the sum of all."""

    family: Histogram
    series: tuple[tuple[Labels, tuple[int, ...], float], ...]


async def exposed(metrics: Metrics) -> bytes:
    """The page that a Prometheus server reads."""
    return await anyio.to_thread.run_sync(_written, taken(metrics))


def page(metrics: Metrics) -> bytes:
    """The same, at once."""
    return _written(taken(metrics))


def taken(metrics: Metrics) -> list[Numbers | Spreads]:
    """The numbers as they are now."""
    return [_taken(family) for family in metrics.families()]


def _taken(family: Family) -> Numbers | Spreads:
    match family:
        case Counter() | Gauge():
            return Numbers(family, tuple(family.values()))
        case Histogram():
            spreads = family.spreads()
            return Spreads(family, tuple([(labels, tuple(each.buckets), each.total) for labels, each in spreads]))


def _written(numbers: list[Numbers | Spreads]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(numbers))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, numbers: list[Numbers | Spreads]) -> None:
        self._numbers = numbers

    def collect(self) -> Iterator[Metric]:
        return map(_family, self._numbers)


def _family(numbers: Numbers | Spreads) -> Metric:
    match numbers:
        case Numbers(family=Counter() as family):
            counter = CounterMetricFamily(family.name, family.help, labels=family.labels)
            for labels, value in numbers.series:
                counter.add_metric(labels, value)
            return counter
        case Numbers(family=family):
            gauge = GaugeMetricFamily(family.name, family.help, labels=family.labels)
            for labels, value in numbers.series:
                gauge.add_metric(labels, value)
            return gauge
        case Spreads(family=family, series=series):
            histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
            bounds = [*map(str, map(float, family.bounds)), "+Inf"]
            for labels, buckets, total in series:
                histogram.add_metric(labels, list(zip(bounds, accumulate(buckets), strict=True)), total)
            return histogram
