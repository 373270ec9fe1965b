"""What is counted outside of turns: attempts of calls as they end, and numbers that others keep until a scrape asks."""

from collections.abc import Mapping
from importlib.metadata import version

from flowc.runtime.engine.place import Place
from flowc.runtime.policy.line import Line
from flowc.runtime.program import Program
from flowc.runtime.services.calls import Services
from flowc.runtime.services.port import Seen, Watch
from flowc.runtime.store.sqlite import SqliteStore
from flowc.runtime.telemetry.counting import Labels
from flowc.runtime.telemetry.metrics import Metrics


def watching(metrics: Metrics) -> Watch:
    """Counts attempts."""

    def watch(seen: Seen) -> None:
        if seen.sent:
            metrics.attempts.add(seen.took_s, seen.service, seen.operation, seen.outcome)
        else:
            metrics.unsent.add(seen.service, seen.operation, seen.outcome)
        if seen.queued_s > 0:
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
