"""A forecast as figures: by class, by service, and as curves over time. Times are in seconds, shares from 0 to 1."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Final

from msgspec import Struct

from flowc.runtime.program import PriorityClass
from flowc.runtime.simulate.forecast import Forecast, Heard, Job
from flowc.runtime.simulate.plot import Curve, Panel, plot
from flowc.runtime.simulate.queueing import QueueingBackend

__all__ = ["OfClass", "OfService", "Summary", "percentile", "picture", "summary"]

CLASSES: Final[tuple[PriorityClass, ...]] = ("urgent", "high", "normal", "low", "bulk")
BUSIEST_S: Final = 10  # the stretch whose load is the highest
CURVE_POINTS: Final = 120


class OfClass(Struct, frozen=True):
    """Until the first words. `kept_waiting`: they were the flow's words for the wait. `handed_over` to people."""

    priority: PriorityClass
    messages: int
    p50_s: float
    p95_s: float
    p99_s: float
    kept_waiting: int
    refused: int
    failed: int
    handed_over: int


class OfService(Struct, frozen=True):
    """`load` and `busiest` are shares of its places in use, over the whole time and in the busiest ten seconds; None
    where it has no bound. `place_p95_s` was waited here for a place, `queue_p95_s` at the backend. `failures` by
    outcome, those answered from the cache among them."""

    service: str
    calls: int
    attempts: int
    load: float | None
    busiest: float | None
    place_p95_s: float
    queue_p95_s: float
    cached: int
    failures: dict[str, int]


class OfJobs(Struct, frozen=True):
    service: str
    operation: str
    priority: PriorityClass
    done: int
    failed: int
    p50_s: float
    p95_s: float
    longest_s: float


class Summary(Struct, frozen=True):
    """`seconds` until everybody had an answer. `messages_per_s` in the busiest second; `server_busiest` is the
    processor's share in the busiest ten."""

    users: int
    messages: int
    seconds: float
    messages_per_s: int
    server_busiest: float
    classes: tuple[OfClass, ...]
    services: tuple[OfService, ...]
    jobs: tuple[OfJobs, ...]
    most_jobs: int
    jobs_left: int


def summary(found: Forecast, users: int) -> Summary:
    busiest = Counter(int(each.at_s) for each in found.heard)
    kinds = sorted({(job.service, job.operation, job.priority) for job in found.jobs})
    return Summary(
        users,
        len(found.heard),
        round(found.seconds, 3),
        max(busiest.values(), default=0),
        round(_busiest(found.busy_s, found.seconds), 4),
        tuple(_of_class(each, mine) for each in CLASSES if (mine := [h for h in found.heard if h.priority == each])),
        tuple(_of_service(found, name, backend) for name, backend in found.backends.items()),
        tuple(_of_jobs([j for j in found.jobs if (j.service, j.operation, j.priority) == kind]) for kind in kinds),
        max((count for _, count in found.waiting), default=0),
        found.jobs_left,
    )


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that at least so many percent do not exceed; 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def _of_class(priority: PriorityClass, heard: Sequence[Heard]) -> OfClass:
    waits = [each.first_s for each in heard if each.ending == "answered"]
    return OfClass(
        priority=priority,
        messages=len(heard),
        p50_s=round(percentile(waits, 50), 4),
        p95_s=round(percentile(waits, 95), 4),
        p99_s=round(percentile(waits, 99), 4),
        kept_waiting=sum(each.first_s < each.done_s for each in heard),
        refused=sum(each.ending == "refused" for each in heard),
        failed=sum(each.ending == "failed" for each in heard),
        handed_over=sum(each.handed_over for each in heard),
    )


def _of_service(found: Forecast, name: str, backend: QueueingBackend) -> OfService:
    calls = [each for each in found.calls if each.service == name]
    seen = [each for _, each in found.attempts if each.service == name and each.sent]
    bounded = backend.places != inf
    seconds = max(found.seconds, 1.0)
    return OfService(
        name,
        len(calls),
        len(seen),
        round(sum(backend.busy_s.values()) / seconds / backend.places, 4) if bounded else None,
        round(_busiest(backend.busy_s, seconds) / backend.places, 4) if bounded else None,
        round(percentile([each.queued_s for each in seen], 95), 4),
        round(percentile(backend.waits_s, 95), 4),
        sum(each.cached for each in calls),
        dict(sorted(Counter(each.outcome for each in calls if each.outcome != "ok").items())),
    )


def _busiest(busy_s: Mapping[int, float], seconds: float) -> float:
    """The work of a second, in the ten seconds that have most."""
    starts = range(max(1, int(seconds) - BUSIEST_S + 2))
    return max(sum(busy_s.get(at + second, 0.0) for second in range(BUSIEST_S)) for at in starts) / BUSIEST_S


def _of_jobs(jobs: Sequence[Job]) -> OfJobs:
    waits = [each.waited_s for each in jobs]
    done = sum(each.outcome == "ok" for each in jobs)
    return OfJobs(
        service=jobs[0].service,
        operation=jobs[0].operation,
        priority=jobs[0].priority,
        done=done,
        failed=len(jobs) - done,
        p50_s=round(percentile(waits, 50), 3),
        p95_s=round(percentile(waits, 95), 3),
        longest_s=round(max(waits), 3),
    )


# ------------------------------------------------------------------------------------------------------------- picture


def picture(title: str, found: Forecast) -> str:
    """Latency, load and queues over time, as an SVG document."""
    end = max(found.seconds, found.waiting[-1][0] if found.waiting else 0.0, 1.0)
    step = max(1, round(end / CURVE_POINTS))
    heard = {name: [each for each in found.heard if each.priority == name] for name in CLASSES}
    latency = [
        Curve(priority, _over_time([(each.at_s, each.first_s) for each in mine], step, end, _p95))
        for priority, mine in heard.items()
        if mine
    ]
    panels = [Panel("p95 until the first words, in seconds", latency)]
    loads = [Curve(name, _load(each, step, end)) for name, each in found.backends.items() if each.places != inf]
    if loads:
        panels.append(Panel("places of the backends in use, in percent", loads))
    rates: list[Curve] = []
    for name in found.backends:
        times = [(each.at_s, 1.0) for each in found.calls if each.service == name and each.outcome != "ok"]
        if times:
            rates.append(Curve(name, _over_time(times, step, end, lambda ones: len(ones) / step)))
    if rates:
        panels.append(Panel("calls a second without a fresh answer", rates))
    if any(count for _, count in found.waiting):
        panels.append(Panel("jobs that wait", [Curve("jobs", [(at, float(count)) for at, count in found.waiting])]))
    return plot(title, panels)


def _p95(values: Sequence[float]) -> float:
    return percentile(values, 95)


def _over_time(
    values: Iterable[tuple[float, float]], step: int, end: float, figure: Callable[[Sequence[float]], float]
) -> list[tuple[float, float | None]]:
    """A figure of the values of each step; a gap where there are none."""
    groups: dict[int, list[float]] = {}
    for at, value in values:
        groups.setdefault(int(at) // step, []).append(value)
    steps = range(int(end) // step + 1)
    return [((number + 0.5) * step, figure(groups[number]) if number in groups else None) for number in steps]


def _load(backend: QueueingBackend, step: int, end: float) -> list[tuple[float, float | None]]:
    return [
        (
            (number + 0.5) * step,
            100 * sum(backend.busy_s.get(number * step + s, 0.0) for s in range(step)) / step / backend.places,
        )
        for number in range(int(end) // step + 1)
    ]
