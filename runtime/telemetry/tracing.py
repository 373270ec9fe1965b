"""Traces: spans of a turn and of what it causes, through OpenTelemetry's API. Only exporting.py asks for the SDK.

A span says what was done and how it ended, by the names of flows, states, services and kinds; never a text of a user, a
value, an argument or the message of an exception. A conversation is told apart by a hash: its id may be the number of a
telephone.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from importlib.metadata import version
from typing import Final, TypeAlias

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["Attributes", "Here", "Span", "Tracing", "conversation_hash"]

MOST_REMEMBERED: Final = 10_000  # calls whose results are still to come
CARRIER: Final = TraceContextTextMapPropagator()

Attributes: TypeAlias = Mapping[str, str | int | float | bool]
Here: TypeAlias = contexts.Context
Span: TypeAlias = trace.Span
NOWHERE: Final = contexts.Context()  # no span around


class Tracing:
    """The tracer of one engine. There is none where tracing is off."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._tracer = provider.get_tracer("flowc", version("flowc"))
        self._asked: OrderedDict[str, trace.SpanContext] = OrderedDict()
        self._called: OrderedDict[str, trace.SpanContext] = OrderedDict()

    # ------------------------------------------------------------------------------------------------------------ spans

    @contextmanager
    def turn(
        self, kind: str, around: Here | None, *, call: str | None, before: Span | None, attributes: Attributes
    ) -> Iterator[Span]:
        """A trace of its own, or the sender's gone on with: `around` is what surrounded the event. It links to the call
        whose result it takes, or to the turn `before` that it follows."""
        is_sent = kind in ("message", "event")
        cause = self._called.pop(call, None) if call is not None else None
        links = _links(before.get_span_context() if before is not None else cause)
        parent = NOWHERE if around is None else around
        with self._span(
            f"turn {kind}", parent, trace.SpanKind.SERVER if is_sent else trace.SpanKind.INTERNAL, attributes, links
        ) as span:
            yield span

    @contextmanager
    def part(self, name: str, attributes: Attributes | None = None) -> Iterator[Span]:
        """A part of the span around."""
        with self._span(name, None, trace.SpanKind.INTERNAL, attributes or {}, ()) as span:
            yield span

    @contextmanager
    def call(self, key: str, name: str, attributes: Attributes) -> Iterator[Span]:
        """A write: a part of the turn that asked for it, where it runs right after; else a trace that links to it."""
        asked = self._asked.pop(key, None)
        links = () if trace.get_current_span().get_span_context().is_valid else _links(asked)
        with self._span(f"call {name}", None, trace.SpanKind.INTERNAL, attributes, links) as span:
            _remember(self._called, key, span.get_span_context())
            yield span

    @contextmanager
    def attempt(self, name: str, attributes: Attributes) -> Iterator[Span]:
        """One request to a backend."""
        with self._span(name, None, trace.SpanKind.CLIENT, attributes, ()) as span:
            yield span

    @contextmanager
    def _span(
        self,
        name: str,
        parent: Here | None,
        kind: trace.SpanKind,
        attributes: Attributes,
        links: Sequence[trace.Link],
    ) -> Iterator[Span]:
        with self._tracer.start_as_current_span(
            name, parent, kind, attributes, links, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except BaseException as error:
                self.failed(span, type(error).__name__)
                raise

    @staticmethod
    def failed(span: Span, reason: str) -> None:
        """`reason` is a kind, never the message of an exception."""
        span.set_status(trace.StatusCode.ERROR, reason)

    def asks_for(self, key: str) -> None:
        """The span around has committed a write: its call is made later."""
        _remember(self._asked, key, trace.get_current_span().get_span_context())

    def describe(self, attributes: Attributes) -> None:
        """More about the span around."""
        for name, value in attributes.items():
            trace.get_current_span().set_attribute(name, value)

    def note(self, name: str, attributes: Attributes) -> None:
        """Something that happened in the span around."""
        trace.get_current_span().add_event(name, attributes)

    # ------------------------------------------------------------------------------------------ from and to the outside

    @staticmethod
    def here() -> Here:
        """What surrounds whoever asks."""
        return contexts.get_current()

    @staticmethod
    @contextmanager
    def continued(headers: Mapping[str, str]) -> Iterator[None]:
        """What is done inside goes on with the trace that `traceparent` names."""
        token = contexts.attach(CARRIER.extract(headers, NOWHERE))
        try:
            yield
        finally:
            contexts.detach(token)

    @staticmethod
    def send_on(headers: MutableMapping[str, str]) -> None:
        """Adds `traceparent` for the span around."""
        CARRIER.inject(headers)


def conversation_hash(address: str) -> str:
    """What a conversation is called in traces."""
    return blake2b(address.encode(), digest_size=8).hexdigest()


def _links(asked: trace.SpanContext | None) -> tuple[trace.Link, ...]:
    return () if asked is None else (trace.Link(asked),)


def _remember(known: OrderedDict[str, trace.SpanContext], key: str, span: trace.SpanContext) -> None:
    known[key] = span
    if len(known) > MOST_REMEMBERED:
        known.popitem(last=False)
