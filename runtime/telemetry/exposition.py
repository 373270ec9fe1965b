"""Metrics as Prometheus reads them: our families through prometheus_client, which knows the format."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from flowc.runtime.telemetry.counting import Counter, Family, Gauge, Histogram, Spread
from flowc.runtime.telemetry.metrics import Metrics

__all__ = ["CONTENT_TYPE", "Exposition"]

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class Exposition:
    """The page that a Prometheus server reads."""

    def __init__(self, metrics: Metrics) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Families(metrics))
        ProcessCollector(registry=self._registry)

    def page(self) -> bytes:
        return generate_latest(self._registry)


class _Families(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return map(_family, self._metrics.families())


def _family(family: Family) -> Metric:
    match family:
        case Counter():
            counter = CounterMetricFamily(family.name, family.help, labels=family.labels)
            for labels, value in tuple(family.values()):
                counter.add_metric(labels, value)
            return counter
        case Gauge():
            gauge = GaugeMetricFamily(family.name, family.help, labels=family.labels)
            for labels, value in tuple(family.values()):
                gauge.add_metric(labels, value)
            return gauge
        case Histogram():
            histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
            for labels, spread in tuple(family.spreads()):
                histogram.add_metric(labels, _cumulative(spread), spread.total)
            return histogram


def _cumulative(spread: Spread) -> list[tuple[str, float]]:
    bounds = [*map(str, map(float, spread.bounds)), "+Inf"]
    return list(zip(bounds, accumulate(spread.buckets), strict=True))
