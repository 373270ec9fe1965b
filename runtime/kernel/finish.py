"""The end of a step: the position to store, what the conversation's class is, which silence timers are due when."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from flowc.runtime.kernel.answer import Step
from flowc.runtime.kernel.calling import kept_variables
from flowc.runtime.kernel.events import Timer
from flowc.runtime.kernel.fault import Fault
from flowc.runtime.kernel.position import Frame, Pending, Position, Progress, Run
from flowc.runtime.kernel.running import LiveRun, Running
from flowc.runtime.kernel.taking import silences
from flowc.runtime.values import Value, encode

LARGEST_STATE: Final = 256 * 1_024
MILLISECOND: Final = timedelta(milliseconds=1)
_BETWEEN_TURNS: Final = Progress()


def finish(running: Running) -> Step:
    """The step that a turn has come to."""
    if running.reading and running.reads:
        return Step(
            position=_freeze(running, stored=False),
            replies=tuple(running.replies),
            reads=running.reads,
            commands=running.commands,
            transitions=tuple(running.transitions),
        )
    position = _freeze(running, stored=True)
    if running.grown and _may_be_large(position) and len(encode(position)) > LARGEST_STATE:
        raise Fault("the state of the conversation is larger than 256 KiB")
    return Step(
        position=position,
        replies=tuple(running.replies),
        commands=running.commands,
        timers=timers(running, position) if position.expects == "user" else (),
        continues=running.continues,
        handover=running.handover,
        ended=not running.frames,
        outcome=running.outcome if not running.frames else None,
        transitions=tuple(running.transitions),
    )


def _may_be_large(position: Position) -> bool:
    """A look at the values, a tenth of the cost of encoding them: whether it is worth while to know exactly."""
    size = sum([_weight(run.variables) + _weight(run.said.values) + 8 * len(run.said.text) for run in position.runs])
    size += sum([_weight(frame.locals) + _weight(frame.offered) for frame in position.frames])
    size += sum([_weight(job.variables) + 200 for job in position.deferred])
    return size > LARGEST_STATE // 4


def _weight(value: object) -> int:
    """About the bytes of a value, rather too many than too few."""
    if not value:
        return 1
    if isinstance(value, str):
        return 4 * len(value) + 5
    if isinstance(value, dict):
        return sum([len(name) + _weight(item) for name, item in value.items()])
    if isinstance(value, tuple):
        return sum([_weight(item) for item in value]) + 5
    return 60


def unchanged(running: Running, position: Position) -> Step:
    """Nothing happened; the timers stay as they are."""
    return Step(position=position, timers=timers(running, position) if position.expects == "user" else ())


def timers(running: Running, position: Position) -> tuple[Timer, ...]:
    """Every silence arm in reach that has not run in this silence; for one time the nearest."""
    begin, generation = position.heard or position.since, position.generation
    frame, run = running.top, running.top.run
    if not running.silenced and run.caller is None and run.job is None:
        due = run.flow.silences[frame.wait]  # as mostly: known since the program was loaded
        return tuple([Timer(generation, after_ms, begin + after) for after_ms, after in due])
    left = sorted(_silences_left(running))
    return tuple([Timer(generation, after_ms, begin + after_ms * MILLISECOND) for after_ms in left])


def _silences_left(running: Running) -> Iterable[int]:
    passed: dict[int, bool] = {}
    for key, after_ms, _ in silences(running):
        passed.setdefault(after_ms, key in running.silenced)
    return [after_ms for after_ms, has_passed in passed.items() if not has_passed]


def _freeze(running: Running, *, stored: bool) -> Position:
    before = running.position
    frames = []
    for each in running.frames:
        frame = Frame(
            each.run.serial,
            each.state,
            each.wait,
            each.arm,
            each.back,
            each.resumed,
            each.offered,
            each.locals,
            each.failures,
            each.key,
        )
        frames.append(frame)
    runs = []
    for run in running.runs.values():
        variables = _stored(running, run) if stored else run.variables
        runs.append(Run(run.serial, run.flow.name, variables, run.said, run.tries, run.caller, run.job))
    return Position(  # with more than 30 places and twice the names, Python calls by a dictionary: 0.8 µs, not 0.2
        running.conversation,
        running.started,
        running.user,
        running.expects,
        _since(running, stored=stored),
        runs=tuple(runs),
        frames=tuple(frames),
        deferred=running.deferred,
        message=running.message,
        heard=running.heard,
        silenced=running.silenced,
        generation=(before.generation if before is not None else 0) + (1 if stored else 0),
        serial=running.serial,
        turn=_BETWEEN_TURNS if stored and not running.continues else _progress(running, stored=stored),
        pending=None if running.pending is None else _pending(running, running.pending),
        priority=running.priority(),
        outcome=running.outcome,
    )


def _since(running: Running, *, stored: bool) -> datetime:
    """When the wait began: now, unless every frame is at the wait where it was."""
    before, frames = running.position, running.frames
    if before is None:
        return running.moment.now
    if not stored:
        return before.since
    if len(frames) != len(before.frames) or (frames and frames[-1].wait != before.frames[-1].wait):
        return running.moment.now  # as after most turns: the names need not be made
    waits = tuple([f"{frame.run.flow.name}/{frame.wait}" for frame in frames])
    return before.since if before.waits == waits else running.moment.now


def _stored(running: Running, run: LiveRun) -> dict[str, Value]:
    """The variables that a later state can still read: those of the waits where frames of the run stand."""
    kept: frozenset[str] = frozenset()
    for frame in running.frames:
        if frame.run is run:
            for wait in (frame.wait, frame.back):
                if wait:
                    names = run.flow.kept.get(wait)
                    if names is None:
                        return kept_variables(run.flow, run.variables, None)
                    kept = kept | names if kept else names
    return kept_variables(run.flow, run.variables, kept) if kept else {}


def _progress(running: Running, *, stored: bool) -> Progress:
    """Between two steps of one turn everything is kept, over the turns of calls that follow a reply only the steps."""
    if not stored:
        commands = running.commands_before + len(running.commands)
        return Progress(running.spoke, running.drawn, running.steps, commands, reading=True)
    return Progress(steps=running.steps)


def _pending(running: Running, pending: Pending) -> Pending:
    return pending if pending.answered or not running.spoke else Pending(pending.event, answered=True)
