"""Where traces go: OpenTelemetry's SDK, set by flowc.toml and by the standard variables, which win.

The SDK is an extra, loaded only where tracing is on. What it cannot send is dropped and said in the log, at most once a
minute: a collector that is down must not stop a conversation.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

from flowc.runtime.errors import Fault, FlowcError
from flowc.runtime.telemetry.log import Log
from flowc.runtime.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["TracingSettings", "TracingUnusable", "is_wanted", "said_in", "tracing_to"]

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
QUIET_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """`[environments.NAME.tracing]`: where traces are sent (OTLP over HTTP), and the share of them that is."""

    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    share: float = 1.0
    service: str | None = None


class TracingUnusable(FlowcError):  # noqa: N818 - named by the fact
    """Tracing is asked for and cannot be."""

    fault: ClassVar[Fault] = "caller"


def is_wanted(settings: TracingSettings | None, variables: Mapping[str, str] = os.environ) -> bool:
    """Whether traces are to be sent. Raises TracingUnusable for an exporter that we do not have."""
    exporter = variables.get("OTEL_TRACES_EXPORTER", "")
    if exporter not in ("", "otlp", "console", "none"):
        raise TracingUnusable(f"OTEL_TRACES_EXPORTER is `{exporter}`: it may be otlp, console or none")
    if variables.get("OTEL_SDK_DISABLED", "").lower() == "true" or exporter == "none":
        return False
    return settings is not None or bool(exporter) or any(variables.get(name) for name in ENDPOINTS)


@contextmanager
def tracing_to(
    settings: TracingSettings | None, bot: str, log: Log, variables: Mapping[str, str] = os.environ
) -> Iterator[Tracing | None]:
    """Traces while the block runs, the last of them sent at its end; None where nobody wants any. Raises
    TracingUnusable."""
    if not is_wanted(settings, variables):
        yield None
        return
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError as missing:
        raise TracingUnusable("traces need the SDK of OpenTelemetry: pip install 'flowc[otel]'") from missing
    is_sampled_here = settings is not None and "OTEL_TRACES_SAMPLER" not in variables
    named = variables.get("OTEL_SERVICE_NAME") or (settings.service if settings else None) or bot
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.share)) if settings is not None and is_sampled_here else None,
        resource=Resource.create({"service.name": named}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(_exporter(settings, variables)))
    with said_in(log):
        try:
            yield Tracing(provider)
        finally:
            provider.shutdown()


def _exporter(settings: TracingSettings | None, variables: Mapping[str, str]) -> "SpanExporter":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    if variables.get("OTEL_TRACES_EXPORTER") == "console":
        return ConsoleSpanExporter()
    if settings is None or any(variables.get(name) for name in ENDPOINTS):
        return OTLPSpanExporter()
    return OTLPSpanExporter(settings.endpoint, headers=settings.headers)


@contextmanager
def said_in(log: Log, now: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """What the SDK has to say goes to our log while the block runs."""
    said = logging.getLogger("opentelemetry")
    handler, was_propagated = _ToLog(log, now), said.propagate
    said.addHandler(handler)
    said.propagate = False
    try:
        yield
    finally:
        said.propagate = was_propagated
        said.removeHandler(handler)


class _ToLog(logging.Handler):
    """The kind of each complaint of the SDK; its message may name addresses, its traceback is of no use."""

    def __init__(self, log: Log, now: Callable[[], float]) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._now = now
        self._quiet_until = float("-inf")

    def emit(self, record: logging.LogRecord) -> None:
        now = self._now()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_S
            self._log("warning", "traces not sent", {"where": record.name.rpartition(".")[2]})
