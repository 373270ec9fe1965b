"""What a position asks of understanding: which intents somebody would take, which values it waits for."""

from flowc.runtime.kernel.answer import Asking, Candidate
from flowc.runtime.kernel.asking import asked_slot
from flowc.runtime.kernel.choosing import labels
from flowc.runtime.kernel.events import Moment
from flowc.runtime.kernel.loaded import AskWait, ChooseWait, LoadedFlow, LoadedProgram
from flowc.runtime.kernel.position import Position
from flowc.runtime.kernel.running import DEFAULT_CONFIDENCE, Running, zone_of
from flowc.runtime.kernel.taking import scopes, user_wait
from flowc.runtime.program import Slot


def asking(loaded: LoadedProgram, position: Position | None) -> Asking:
    """What to look for in the next message. At the beginning and after the end: everything that the main flow knows."""
    if position is None or position.expects != "user":
        return _of_flow(loaded, loaded.main)
    running = Running(loaded, position, Moment(position.since, 0))
    frame = running.top
    running.bind(frame)
    wait = user_wait(running)
    slot = asked_slot(frame, wait).slot if isinstance(wait, AskWait) else None
    return Asking(
        flow=frame.run.flow.name,
        wait=frame.wait,
        confidence=running.confidence(frame.run),
        candidates=_candidates(running),
        slots=_slots(frame.run.flow),
        asked=slot,
        offered=labels(running, wait, frame.offered) if isinstance(wait, ChooseWait) else (),
        locale=running.env.locale,
        zone=running.env.zone.key,
    )


def _of_flow(loaded: LoadedProgram, flow: LoadedFlow) -> Asking:
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


def _slots(flow: LoadedFlow) -> tuple[Slot, ...]:
    return tuple(flow.flow.slots.values())


def _candidates(running: Running) -> tuple[Candidate, ...]:
    """Each intent once, for the nearest scope that handles it."""
    nearest: dict[str, Candidate] = {}
    for distance, (run, arms, _) in enumerate(scopes(running, user_wait(running))):
        for name in arms.intents:
            intent = run.flow.flow.intents.get(name)
            if intent is not None and name not in nearest:
                nearest[name] = Candidate(run.flow.name, intent, distance)
    return tuple(nearest.values())
