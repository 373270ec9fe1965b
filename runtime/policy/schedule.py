"""What happens to a write after an attempt: it is settled, or claimed again later.

A job is tried until its `within` is over, at waits that grow to 5 minutes. What we refuse ourselves (breaker, limits, a
pause) is no attempt: it moves the job, and does not make its waits longer. No attempt uses a key after the backend has
forgotten it (`key … for D`, counted from the first attempt that left): it would be a second effect.
"""

from dataclasses import dataclass
from typing import assert_never

from flowc.runtime.kernel.events import CallResult
from flowc.runtime.policy.retry import LONGEST_SLEEP_S, may_repeat, wait_s
from flowc.runtime.policy.verdict import (
    Answered,
    Broken,
    Declared,
    Held,
    Lost,
    Misshaped,
    NotSent,
    PushedBack,
    RawAnswer,
    Rejected,
    TimedOut,
    may_be_done,
    of_write,
)
from flowc.runtime.program import Operation

LONGEST_WAIT_S = 300.0
LEAST_BASE_S = 0.1
LEAST_HELD_S = 1.0


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of the write, for good."""

    result: CallResult


@dataclass(frozen=True, slots=True)
class Again:
    """To be tried again after `wait_s`."""

    wait_s: float
    in_doubt: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a write is. `attempts` that left, the first `first_sent_s` ago; `left_s` of its `within`."""

    attempts: int
    left_s: float
    first_sent_s: float | None
    in_doubt: bool


def job_backoff_s(base_ms: int, attempts: int, draw: float) -> float:
    """The wait after `attempts` attempts; `draw` is uniform in [0, 1)."""
    return draw * min(LONGEST_WAIT_S, max(base_ms / 1000, LEAST_BASE_S) * 2.0 ** min(attempts - 1, 60))


def key_left_s(operation: Operation, first_sent_s: float | None) -> float:
    """For how long an attempt may still use the key."""
    if first_sent_s is None or operation.key is None:
        return float("inf")
    return operation.key.remembered_ms / 1000 - first_sent_s


def after_job_attempt(raw: RawAnswer, operation: Operation, progress: Progress, draw: float) -> Settled | Again:
    """What comes of a job's attempt. `progress` counts it, if it was one; its `in_doubt` is from before."""
    in_doubt = progress.in_doubt or may_be_done(raw)
    if is_final(raw, operation):
        return Settled(of_write(raw, operation.key, in_doubt=progress.in_doubt))
    timeout_s = operation.policy.timeout_ms / 1000
    # At the end of its time a job is tried once more rather than given up up to five minutes early.
    spare_s = min(progress.left_s, key_left_s(operation, progress.first_sent_s)) - timeout_s
    least_s, drawn_s = _job_waits_s(raw, operation, progress, draw)
    if spare_s <= 0 or least_s > spare_s:
        return Settled(of_write(raw, operation.key, in_doubt=progress.in_doubt))
    return Again(min(drawn_s, spare_s), in_doubt)


def after_command_attempt(raw: RawAnswer, operation: Operation, progress: Progress, draw: float) -> Settled | Again:
    """What comes of an attempt of a write that its conversation waits for. `progress` as for a job."""
    wait = _command_wait_s(raw, operation, progress, draw)
    spare_s = min(progress.left_s, key_left_s(operation, progress.first_sent_s)) - operation.policy.timeout_ms / 1000
    if wait is None or wait > spare_s or (operation.key is None and wait > LONGEST_SLEEP_S):
        return Settled(of_write(raw, operation.key, in_doubt=progress.in_doubt))
    return Again(wait, progress.in_doubt or may_be_done(raw))


def _command_wait_s(raw: RawAnswer, operation: Operation, progress: Progress, draw: float) -> float | None:
    """How long to wait for another attempt; None for no other."""
    if isinstance(raw, Held):
        # What may have been done is worth waiting for; what was never sent waits for a limit, not for a dead backend.
        waits = operation.key is not None and (progress.in_doubt or raw.kind == "overloaded")
        return raw.wait_s + draw * LEAST_BASE_S if waits and raw.wait_s > 0 else None
    if progress.attempts > operation.policy.retry.attempts or not may_repeat(raw, operation):
        return None
    return wait_s(raw, operation.policy.retry, progress.attempts, draw)


def _job_waits_s(raw: RawAnswer, operation: Operation, progress: Progress, draw: float) -> tuple[float, float]:
    """The shortest wait that makes sense for a job, and the one that is drawn."""
    if isinstance(raw, Held):
        # Spread, so that all who were refused together do not come back together.
        return raw.wait_s, max(raw.wait_s, LEAST_HELD_S) + draw
    asked_s = (raw.retry_after_s or 0.0) if isinstance(raw, PushedBack) else 0.0
    return asked_s, max(asked_s, job_backoff_s(operation.policy.retry.base_ms, progress.attempts, draw))


def is_final(raw: RawAnswer, operation: Operation) -> bool:
    """Whether no later attempt could end otherwise."""
    match raw:
        case Answered() | Declared() | Rejected():
            return True
        case Held():
            return False
        case NotSent() | PushedBack() | TimedOut() | Lost() | Broken() | Misshaped():
            return not may_repeat(raw, operation)
        case _:
            assert_never(raw)
