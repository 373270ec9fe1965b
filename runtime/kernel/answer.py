"""What the kernel answers: a step after an event, and what a position asks of understanding."""

from msgspec import Struct

from flowc.runtime.kernel.events import Command, Handover, ReadRequest, Reply, Timer, Transition
from flowc.runtime.kernel.position import Position
from flowc.runtime.program import Intent, Slot


class Step(Struct, frozen=True):
    """The position after an event, and what to do about it.

    `reads` not empty: the turn is not finished; run them together and go on with `ReadsDone` at `position`.
    Otherwise the step ends the turn, and its position may be stored. `continues`: store and send, then a turn with
    `Continued` follows at once. `timers` replace all of the conversation. `fault`: the event failed through a fault
    of ours; the position is unchanged and nothing is to be done."""

    position: Position | None
    replies: tuple[Reply, ...] = ()
    reads: tuple[ReadRequest, ...] = ()
    commands: tuple[Command, ...] = ()
    timers: tuple[Timer, ...] = ()
    continues: bool = False
    handover: Handover | None = None
    ended: bool = False
    outcome: str | None = None
    transitions: tuple[Transition, ...] = ()
    fault: str | None = None


class Candidate(Struct, frozen=True):
    """An intent that somebody in reach handles; `distance` is 0 for the statement, 1 for the flow's `anywhere`,
    then its callers."""

    flow: str
    intent: Intent
    distance: int


class Asking(Struct, frozen=True, eq=False):
    """What understanding needs to know about a position. `asked` is the slot that a question is about, `slots`
    those of the asking flow (for a value that only its type identifies), `offered` the labels of a `choose`.

    One is made for each wait and kept, so it is told from others by identity: a provider may keep by it what it has
    prepared."""

    flow: str
    wait: str
    confidence: float
    candidates: tuple[Candidate, ...]
    slots: tuple[Slot, ...]
    asked: Slot | None
    offered: tuple[str, ...]
    locale: str
    zone: str
