"""Where a conversation stands: what is stored between two turns. Frozen, and found by names, never by an index into
code.

A conversation is a stack of *frames*, each at a wait. A frame belongs to a *run* of a flow, which holds the values
of its variables. `do` pushes a frame with a run of its own; an arm of `anywhere` or of a job pushes a frame on top
of the wait that it interrupts: the former in the run of the flow that declares it, the latter in a run of its own
over the values as they were at the `defer`.

A field is only ever added, with a default.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from flowc.runtime.kernel.events import CallFailure, CommandKey, EventReceived, MessageReceived, User
from flowc.runtime.program import PriorityClass
from flowc.runtime.values import Value

Expects = Literal["user", "write", "reads", "people", "nothing"]


class Message(Struct, frozen=True, omit_defaults=True):
    """The last message, as the flow reads it. `intent` is what it was taken for."""

    text: str = ""
    intent: str | None = None
    confidence: float = 0.0


class Said(Struct, frozen=True, omit_defaults=True):
    """The last message that a run handled: its text, and the values found in it by the name of their slot."""

    text: str = ""
    values: dict[str, Value] = {}


class Run(Struct, frozen=True, omit_defaults=True):
    """One run of a flow. `serial` is never used again in its conversation; `caller` is the serial of the run whose
    `do` began it. `tries` counts the answers taken by each `ask` and `choose` of the state. `job` is the serial of
    the run that deferred, in the run of a job's arm."""

    serial: int
    flow: str
    variables: dict[str, Value] = {}
    said: Said = Said()
    tries: dict[str, int] = {}
    caller: int | None = None
    job: int | None = None


class Frame(Struct, frozen=True, omit_defaults=True):
    """One level of the stack.

    `state` is a state, or the name of an arm of `anywhere` or a job (then `arm` is true). `wait` is where it
    stands; empty where it was moved to the top of `state`, until its next message. `back` is the wait whose arm is
    running, which `resume` repeats. `resumed` counts how often running that was done. `offered` is what a `choose`
    shows. `failures` are those of a group of reads whose arms have not run. `key` is the command of the write that it
    waits for."""

    run: int
    state: str
    wait: str = ""
    arm: bool = False
    back: str = ""
    resumed: int = 0
    offered: tuple[Value, ...] = ()
    locals: dict[str, Value] = {}
    failures: dict[str, CallFailure] = {}
    key: CommandKey | None = None


class Job(Struct, frozen=True, omit_defaults=True):
    """A deferred call without a result yet, with the values that its arms read. `run` is the serial of the run that
    deferred it."""

    key: CommandKey
    flow: str
    place: str
    run: int
    variables: dict[str, Value] = {}


class Progress(Struct, frozen=True, omit_defaults=True):
    """What a turn must know across its reads: whether it has said something, how many random draws and steps it has
    made (the steps also across the turns of calls that follow a reply, so that a circle of them ends), and how many
    commands."""

    spoke: bool = False
    drawn: int = 0
    steps: int = 0
    commands: int = 0
    reading: bool = False


class Pending(Struct, frozen=True, omit_defaults=True):
    """The first message or event, until the first wait takes it. `answered`: something was said since."""

    event: MessageReceived | EventReceived
    answered: bool = False


class Position(Struct, frozen=True, omit_defaults=True):
    """`frames` from bottom to top, `runs` by serial. `heard` is the time of the last message, `since` that of the
    beginning of the wait: silence is counted from the former, else the latter. `silenced` names the silence arms
    that ran in this silence. `generation` numbers the timers."""

    conversation: str
    started: datetime
    user: User
    expects: Expects
    since: datetime
    runs: tuple[Run, ...] = ()
    frames: tuple[Frame, ...] = ()
    deferred: tuple[Job, ...] = ()
    message: Message = Message()
    heard: datetime | None = None
    silenced: tuple[str, ...] = ()
    generation: int = 0
    serial: int = 0
    turn: Progress = Progress()
    pending: Pending | None = None
    priority: PriorityClass = "normal"
    outcome: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the conversation is over for its user; deferred jobs may still have results to come."""
        return not self.frames

    @property
    def state(self) -> str:
        """The state on top; empty after the end."""
        return self.frames[-1].state if self.frames else ""

    @property
    def wait(self) -> str:
        """FLOW/WAIT of the frame on top; empty after the end."""
        if not self.frames:
            return ""
        frame = self.frames[-1]
        for run in self.runs:
            if run.serial == frame.run:
                return f"{run.flow}/{frame.wait}"
        raise ValueError(f"no run {frame.run}")

    @property
    def waits(self) -> tuple[str, ...]:
        """FLOW/WAIT of each frame, bottom to top."""
        flows = {run.serial: run.flow for run in self.runs}
        return tuple([f"{flows[frame.run]}/{frame.wait}" for frame in self.frames])

    @property
    def jobs(self) -> tuple[CommandKey, ...]:
        """Keys of the deferred jobs that have no result yet."""
        return tuple([job.key for job in self.deferred])
