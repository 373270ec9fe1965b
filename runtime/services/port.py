"""What a backend is to the rest of the runtime: one attempt in, one raw answer out; and what a call comes to.

An adapter makes a single attempt. It never retries, never waits for a place, never decides what an answer means for the
conversation: that is `flowc.runtime.policy.verdict`, the same for all adapters. `Services` (calls.py) puts the policies
around it.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct, field

from flowc.runtime.errors import FlowcError
from flowc.runtime.kernel.events import CallResult
from flowc.runtime.policy.verdict import RawAnswer
from flowc.runtime.program import Operation, PriorityClass
from flowc.runtime.services.loop import LoopClock
from flowc.runtime.values import Value

__all__ = [
    "Adapter",
    "AttemptRequest",
    "Call",
    "Caller",
    "Claim",
    "Clock",
    "Later",
    "LoopClock",
    "Misconfigured",
    "Seen",
    "TimeScope",
    "Watch",
    "Wire",
]


# ----------------------------------------------------------------------------------------------- the adapter's side


@dataclass(slots=True)
class Wire:
    """What is known of an attempt while it runs, and still holds when its time is up.

    An adapter that can tell sets `is_sent` to False until something may have reached the backend, so that a connection
    that is never made is not taken for an effect in doubt; and `known` once the answer's head says how it ended.
    """

    is_sent: bool = True
    known: RawAnswer | None = None


class AttemptRequest(Struct, frozen=True):
    """One attempt. `key` is the same for every attempt of a write; `number` counts from 1; `user` is set where the
    channel proved it; `after` is how the attempt before it ended, where it is a retry. `headers` go
    with it where the adapter speaks HTTP."""

    operation: Operation
    arguments: Mapping[str, Value]
    timeout_s: float
    number: int = 1
    key: str | None = None
    user: str | None = None
    after: str = ""
    headers: dict[str, str] = {}
    seen: "list[Seen] | None" = None
    wire: Wire = field(default_factory=Wire)


class Adapter(Protocol):
    """One backend. Opened once for a running server; `attempt` is called at the same time from many conversations.

    `attempt` is cancelled when its time is up: an adapter needs no timeout of its own, and swallows no cancellation.
    A known outcome is returned, not raised; what it raises is taken for "may have been done".
    """

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Connections, for as long as the server runs."""
        ...

    async def attempt(self, request: AttemptRequest) -> RawAnswer: ...


class Misconfigured(FlowcError):  # noqa: N818 - named like the other leaves, for what is the case
    """Services cannot be opened: one sentence for each thing that is missing or wrong, all of them."""

    fault = "caller"

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


# ------------------------------------------------------------------------------------------------ the engine's side


class Call(Struct, frozen=True):
    """A call to make now. `deadline` is the turn's, in the clock's seconds; the operation's `within` holds beside it.
    `user` is given only where the channel proves the user: a limit `per user` counts by it. `seen`
    gets each attempt as it ends."""

    service: str
    operation: str
    arguments: Mapping[str, Value]
    deadline: float | None = None
    priority: PriorityClass = "normal"
    user: str | None = None
    seen: "list[Seen] | None" = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What the row of a command says when somebody works on it.

    `deferred` is a job: one attempt a claim. `waited_s` is the time since its turn was committed, without what it was
    paused. `attempts` that left, the first of them `first_sent_s` ago. `in_doubt`: one of them may have been done, also
    one whose server died before it said how it ended.
    """

    key: str
    deferred: bool
    within_s: float
    waited_s: float = 0.0
    attempts: int = 0
    first_sent_s: float | None = None
    in_doubt: bool = False


@dataclass(frozen=True, slots=True)
class Later:
    """A write that is to be claimed again after `wait_s`: a row with a due time. `attempts` left in this claim: to be
    added, and the first of all sets the time from which `first_sent_s` counts. `paused`: as soon as the service is
    resumed."""

    wait_s: float
    why: str
    attempts: int = 0
    in_doubt: bool = False
    paused: bool = False


class Seen(Struct, frozen=True):
    """One attempt as it ended, for metrics, traces and `why`. `outcome` is `ok` or a kind, as if it were the last
    attempt. `sent` is False for what we refused ourselves. `queued_s` it waited for the limit and a place.
    `after` is how the attempt before it ended, where it is a retry."""

    service: str
    operation: str
    number: int
    outcome: str
    sent: bool
    queued_s: float
    took_s: float
    message: str = ""
    after: str = ""


class Watch(Protocol):
    """Called with each attempt and local refusal, on the event loop; must not raise."""

    def __call__(self, seen: Seen, /) -> None: ...


class Caller(Protocol):
    """What the engine needs of the services."""

    async def read(self, call: Call) -> CallResult: ...

    async def write(self, call: Call, claim: Claim) -> CallResult | Later: ...

    def pause(self, service: str) -> None:
        """From now its calls are refused."""
        ...

    def resume(self, service: str) -> None: ...


# ------------------------------------------------------------------------------------------------------- the clock


class TimeScope(Protocol):
    """A block whose time ends."""

    @property
    def cancelled_caught(self) -> bool: ...


class Clock(Protocol):
    """Seconds that only grow, and waiting for them. A simulator gives its own."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...

    def timeout(self, seconds: float) -> AbstractContextManager[TimeScope]:
        """Cancels its block after `seconds`; the scope's `cancelled_caught` says that it did."""
        ...
