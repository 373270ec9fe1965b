"""Leaving where the conversation stands: `->`, `resume`, `end`, `do` and its return, `handoff`.

Whatever leaves goes first to the frame where its run itself stands, so the wait that an arm interrupted is forgotten,
and flows called from there end.
"""

from collections.abc import Mapping
from functools import partial
from typing import assert_never

from flowc.runtime.kernel.checks import passing
from flowc.runtime.kernel.choosing import show_again
from flowc.runtime.kernel.events import Handover
from flowc.runtime.kernel.fault import Fault
from flowc.runtime.kernel.heard import normalised
from flowc.runtime.kernel.loaded import (
    AskWait,
    ChooseWait,
    Code,
    DoWait,
    HandoffWait,
    ListenWait,
    LoadedFlow,
    ReadsWait,
    WriteWait,
)
from flowc.runtime.kernel.running import LiveFrame, LiveRun, Running
from flowc.runtime.values import Value, fits, is_optional

# ------------------------------------------------------------------------------------------------------------------ ->


def goto(state: str) -> Code:
    return partial(go_to, state)


def go_to(state: str, running: Running) -> int:
    """To a state of the flow of the frame on top."""
    frame = _leave(running)
    left = frame.state if frame.state in frame.run.flow.entries else ""  # not the arm of a job
    frame.state = state
    frame.wait = frame.back = ""
    frame.resumed = 0
    frame.offered = ()
    frame.locals = {}
    frame.failures = {}
    frame.key = None
    frame.run.tries = {}
    running.note("state", frame, left)
    return running.switch(frame.run.flow.entries[state])


def _leave(running: Running) -> LiveFrame:
    """The frame where the run on top itself stands, with nothing on top of it any more."""
    frame = running.top
    run = frame.run
    if frame.arm and run.job is not None:
        deferred_by = running.runs.get(run.job)
        if deferred_by is None:  # it has ended: the arm goes on by itself, over the values that it has
            frame.arm = False
            run.job = None
            return frame
        run = deferred_by
    height = running.base(run)
    if height is None:
        raise Fault("an arm has no flow to leave to")
    running.truncate(height + 1)
    return running.top


# -------------------------------------------------------------------------------------------------------------- resume


def resume(up_to: int | None, then: str | None) -> Code:
    return lambda running: _resume(running, up_to, then)


def _resume(running: Running, up_to: int | None, then: str | None) -> int:
    frame = running.top
    if frame.arm and len(running.frames) == 1:  # the arm of a job after the end: nothing waits
        running.truncate(0)
        return running.stop("nothing")
    waiting = running.frames[-2] if frame.arm else frame
    if up_to is not None and then is not None and waiting.resumed >= up_to:
        return go_to(then, running)
    waiting.resumed += 1
    running.note("resume", frame, waiting.wait if frame.arm else frame.back)
    if frame.arm:
        running.truncate(len(running.frames) - 1)
        return run_again(running, waiting.wait)
    return run_again(running, frame.back)


def run_again(running: Running, name: str) -> int:
    """Runs a wait of the frame on top again."""
    frame = running.top
    wait = frame.run.flow.waits.get(name)
    frame.back = ""
    frame.locals = {}
    running.bind(frame)
    match wait:
        case AskWait():
            return running.switch(wait.pc)
        case ChooseWait():
            return show_again(running, wait)
        case ListenWait():
            if wait.say is not None:
                frame.run.flow.code[wait.say](running)
            frame.wait = wait.wait
            return running.stop("user")
        case WriteWait() | ReadsWait():  # `on unknown` that does not leave: the call is over, what follows it is next
            return running.switch(wait.pc + 1)
        case DoWait() | HandoffWait() | None:
            raise Fault(f"nothing to resume at `{name}`")
        case _:
            assert_never(wait)


# ------------------------------------------------------------------------------------------------------------------ do


def do(wait: DoWait) -> Code:
    return partial(_do, wait)


def _do(wait: DoWait, running: Running) -> int:
    frame = running.top
    flow = running.loaded.flows[wait.flow]
    given = {name: value(running) for name, value in wait.arguments}
    frame.wait = wait.wait
    run = running.new_run(flow, frame.run.serial)
    run.variables = arguments_of(flow, given)
    running.grown = True
    _take_over(running, run, frame.run)
    return begin(running, run)


def begin(running: Running, run: LiveRun) -> int:
    """Puts a run on top, at its first state."""
    start = run.flow.flow.start
    frame = LiveFrame(run, start)
    running.push(frame)
    running.note("state", frame)
    return running.switch(run.flow.entries[start])


def arguments_of(flow: LoadedFlow, given: Mapping[str, Value]) -> dict[str, Value]:
    """Parameters and slots as a run begins. `none` for a slot that cannot be none is no value."""
    variables: dict[str, Value] = {field.name: None for field in flow.flow.takes if is_optional(field.type)}
    for name, value in given.items():
        slot = flow.slots.get(name)
        if slot is None or value is not None or is_optional(slot.slot.type):
            variables[name] = value
    return variables


def _take_over(running: Running, run: LiveRun, caller: LiveRun) -> None:
    """Slots without an argument have what the last message that the caller handled said for their name."""
    said = {}
    for name, value in caller.said.values.items():
        slot = run.flow.slots.get(name)
        if slot is not None and name not in run.variables:
            fitting = normalised(slot, value)
            if fits(slot.type, fitting, running.loaded.shapes):
                said[name] = fitting
    run.variables.update(passing(running, run, said))


# ----------------------------------------------------------------------------------------------------------------- end


def end(outcome: str | None) -> Code:
    return lambda running: end_flow(running, outcome)


def end_flow(running: Running, outcome: str | None) -> int:
    """Ends the flow of the frame on top; its caller goes on, or the conversation is over."""
    frame = _leave(running)
    run = frame.run
    results = {field.name: run.variables.get(field.name) for field in run.flow.flow.gives}
    running.note("end", frame, outcome or "")
    running.truncate(len(running.frames) - 1)
    if not running.frames:
        running.outcome = outcome
        running.pending = None
        return running.stop("nothing")
    return _return(running, outcome, results)


def _return(running: Running, outcome: str | None, results: dict[str, Value]) -> int:
    """A called flow has ended: on in the frame that called it."""
    frame = running.top
    wait = frame.run.flow.waits.get(frame.wait)
    if not isinstance(wait, DoWait):  # the flow of a job went on by itself, on top of a wait
        return end_flow(running, outcome) if outcome == "handoff" else run_again(running, frame.wait)
    if outcome is None:
        if wait.target is not None:
            frame.run.variables[wait.target] = results
            running.grown = True
        frame.wait = ""
        return running.switch(wait.next)
    to = wait.outcomes.get(outcome)
    if to is None:
        return end_flow(running, outcome)
    running.note("arm", frame, f"on {outcome}")
    frame.wait = ""
    return running.switch(to)


# ------------------------------------------------------------------------------------------------------------- handoff


def handoff(wait: HandoffWait) -> Code:
    def run(running: Running) -> int:
        running.top.wait = wait.wait
        running.handover = Handover(wait.queue(running))
        running.pending = None
        return running.stop("people")

    return run


def handoff_answered(running: Running, answer: str) -> int:
    """People closed it, or nobody is there; without an arm the flow ends with outcome `handoff`."""
    frame = running.top
    wait = frame.run.flow.waits.get(frame.wait)
    to = None
    if isinstance(wait, HandoffWait):
        to = wait.returned if answer == "returned" else wait.unavailable
    if to is None:
        return end_flow(running, "handoff")
    running.note("arm", frame, f"on {answer}")
    frame.wait = ""
    return to
