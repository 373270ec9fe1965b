"""What an engine counts of its turns. Each costs one look into a dictionary and an addition."""

from collections.abc import Sequence
from typing import Final, get_args

from flowc.runtime.engine.causes import cause_of, place_of_end, state_of
from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.perform import Made
from flowc.runtime.kernel.events import CallFailure, CommandDone, MessageReceived, Transition
from flowc.runtime.program import PriorityClass
from flowc.runtime.store.rows import EventKind, Lost, Outcome
from flowc.runtime.telemetry.counting import MOST_SERIES, Count, Spread
from flowc.runtime.telemetry.metrics import Metrics

COUNTED: Final = frozenset({"state", "fallback", "end"})
KINDS: Final[tuple[EventKind, ...]] = get_args(EventKind)


class Counts:
    """The series of one engine. Those of a turn are kept beside their families: a family's own way takes three times as
    long, which each turn would pay."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._turns = {kind: metrics.turns.at(kind) for kind in (*KINDS, "continued")}
        self._queued = {name: metrics.queued.at(name) for name in get_args(PriorityClass)}
        self._replies = {name: metrics.replies.at(name) for name in get_args(PriorityClass)}
        self._committed = metrics.units.at("committed")
        self._passed: dict[tuple[str, str, str, str], tuple[Count, ...]] = {}
        self._intents: dict[tuple[str, str, str], Spread] = {}

    def turn(self, made: Made, pending: Pending, began_s: float, now_s: float) -> None:
        """A turn that is committed."""
        self._turns["continued" if pending.body is None else pending.kind].add(now_s - began_s)
        self._committed.value += 1
        if pending.offered_s:
            self._queued[made.unit.priority].add(began_s - pending.offered_s)
        taken = made.taken
        fell = self._pass(taken.transitions) if taken.transitions else False
        event = taken.event
        if isinstance(event, MessageReceived):
            self._message(event, made.spoken.intent, fell=fell)
        elif isinstance(event, CommandDone) and isinstance(event.result, CallFailure):
            self._failed(event.result, taken.transitions)
        unit = made.unit
        if unit.opens:
            self._metrics.begun.add(made.spoken.version)
        if unit.ended and (unit.opens or not made.stand.row.ended):
            self._ended(made)

    def answered(self, pending: Pending, priority: PriorityClass, now_s: float) -> None:
        """All turns that a message or event caused are over."""
        self._replies[priority].add(now_s - pending.offered_s)

    def failed(self, pending: Pending) -> None:
        """A try of a turn ended by a mistake of ours."""
        self._metrics.faults.add(pending.kind)

    def not_committed(self, outcome: Outcome) -> None:
        self._metrics.units.add(f"lost_{outcome.why}" if isinstance(outcome, Lost) else type(outcome).__name__.lower())

    def _pass(self, transitions: Sequence[Transition]) -> bool:
        """Counts states and fallbacks; whether there was a fallback."""
        fell = False
        for passed in transitions:
            kind = passed.kind
            if kind in COUNTED:
                key = (kind, passed.flow, passed.place, passed.detail)
                for count in self._passed.get(key) or self._series_of(key):
                    count.value += 1
                fell = fell or kind == "fallback"
        return fell

    def _series_of(self, key: tuple[str, str, str, str]) -> tuple[Count, ...]:
        """What a transition is counted in. There are as many keys as the programs have places."""
        kind, flow, place, detail = key
        if kind == "fallback":
            found: tuple[Count, ...] = (self._metrics.fallbacks.at(flow, state_of(place)),)
        elif kind == "end":
            found = (self._metrics.left.at(flow, state_of(place)),)
        else:
            entered = self._metrics.entered.at(flow, place)
            found = (entered, self._metrics.left.at(flow, detail)) if detail else (entered,)
        self._passed[key] = found
        return found

    def _message(self, event: MessageReceived, intent: str | None, *, fell: bool) -> None:
        understood = event.understood
        became = "fallback" if fell else "answer" if intent is None else "intent"
        name, confidence = "", 0.0
        if understood.intents:
            surest = understood.intents[0]
            name, confidence = surest.name, surest.confidence
        key = (name, understood.provider, became)
        spread = self._intents.get(key)
        if spread is None:
            spread = self._metrics.intents.at(*key)
            if len(self._intents) < MOST_SERIES:
                self._intents[key] = spread
        spread.add(confidence)

    def _failed(self, failure: CallFailure, transitions: Sequence[Transition]) -> None:
        """Of which call it is, the transition says."""
        for passed in transitions:
            if failure.kind == "unknown" and passed.kind == "outcome":
                service, _, operation = passed.detail.removesuffix(" unknown").partition(".")
                self._metrics.in_doubt.add(service, operation)

    def _ended(self, made: Made) -> None:
        taken, outcome = made.taken, made.spoken.outcome
        cause = cause_of(taken.event, taken.transitions, outcome)
        flow, state = place_of_end(cause, taken.transitions, made.stand.row.wait)
        self._metrics.ended.add(flow, state, outcome or "", cause)
