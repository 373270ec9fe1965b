"""What an engine counts of its turns. Each costs one look into a dictionary and an addition."""

from collections.abc import Sequence
from typing import Final, get_args

from flowc.runtime.engine.causes import cause_of
from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.perform import Made
from flowc.runtime.kernel.events import CallFailure, CommandDone, MessageReceived, Transition
from flowc.runtime.program import PriorityClass
from flowc.runtime.store.rows import EventKind, Lost, Outcome
from flowc.runtime.telemetry.metrics import Metrics

KINDS: Final[tuple[EventKind, ...]] = get_args(EventKind)


class Counts:
    """The series of one engine."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._turns = {kind: metrics.turns.at(kind) for kind in (*KINDS, "continued")}
        self._queued = {name: metrics.queued.at(name) for name in get_args(PriorityClass)}
        self._replies = {name: metrics.replies.at(name) for name in get_args(PriorityClass)}
        self._committed = metrics.units.at("committed")

    def turn(self, made: Made, pending: Pending, began_s: float, now_s: float) -> None:
        """A turn that is committed."""
        self._turns["continued" if pending.body is None else pending.kind].add(now_s - began_s)
        self._committed.value += 1
        if pending.offered_s:
            self._queued[made.unit.priority].add(began_s - pending.offered_s)
        taken = made.taken
        if made.unit.opens:
            self._metrics.begun.add(made.spoken.version)
        for passed in taken.transitions:
            match passed.kind:
                case "state":
                    self._state(passed)
                case "fallback":
                    self._metrics.fallbacks.add(passed.flow, state_of(passed.place))
                case "end":
                    self._metrics.left.add(passed.flow, state_of(passed.place))
        match taken.event:
            case MessageReceived() as event:
                self._message(made, event)
            case CommandDone(result=CallFailure(kind="unknown")):
                self._in_doubt(made)
        if made.unit.ended and (made.unit.opens or not made.stand.row.ended):
            self._ended(made)

    def answered(self, pending: Pending, priority: PriorityClass, now_s: float) -> None:
        """All turns that a message or event caused are over."""
        self._replies[priority].add(now_s - pending.offered_s)

    def failed(self, pending: Pending) -> None:
        """A try of a turn ended by a mistake of ours."""
        self._metrics.faults.add(pending.kind)

    def not_committed(self, outcome: Outcome) -> None:
        self._metrics.units.add(f"lost: {outcome.why}" if isinstance(outcome, Lost) else type(outcome).__name__.lower())

    def _state(self, passed: Transition) -> None:
        self._metrics.entered.add(passed.flow, passed.place)
        if passed.detail:
            self._metrics.left.add(passed.flow, passed.detail)

    def _message(self, made: Made, event: MessageReceived) -> None:
        intents = event.understood.intents
        if any(passed.kind == "fallback" for passed in made.taken.transitions):
            became = "fallback"
        else:
            became = "intent" if made.spoken.intent is not None else "answer"
        surest = intents[0] if intents else None
        self._metrics.intents.add(
            0.0 if surest is None else surest.confidence,
            "" if surest is None else surest.name,
            event.understood.provider,
            became,
        )

    def _in_doubt(self, made: Made) -> None:
        """Of which call it is the result, the transition says."""
        for passed in made.taken.transitions:
            if passed.kind == "outcome" and passed.detail.endswith(" unknown"):
                service, _, operation = passed.detail.removesuffix(" unknown").partition(".")
                self._metrics.in_doubt.add(service, operation)

    def _ended(self, made: Made) -> None:
        taken, outcome = made.taken, made.spoken.outcome
        cause = cause_of(taken.event, taken.transitions, outcome)
        flow, state = place_of_end(taken.transitions, made.stand.row.wait)
        self._metrics.ended.add(flow, state, outcome or "", cause)


def state_of(place: str) -> str:
    """The state of a wait."""
    return place.partition(".")[0]


def place_of_end(passed: Sequence[Transition], wait: str) -> tuple[str, str]:
    """Flow and state where a conversation ended: as its last turn says, else where it stood before."""
    for each in reversed(passed):
        if each.kind == "end":
            return each.flow, state_of(each.place)
    flow, _, place = wait.partition("/")
    return flow, state_of(place)
