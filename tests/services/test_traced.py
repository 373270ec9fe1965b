"""`traceparent` on what is sent, and nothing of it where tracing is off."""

import anyio
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from services.backend import Backend, Received, answers, drops, running
from services.programs import DEFAULT_BREAKER
from services.test_http import GET, SHAPES, operation

from flowc.runtime.program import Service, ServicePolicy
from flowc.runtime.services.backend import Terms
from flowc.runtime.services.calls import _backend, watch_nothing
from flowc.runtime.services.http import HttpAdapter
from flowc.runtime.services.port import Adapter, AttemptRequest, LoopClock
from flowc.runtime.services.settings import ServiceSettings
from flowc.runtime.services.traced import TracedAdapter
from flowc.runtime.telemetry.tracing import Tracing

pytestmark = pytest.mark.anyio


async def attempted(backend: Backend, tracing: Tracing | None) -> Received:
    it = operation(GET)
    service = Service("orders", "http", ServicePolicy(DEFAULT_BREAKER, 4), {"op": it})
    adapter: Adapter = HttpAdapter(service, ServiceSettings(url=backend.url), SHAPES)
    if tracing is not None:
        adapter = TracedAdapter(tracing, "orders", adapter)
    line = _backend(service, adapter, LoopClock(), watch_nothing)
    async with adapter.opened():
        await line.attempt(AttemptRequest(it, {"id": "1"}, 2.0), Terms(anyio.current_time() + 10, "normal"))
    return backend.received[-1]


def tracing_to_memory() -> tuple[Tracing, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider), exporter


async def test_a_request_names_the_span_of_its_attempt() -> None:
    tracing, exporter = tracing_to_memory()
    async with running(answers(body={"id": "1"})) as backend:
        got = await attempted(backend, tracing)
    [span] = exporter.get_finished_spans()
    assert span.name == "orders.op"
    sent = got.headers["traceparent"].rpartition("-")[0]
    assert sent == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}"


async def test_without_tracing_nothing_is_added() -> None:
    async with running(answers(body={"id": "1"})) as backend:
        got = await attempted(backend, None)
    assert "traceparent" not in got.headers


async def test_a_span_says_how_a_lost_attempt_ended_and_not_what_was_sent() -> None:
    tracing, exporter = tracing_to_memory()
    async with running(drops) as backend:
        await attempted(backend, tracing)
    [span] = exporter.get_finished_spans()
    assert span.status.description == "lost"
    assert dict(span.attributes or {}) == {"flowc.service": "orders", "flowc.operation": "op", "flowc.try": 1}
