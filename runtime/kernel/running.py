"""A turn while it runs: the stored position thawed into frames and runs that may change, and what the turn has caused
so far.

One `Running` lives as long as one `advance`. The functions of the constructs (asking, choosing, calling …) take it as
their one argument; `freeze` in `finish.py` makes the position to store.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flowc.runtime.kernel.evaluate import Env, Evaluate
from flowc.runtime.kernel.events import (
    CallFailure,
    Command,
    CommandKey,
    Handover,
    Moment,
    ReadRequest,
    Reply,
    ReplyLink,
    Transition,
    User,
)
from flowc.runtime.kernel.fault import Fault
from flowc.runtime.kernel.loaded import STOP, SWITCH, LoadedArm, LoadedFlow, LoadedPriority, LoadedProgram
from flowc.runtime.kernel.position import Expects, Frame, Job, Message, Pending, Position, Progress, Run, Said
from flowc.runtime.program import PriorityClass
from flowc.runtime.values import Value

MOST_STEPS: Final = 1_000
MOST_COMMANDS: Final = 16
DEFAULT_CONFIDENCE: Final = 0.5
UTC_ZONE: Final = ZoneInfo("UTC")
_NOTHING_SAID: Final = Said()


class LiveRun:
    """A `Run` that may change."""

    __slots__ = ("caller", "flow", "job", "said", "serial", "tries", "variables")

    def __init__(self, flow: LoadedFlow, serial: int, caller: int | None, *, said: Said = _NOTHING_SAID) -> None:
        self.flow = flow
        self.serial = serial
        self.caller = caller
        self.job: int | None = None
        self.variables: dict[str, Value] = {}
        self.said = said
        self.tries: dict[str, int] = {}


class LiveFrame:
    """A `Frame` that may change."""

    __slots__ = ("arm", "back", "failures", "key", "locals", "offered", "resumed", "run", "state", "wait")

    def __init__(self, run: LiveRun, state: str, *, arm: bool = False) -> None:
        self.run = run
        self.state = state
        self.arm = arm
        self.wait = ""
        self.back = ""
        self.resumed = 0
        self.offered: tuple[Value, ...] = ()
        self.locals: dict[str, Value] = {}
        self.failures: dict[str, CallFailure] = {}
        self.key: CommandKey | None = None


class Running:
    """A turn. `pc` is where to go on after SWITCH."""

    __slots__ = (
        "commands", "commands_before", "continues", "conversation", "deferred", "drawn", "env", "expects", "frames",
        "gave_up", "grown", "handover", "heard", "loaded", "message", "moment", "outcome", "pc", "pending", "position",
        "reading", "reads", "replies", "runs", "serial", "silenced", "speaker", "spoke", "started", "steps",
        "transitions", "unsaid", "user",
    )  # fmt: skip

    def __init__(self, loaded: LoadedProgram, position: Position | None, moment: Moment) -> None:
        self.loaded = loaded
        self.position = position
        self.moment = moment
        self.replies: list[Reply] = []
        self.reads: list[ReadRequest] = []
        self.commands: list[Command] = []
        self.transitions: list[Transition] = []
        self.handover: Handover | None = None
        self.continues = False
        self.grown = False  # whether the state may be larger than it was
        self.pc = STOP
        self.gave_up = False
        self.unsaid: Callable[[], None] | None = None
        self.speaker: LiveRun | None = None  # the run of whom `env.locale` is
        self.expects: Expects = "nothing"
        self.reading = False
        self.spoke = False
        self.drawn = self.steps = self.commands_before = 0
        self.env = Env(moment.now, zone_of(None, loaded.program.zone), loaded.program.currency)
        if position is None:
            self._begin_empty()
        else:
            self._thaw(position)

    def begin(self, conversation: str) -> None:
        """Makes this the first turn of a conversation."""
        self.conversation = self.env.conversation_id = conversation

    def _begin_empty(self) -> None:
        self.conversation = ""
        self.started = self.moment.now
        self.runs: dict[int, LiveRun] = {}
        self.frames: list[LiveFrame] = []
        self.deferred: list[Job] = []
        self.message = Message()
        self.heard: datetime | None = None
        self.silenced: tuple[str, ...] = ()
        self.serial = 0
        self.pending: Pending | None = None
        self.outcome: str | None = None

    def _thaw(self, position: Position) -> None:
        self.conversation = position.conversation
        self.started = position.started
        flows = self.loaded.flows
        self.runs = {}
        for run in position.runs:
            self.runs[run.serial] = _live_run(run, flows[run.flow])
        self.frames = [_live_frame(frame, self.runs[frame.run]) for frame in position.frames]
        self.deferred = list(position.deferred)
        self.heard = position.heard
        self.silenced = position.silenced
        self.serial = position.serial
        self.pending = position.pending
        self.outcome = position.outcome
        self.expects = position.expects
        self.env.conversation_id = position.conversation
        self.env.started = position.started
        self.set_user(position.user)
        self.set_message(position.message)

    def keep_progress(self, progress: Progress) -> None:
        """Goes on with the turn that `progress` describes."""
        self.spoke = progress.spoke
        self.drawn = progress.drawn
        self.steps = progress.steps
        self.commands_before = progress.commands
        self.reading = progress.reading

    def set_user(self, user: User) -> None:
        """Makes the user, and so zone and locale, those of the turn. Most are who they were."""
        self.user = user
        if user == self.env.user_facts:
            return
        self.env.user_facts = user
        self.env.zone = zone_of(user.zone, self.loaded.program.zone)
        self.speaker = None

    def set_message(self, message: Message) -> None:
        self.message = message
        self.env.said = message

    # ------------------------------------------------------------------------------------------------------- running

    @property
    def top(self) -> LiveFrame:
        return self.frames[-1]

    def go(self, pc: int) -> None:
        """Runs from an instruction of the top frame until the step ends."""
        if pc == SWITCH:
            pc = self.pc
        while pc != STOP:
            frame = self.frames[-1]
            self.bind(frame)
            code = frame.run.flow.code
            while pc >= 0:
                self.steps += 1
                if self.steps > MOST_STEPS:
                    raise Fault(f"more than {MOST_STEPS:,} steps in one turn")
                pc = code[pc](self)
            if pc == SWITCH:
                pc = self.pc

    def bind(self, frame: LiveFrame) -> None:
        """Lets expressions read the variables of a frame."""
        env, run = self.env, frame.run
        env.variables = run.variables
        env.locals = frame.locals
        if run is not self.speaker:
            self.speaker = run
            env.locale = self.locale(run)

    def evaluate(self, expression: Evaluate, variables: Mapping[str, Value], locals: Mapping[str, Value]) -> Value:
        """The value of an expression over other variables than those of the frame that runs."""
        env = self.env
        around = env.variables, env.locals
        env.variables, env.locals = variables, locals
        value = expression(env)
        env.variables, env.locals = around
        return value

    def switch(self, pc: int) -> int:
        """What an instruction answers when another frame is on top now, to go on at `pc`."""
        self.pc = pc
        return SWITCH

    def stop(self, expects: Expects) -> int:
        """What an instruction answers when the step ends, waiting for `expects`."""
        self.expects = expects
        return STOP

    def at_wait(self, words: Callable[[], None] | None) -> int:
        """What an instruction answers where it waits for the user, with its question. The first message of a
        conversation is taken before the question is said (`taking.first`), for it may be the answer."""
        if self.pending is not None:
            self.unsaid = words
        elif words is not None:
            words()
        return self.stop("user")

    def give_up(self) -> int:
        """What an instruction answers where the tries of the wait on top are used up (`taking.otherwise` goes on)."""
        self.gave_up = True
        return self.stop("user")

    # --------------------------------------------------------------------------------------------- the stack of frames

    def callers(self, run: LiveRun) -> Sequence[LiveRun]:
        """The runs whose `anywhere` is in reach, nearest first. The arm of a job has that of the run that deferred
        it."""
        if run.caller is None and run.job is None:  # asked for ten times a turn, and mostly it is this
            return (run,)
        at: LiveRun | None = run
        if run.job is not None and run.job in self.runs:
            at = self.runs[run.job]
        found = []
        while at is not None:
            found.append(at)
            at = self.runs.get(at.caller) if at.caller is not None else None
        return found

    def new_run(self, flow: LoadedFlow, caller: int | None) -> LiveRun:
        run = LiveRun(flow, self.serial, caller)
        self.runs[run.serial] = run
        self.serial += 1
        self.grown = True
        return run

    def truncate(self, height: int) -> None:
        """Drops the frames from `height` up, and the runs that have none any more."""
        del self.frames[height:]
        left = {frame.run.serial for frame in self.frames}
        for serial in [serial for serial in self.runs if serial not in left]:
            del self.runs[serial]

    def base(self, run: LiveRun) -> int | None:
        """The height of the frame where a run itself stands, without the arms on top of it."""
        for height, frame in enumerate(self.frames):
            if frame.run is run and not frame.arm:
                return height
        return None

    def is_running(self, run: LiveRun, arm: LoadedArm) -> bool:
        """Whether an arm of `anywhere` runs already; then it is not tried again."""
        return any(frame.arm and frame.run is run and frame.state == arm.name for frame in self.frames)

    def interrupt(self, run: LiveRun, arm: LoadedArm, locals: dict[str, Value]) -> int:
        """Begins an arm of the `anywhere` of `run` on top of the wait where the conversation stands."""
        frame = LiveFrame(run, arm.name, arm=True)
        frame.locals = locals
        self.frames.append(frame)
        self.note("interrupt", frame, arm.name)
        return self.switch(arm.to)

    # ---------------------------------------------------------------------------------------------- what a turn causes

    def say(
        self,
        text: str,
        buttons: tuple[str, ...] = (),
        images: tuple[str, ...] = (),
        links: tuple[ReplyLink, ...] = (),
    ) -> None:
        frame = self.frames[-1]
        self.spoke = True
        self.replies.append(Reply(text, buttons, images, links, frame.run.flow.name, frame.state))

    def note(self, kind: str, frame: LiveFrame, detail: str = "") -> None:
        self.transitions.append(Transition(kind, frame.run.flow.name, frame.wait or frame.state, detail))

    def draw(self, count: int) -> int:
        """A number below `count`, drawn from the seed of the turn."""
        return int.from_bytes(self._drawn("choice")[:8], "big") % count

    def new_key(self) -> CommandKey:
        """A key for one more effect, drawn from the seed of the turn."""
        if self.commands_before + len(self.commands) >= MOST_COMMANDS:
            raise Fault(f"more than {MOST_COMMANDS} commands in one turn")
        return CommandKey(self._drawn("key").hex())

    def _drawn(self, purpose: str) -> bytes:
        self.drawn += 1
        source = f"{self.moment.seed}/{self.drawn}/{purpose}/{self.conversation}"
        return blake2b(source.encode(), digest_size=16).digest()

    # ------------------------------------------------------------------------------------ what a called flow leaves out

    def locale(self, run: LiveRun) -> str:
        """The locale of what is said: the user's where it is of the language of the texts, else that of the texts."""
        texts = run.flow.locale
        if texts is None and (run.caller is not None or run.job is not None):
            texts = next((caller.flow.locale for caller in self.callers(run) if caller.flow.locale), None)
        return spoken_locale(texts, self.user.locale)

    def priority(self) -> PriorityClass:
        """The class of the conversation: that of the state on top, else of its flow, else of the callers."""
        if not self.frames:
            return "normal"
        for run in self.callers(self.top.run):
            height = self.base(run)
            if height is not None:
                rule = run.flow.state_priorities.get(self.frames[height].state)
                if rule is not None and self._applies(rule):
                    return rule.priority
            for rule in run.flow.priorities:
                if self._applies(rule):
                    return rule.priority
        return "normal"

    def _applies(self, rule: LoadedPriority) -> bool:
        return rule.when is None or bool(self.evaluate(rule.when, {}, {}))

    def confidence(self, run: LiveRun) -> float:
        """The confidence below which an intent is not understood."""
        for caller in self.callers(run):
            if caller.flow.confidence is not None:
                return caller.flow.confidence
        return DEFAULT_CONFIDENCE


def _live_run(run: Run, flow: LoadedFlow) -> LiveRun:
    live = LiveRun(flow, run.serial, run.caller, said=run.said)
    live.job = run.job
    live.variables = run.variables.copy()
    if run.tries:
        live.tries = run.tries.copy()
    return live


def _live_frame(frame: Frame, run: LiveRun) -> LiveFrame:
    live = LiveFrame(run, frame.state, arm=frame.arm)
    live.wait = frame.wait
    live.back = frame.back
    live.resumed = frame.resumed
    live.offered = frame.offered
    if frame.locals:
        live.locals = frame.locals.copy()
    if frame.failures:
        live.failures = frame.failures.copy()
    live.key = frame.key
    return live


def spoken_locale(texts: str | None, user: str | None) -> str:
    """The locale of what is said, by that of the texts and the user's."""
    if user and (texts is None or user[:2].lower() == texts[:2].lower()):
        return user
    return texts or "en"


@lru_cache(maxsize=1_024)
def zone_of(user: str | None, bot: str) -> ZoneInfo:
    """The zone that the channel knows, else the bot's, else UTC."""
    for name in (user, bot):
        if name:
            try:
                return ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                continue
    return UTC_ZONE
