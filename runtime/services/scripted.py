"""The `scripted` adapter: backends whose answers a test or a `.chat` file says, in their order. Public, for users too.

An operation that nobody says anything about answers with a value made from its type. A sequence ends in its last
outcome, which then stays. Each attempt is noted, with its arguments and its key.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from flowc.runtime.policy.verdict import (
    Answered,
    Declared,
    Lost,
    Misshaped,
    NotSent,
    PushedBack,
    RawAnswer,
    Rejected,
    TimedOut,
)
from flowc.runtime.program import Operation, Service
from flowc.runtime.services.port import AttemptRequest, Clock
from flowc.runtime.services.samples import sample
from flowc.runtime.values import Shapes, Value


@dataclass(frozen=True, slots=True)
class Gives:
    """`given OP -> value after D`."""

    value: Value
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Fails:
    """`given OP fails KIND(field: value)`: a declared failure or another outcome of the operation."""

    kind: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    after_s: float = 0.0
    retry_after_s: float | None = None  # of `overloaded`


Outcome = Gives | Fails


class NoSuchOutcome(ValueError):  # noqa: N818 - what it says
    """A script for an outcome that the operation cannot have."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """An attempt as the backend saw it."""

    operation: str
    arguments: Mapping[str, Value]
    key: str | None
    number: int


class ScriptedAdapter:
    """A service that follows a script."""

    def __init__(self, service: Service, shapes: Shapes, clock: Clock) -> None:
        self._service = service
        self._shapes = shapes
        self._clock = clock
        self._scripts: dict[str, list[Outcome]] = {}
        self.attempts: list[Attempted] = []

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield

    def script(self, operation: str, outcomes: Sequence[Outcome]) -> None:
        """What the operation answers from now on. Raises NoSuchOutcome."""
        declared = self._service.operations[operation]
        for outcome in outcomes:
            if isinstance(outcome, Fails):
                possible = (*(each.name for each in declared.failures), *declared.outcomes)
                if outcome.kind not in possible:
                    raise NoSuchOutcome(f"{self._service.name}.{operation} has no outcome `{outcome.kind}`")
        self._scripts[operation] = list(outcomes)

    async def attempt(self, request: AttemptRequest) -> RawAnswer:
        operation = request.operation
        self.attempts.append(Attempted(operation.name, dict(request.arguments), request.key, request.number))
        outcome = self._next(operation)
        if outcome.after_s > 0:
            await self._clock.sleep(outcome.after_s)
        match outcome:
            case Gives(value):
                return Answered(value)
            case Fails():
                return raw_failure(outcome, operation)

    def _next(self, operation: Operation) -> Outcome:
        script = self._scripts.get(operation.name)
        if not script:
            return Gives(made_up(operation, self._shapes))
        return script.pop(0) if len(script) > 1 else script[0]


def made_up(operation: Operation, shapes: Shapes) -> Value:
    """A value of the operation's type. Raises NoSample."""
    return None if operation.result is None else sample(operation.result, shapes, operation.name)


def raw_failure(outcome: Fails, operation: Operation) -> RawAnswer:
    """What an adapter would have seen for an outcome, as the last attempt of its call."""
    words = "as scripted"
    if any(each.name == outcome.kind for each in operation.failures):
        return Declared(outcome.kind, outcome.fields, words)
    match outcome.kind:
        case "timeout":
            return TimedOut(words)
        case "unavailable":
            return NotSent(words)
        case "overloaded":
            return PushedBack(words, outcome.retry_after_s)
        case "rejected":
            return Rejected(words)
        case "malformed":
            return Misshaped(words)
        case "unknown":
            return Lost(words)
        case _:
            raise NoSuchOutcome(f"{operation.name} has no outcome `{outcome.kind}`")
