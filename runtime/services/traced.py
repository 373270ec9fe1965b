"""Attempts with traces: a span for each, and `traceparent` on what is sent over HTTP. Used only where tracing is on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flowc.runtime.policy.verdict import Answered, RawAnswer
from flowc.runtime.services.port import Adapter, AttemptRequest, Seen, Watch
from flowc.runtime.telemetry.tracing import Attributes, Tracing


class TracedAdapter:
    """A span for each attempt that is made."""

    def __init__(self, tracing: Tracing, service: str, adapter: Adapter) -> None:
        self._tracing = tracing
        self._service = service
        self._adapter = adapter

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async with self._adapter.opened():
            yield

    async def attempt(self, request: AttemptRequest) -> RawAnswer:
        facts: Attributes = {
            "flowc.service": self._service,
            "flowc.operation": request.operation.name,
            "flowc.try": request.number,
        }
        with self._tracing.attempt(f"{self._service}.{request.operation.name}", facts) as span:
            self._tracing.send_on(request.headers)
            raw = await self._adapter.attempt(request)
            if not isinstance(raw, Answered):
                self._tracing.failed(span, type(raw).__name__.lower())
            return raw


def noting(tracing: Tracing, watch: Watch) -> Watch:
    """Calls that were not sent are noted in the turn that wanted them."""

    def note(seen: Seen) -> None:
        watch(seen)
        if not seen.sent:
            tracing.note(
                "not sent",
                {"flowc.service": seen.service, "flowc.operation": seen.operation, "flowc.outcome": seen.outcome},
            )

    return note
