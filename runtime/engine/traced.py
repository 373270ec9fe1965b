"""The engine with traces: the same parts, each with a span around it. Loaded only where tracing is on; off, a turn pays
nothing for it.

A turn is a trace: its understanding, its steps, its attempts of calls and its commit are spans in it. A write that its
conversation waits for belongs to the turn that asked for it; the turn that takes its result is another trace, and links
to the call.
"""

import asyncio
from collections.abc import Sequence

from flowc.runtime.engine.message import Turn
from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.perform import Stand
from flowc.runtime.engine.session import Session
from flowc.runtime.engine.stored import ResultBody, SealedBody
from flowc.runtime.engine.surroundings import Advance, Commit, Surroundings, Understanding
from flowc.runtime.engine.taker import Taker
from flowc.runtime.kernel import Asking, LoadedProgram, Position, Step
from flowc.runtime.kernel.events import CallFailure, CallResult, Event, Understood
from flowc.runtime.services.port import Call, Caller, Claim, Later
from flowc.runtime.store.rows import Committed, Outcome, Unit
from flowc.runtime.telemetry.tracing import Attributes, Span, Tracing, conversation_hash
from flowc.runtime.understanding.port import Heard


class TracedTaker(Taker):
    """Each of its turns is a trace."""

    last: Span | None = None

    async def take(self, stand: Stand, pending: Pending) -> None:
        body = pending.body
        call = body.key if isinstance(body, ResultBody | SealedBody) else None
        facts = {"flowc.conversation": conversation_hash(stand.row.address), "flowc.from": stand.row.wait}
        kind = "continued" if body is None else pending.kind
        tracing = self.around.tracing
        assert tracing is not None
        before = self.last if body is None else None
        with tracing.turn(kind, pending.around, call=call, before=before, attributes=facts) as self.last:
            await super().take(stand, pending)


class TracedSession(Session):
    """An event comes with the trace of its sender."""

    kind_of_taker = TracedTaker

    def offer(self, pending: Pending) -> asyncio.Future[Turn]:
        pending.around = Tracing.here()
        return super().offer(pending)


def traced_advance(tracing: Tracing, advance: Advance) -> Advance:
    def step(loaded: LoadedProgram, position: Position | None, event: Event) -> Step:
        with tracing.part("step") as span:
            made = advance(loaded, position, event)
            span.set_attribute("flowc.reads", len(made.reads))
            if made.fault is not None:
                tracing.failed(span, "fault")
            return made

    return step


def traced_commit(tracing: Tracing, commit: Commit) -> Commit:
    async def committed(units: Sequence[Unit]) -> Sequence[Outcome]:
        for unit in units:
            tracing.describe({"flowc.turn": unit.turn, "flowc.to": unit.wait, "flowc.deployment": unit.deployment})
            for command in unit.commands:
                tracing.asks_for(command.key)
        with tracing.part("commit") as span:
            outcomes = await commit(units)
            for outcome in outcomes:
                if not isinstance(outcome, Committed):
                    tracing.failed(span, type(outcome).__name__.lower())
            return outcomes

    return committed


class TracedUnderstanding:
    def __init__(self, tracing: Tracing, understanding: Understanding) -> None:
        self._tracing = tracing
        self._understanding = understanding

    def hear(self, heard: Heard, asking: Asking) -> Understood | None:
        return None  # what is understood at once has its span too

    async def understand(self, heard: Heard, asking: Asking) -> Understood:
        with self._tracing.part("understand") as span:
            understood = await self._understanding.understand(heard, asking)
            span.set_attribute("flowc.provider", understood.provider)
            if understood.intents:
                span.set_attribute("flowc.intent", understood.intents[0].name)
                span.set_attribute("flowc.confidence", understood.intents[0].confidence)
            return understood


class TracedCaller:
    """Writes have a span around their attempts; a read's attempts are parts of its turn."""

    def __init__(self, tracing: Tracing, caller: Caller) -> None:
        self._tracing = tracing
        self._caller = caller

    async def read(self, call: Call) -> CallResult:
        return await self._caller.read(call)

    def pause(self, service: str) -> None:
        self._caller.pause(service)

    def resume(self, service: str) -> None:
        self._caller.resume(service)

    async def write(self, call: Call, claim: Claim) -> CallResult | Later:
        facts: Attributes = {
            "flowc.command": claim.key,
            "flowc.attempts_before": claim.attempts,
            "flowc.deferred": claim.deferred,
        }
        with self._tracing.call(claim.key, f"{call.service}.{call.operation}", facts) as span:
            result = await self._caller.write(call, claim)
            if isinstance(result, CallFailure):
                self._tracing.failed(span, result.kind)
            span.set_attribute("flowc.later", isinstance(result, Later))
            return result


def trace_all(around: Surroundings, tracing: Tracing) -> None:
    """Puts spans around what a turn does by."""
    around.tracing = tracing
    around.advance = traced_advance(tracing, around.advance)
    around.commit = traced_commit(tracing, around.commit)
    around.understanding = TracedUnderstanding(tracing, around.understanding)
    around.caller = TracedCaller(tracing, around.caller)
