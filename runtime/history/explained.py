"""What is told of one turn: values that may be shown, already masked."""

from msgspec import Struct

from flowc.runtime.engine.causes import Cause
from flowc.runtime.engine.stored import Tried
from flowc.runtime.kernel.events import RankedIntent
from flowc.runtime.program import Expression


class Shown(Struct, frozen=True):
    """A name and its value, in one line."""

    name: str
    value: str


class Happened(Struct, frozen=True):
    """The event of a turn. `text` of a message, `name` and `fields` of an external event, `detail` of others."""

    kind: str
    text: str | None = None
    name: str | None = None
    fields: tuple[Shown, ...] = ()
    detail: str | None = None


class Heard(Struct, frozen=True):
    """What a message was taken for. `least` is the confidence below which an intent is not understood, `margin` what
    the surest has before the next, `asked` the slot that the question was about."""

    provider: str
    intents: tuple[RankedIntent, ...]
    least: float
    margin: float | None
    found: tuple[Shown, ...]
    asked: str | None


class Decided(Struct, frozen=True):
    """A condition, what it came to, and what it read. `at` is the instruction in the flow's code, -1 for a check."""

    kind: str
    flow: str
    at: int
    name: str
    condition: Expression
    value: str
    read: tuple[tuple[Expression, str], ...]


class Passed(Struct, frozen=True):
    """A state, an arm, an outcome that the turn went through."""

    kind: str
    flow: str
    place: str
    detail: str


class Attempt(Struct, frozen=True):
    """An attempt of a call: how it ended and how long it took; `why` it was not sent."""

    number: int
    outcome: str
    sent: bool
    queued_ms: int
    took_ms: int
    why: str


def attempt_of(tried: Tried) -> Attempt:
    return Attempt(tried.number, tried.outcome, tried.sent, tried.queued_ms, tried.took_ms, tried.why)


class Called(Struct, frozen=True):
    """A call: a read with its outcome, a write or job that was asked for (`outcome` None), or the result of one."""

    kind: str
    service: str
    operation: str
    arguments: tuple[Shown, ...]
    outcome: str | None
    result: str
    tried: tuple[Attempt, ...]


class Explained(Struct, frozen=True):
    """A turn. `before` and `after` are the waits from bottom to top; `caveats` say what could not be found."""

    conversation: str
    incarnation: int
    turn: int
    at_ms: int
    deployment: int
    version: str
    event: Happened
    heard: Heard | None
    path: tuple[Decided | Passed, ...]
    calls: tuple[Called, ...]
    replies: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    outcome: str | None
    cause: Cause | None
    caveats: tuple[str, ...]
