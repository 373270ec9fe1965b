"""What is counted outside of turns: attempts of calls as they end, and numbers that others keep until a scrape asks."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

from flowc.runtime.engine.place import Place
from flowc.runtime.policy.line import Line
from flowc.runtime.program import Program
from flowc.runtime.services.calls import Services
from flowc.runtime.services.port import Seen, Watch
from flowc.runtime.store.sqlite import SqliteStore
from flowc.runtime.telemetry.counting import Labels, Spread
from flowc.runtime.telemetry.metrics import Metrics

WAITED_S: Final = 0.0005  # what takes longer was a wait


def watching(metrics: Metrics) -> Watch:
    """Counts attempts."""

    spreads: dict[Labels, Spread] = {}  # as many as the services have ways to end

    def watch(seen: Seen) -> None:
        if seen.sent:
            labels = (seen.service, seen.operation, seen.outcome)
            spread = spreads.get(labels)
            if spread is None:
                spread = spreads[labels] = metrics.attempts.at(*labels)
            spread.add(seen.took_s)
        else:
            metrics.unsent.add(seen.service, seen.operation, seen.outcome)
        if seen.queued_s > WAITED_S:
            metrics.call_queued.add(seen.queued_s, seen.service)
        if seen.after:
            metrics.retries.add(seen.service, seen.operation, seen.after)

    return watch


def observe_program(metrics: Metrics, program: Program) -> None:
    labels = (program.bot, program.version, version("flowc"))
    metrics.info.read_from(lambda: {labels: 1})


def observe_services(metrics: Metrics, services: Services) -> None:
    def states() -> Mapping[Labels, float]:
        return {
            (service, operation, state): float(state == current)
            for (service, operation), current in services.breakers().items()
            for state in ("closed", "half_open", "open")
        }

    metrics.breakers.read_from(states)


def observe_line(metrics: Metrics, line: Line[Place]) -> None:
    """How many conversations stand in line for a place to run."""
    metrics.lane_waiting.read_from(
        lambda: {(lane,): depth for lane, depth in zip(("high", "normal", "low"), line.depths(), strict=True)}
    )


def observe_store(metrics: Metrics, store: SqliteStore) -> None:
    """What its writer counts."""
    figures = store.figures
    metrics.commits.read_from(lambda: {(): figures.groups})
    metrics.commit_seconds.read_from(lambda: {(): figures.busy_s})
    metrics.sync_seconds.read_from(lambda: {(): figures.synced_s})
    metrics.reopened.read_from(lambda: {(): figures.reopened})
    metrics.group_size.keep(figures.group_size)
