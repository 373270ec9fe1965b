"""`advance`: one event at one position. Pure, total, and the same for the same arguments."""

from msgspec import structs

from flowc.runtime.errors import named
from flowc.runtime.kernel.answer import Step
from flowc.runtime.kernel.calling import ask_reads, end_as_fault, job_done, reads_done, to_anywhere, write_done
from flowc.runtime.kernel.events import (
    CommandDone,
    Continued,
    Dismissed,
    Event,
    EventReceived,
    Faulted,
    HandoffAnswered,
    MessageReceived,
    Opened,
    ReadsDone,
    SilenceFired,
    Transition,
)
from flowc.runtime.kernel.fault import Fault
from flowc.runtime.kernel.finish import finish, unchanged
from flowc.runtime.kernel.leaving import arguments_of, begin, handoff_answered
from flowc.runtime.kernel.loaded import LoadedProgram, ReadsWait
from flowc.runtime.kernel.position import Message, Pending, Position
from flowc.runtime.kernel.running import Running, begun, thawed
from flowc.runtime.kernel.taking import first, otherwise, set_before_start, take, take_event, take_silence
from flowc.runtime.kernel.words import words_for
from flowc.runtime.values import Value

Starting = Opened | MessageReceived | EventReceived


def advance(loaded: LoadedProgram, position: Position | None, event: Event) -> Step:
    """The position after `event`, and what to do about it. A fault of ours is `Step.fault`, with the position as it
    was.

    A message at the end of a conversation, or without a position, begins one."""
    try:
        return _advance(loaded, position, event)
    except Fault as fault:
        return Step(position, fault=str(fault))
    except Exception as error:  # noqa: BLE001  # the event becomes a recorded fault, whatever went wrong with it
        return Step(position, fault=named(error))


def _advance(loaded: LoadedProgram, position: Position | None, event: Event) -> Step:
    if isinstance(event, Faulted):
        return _fault_turn(loaded, position, event)
    if isinstance(event, Dismissed):
        return _dismissed(loaded, position, event)
    if position is None or (not position.frames and isinstance(event, Opened | MessageReceived)):
        return _begin(loaded, position, event)
    running = thawed(loaded, position, event.moment)
    to = _taken(running, position, event)
    if to is None:
        return unchanged(thawed(loaded, position, event.moment), position)
    _drive(running, to)
    return finish(running)


def _drive(running: Running, pc: int) -> None:
    """Runs until the step ends; on the way the first message of a conversation is taken, and tries that were used up
    go to `else`."""
    while True:
        running.go(pc)
        if running.gave_up:
            running.gave_up = False
            running.pending = running.unsaid = None
            pc = otherwise(running)
        elif running.pending is not None and running.expects == "user":
            pc = first(running)
        else:
            return


def _taken(running: Running, position: Position, event: Event) -> int | None:
    """Where the flow goes on with an event; None when it changes nothing here."""
    expects = position.expects
    if running.frames:
        running.bind(running.top)
    match event:
        case MessageReceived() if expects == "user":
            _hear(running, event)
            return take(running, event) if running.top.wait else _from_top(running, event)
        case EventReceived() if expects == "user":
            running.set_user(event.user)
            return take_event(running, event)
        case SilenceFired(generation=generation, after_ms=after_ms) if expects == "user":
            return take_silence(running, after_ms) if generation == position.generation else None
        case CommandDone():
            return _command_done(running, position, event)
        case ReadsDone(results=results) if expects == "reads":
            running.keep_progress(position.turn)
            return reads_done(running, results)
        case Continued() if expects == "reads":
            return _continue(running, position)
        case HandoffAnswered(answer=answer) if expects == "people":
            return handoff_answered(running, answer)
        case _:
            return None


def _hear(running: Running, event: MessageReceived) -> None:
    if event.user is not running.user:
        running.set_user(event.user)
    running.message = Message(event.text)
    running.heard = event.moment.now
    running.silenced = ()


def _from_top(running: Running, event: MessageReceived) -> int:
    """A conversation that was moved to a state, not to a wait of it: the state runs from its top, and its first wait
    takes the message like the first one of a conversation."""
    frame = running.top
    set_before_start(running, frame.run, event)
    running.pending = Pending(event)
    running.note("state", frame)
    return frame.run.flow.entries[frame.state]


def _command_done(running: Running, position: Position, event: CommandDone) -> int | None:
    """The result of the write that is waited for, or of a deferred job where the user is waited for, or after the
    end."""
    if position.expects == "write":
        return write_done(running, event.result) if running.top.key == event.key else None
    if position.expects not in ("user", "nothing"):
        return None
    job = next((job for job in running.deferred if job.key == event.key), None)
    return job_done(running, job, event.result) if job is not None else None


def _continue(running: Running, position: Position) -> int:
    """The replies before the call were sent: now it is asked for."""
    running.steps = position.turn.steps
    frame = running.top
    wait = frame.run.flow.waits.get(frame.wait)
    if not isinstance(wait, ReadsWait):
        raise Fault(f"no call is named `{frame.wait}`")
    return ask_reads(wait, running)


# --------------------------------------------------------------------------------------------------------------- begin


def _begin(loaded: LoadedProgram, before: Position | None, event: Event) -> Step:
    """A new conversation, which its channel, a message or an event begins."""
    if not isinstance(event, Starting):
        return Step(before)
    if isinstance(event, EventReceived) and event.name not in loaded.main.flow.events:
        return Step(before, transitions=(Transition("unhandled", loaded.main.name, "", event.name),))
    running = begun(loaded, event.moment, event.conversation, event.user)
    if before is not None:  # jobs of the conversation before still have results to come
        running.deferred = before.deferred
        running.serial = before.serial
        running.position = before
    run = running.new_run(loaded.main, None)
    run.variables = arguments_of(loaded.main, loaded.arguments)
    match event:
        case MessageReceived():
            running.message = Message(event.text)
            running.heard = event.moment.now
            set_before_start(running, run, event)
            running.pending = Pending(event)
        case EventReceived():
            running.pending = Pending(event)
        case Opened():
            pass
    _drive(running, begin(running, run))
    return finish(running)


# --------------------------------------------------------------------------------------------------------- fault turns


def _fault_turn(loaded: LoadedProgram, position: Position | None, event: Faulted) -> Step:
    """An event that failed three times is consumed. Of a message the position stays and the user is told; of anything
    else the conversation goes to `on failure`, else it ends. A job whose result it was is over."""
    if position is not None and event.key in position.jobs:
        left = tuple([job for job in position.deferred if job.key != event.key])
        position = structs.replace(position, deferred=left)
    if position is None or position.ended:
        return Step(position, ended=position is not None, outcome=position.outcome if position is not None else None)
    running = thawed(loaded, position, event.moment)
    running.bind(running.top)
    if event.of_message:
        running.say(words_for(running.locale).fault)
        step = unchanged(running, position)
        return Step(position, replies=tuple(running.replies), timers=step.timers)
    try:
        _drive(running, to_anywhere(running, "fault", _fault_locals(event)))
        return finish(running)
    except Exception:  # noqa: BLE001  # `on failure` itself fails: nothing is left but the end
        running = thawed(loaded, position, event.moment)
        _drive(running, end_as_fault(running))
        return finish(running)


def _fault_locals(event: Faulted) -> dict[str, Value]:
    error: dict[str, Value] = {"service": "", "operation": "", "kind": "fault", "message": event.reason}
    return {"error": error}


# ------------------------------------------------------------------------------------------------- ended from outside


def _dismissed(loaded: LoadedProgram, position: Position | None, event: Dismissed) -> Step:
    if position is None or position.ended:
        return Step(position, ended=position is not None, outcome=None if position is None else position.outcome)
    running = thawed(loaded, position, event.moment)
    running.note("end", running.top, "dismissed")
    running.truncate(0)
    running.outcome = "dismissed"
    running.pending = None
    running.stop("nothing")
    return finish(running)
