"""How an attempt's raw answer becomes an outcome: for a read, and for a write, which may have been done.

A write failed only when we know that it was not done: never sent, a declared failure, a 4xx other than 408 and 425, or 429, or 503 with
`Retry-After`. Everything else that is not a well-formed success is `unknown`. Once an attempt may have been done, only two things settle
the write: a success, or a refusal by a backend that `keeps refusals` (it repeats for a key what it said to it first). Any other refusal
may be of the repetition alone ("already cancelled"), and says nothing about the first.
"""

from dataclasses import dataclass, field
from typing import Literal, assert_never

from flowc.runtime.kernel.events import CallFailure, CallResult, Succeeded
from flowc.runtime.program import Operation
from flowc.runtime.values import Value

# ------------------------------------------------------------------------------------------------ what an attempt can come to


@dataclass(frozen=True, slots=True)
class Answered:
    """A success whose value fits the operation's type."""

    value: Value = None


@dataclass(frozen=True, slots=True)
class Declared:
    """A business failure that the operation declares."""

    name: str
    fields: dict[str, Value] = field(default_factory=dict)
    message: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The backend refused the request itself: a 4xx other than 408, 425 and 429."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class PushedBack:
    """Not now, and not done: 429, or 503 with `Retry-After`."""

    message: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """No connection was made, or nothing of the request left."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class Overloaded:
    """A limit of ours, or no time left for an attempt. Not sent."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No answer in time. It may have been done."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection ended before the answer did. It may have been done."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """The backend failed: a 5xx, 408 or 425, or what is no answer at all. It may have been done."""

    message: str = ""
    refused: bool = False  # 408, 425: for a read that is a 4xx like any other


@dataclass(frozen=True, slots=True)
class Misshaped:
    """A redirect, or a success that does not fit its type. It may have been done."""

    message: str = ""


RawAnswer = Answered | Declared | Rejected | PushedBack | NotSent | Overloaded | TimedOut | Lost | Broken | Misshaped
