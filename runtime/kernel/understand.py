"""What a position asks of understanding: which intents somebody would take, which values it waits for.

Nearly all of it depends on the wait, the flows in reach and the user's locale and zone alone, so it is made once for
each of these and kept (0.3 µs a message, where making it takes 8).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from flowc.runtime.kernel.answer import Asking, Candidate
from flowc.runtime.kernel.asking import slot_of_wait
from flowc.runtime.kernel.choosing import labels
from flowc.runtime.kernel.events import Moment
from flowc.runtime.kernel.fault import Fault
from flowc.runtime.kernel.loaded import AskWait, ChooseWait, LoadedFlow, LoadedProgram, UserWait
from flowc.runtime.kernel.position import Position
from flowc.runtime.kernel.running import DEFAULT_CONFIDENCE, spoken_locale, thawed, zone_of
from flowc.runtime.program import Slot

MOST_KEPT: Final = 4_096


def asking(loaded: LoadedProgram, position: Position | None) -> Asking:
    """What to look for in the next message. At the beginning and after the end: everything that the main flow knows."""
    if position is None or position.expects != "user":
        return _at_beginning(loaded, loaded.main.name)
    frame, user = position.frames[-1], position.user
    if not frame.wait:  # it was moved to the top of a state
        return _at_beginning(loaded, position.wait.partition("/")[0])
    asked = _at_wait(loaded, _flows_in_reach(position), frame.wait, user.locale, user.zone)
    return _with_offered(loaded, position, asked) if frame.offered else asked


@lru_cache(maxsize=64)  # one a version that runs
def _at_beginning(loaded: LoadedProgram, name: str) -> Asking:
    flow = loaded.flows[name]
    return Asking(
        flow=flow.name,
        wait="",
        confidence=flow.confidence if flow.confidence is not None else DEFAULT_CONFIDENCE,
        candidates=tuple([Candidate(flow.name, intent, 0) for intent in flow.flow.intents.values()]),
        slots=_slots(flow),
        asked=None,
        offered=(),
        locale=flow.locale or "en",
        zone=zone_of(None, loaded.program.zone).key,
    )


def _flows_in_reach(position: Position) -> tuple[str, ...]:
    """The flow on top, then its callers, nearest first; as `Running.callers`, which has the runs thawed."""
    if len(position.runs) == 1:
        return (position.runs[0].flow,)
    runs = {run.serial: run for run in position.runs}
    at = runs.get(position.frames[-1].run)
    if at is not None and at.job is not None:
        at = runs.get(at.job, at)
    names = []
    while at is not None:
        names.append(at.flow)
        at = runs.get(at.caller) if at.caller is not None else None
    return tuple(names)


@lru_cache(maxsize=MOST_KEPT)
def _at_wait(
    loaded: LoadedProgram, names: tuple[str, ...], wait_name: str, locale: str | None, zone: str | None
) -> Asking:
    """What a wait of the first of some flows asks for, without the labels of a `choose`."""
    flows = [loaded.flows[name] for name in names]
    wait = flows[0].waits.get(wait_name)
    if not isinstance(wait, UserWait):
        raise Fault(f"no wait for the user is named `{wait_name}`")
    confidences = [flow.confidence for flow in flows if flow.confidence is not None]
    return Asking(
        flow=names[0],
        wait=wait_name,
        confidence=confidences[0] if confidences else DEFAULT_CONFIDENCE,
        candidates=_candidates(flows, wait),
        slots=_slots(flows[0]),
        asked=slot_of_wait(wait, wait_name).slot if isinstance(wait, AskWait) else None,
        offered=(),
        locale=spoken_locale(next((flow.locale for flow in flows if flow.locale), None), locale),
        zone=zone_of(zone, loaded.program.zone).key,
    )


def _with_offered(loaded: LoadedProgram, position: Position, asked: Asking) -> Asking:
    """With the labels of a `choose`, whose `show` may read anything."""
    running = thawed(loaded, position, Moment(position.since, 0))
    frame = running.top
    running.bind(frame)
    wait = frame.run.flow.waits[frame.wait]
    return replace(asked, offered=labels(running, wait, frame.offered)) if isinstance(wait, ChooseWait) else asked


def _slots(flow: LoadedFlow) -> tuple[Slot, ...]:
    return tuple(flow.flow.slots.values())


def _candidates(flows: Sequence[LoadedFlow], wait: UserWait) -> tuple[Candidate, ...]:
    """Each intent once, for the nearest scope that handles it."""
    scopes = [(flows[0], wait.arms), *[(flow, flow.anywhere) for flow in flows]]
    nearest: dict[str, Candidate] = {}
    for distance, (flow, arms) in enumerate(scopes):
        for name in arms.intents:
            intent = flow.flow.intents.get(name)
            if intent is not None and name not in nearest:
                nearest[name] = Candidate(flow.name, intent, distance)
    return tuple(nearest.values())
