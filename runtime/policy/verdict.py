"""How an attempt's raw answer becomes an outcome: for a read, and for a write, which may have been done.

A write failed only when we know that it was not done: never sent, a declared failure, a 4xx other than 408 and 425,
a 429, or a 503 with `Retry-After`. Everything else that is not a well-formed success is `unknown`. Once an attempt may
have been done, only two things settle the write: a success, or a refusal by a backend that `keeps refusals` (it
repeats for a key what it said to it first). Any other refusal may be of the repetition alone ("already cancelled"),
and says nothing about the first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, assert_never

from flowc.runtime.kernel.events import CallFailure, CallResult, Succeeded
from flowc.runtime.program import Key
from flowc.runtime.values import Value

# ---------------------------------------------------------------------------------------- what an attempt can come to


@dataclass(frozen=True, slots=True)
class Answered:
    """A success whose value fits the operation's type."""

    value: Value = None


@dataclass(frozen=True, slots=True)
class Declared:
    """A business failure that the operation declares."""

    name: str
    fields: Mapping[str, Value] = field(default_factory=dict)
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
    """No connection was made, so nothing of the request left."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """Refused by ourselves before anything was sent: breaker or pause (`unavailable`), a limit, no place, or no time
    left (`overloaded`). It would not be refused before `wait_s`."""

    kind: Literal["unavailable", "overloaded"]
    message: str
    wait_s: float = 0.0


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
    """The backend failed: a 5xx. It may have been done. `is_refusal` for 408 and 425, which are a 4xx to a read."""

    message: str = ""
    is_refusal: bool = False


@dataclass(frozen=True, slots=True)
class Misshaped:
    """A redirect, or a success that does not fit its type. It may have been done."""

    message: str = ""


RawAnswer = Answered | Declared | Rejected | PushedBack | NotSent | Held | TimedOut | Lost | Broken | Misshaped


# ------------------------------------------------------------------------------------------------------------ outcomes


def of_read(raw: RawAnswer) -> CallResult:
    """The outcome of a read, had this been its last attempt."""
    match raw:
        case Answered(value):
            return Succeeded(value)
        case Declared(name, fields, message):
            return CallFailure(name, message, dict(fields))
        case Rejected(message) | Broken(message, True):
            return CallFailure("rejected", message)
        case PushedBack(message):
            return CallFailure("overloaded", message)
        case NotSent(message) | Lost(message) | Broken(message):
            return CallFailure("unavailable", message)
        case Held(kind, message):
            return CallFailure(kind, message)
        case TimedOut(message):
            return CallFailure("timeout", message)
        case Misshaped(message):
            return CallFailure("malformed", message)
        case _:
            assert_never(raw)


def of_write(raw: RawAnswer, key: Key | None, *, in_doubt: bool) -> CallResult:
    """The outcome of a write, had this been its last attempt. `in_doubt`: an earlier attempt may have been done."""
    match raw:
        case Answered(value):
            return Succeeded(value)
        case TimedOut(message) | Lost(message) | Broken(message) | Misshaped(message):
            return CallFailure("unknown", message)
        case Declared() | Rejected():
            keeps = key is not None and key.keeps_refusals
            return unknown(of_read(raw)) if in_doubt and not keeps else of_read(raw)
        case PushedBack() | NotSent() | Held():
            return unknown(of_read(raw)) if in_doubt else of_read(raw)
        case _:
            assert_never(raw)


def unknown(result: CallResult) -> CallResult:
    """What a result that says nothing about the first attempt comes to."""
    match result:
        case CallFailure(kind, message):
            return CallFailure("unknown", f"a repetition came to {kind}: {message}".rstrip(": "))
        case Succeeded():
            return result
        case _:
            assert_never(result)


def may_be_done(raw: RawAnswer) -> bool:
    """Whether this attempt, taken by itself, may have changed the world without our knowing."""
    return isinstance(raw, TimedOut | Lost | Broken | Misshaped)


def was_sent(raw: RawAnswer) -> bool:
    """Whether it was an attempt; what we hold back ourselves is none."""
    return not isinstance(raw, Held)


# ----------------------------------------------------------------------------------- what it says about the backend

Health = Literal["good", "bad", "answers", "silent"]


def health(raw: RawAnswer) -> Health:
    """For the breaker. `answers`: it refused, so it is there, and counts for neither side. `silent`: nothing known."""
    match raw:
        case Answered():
            return "good"
        case Declared() | Rejected() | Broken(_, True):
            return "answers"
        case PushedBack() | Held():
            return "silent"
        case NotSent() | TimedOut() | Lost() | Broken() | Misshaped():
            return "bad"
        case _:
            assert_never(raw)
