"""Why a conversation ended: one word for what its last turn went through, the same in metrics and in `flowc funnel`."""

from collections.abc import Sequence
from typing import Final, Literal, get_args

from flowc.runtime.kernel.events import Dismissed, Event, Faulted, SilenceFired, Transition

Cause = Literal["done", "silence", "backend failure", "degraded", "refused", "not understood", "fault", "dismissed"]
CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)

BROKEN: Final = frozenset({"timeout", "unavailable", "malformed", "unknown"})


def cause_of(event: Event | None, passed: Sequence[Transition], outcome: str | None) -> Cause:
    """`event` of the last turn (None: it is sealed), what it passed, and the outcome of the conversation.

    A failure counts where no other call followed it in that turn. `refused`: the backend answered that it will not, by
    a declared failure or `rejected`. `degraded`: we did not send, for load."""
    if isinstance(event, Dismissed):
        return "dismissed"
    if outcome == "fault" or isinstance(event, Faulted):
        return "fault"
    if isinstance(event, SilenceFired):
        return "silence"
    kinds: list[str] = []  # how the last calls ended, all of a group
    for each in reversed(passed):
        if each.kind == "outcome":
            kinds.append(each.detail.rpartition(" ")[2])
        elif kinds:
            break
        elif each.kind == "fallback":
            return "not understood"
    failures = [kind for kind in kinds if kind != "ok"]
    return _of_failure(failures[0]) if failures else "done"


def _of_failure(kind: str) -> Cause:
    if kind in BROKEN:
        return "backend failure"
    return "degraded" if kind == "overloaded" else "refused"


def place_of_end(cause: Cause, passed: Sequence[Transition], wait: str) -> tuple[str, str]:
    """Flow and state where a conversation dropped off: where its user was silent or not understood (`wait`, before the
    last turn), where the call failed, else where it ended."""
    if cause in ("silence", "not understood", "fault", "dismissed") and wait:
        return _place_of(wait)
    for each in reversed(passed):
        failed = each.kind == "outcome" and not each.detail.endswith(" ok")
        if failed if cause in ("backend failure", "degraded", "refused") else each.kind == "end":
            return each.flow, state_of(each.place)
    return _place_of(wait)


def state_of(place: str) -> str:
    """The state of a wait."""
    return place.partition(".")[0]


def _place_of(wait: str) -> tuple[str, str]:
    flow, _, place = wait.partition("/")
    return flow, state_of(place)
