"""A turn while it runs: the stored position thawed into frames and runs that may change, and what the turn has caused
so far.

One `Running` lives as long as one `advance`. The functions of the constructs (asking, choosing, calling …) take it as
their one argument; `freeze` in `finish.py` makes the position to store.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Final, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct, field

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
from flowc.runtime.kernel.position import Expects, Job, Message, Pending, Position, Progress, Said
from flowc.runtime.program import PriorityClass
from flowc.runtime.values import Value

MOST_STEPS: Final = 1_000
MOST_COMMANDS: Final = 16
DEFAULT_CONFIDENCE: Final = 0.5
UTC_ZONE: Final = ZoneInfo("UTC")
_NOTHING_SAID: Final = Said()
_NO_VALUES: Final[Mapping[str, Value]] = {}  # until a frame is bound


class LiveRun(Struct, eq=False):
    """A `Run` that may change."""

    flow: LoadedFlow
    serial: int
    caller: int | None = None
    job: int | None = None
    variables: dict[str, Value] = {}
    said: Said = _NOTHING_SAID
    tries: dict[str, int] = {}


class LiveFrame(Struct, eq=False):
    """A `Frame` that may change."""

    run: LiveRun
    state: str
    wait: str = ""
    arm: bool = False
    back: str = ""
    resumed: int = 0
    offered: tuple[Value, ...] = ()
    locals: dict[str, Value] = {}
    failures: dict[str, CallFailure] = {}
    key: CommandKey | None = None


_NO_FRAME: Final = cast("LiveFrame", None)  # before the first and after the last; nobody asks for it then


class Running(Env, eq=False):
    """A turn, and so what its expressions read. `pc` is where to go on after SWITCH, `grown` whether the state may be
    larger than it was, `speaker` the run whose words are said.

    A struct, for most of its fields begin with their defaults, which takes no line of Python (0.8 µs a turn, not 3)."""

    loaded: LoadedProgram
    moment: Moment
    position: Position | None
    runs: dict[int, LiveRun] = field(default_factory=dict)
    frames: list[LiveFrame] = field(default_factory=list)
    top: LiveFrame = _NO_FRAME  # the last of `frames`, which most instructions ask for
    deferred: tuple[Job, ...] = ()
    heard: datetime | None = None
    silenced: tuple[str, ...] = ()
    serial: int = 0
    pending: Pending | None = None
    outcome: str | None = None
    expects: Expects = "nothing"
    replies: list[Reply] = field(default_factory=list)
    reads: tuple[ReadRequest, ...] = ()
    commands: tuple[Command, ...] = ()
    transitions: list[Transition] = field(default_factory=list)
    handover: Handover | None = None
    continues: bool = False
    grown: bool = False
    pc: int = STOP
    gave_up: bool = False
    unsaid: Callable[["Running"], None] | None = None
    speaker: LiveRun | None = None
    reading: bool = False
    spoke: bool = False
    drawn: int = 0
    steps: int = 0
    commands_before: int = 0

    def keep_progress(self, progress: Progress) -> None:
        """Goes on with the turn that `progress` describes."""
        self.spoke = progress.spoke
        self.drawn = progress.drawn
        self.steps = progress.steps
        self.commands_before = progress.commands
        self.reading = progress.reading

    def set_user(self, user: User) -> None:
        """Makes the user, and so zone and locale, those of the turn. Most are who they were."""
        if user is not self.user:
            self.user = user
            self.zone = zone_of(user.zone, self.loaded.program.zone)

    # ------------------------------------------------------------------------------------------------------- running

    def go(self, pc: int) -> None:
        """Runs from an instruction of the top frame until the step ends."""
        steps = self.steps
        if pc == SWITCH:
            pc = self.pc
        while pc != STOP:
            self.bind(self.top)
            code = self.top.run.flow.code
            while pc >= 0:
                steps += 1
                if steps > MOST_STEPS:
                    raise Fault(f"more than {MOST_STEPS:,} steps in one turn")
                pc = code[pc](self)
            if pc == SWITCH:
                pc = self.pc
        self.steps = steps

    def bind(self, frame: LiveFrame) -> None:
        """Lets expressions read the variables of a frame."""
        run = frame.run
        self.variables = run.variables
        self.locals = frame.locals
        self.speaker = run

    def evaluate(self, expression: Evaluate, variables: Mapping[str, Value], locals: Mapping[str, Value]) -> Value:
        """The value of an expression over other variables than those of the frame that runs."""
        around = self.variables, self.locals
        self.variables, self.locals = variables, locals
        value = expression(self)
        self.variables, self.locals = around
        return value

    def switch(self, pc: int) -> int:
        """What an instruction answers when another frame is on top now, to go on at `pc`."""
        self.pc = pc
        return SWITCH

    def stop(self, expects: Expects) -> int:
        """What an instruction answers when the step ends, waiting for `expects`."""
        self.expects = expects
        return STOP

    def at_wait(self, ask: Callable[["Running"], None] | None) -> int:
        """What an instruction answers where it waits for the user, with its question. The first message of a
        conversation is taken before the question is said (`taking.first`), for it may be the answer."""
        if self.pending is not None:
            self.unsaid = ask
        elif ask is not None:
            ask(self)
        self.expects = "user"
        return STOP

    def give_up(self) -> int:
        """What an instruction answers where the tries of the wait on top are used up (`taking.otherwise` goes on)."""
        self.gave_up = True
        return self.stop("user")

    # --------------------------------------------------------------------------------------------- the stack of frames

    def callers(self, run: LiveRun) -> Sequence[LiveRun]:
        """The runs whose `anywhere` is in reach, nearest first. The arm of a job has that of the run that deferred
        it."""
        if run.caller is None and run.job is None:  # asked for several times a turn, and mostly it is this
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
        return run

    def push(self, frame: LiveFrame) -> None:
        self.frames.append(frame)
        self.top = frame

    def truncate(self, height: int) -> None:
        """Drops the frames from `height` up, and the runs that have none any more."""
        if len(self.frames) == height:
            return
        del self.frames[height:]
        self.top = self.frames[-1] if height else _NO_FRAME
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
        self.push(frame)
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
        frame = self.top
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

    @property
    def locale(self) -> str:
        return self.locale_of(self.speaker) if self.speaker is not None else "en"

    def locale_of(self, run: LiveRun) -> str:
        """The locale of what is said: the user's where it is of the language of the texts, else that of the texts."""
        texts = run.flow.locale
        if texts is None and (run.caller is not None or run.job is not None):
            texts = next((caller.flow.locale for caller in self.callers(run) if caller.flow.locale), None)
        return spoken_locale(texts, self.user.locale)

    def priority(self) -> PriorityClass:
        """The class of the conversation: that of the state on top, else of its flow, else of the callers."""
        if not self.frames:
            return "normal"
        top, flow = self.top, self.top.run.flow
        has_rule = flow.priorities or top.state in flow.state_priorities
        if not has_rule and len(self.frames) == 1 and top.run.caller is None and top.run.job is None:
            return "normal"  # as mostly
        for run in self.callers(top.run):
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
        if run.flow.confidence is not None:
            return run.flow.confidence
        for caller in self.callers(run):
            if caller.flow.confidence is not None:
                return caller.flow.confidence
        return DEFAULT_CONFIDENCE


def begun(loaded: LoadedProgram, moment: Moment, conversation: str, user: User) -> Running:
    """The first turn of a conversation."""
    program = loaded.program
    zone = zone_of(user.zone, program.zone)
    now, nothing_said = moment.now, Message()
    return Running(
        now,
        zone,
        program.currency,
        now,
        conversation,
        user,
        nothing_said,
        _NO_VALUES,
        _NO_VALUES,
        0,
        loaded,
        moment,
        position=None,
    )


def thawed(loaded: LoadedProgram, position: Position, moment: Moment) -> Running:
    """A turn that begins where the conversation stands."""
    flows, runs = loaded.flows, {}
    for run in position.runs:
        runs[run.serial] = LiveRun(
            flows[run.flow], run.serial, run.caller, run.job, run.variables.copy(), run.said, run.tries.copy()
        )
    frames = []
    for frame in position.frames:
        live = LiveFrame(
            runs[frame.run],
            frame.state,
            frame.wait,
            frame.arm,
            frame.back,
            frame.resumed,
            frame.offered,
            frame.locals,  # nobody changes them: an arm sets others
            frame.failures.copy(),
            frame.key,
        )
        frames.append(live)
    # By place as far as can be: with more than 30 places and twice the names, Python calls by a dictionary.
    return Running(
        moment.now,
        zone_of(position.user.zone, loaded.program.zone),
        loaded.program.currency,
        position.started,
        position.conversation,
        position.user,
        position.message,
        _NO_VALUES,
        _NO_VALUES,
        0,
        loaded,
        moment,
        position,
        runs,
        frames,
        frames[-1] if frames else _NO_FRAME,
        position.deferred,
        position.heard,
        position.silenced,
        position.serial,
        position.pending,
        position.outcome,
        position.expects,
    )


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
