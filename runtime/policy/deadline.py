"""Deadlines are hard: an attempt that could not end in time is not begun.

A caller who stops waiting while a backend still works has paid twice; so the time left is tested against the whole
`timeout` of the attempt, also after each wait for a place.
"""

from flowc.runtime.policy.verdict import Held


def deadline(now: float, within_s: float, turn: float | None) -> float:
    """The earlier of the call's own end and the turn's."""
    own = now + within_s
    return own if turn is None else min(own, turn)


def spare_s(now: float, deadline_at: float, timeout_s: float) -> float:
    """How long an attempt may still wait before it begins; negative when it may not begin at all."""
    return deadline_at - timeout_s - now


def no_time(spare: float) -> Held | None:
    """Why an attempt does not begin."""
    # A nanosecond of rounding is not lateness: `within` is often exactly attempts × timeout.
    return Held("overloaded", "no time left for an attempt") if spare < -1e-9 else None
