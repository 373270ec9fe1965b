"""A circuit breaker: closed, open, or letting one probe through.

It opens when the given share of at least N calls of the last 30 s failed, or 5 in a row while the window holds fewer
than N. While it is open nothing is sent. After the open time one call is the probe: its success closes, its failure
opens again for twice as long, up to a minute; after 30 s closed the open time starts over. Refusals by the backend
(4xx, 429), our own refusals and cancellations count for neither side; a refused probe closes, because the backend is
there. The window is kept in seconds, not in calls, so its memory is bounded at any rate.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from flowc.runtime.policy.verdict import Health

WINDOW_S = 30
IN_A_ROW = 5
LONGEST_OPEN_S = 60.0

State = Literal["closed", "half_open", "open"]


class Pass(Struct, frozen=True):
    """A call that was let through. Given back exactly once, with what it said about the backend."""

    period: int
    is_probe: bool


@dataclass(slots=True)
class Breaker:
    """`open_s` the shortest open time. Times are seconds of one monotonic clock."""

    percent: int
    calls: int
    open_s: float
    _seconds: deque[list[int]] = field(default_factory=deque)  # [second, calls, failures], oldest first
    _failures_in_a_row: deque[float] = field(default_factory=lambda: deque(maxlen=IN_A_ROW))
    _period: int = 0  # grows when it opens or closes: a call of an earlier period says nothing about this one
    _open_until: float | None = None
    _probing: bool = False
    _next_open_s: float = 0.0
    _closed_since: float = float("-inf")

    def __post_init__(self) -> None:
        self._next_open_s = self.open_s

    def admit(self, now: float) -> Pass | None:
        """A pass, or None while nothing may be sent."""
        if self._open_until is None:
            return Pass(self._period, is_probe=False)
        if now < self._open_until or self._probing:
            return None
        self._probing = True
        return Pass(self._period, is_probe=True)

    def holds(self, admitted: Pass) -> bool:
        """Whether a pass is still good: what waited for a place is not sent when the breaker opened meanwhile."""
        return admitted.period == self._period

    def give_back(self, admitted: Pass, health: Health, now: float) -> None:
        if admitted.period != self._period:
            return
        if admitted.is_probe:
            self._probed(health, now)
        elif health in ("good", "bad"):
            self._count(health == "bad", now)

    def wait_s(self, now: float) -> float:
        """How long until it could let a call through."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - now)

    @property
    def is_open(self) -> bool:
        return self._open_until is not None

    @property
    def state(self) -> State:
        if self._open_until is None:
            return "closed"
        return "half_open" if self._probing else "open"

    def _probed(self, health: Health, now: float) -> None:
        self._probing = False
        match health:
            case "bad":
                self._open(now)
            case "good" | "answers":
                self._close(now)
            case "silent":
                pass  # the next call is the probe

    def _count(self, failed: bool, now: float) -> None:
        second = int(now)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
        self._seconds[-1][1] += 1
        self._seconds[-1][2] += failed
        while self._seconds[0][0] <= second - WINDOW_S:
            self._seconds.popleft()
        if failed:
            self._failures_in_a_row.append(now)
            if self._is_failing(now):
                self._open(now)
        else:
            self._failures_in_a_row.clear()

    def _is_failing(self, now: float) -> bool:
        calls = sum(each[1] for each in self._seconds)
        failures = sum(each[2] for each in self._seconds)
        if calls >= self.calls:
            return failures * 100 >= self.percent * calls
        row = self._failures_in_a_row
        return len(row) == IN_A_ROW and row[0] > now - WINDOW_S

    def _open(self, now: float) -> None:
        if self._open_until is None and now - self._closed_since >= WINDOW_S:
            self._next_open_s = self.open_s
        self._open_until = now + self._next_open_s
        self._next_open_s = min(self._next_open_s * 2, max(LONGEST_OPEN_S, self.open_s))
        self._begin_period()

    def _close(self, now: float) -> None:
        self._open_until = None
        self._closed_since = now
        self._begin_period()

    def _begin_period(self) -> None:
        self._period += 1
        self._probing = False
        self._seconds.clear()
        self._failures_in_a_row.clear()
