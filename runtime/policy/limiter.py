"""Rate limits as GCRA: one number, the time at which the bucket would be full again.

A bucket of `count` tokens that refills in `per_s`. A call books the moment at which it may be sent, so calls that wait
are served in the order they came, and a booking that is then not used is lost rather than given to two.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

MOST_USERS = 100_000


@dataclass(slots=True)
class Limiter:
    """`count` at once, then one every `per_s / count`."""

    count: int
    per_s: float
    _full_at: float = float("-inf")

    def wait_s(self, now: float) -> float:
        """How long a call that comes now would wait."""
        return max(0.0, self._full_at - (self.per_s - self._interval_s) - now)

    def book(self, at: float) -> None:
        """Takes a token for a call that is sent at `at`."""
        self._full_at = max(self._full_at, at) + self._interval_s

    def reserve(self, now: float, longest_s: float) -> float | None:
        """Takes the next token if it comes within `longest_s`: how long to wait for it. None takes nothing."""
        wait_s = self.wait_s(now)
        if wait_s > longest_s:
            return None
        self.book(now + wait_s)
        return wait_s

    def is_full(self, now: float) -> bool:
        return self._full_at <= now

    @property
    def _interval_s(self) -> float:
        return self.per_s / self.count


@dataclass(slots=True)
class UserLimiter:
    """One bucket a user. A full bucket is as good as none, so those are forgotten first."""

    count: int
    per_s: float
    most_users: int = MOST_USERS
    _users: OrderedDict[str, Limiter] = field(default_factory=OrderedDict)

    def of(self, user: str, now: float) -> Limiter:
        limiter = self._users.get(user)
        if limiter is None:
            limiter = self._users[user] = Limiter(self.count, self.per_s)
            self._forget(now)
        self._users.move_to_end(user)
        return limiter

    def _forget(self, now: float) -> None:
        """A few of the longest unused that are full, and beyond `most_users` whatever was unused longest."""
        for _ in range(2):
            oldest = next(iter(self._users))
            if len(self._users) > 1 and (self._users[oldest].is_full(now) or len(self._users) > self.most_users):
                del self._users[oldest]
