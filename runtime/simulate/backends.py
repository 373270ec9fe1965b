"""Simulated backends: each does what it is asked once a key, keeps its own ledger of what it did, and answers with
drawn values. How an attempt fares on its way is a `Behaviour` that the caller chooses.

A backend outlives the servers that ask it, and goes on with what it was asked when nobody waits for the answer any
more.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Final, Literal

from flowc.runtime.policy.verdict import (
    Answered,
    Broken,
    Declared,
    Lost,
    Misshaped,
    NotSent,
    PushedBack,
    RawAnswer,
    Rejected,
)
from flowc.runtime.program import Operation, Service
from flowc.runtime.services.port import AttemptRequest
from flowc.runtime.simulate.values import drawn
from flowc.runtime.values import Shapes, Value

# The command whose attempt this is: an operation without a key tells its backend nothing that could say so.
commanded: Final[ContextVar[str | None]] = ContextVar("commanded", default=None)

Fate = Literal["answers", "refuses", "unsent", "rejected", "busy", "broken", "lost", "nonsense", "raises", "hangs"]
IS_REFUSED: Final = frozenset({"unsent", "rejected", "busy"})  # nothing is done, whatever was asked


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one attempt fares. The backend takes it up after `before_s` and its answer is there `after_s` later.

    `answers`, and `refuses` where the operation declares failures, are of the backend itself. `unsent` never reaches
    it, `rejected` and `busy` are refused on the way in. Of the others it is done where `does`, and the answer is
    lost, broken, nonsense, an exception of the adapter, or never there.
    """

    fate: Fate = "answers"
    does: bool = True
    before_s: float = 0.0
    after_s: float = 0.0
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that a backend did, for good."""

    service: str
    operation: str
    arguments: Mapping[str, Value]
    key: str | None
    command: str | None
    at_s: float
    value: Value


@dataclass(slots=True)
class Remembered:
    """What a backend said to a key, and since when it knows it."""

    answer: RawAnswer
    since_s: float


@dataclass(slots=True)
class Ledger:
    """What backends did, in order. `seen` is told of each effect when it happens."""

    effects: list[Effect] = field(default_factory=list)
    seen: Callable[[Effect], None] | None = None

    def add(self, effect: Effect) -> None:
        self.effects.append(effect)
        if self.seen is not None:
            self.seen(effect)


@dataclass(slots=True)
class SimulatedBackend:
    """One service. `now` is the time of its values."""

    service: Service
    shapes: Shapes
    rng: Random
    ledger: Ledger
    now: Callable[[], datetime]
    _known: dict[str, Remembered] = field(default_factory=dict)

    def serve(self, operation: Operation, request: AttemptRequest, *, refuses: bool) -> RawAnswer:
        """What it says; a write is done by then, or refused. A key that it knows is answered as it was before."""
        if operation.kind == "read":
            return self._refusal(operation) if refuses and operation.failures else self._value(operation)
        at_s = asyncio.get_running_loop().time()
        known = self._recall(operation, request.key, at_s)
        if known is not None:
            return known
        if refuses and operation.failures:
            refusal = self._refusal(operation)
            if operation.key is not None and operation.key.keeps_refusals:
                self._remember(request.key, refusal, at_s)
            return refusal
        done = self._value(operation)
        self._remember(request.key, done, at_s)
        self.ledger.add(
            Effect(
                self.service.name,
                operation.name,
                dict(request.arguments),
                request.key,
                commanded.get(),
                at_s,
                done.value,
            )
        )
        return done

    def _recall(self, operation: Operation, key: str | None, at_s: float) -> RawAnswer | None:
        if key is None or operation.key is None or (known := self._known.get(key)) is None:
            return None
        if at_s - known.since_s >= operation.key.remembered_ms / 1000:
            del self._known[key]  # it keeps its promise, and not a moment longer
            return None
        return known.answer

    def _remember(self, key: str | None, answer: RawAnswer, at_s: float) -> None:
        if key is not None:
            self._known[key] = Remembered(answer, at_s)

    def _value(self, operation: Operation) -> Answered:
        if operation.result is None:
            return Answered(None)
        return Answered(drawn(operation.result, self.shapes, self.rng, self.now(), operation.name))

    def _refusal(self, operation: Operation) -> Declared:
        failure = self.rng.choice(operation.failures)
        fields = {each.name: drawn(each.type, self.shapes, self.rng, self.now(), each.name) for each in failure.fields}
        return Declared(failure.name, fields, "refused")


class SimulatedAdapter:
    """The way to a backend from one server. `behave` chooses how an attempt fares."""

    def __init__(self, backend: SimulatedBackend, behave: Callable[[AttemptRequest], Behaviour]) -> None:
        self._backend = backend
        self._behave = behave

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield

    async def attempt(self, request: AttemptRequest) -> RawAnswer:
        behaviour = self._behave(request)
        if behaviour.fate in IS_REFUSED:
            await asyncio.sleep(behaviour.before_s)
            return refused(behaviour)
        answer = asyncio.ensure_future(_served(self._backend, request, behaviour))
        said = await asyncio.shield(answer)
        if behaviour.after_s > 0:
            await asyncio.sleep(behaviour.after_s)
        return await arrived(said, behaviour)


async def _served(backend: SimulatedBackend, request: AttemptRequest, behaviour: Behaviour) -> RawAnswer:
    if behaviour.before_s > 0:
        await asyncio.sleep(behaviour.before_s)
    if not behaviour.does:
        return Broken("it failed before it did anything")
    return backend.serve(request.operation, request, refuses=behaviour.fate == "refuses")


def refused(behaviour: Behaviour) -> RawAnswer:
    """What is said where the backend was never asked."""
    match behaviour.fate:
        case "unsent":
            return NotSent("no connection")
        case "busy":
            return PushedBack("busy", behaviour.retry_after_s)
        case _:
            return Rejected("refused on the way in")


async def arrived(said: RawAnswer, behaviour: Behaviour) -> RawAnswer:
    """What the server sees of what the backend said. Never returns where it hangs."""
    match behaviour.fate:
        case "lost":
            return Lost("the connection ended")
        case "broken":
            return Broken("500")
        case "nonsense":
            return Misshaped("not what was declared")
        case "raises":
            raise ConnectionResetError("an adapter's mistake")
        case "hangs":
            await asyncio.get_running_loop().create_future()
    return said
