"""Plays a chat against the kernel alone: time, seeds and backends are values, nothing waits.

The result of a read comes within its turn, of a write at once, of a job after the delay of its stub. A message without
`as` is taken for the intent that has it as an example.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import assert_never

from flowc.compiler.chats import (
    CallsStep,
    EndsStep,
    EventStep,
    KnowsStep,
    PassStep,
    PeopleStep,
    ReplyStep,
    SayStep,
    Script,
    ScriptStep,
    StateStep,
    StubStep,
    UserStep,
)
from flowc.runtime.kernel import LoadedProgram, Position, Step, advance, asking, load
from flowc.runtime.kernel.events import (
    CallFailure,
    CallResult,
    Command,
    CommandDone,
    Continued,
    Event,
    EventReceived,
    HandoffAnswered,
    MessageReceived,
    Moment,
    Opened,
    RankedIntent,
    ReadRequest,
    ReadsDone,
    Reply,
    SilenceFired,
    Understood,
    User,
)
from flowc.runtime.kernel.heard import fold
from flowc.runtime.program import Program
from flowc.runtime.values import Value, decode, encode

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
REPEATED = ("timeout", "unavailable", "overloaded")


@dataclass(frozen=True)
class Due:
    """The result of a job that is on its way."""

    at: datetime
    event_of: CommandDone


@dataclass
class Play:
    """One conversation. `log` is every event that was taken, in order, as a journal would have it."""

    loaded: LoadedProgram
    user: User = field(default_factory=lambda: User("u-1"))
    now: datetime = START
    position: Position | None = None
    replies: list[Reply] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    timers: dict[int, datetime] = field(default_factory=dict)
    jobs: list[Due] = field(default_factory=list)
    stubs: dict[tuple[str, str], list[tuple[CallResult, int]]] = field(default_factory=dict)
    reads: list[ReadRequest] = field(default_factory=list)
    log: list[Event] = field(default_factory=list)
    last: Step | None = None
    ended: bool = False
    outcome: str | None = None

    def moment(self) -> Moment:
        return Moment(self.now, 1_000 + len(self.log))

    def feed(self, event: Event) -> None:
        """One event, and everything that follows from it at once."""
        self.log.append(event)
        step = advance(self.loaded, self.position, event)
        assert step.fault is None, step.fault
        assert step.position is None or decode(encode(step.position), Position) == step.position
        self.last = step
        self.position = step.position
        self.replies += step.replies
        self.commands += step.commands
        self.ended, self.outcome = step.ended, step.outcome
        if step.reads:
            self.reads += step.reads
            self.feed(ReadsDone(self.moment(), tuple([self.answer(*_place(read)) for read in step.reads])))
            return
        self.timers = {timer.after_ms: timer.due for timer in step.timers}
        for command in step.commands:
            self.start(command)
        if step.continues:
            self.feed(Continued(self.moment()))
        self.deliver()

    def start(self, command: Command) -> None:
        if not command.deferred:
            self.feed(CommandDone(self.moment(), command.key, self.answer(*_place(command))))
            return
        while True:
            more = len(self.stubs.get(_place(command), [])) > 1
            result, delay = self.next_stub(*_place(command))
            if not (isinstance(result, CallFailure) and result.kind in REPEATED and more):
                break
        at = self.now + timedelta(milliseconds=delay)
        self.jobs.append(Due(at, CommandDone(Moment(at, 1), command.key, result)))

    def deliver(self) -> None:
        """Results of jobs that are due, where the conversation takes them."""
        for due in list(self.jobs):
            if due.at <= self.now and self.position is not None and self.position.expects in ("user", "nothing"):
                self.jobs.remove(due)
                self.feed(CommandDone(self.moment(), due.event_of.key, due.event_of.result))

    def answer(self, service: str, operation: str) -> CallResult:
        return self.next_stub(service, operation)[0]

    def next_stub(self, service: str, operation: str) -> tuple[CallResult, int]:
        queue = self.stubs.get((service, operation))
        assert queue, f"no stub for {service}.{operation}"
        return queue.pop(0) if len(queue) > 1 else queue[0]

    def passes(self, until: datetime) -> None:
        """Time passes; what is due on the way happens."""
        while True:
            due = [(at, after_ms) for after_ms, at in self.timers.items() if at <= until]
            jobs = [job.at for job in self.jobs if self.now < job.at <= until]
            if not due and not jobs:
                break
            at = min([when for when, _ in due] + jobs)
            self.now = max(self.now, at)
            if jobs and min(jobs) == at:
                self.deliver()
                if any(job.at == at for job in self.jobs):  # it has to wait until the user is waited for
                    break
                continue
            assert self.position is not None
            after_ms = min(due)[1]
            before = dict(self.timers)
            self.feed(SilenceFired(self.moment(), self.position.generation, after_ms))
            assert self.timers != before or self.ended, f"the timer of {after_ms} ms is armed again"
        self.now = max(self.now, until)

    def says(self, text: str, meaning: Understood | None = None) -> None:
        understood = meaning if meaning is not None else self.classify(text)
        self.feed(MessageReceived(self.moment(), "c-1", self.user, text, understood))

    def classify(self, text: str) -> Understood:
        for candidate in asking(self.loaded, self.position).candidates:
            for example in candidate.intent.examples:
                if all(isinstance(part, str) for part in example) and fold("".join(map(str, example))) == fold(text):
                    return Understood((RankedIntent(candidate.intent.name, 1.0),))
        return Understood()

    def opens(self) -> None:
        self.feed(Opened(self.moment(), "c-1", self.user))


def _place(call: ReadRequest | Command) -> tuple[str, str]:
    return call.service, call.operation


def play(program: Program, script: Script) -> Play:
    """Plays a script; raises AssertionError at the step that does not hold."""
    loaded = load(program, main=script.flow, arguments=script.arguments)
    playing = Play(loaded)
    for step in script.steps:
        if playing.position is None and not isinstance(step, StubStep | UserStep | SayStep | EventStep | PassStep):
            playing.opens()
        _do(playing, step)
    assert not playing.replies, f"nobody expected {playing.replies[0].text!r}"
    return playing


def _do(playing: Play, step: ScriptStep) -> None:
    match step:
        case ReplyStep():
            _expect_reply(playing, step)
        case StubStep(service=service, operation=operation, results=results):
            playing.stubs[service, operation] = list(results)
        case UserStep(known=known, declared=declared):
            playing.user = User(**{"id": "u-1", **known}, declared=dict(declared))
        case CallsStep():
            _expect_call(playing, step)
        case StateStep(state=state):
            assert playing.position is not None
            assert playing.position.state == state, playing.position.state
        case KnowsStep(name=name, value=value):
            assert variables(playing).get(name) == value, variables(playing)
        case EndsStep(outcome=outcome):
            assert playing.ended, playing.position
            assert playing.outcome == outcome, playing.outcome
        case _:
            assert not playing.replies, f"nobody expected {playing.replies[0].text!r}"
            _act(playing, step)


def _act(playing: Play, step: SayStep | PassStep | EventStep | PeopleStep) -> None:
    match step:
        case SayStep(text=text, meaning=meaning):
            playing.says(text, meaning)
        case PassStep(ms=ms, at=at):
            playing.passes(at or playing.now + timedelta(milliseconds=ms))
        case EventStep(name=name, fields=fields):
            playing.feed(EventReceived(playing.moment(), "c-1", playing.user, name, dict(fields)))
        case PeopleStep(answer=answer):
            playing.feed(HandoffAnswered(playing.moment(), answer))
        case _:
            assert_never(step)


def variables(playing: Play) -> Mapping[str, Value]:
    """The variables of the flow on top."""
    assert playing.position is not None
    runs = {run.serial: run.variables for run in playing.position.runs}
    return runs[playing.position.frames[-1].run]


def _expect_reply(playing: Play, step: ReplyStep) -> None:
    assert playing.replies, f"expected {step.texts}, nothing is said"
    reply = playing.replies.pop(0)
    match step.kind:
        case "is" | "one of":
            assert reply.text in step.texts
        case "contains":
            assert all(text in reply.text for text in step.texts), reply.text
        case "any":
            pass
    if step.buttons is not None:
        assert reply.buttons == step.buttons


def _expect_call(playing: Play, step: CallsStep) -> None:
    if step.service is None:
        assert not playing.commands, playing.commands
        return
    for place, command in enumerate(playing.commands):
        if (command.service, command.operation) == (step.service, step.operation):
            assert {**command.arguments, **step.arguments} == command.arguments, command.arguments
            del playing.commands[: place + 1]
            return
    raise AssertionError(f"{step.service}.{step.operation} is not called; called are {playing.commands}")
