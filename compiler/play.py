"""Plays the chats of a `.chat` file against the kernel: time, seeds, users and backends are values, nothing waits.

A stub says what a call comes to, after all its attempts; of a read with `cache` an answer that is not too old comes
before its failure, as when it is served. A job's result comes when its turn is over and its stub's
delay has passed; the stub of a job that fails in a way that is tried again (`REPEATED`) goes on to its next
outcome, if it has one. How a play went is a value: the first step that did not hold, and what was passed on the
way, for coverage.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, assert_never

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
from flowc.dsl.source import Span
from flowc.runtime.kernel import Asking, LoadedProgram, Position, Step, advance, asking
from flowc.runtime.kernel.events import (
    CallFailure,
    CallResult,
    Command,
    CommandDone,
    CommandKey,
    Continued,
    Event,
    EventReceived,
    HandoffAnswered,
    MessageReceived,
    Moment,
    Opened,
    ReadRequest,
    ReadsDone,
    Reply,
    SilenceFired,
    Succeeded,
    Transition,
    Understood,
    User,
)
from flowc.runtime.policy.cache import AnswerCache, may_keep
from flowc.runtime.program import Operation, Program
from flowc.runtime.services.samples import NoSample, sample
from flowc.runtime.values import Shapes, Value

__all__ = ["CONVERSATION", "START", "Failure", "Outcome", "Played", "Playing", "Understand", "play"]

START: Final = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
REPEATED: Final = frozenset({"timeout", "unavailable", "overloaded"})
CONVERSATION: Final = "chat"
FIRST_WAIT_MS: Final = 1_000  # before a job is tried again; it doubles
MOST_TURNS: Final = 10_000  # of one chat: more is a loop of the flow

StubOutcome = tuple[CallResult, int]  # and after how many ms

Understand = Callable[[str, Asking, datetime], Understood]
"""A message, what its conversation waits for, and the time, to what it means."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The step that did not hold, and what happened instead."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call at a place of a flow went: `ok` or a kind of failure."""

    flow: str
    place: str
    kind: str


@dataclass(frozen=True, slots=True)
class Made:
    """A call that was made, and what it came to."""

    service: str
    operation: str
    result: CallResult


@dataclass(frozen=True, slots=True)
class Played:
    """How a script went, with everything it passed."""

    script: Script
    failure: Failure | None
    transitions: tuple[Transition, ...]
    outcomes: frozenset[Outcome]


def play(program: Program, loaded: LoadedProgram, script: Script, understand: Understand) -> Played:
    """Plays `script`; `loaded` is the program with the script's flow as its main one."""
    playing = Playing(program, loaded, understand)
    failure = None
    for step in script.steps:
        try:
            playing.take(step)
        except Unmet as unmet:
            failure = Failure(step.span, unmet.message)
            break
    if failure is None and playing.replies:
        failure = Failure(script.steps[-1].span, f"after the last step the bot said {shown(playing.replies[0].text)}")
    return Played(script, failure, tuple(playing.transitions), frozenset(playing.outcomes))


class Unmet(Exception):  # noqa: N818  # a finding about a flow, not a fault
    """A step did not hold. `loops`: because the flow goes on for ever."""

    def __init__(self, message: str, *, loops: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.loops = loops


@dataclass(frozen=True, slots=True)
class Due:
    """The result of a job on its way."""

    at: datetime
    key: CommandKey
    outcome: Outcome
    result: CallResult


@dataclass(slots=True)
class Playing:
    """One conversation as it goes."""

    program: Program
    loaded: LoadedProgram
    understand: Understand
    user: User = field(default_factory=lambda: User("user"))
    now: datetime = START
    position: Position | None = None
    last: Step | None = None
    turns: int = 0
    replies: list[Reply] = field(default_factory=list)
    writes: list[Command] = field(default_factory=list)
    timers: dict[int, datetime] = field(default_factory=dict)
    jobs: list[Due] = field(default_factory=list)
    stubs: dict[tuple[str, str], list[tuple[CallResult, int]]] = field(default_factory=dict)
    caches: dict[str, AnswerCache] = field(default_factory=dict)
    transitions: list[Transition] = field(default_factory=list)
    outcomes: set[Outcome] = field(default_factory=set)
    made: list[Made] = field(default_factory=list)
    asked_at: datetime | None = None  # of a message without an answer so far
    answered_after: timedelta | None = None

    # ---------------------------------------------------------------------------------------------------------- steps

    def take(self, step: ScriptStep) -> None:
        """Does what `step` says, or raises Unmet."""
        if self.position is None and not isinstance(step, StubStep | UserStep | SayStep | EventStep | PassStep):
            self.feed(Opened(self.moment(), CONVERSATION, self.user))
        match step:
            case StubStep(service, operation, results):
                self.stubs[service, operation] = list(results)
            case UserStep(known, declared):
                self.user = User(**{"id": "user", **known}, declared=dict(declared))
            case ReplyStep():
                self.expect_reply(step)
            case CallsStep():
                self.expect_call(step)
            case StateStep(state):
                self.expect_state(state)
            case KnowsStep(name, value):
                self.expect_value(name, value)
            case EndsStep(outcome):
                self.expect_end(outcome)
            case SayStep() | PassStep() | EventStep() | PeopleStep():
                self.expect_silence()
                self.act(step)
            case _:
                assert_never(step)

    def act(self, step: SayStep | PassStep | EventStep | PeopleStep) -> None:
        match step:
            case SayStep(text, meaning):
                understood = meaning or self.understand(text, asking(self.loaded, self.position), self.now)
                self.asked_at, self.answered_after = self.now, None
                self.feed(MessageReceived(self.moment(), CONVERSATION, self.user, text, understood))
            case PassStep(ms, at):
                self.pass_time(at or self.now + timedelta(milliseconds=ms))
            case EventStep(name, fields):
                self.feed(EventReceived(self.moment(), CONVERSATION, self.user, name, dict(fields)))
            case PeopleStep(answer):
                if self.position is None or self.position.expects != "people":
                    raise Unmet("the conversation was not given to people")
                self.feed(HandoffAnswered(self.moment(), answer))
            case _:
                assert_never(step)

    def expect_silence(self) -> None:
        if self.replies:
            raise Unmet(f"before this step the bot said {shown(self.replies[0].text)}")

    def expect_reply(self, step: ReplyStep) -> None:
        if not self.replies:
            raise Unmet(f"the bot said nothing; it is {self.whereabouts()}")
        reply = self.replies.pop(0)
        held = {
            "is": reply.text in step.texts,
            "one of": reply.text in step.texts,
            "contains": all(text in reply.text for text in step.texts),
            "any": True,
        }
        if not held[step.kind]:
            raise Unmet(f"the bot said {shown(reply.text)}")
        if step.buttons is not None and reply.buttons != step.buttons:
            offered = ", ".join(map(shown, reply.buttons)) or "none"
            raise Unmet(f"the buttons were {offered}")

    def expect_call(self, step: CallsStep) -> None:
        if step.service is None:
            if self.writes:
                raise Unmet(f"there was a call of {spelled(self.writes[0])}")
            return
        wanted = (step.service, step.operation)
        index = next((at for at, each in enumerate(self.writes) if (each.service, each.operation) == wanted), None)
        if index is None:
            others = ", ".join(map(spelled, self.writes))
            raise Unmet(f"there was no such call, only {others}" if others else "nothing was called")
        given = self.writes[index].arguments
        wrong = [name for name, value in step.arguments.items() if given.get(name) != value]
        if wrong:
            raise Unmet(f"it was called with {', '.join(f'{name}: {given.get(name)!r}' for name in wrong)}")
        del self.writes[: index + 1]

    def expect_state(self, state: str) -> None:
        if self.position is None or self.position.ended or self.position.state != state:
            raise Unmet(f"it is {self.whereabouts()}")

    def expect_value(self, name: str, value: Value) -> None:
        if self.position is None or not self.position.frames:
            raise Unmet("the conversation has ended")
        runs = {run.serial: run.variables for run in self.position.runs}
        known = runs[self.position.frames[-1].run]
        if known.get(name) != value:
            raise Unmet(f"`{name}` is {known[name]!r}" if name in known else f"`{name}` has no value here")

    def expect_end(self, outcome: str | None) -> None:
        self.expect_silence()
        if self.position is None or not self.position.ended:
            raise Unmet(f"it is {self.whereabouts()}")
        if self.position.outcome != outcome:
            raise Unmet(f"it ended with {self.position.outcome or 'a plain end'}")

    def whereabouts(self) -> str:
        """Where the conversation is, in words."""
        if self.position is None:
            return "before its beginning"
        if self.position.ended:
            return f"at its end ({self.position.outcome})" if self.position.outcome else "at its end"
        return f"in state `{self.position.state}`"

    # --------------------------------------------------------------------------------------------------- the simulation

    def moment(self) -> Moment:
        return Moment(self.now, self.turns)

    def feed(self, event: Event) -> None:
        """One event, and everything that follows from it at once."""
        following: list[Event] = [event]
        while following:
            self.turns += 1
            if self.turns > MOST_TURNS:
                raise Unmet(f"it goes round and round {self.whereabouts()}", loops=True)
            step = advance(self.loaded, self.position, following.pop(0))
            if step.fault is not None:
                raise Unmet(f"the flow failed: {step.fault}")
            following = [*self.follow(step), *following]
        self.deliver()

    def follow(self, step: Step) -> list[Event]:
        """Takes a step over; the events that follow from it."""
        self.last, self.position = step, step.position
        self.replies += step.replies
        self.transitions += step.transitions
        if step.reads:
            return [self.read(step.reads)]
        self.answer()
        self.timers = {timer.after_ms: timer.due for timer in step.timers}
        self.writes += step.commands
        following: list[Event] = []
        for command in step.commands:
            if command.deferred:
                self.queue(command)
            else:
                following.append(CommandDone(self.moment(), command.key, self.called(command)))
        return [*following, Continued(self.moment())] if step.continues else following

    def answer(self) -> None:
        """The turn is stored, so what was said leaves."""
        if self.asked_at is not None and self.replies:
            self.answered_after, self.asked_at = self.now - self.asked_at, None

    def read(self, reads: tuple[ReadRequest, ...]) -> ReadsDone:
        """Reads that run at the same time: it takes as long as the slowest."""
        begin = last = self.now
        results = []
        for read in reads:
            self.now = begin
            results.append(self.called(read))
            last = max(last, self.now)
        self.now = last
        return ReadsDone(self.moment(), tuple(results))

    def called(self, call: ReadRequest | Command) -> CallResult:
        """What a call in the turn comes to. A read whose service fails is answered from its cache."""
        result, delay_ms = self.next_stub(call.service, call.operation)
        self.now += timedelta(milliseconds=delay_ms)
        operation = self.program.services[call.service].operations[call.operation]
        if isinstance(call, ReadRequest) and may_keep(operation, self.program.records):
            cache = self.caches.setdefault(call.service, AnswerCache())
            result = cache.answer(operation, call.arguments, result, self.now.timestamp())
        self.outcomes.add(Outcome(self.flow_on_top(), call.place, kind_of(result)))
        return result

    def queue(self, command: Command) -> None:
        """The result of a job, after the attempts that its stub lets it make."""
        wait_ms, again_ms = 0, FIRST_WAIT_MS
        outcome = self.next_stub(command.service, command.operation)
        while is_repeated(outcome) and self.has_more(command, outcome):
            wait_ms, again_ms = wait_ms + outcome[1] + again_ms, min(again_ms * 2, 300_000)
            outcome = self.next_stub(command.service, command.operation)
        result, delay_ms = outcome
        kind = "ok" if isinstance(result, Succeeded) else "unknown" if result.kind == "unknown" else "failed"
        passed = Outcome(self.flow_on_top(), command.place, kind)
        self.jobs.append(Due(self.now + timedelta(milliseconds=wait_ms + delay_ms), command.key, passed, result))

    def has_more(self, command: Command, last: StubOutcome) -> bool:
        """Whether its stub has an outcome after `last`; the last of all stays, so it is what the job comes to."""
        queue = self.stubs.get((command.service, command.operation), [])
        return queue != [] and queue[0] is not last

    def flow_on_top(self) -> str:
        """The flow whose call runs."""
        if self.position is None or not self.position.frames:
            return self.loaded.main.name
        flows = {run.serial: run.flow for run in self.position.runs}
        return flows[self.position.frames[-1].run]

    def next_stub(self, service: str, operation: str) -> tuple[CallResult, int]:
        """The next outcome of a stub, whose last one stays; without a stub a value made from the type."""
        queue = self.stubs.get((service, operation))
        if queue:
            outcome = queue.pop(0) if len(queue) > 1 else queue[0]
        else:
            outcome = Succeeded(self.made_up(self.program.services[service].operations[operation])), 0
        self.made.append(Made(service, operation, outcome[0]))
        return outcome

    def made_up(self, operation: Operation) -> Value:
        shapes = Shapes(self.program.records, self.program.zone, self.program.currency)
        try:
            return None if operation.result is None else sample(operation.result, shapes, operation.name)
        except NoSample as error:
            raise Unmet(f"no value can be made for `{operation.name}`: give one with `given` ({error})") from error

    def deliver(self) -> None:
        """Results of jobs that are due, where the conversation takes them."""
        while self.position is not None and self.position.expects in ("user", "nothing"):
            due = min((job for job in self.jobs if job.at <= self.now), key=lambda job: job.at, default=None)
            if due is None:
                return
            self.jobs.remove(due)
            self.outcomes.add(due.outcome)
            self.feed(CommandDone(self.moment(), due.key, due.result))

    def pass_time(self, until: datetime) -> None:
        """Time passes; what is due on the way happens, in order. Before the beginning the clock is just set."""
        if self.position is None:
            self.now = until
            return
        while True:
            coming = [*self.timers.values(), *(job.at for job in self.jobs)]
            at = min((each for each in coming if each <= until and each > self.now), default=None)
            overdue = [each for each in self.timers.values() if each <= self.now]
            if at is None and not overdue:
                break
            self.now = self.now if overdue or at is None else at
            self.deliver()
            self.fire()
        self.now = max(self.now, until)

    def fire(self) -> None:
        """The silence timers that are due, the earliest first."""
        due = sorted((at, after_ms) for after_ms, at in self.timers.items() if at <= self.now)
        if due and self.position is not None:
            before = dict(self.timers)
            self.feed(SilenceFired(self.moment(), self.position.generation, due[0][1]))
            if self.timers == before:
                raise Unmet(f"the silence of {due[0][1]} ms is armed again at once", loops=True)


def is_repeated(outcome: StubOutcome) -> bool:
    """Whether a job is tried again after it."""
    return isinstance(outcome[0], CallFailure) and outcome[0].kind in REPEATED


def kind_of(result: CallResult) -> str:
    """`ok`, or the kind of failure."""
    match result:
        case Succeeded():
            return "ok"
        case CallFailure(kind):
            return kind
        case _:
            assert_never(result)


def shown(text: str) -> str:
    """A text as a chat file has it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def spelled(command: Command) -> str:
    """A call with its arguments."""
    arguments = ", ".join(f"{name}: {value!r}" for name, value in command.arguments.items())
    return f"{command.service}.{command.operation}({arguments})"
