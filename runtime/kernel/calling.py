"""Calls: reads that run together, writes as turns of their own, deferred jobs; and who takes their failures."""

from collections.abc import Mapping
from functools import partial

from flowc.runtime.kernel.events import CallFailure, CallResult, Command, CommandKey, ReadRequest, Succeeded
from flowc.runtime.kernel.fault import Fault
from flowc.runtime.kernel.loaded import (
    Code,
    LoadedCall,
    LoadedFailures,
    LoadedFlow,
    LoadedJob,
    ReadsWait,
    WriteWait,
)
from flowc.runtime.kernel.position import Job
from flowc.runtime.kernel.running import LiveFrame, LiveRun, Running
from flowc.runtime.kernel.words import words_for
from flowc.runtime.program import PriorityClass
from flowc.runtime.values import Value

# --------------------------------------------------------------------------------------------------------------- reads


def reads(wait: ReadsWait) -> Code:
    return partial(ask_reads, wait)


def ask_reads(wait: ReadsWait, running: Running) -> int:
    """Asks for the reads; after a `say` the turn ends first, so that the reply leaves."""
    frame = running.top
    frame.wait = wait.wait
    if running.spoke:
        running.continues = True
        return running.stop("reads")
    running.reads = tuple(
        [ReadRequest(call.place, call.service, call.operation, _arguments(running, call)) for call in wait.calls]
    )
    running.reading = True
    return running.stop("reads")


def _arguments(running: Running, call: LoadedCall) -> dict[str, Value]:
    """An argument that is none is not sent."""
    arguments: dict[str, Value] = {}
    for name, evaluate in call.arguments:
        value = evaluate(running)
        if value is not None:
            arguments[name] = value
    return arguments


def reads_done(running: Running, results: tuple[CallResult, ...]) -> int:
    """Results are assigned; failures wait for their `Failed`, in the order of the text."""
    frame = running.top
    wait = frame.run.flow.waits.get(frame.wait)
    if not isinstance(wait, ReadsWait) or len(results) != len(wait.calls):
        raise Fault(f"{len(results)} results of reads at `{frame.wait}`")
    frame.wait = ""
    for call, result in zip(wait.calls, results, strict=True):
        _note_outcome(running, frame, call, result)
        match result:
            case Succeeded(value=value):
                _assign(running, frame.run, call, value)
            case CallFailure():
                frame.failures[call.place] = result
    return wait.pc + 1


def _assign(running: Running, run: LiveRun, call: LoadedCall, value: Value) -> None:
    if call.target is not None:
        run.variables[call.target] = value
        running.grown = True


def _note_outcome(running: Running, frame: LiveFrame, call: LoadedCall, result: CallResult) -> None:
    kind = result.kind if isinstance(result, CallFailure) else "ok"
    running.note("outcome", frame, f"{call.service}.{call.operation} {kind}")


def failed(call: LoadedCall, arms: LoadedFailures, next: int) -> Code:
    """The place of a read's failure arms."""

    def run(running: Running) -> int:
        failures = running.top.failures
        if not failures:
            return next
        failure = failures.pop(call.place, None)
        return next if failure is None else take_failure(running, call, arms, failure)

    return run


# ------------------------------------------------------------------------------------------------------------ failures


def take_failure(running: Running, call: LoadedCall, arms: LoadedFailures, failure: CallFailure) -> int:
    """Its own arm, else the nearest `on failure` or `on unknown`."""
    frame = running.top
    to = arms.named.get(failure.kind)
    if to is None and failure.kind != "unknown":
        to = arms.otherwise
    locals = failure_locals(call, failure)
    if to is None:
        return to_anywhere(running, failure.kind, locals)
    running.note("arm", frame, f"on {failure.kind}")
    frame.locals = locals
    running.locals = locals
    return to


def failure_locals(call: LoadedCall, failure: CallFailure) -> dict[str, Value]:
    """`error`, and what the failure's body told under the failure's name."""
    error: dict[str, Value] = {
        "service": call.service,
        "operation": call.operation,
        "kind": failure.kind,
        "message": failure.message,
    }
    return {failure.kind: failure.fields, "error": error} if failure.fields else {"error": error}


def to_anywhere(running: Running, kind: str, locals: dict[str, Value]) -> int:
    """The nearest `on failure`, or `on unknown`, that does not run already. Where there is none the conversation ends
    as a fault."""
    frame = running.top
    for run in running.callers(frame.run):
        anywhere = run.flow.anywhere
        arm = anywhere.unknown if kind == "unknown" else anywhere.failure
        if arm is not None and not running.is_running(run, arm):
            return running.interrupt(run, arm, locals)
    return end_as_fault(running)


def end_as_fault(running: Running) -> int:
    """Says that something went wrong on our side, and ends the whole conversation."""
    frame = running.top
    running.say(words_for(running.locale_of(frame.run)).fault)
    running.note("end", frame, "fault")
    running.truncate(0)
    running.outcome = "fault"
    running.pending = None
    return running.stop("nothing")


# -------------------------------------------------------------------------------------------------------------- writes


def write(wait: WriteWait) -> Code:
    def run(running: Running) -> int:
        frame = running.top
        frame.wait = wait.wait
        frame.key = _command(running, wait.call, deferred=False, within_ms=wait.call.within_ms, priority=None)
        return running.stop("write")

    return run


def _command(
    running: Running, call: LoadedCall, *, deferred: bool, within_ms: int, priority: PriorityClass | None
) -> CommandKey:
    key = running.new_key()
    arguments = _arguments(running, call)
    command = Command(
        key=key,
        place=call.place,
        service=call.service,
        operation=call.operation,
        arguments=arguments,
        deferred=deferred,
        within_ms=within_ms,
        priority=priority or running.priority(),
    )
    running.commands += (command,)
    return key


def write_done(running: Running, result: CallResult) -> int:
    """The result of the write that the conversation waits for."""
    frame = running.top
    wait = frame.run.flow.waits.get(frame.wait)
    if not isinstance(wait, WriteWait):
        raise Fault(f"no write is named `{frame.wait}`")
    _note_outcome(running, frame, wait.call, result)
    frame.key = None
    running.bind(frame)
    match result:
        case Succeeded(value=value):
            frame.wait = ""
            _assign(running, frame.run, wait.call, value)
            return wait.pc + 1
        case CallFailure():
            return take_failure(running, wait.call, wait.arms, result)


# ---------------------------------------------------------------------------------------------------------------- jobs


def defer(job: LoadedJob, next: int) -> Code:
    def run(running: Running) -> int:
        frame = running.top
        key = _command(running, job.call, deferred=True, within_ms=job.within_ms, priority=job.priority)
        run = frame.run
        kept = run.flow.kept.get(job.call.place)
        variables = kept_variables(run.flow, run.variables, kept)
        running.deferred += (Job(key, run.flow.name, job.call.place, run.serial, variables),)
        running.grown = True
        return next

    return run


def kept_variables(flow: LoadedFlow, variables: Mapping[str, Value], kept: frozenset[str] | None) -> dict[str, Value]:
    """The variables to store: those that are still read, never a secret."""
    if kept is None:
        kept = frozenset(variables)
    return {name: value for name, value in variables.items() if name in kept and name not in flow.secrets}


def job_done(running: Running, job: Job, result: CallResult) -> int:
    """The result of a deferred job: its arm runs on top of the wait, over the values as they were at the `defer`."""
    running.deferred = tuple([other for other in running.deferred if other.key != job.key])
    flow = running.loaded.flows[job.flow]
    loaded = flow.jobs.get(job.place)
    if loaded is None:
        return _nothing_more(running)
    to, name, locals = _arm_of_job(loaded, result)
    if to is None and isinstance(result, Succeeded):
        return _nothing_more(running)
    run = running.new_run(flow, None)
    run.job = job.run
    run.variables = dict(job.variables)
    running.grown = True
    frame = LiveFrame(run, name, arm=True)
    frame.locals = locals
    running.push(frame)
    _note_outcome(running, frame, loaded.call, result)
    running.bind(frame)
    if to is not None:
        running.note("interrupt", frame, name)
        return running.switch(to)
    assert isinstance(result, CallFailure)
    return _job_to_anywhere(running, result.kind, locals)


def _arm_of_job(loaded: LoadedJob, result: CallResult) -> tuple[int | None, str, dict[str, Value]]:
    match result:
        case Succeeded(value=value):
            return loaded.done, "on done", {loaded.done_name: value} if loaded.done_name else {}
        case CallFailure(kind="unknown"):
            return loaded.unknown, "on unknown", failure_locals(loaded.call, result)
        case CallFailure():
            return loaded.failed, "on failed", failure_locals(loaded.call, result)


def _job_to_anywhere(running: Running, kind: str, locals: dict[str, Value]) -> int:
    """An `anywhere` takes what the arms of a job leave. Its own frame makes place for the handler, where the flow
    still runs."""
    run = running.top.run
    for caller in running.callers(run):
        anywhere = caller.flow.anywhere
        arm = anywhere.unknown if kind == "unknown" else anywhere.failure
        if arm is None or running.is_running(caller, arm):
            continue
        if caller is not run:
            running.truncate(len(running.frames) - 1)
            return running.interrupt(caller, arm, locals)
        running.top.state = arm.name
        running.note("interrupt", running.top, arm.name)
        running.top.locals = locals
        return running.switch(arm.to)
    running.truncate(len(running.frames) - 1)
    return _nothing_more(running)


def _nothing_more(running: Running) -> int:
    """The conversation stands as it did."""
    return running.stop("user" if running.frames else "nothing")
