"""Family 6, policies: what may not be repeated, and times that contradict each other."""

from collections.abc import Iterator, Mapping
from typing import Final

from flowc.compiler.graph import FlowGraph
from flowc.compiler.model import Model, OperationModel
from flowc.compiler.rules.places import seconds
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import Defer, Duration, Retry
from flowc.dsl.source import Span

__all__ = ["UNSAFE_RETRY", "WITHIN_TOO_SHORT", "unsafe_retry", "within_too_short"]

Graphs = Mapping[str, FlowGraph]


def unsafe_retry(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW605: repeating a write without an idempotency key. A `retry` of its service does not hold for such a write,
    which who reads the service has to see."""
    for operation in _operations(model):
        if operation.kind == "write" and operation.declaration.key is None:
            own = operation.declaration.policy.retry
            shared = model.services[operation.service].declaration.policy.retry
            if own is not None and own.attempts:
                yield unsafe(operation, own)
            elif own is None and shared is not None and shared.attempts:
                yield not_repeated(operation, shared)
    for graph in graphs.values():
        for call in graph.calls:
            deferred = model.operations.get(call)
            if isinstance(call, Defer) and deferred is not None and deferred.declaration.key is None:
                yield unsafe_job(call, deferred)


def within_too_short(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW607: a whole call that has less time than one attempt, or than the one retry that it asks for."""
    seen: set[Span] = set()
    for operation in _operations(model):
        service = model.services[operation.service].declaration.policy
        own = operation.declaration.policy
        within, timeout, retry = (
            own.within or service.within,
            own.timeout or service.timeout,
            own.retry or service.retry,
        )
        if within is None or within.span in seen:
            continue
        policy = operation.policy
        if policy.within_ms < policy.timeout_ms:
            seen.add(within.span)
            yield too_short(operation, within, timeout)
        elif retry is not None and policy.retry.attempts and policy.within_ms < _one_retry(operation):
            seen.add(within.span)
            yield no_time_to_retry(operation, within, retry)


def _one_retry(operation: OperationModel) -> int:
    return 2 * operation.policy.timeout_ms


def _operations(model: Model) -> Iterator[OperationModel]:
    for service in model.services.values():
        yield from service.operations.values()


# --------------------------------------------------------------------------------------------------------- diagnostics

UNSAFE_RETRY: Final = Code("FLW605", "unsafe-retry", Severity.ERROR)
WITHIN_TOO_SHORT: Final = Code("FLW607", "within-too-short", Severity.ERROR, fixed=False)


def unsafe(operation: OperationModel, retry: Retry) -> Diagnostic:
    return Diagnostic(
        UNSAFE_RETRY,
        f"`{operation.service}.{operation.name}` is repeated without a key, so it may be done twice",
        (
            Label(retry.span, "repeats it"),
            Label(operation.declaration.name.span, "a write without `key`", secondary=True),
        ),
        help="add `key auto` if the backend honours an idempotency key, else remove `retry`",
    )


def not_repeated(operation: OperationModel, retry: Retry) -> Diagnostic:
    return Diagnostic(
        UNSAFE_RETRY,
        f"`{operation.service}.{operation.name}` has no key, so the `retry` of its service would do it twice",
        (
            Label(operation.declaration.name.span, "a write without `key`"),
            Label(retry.span, "for every operation of the service", secondary=True),
        ),
        help="add `key auto` if the backend honours it, else `retry 0 from 100ms to 100ms` under this write",
    )


def unsafe_job(defer: Defer, operation: OperationModel) -> Diagnostic:
    what = "a read" if operation.kind == "read" else "a write without `key`"
    return Diagnostic(
        UNSAFE_RETRY,
        f"`{operation.service}.{operation.name}` is deferred without a key, so it may be done twice",
        (
            Label(defer.head_span, "repeated until it is done"),
            Label(operation.declaration.name.span, f"{what}, declared here", secondary=True),
        ),
        help="add `key auto` to the operation if the backend honours an idempotency key, else use `call`",
    )


def too_short(operation: OperationModel, within: Duration, timeout: Duration | None) -> Diagnostic:
    policy = operation.policy
    left_out = "" if timeout else ", as where `timeout` is left out"
    return Diagnostic(
        WITHIN_TOO_SHORT,
        f"`{operation.service}.{operation.name}` has less time for the whole call than for one attempt",
        (
            Label(within.span, "the whole call"),
            *((Label(timeout.span, "one attempt", secondary=True),) if timeout else ()),
        ),
        help=f"give it at least {seconds(policy.timeout_ms)}{left_out}, or a shorter `timeout`",
    )


def no_time_to_retry(operation: OperationModel, within: Duration, retry: Retry) -> Diagnostic:
    needed = seconds(_one_retry(operation))
    return Diagnostic(
        WITHIN_TOO_SHORT,
        f"`{operation.service}.{operation.name}` never has time for a retry",
        (
            Label(within.span, f"{seconds(operation.policy.timeout_ms)} of it may go to the first attempt"),
            Label(retry.span, "never happens after a timeout", secondary=True),
        ),
        help=f"give it at least {needed}, or a shorter `timeout`, or remove `retry`",
        severity=Severity.WARNING,
    )
