"""Whether to try again, and when: full jitter, and only what is safe to repeat.

The waits are drawn from 0 to min(cap, base·2^(i−1)): with anything less random, the calls that failed together come
back together.
"""

from typing import assert_never

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
)
from flowc.runtime.program import Operation, Retry

LONGEST_SLEEP_S = 2.0  # a longer wait of a write is a row with a due time, not a sleeping task


def backoff_s(retry: Retry, number: int, draw: float) -> float:
    """The wait before retry `number` (from 1); `draw` is uniform in [0, 1)."""
    # 2^60 of any base is past any cap, and a float does not overflow there.
    return draw * min(retry.cap_ms, retry.base_ms * 2.0 ** min(number - 1, 60)) / 1000


def wait_s(raw: RawAnswer, retry: Retry, number: int, draw: float) -> float:
    """The wait before retry `number`: the backend's `Retry-After` when it is longer."""
    asked_s = (raw.retry_after_s or 0.0) if isinstance(raw, PushedBack) else 0.0
    return max(backoff_s(retry, number, draw), asked_s)


def may_repeat(raw: RawAnswer, operation: Operation) -> bool:
    """Whether another attempt is safe, and could end otherwise."""
    match raw:
        case NotSent() | PushedBack():
            return True
        case TimedOut() | Lost() | Broken():
            return operation.kind == "read" or operation.key is not None
        case Misshaped():
            # A read that does not fit will not fit the next time; a keyed write may be answered better.
            return operation.kind == "write" and operation.key is not None
        case Answered() | Declared() | Rejected() | Held():
            return False
        case _:
            assert_never(raw)
