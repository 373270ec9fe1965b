"""What may happen to a conversation, and what a step of the kernel answers: the whole contract of `advance`.

Everything that `advance` may depend on is in its event: the time, the seed, what was understood, the results of
calls. So a journal of events replays to the same position. Events are stored (msgpack), so a field is only ever
added, with a default.
"""

from datetime import datetime
from typing import Literal, NewType

from msgspec import Struct

from flowc.runtime.program import PriorityClass
from flowc.runtime.values import Value

CommandKey = NewType("CommandKey", str)

# ------------------------------------------------------------------------------------------------ what was understood


class RankedIntent(Struct, frozen=True):
    name: str
    confidence: float


class Found(Struct, frozen=True):
    """A value found in a message. `slot` where the provider knows which slot it is for (an example with a place
    for it), else only the slot's type identified it, and `slots` names every slot of the asking flow whose type it
    fits. `start`, `end` are offsets in the text."""

    value: Value
    slot: str | None = None
    slots: tuple[str, ...] = ()
    start: int = 0
    end: int = 0


class Understood(Struct, frozen=True):
    """`intents` surest first; empty when nothing was understood. `provider` decided, for `why`."""

    intents: tuple[RankedIntent, ...] = ()
    found: tuple[Found, ...] = ()
    provider: str = ""


class User(Struct, frozen=True):
    """What the channel knows. `declared` has the fields of `[user]` in flowc.toml."""

    id: str
    name: str | None = None
    locale: str | None = None
    zone: str | None = None
    channel: str = "http"
    declared: dict[str, Value] = {}


# --------------------------------------------------------------------------------------------------------- results of
# calls


class Succeeded(Struct, frozen=True, tag="ok"):
    value: Value = None


class CallFailure(Struct, frozen=True, tag="failed"):
    """`kind` is a declared failure or one of timeout, unavailable, overloaded, rejected, malformed, unknown.
    `fields` has what the error's body told."""

    kind: str
    message: str = ""
    fields: dict[str, Value] = {}


CallResult = Succeeded | CallFailure

# -------------------------------------------------------------------------------------------------------------------
# events


class Moment(Struct, frozen=True):
    """`now` (aware, UTC) is fixed for the turn; `seed` is 63 random bits drawn for the turn, recorded."""

    now: datetime
    seed: int


class Opened(Struct, frozen=True, tag="opened"):
    """The channel opens the conversation before any message."""

    moment: Moment
    conversation: str
    user: User


class MessageReceived(Struct, frozen=True, tag="message"):
    moment: Moment
    conversation: str
    user: User
    text: str
    understood: Understood


class EventReceived(Struct, frozen=True, tag="event"):
    """An external event; `fields` are checked against its declaration."""

    moment: Moment
    conversation: str
    user: User
    name: str
    fields: dict[str, Value]


class ReadsDone(Struct, frozen=True, tag="reads"):
    """Results of the reads that the last step asked for, in its order. Belongs to the turn that asked."""

    moment: Moment
    results: tuple[CallResult, ...]


class Continued(Struct, frozen=True, tag="continued"):
    """The turn of a call that follows a reply: the replies were committed and sent, now the reads are asked for."""

    moment: Moment


class CommandDone(Struct, frozen=True, tag="command"):
    """The result of a write or of a deferred job, by its key."""

    moment: Moment
    key: CommandKey
    result: CallResult


class SilenceFired(Struct, frozen=True, tag="silence"):
    """The silence timer `after_ms` of the wait whose timers have `generation`. One that is not current changes
    nothing."""

    moment: Moment
    generation: int
    after_ms: int


class HandoffAnswered(Struct, frozen=True, tag="handoff"):
    """People closed it (`returned`), or nobody is there (`unavailable`)."""

    moment: Moment
    answer: Literal["returned", "unavailable"]


class Faulted(Struct, frozen=True, tag="faulted"):
    """The fault turn of an event that failed three times. For a message the position stays and the fault reply is
    said; for others the conversation goes to `on failure`, else ends with outcome `fault`. `key` where it was a
    result: a job with it is over, none of its arms was run."""

    moment: Moment
    of_message: bool
    reason: str
    key: CommandKey | None = None


class Dismissed(Struct, frozen=True, tag="dismissed"):
    """Somebody who operates the bot ends the conversation where it stands. Nothing is said; jobs go on."""

    moment: Moment


Event = (
    Opened
    | MessageReceived
    | EventReceived
    | ReadsDone
    | Continued
    | CommandDone
    | SilenceFired
    | HandoffAnswered
    | Faulted
    | Dismissed
)

# ------------------------------------------------------------------------------------------------------------------
# effects


class ReplyLink(Struct, frozen=True):
    label: str
    url: str


class Reply(Struct, frozen=True):
    """One reply as sent. `flow` and `state` say where it was said."""

    text: str
    buttons: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    links: tuple[ReplyLink, ...] = ()
    flow: str = ""
    state: str = ""


class ReadRequest(Struct, frozen=True):
    """A read to run now; `place` names the call in its flow."""

    place: str
    service: str
    operation: str
    arguments: dict[str, Value]


class Command(Struct, frozen=True):
    """A write to store with the turn and to run after its commit. `key` is drawn from the turn's seed and is its
    idempotency key. `deferred` ones are jobs, repeated until `within_ms` is over."""

    key: CommandKey
    place: str
    service: str
    operation: str
    arguments: dict[str, Value]
    deferred: bool
    within_ms: int
    priority: PriorityClass


class Timer(Struct, frozen=True):
    """A silence timer of the wait where the step ended. `due` is absolute. Replaces all timers of the conversation."""

    generation: int
    after_ms: int
    due: datetime


class Handover(Struct, frozen=True):
    """The conversation was given to people of `queue`."""

    queue: str


class Transition(Struct, frozen=True):
    """For metrics, coverage and `why`: something the step passed, such as a state entered or an arm taken. `kind`
    is one of `state` (`detail` is the state left for it), `arm`, `outcome`, `mark`, `interrupt`, `resume`, `fallback`,
    `unhandled`, `end`."""

    kind: str
    flow: str
    place: str
    detail: str = ""
