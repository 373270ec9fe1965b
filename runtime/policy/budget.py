"""How many retries a service can bear: a tenth of the attempts that left, and one a second. Credit lasts 10 s.

Without it every layer's "only two retries" triples the load of a backend that is already failing.
"""

from collections import deque
from dataclasses import dataclass, field

PER_ATTEMPT = 0.1
PER_SECOND = 1.0
KEPT_S = 10
_ROUNDING = 1e-9  # ten tenths are one


@dataclass(slots=True)
class Budget:
    """Begins with the credit of an idle service."""

    _credit: deque[list[float]] = field(default_factory=deque)  # [second, credit], oldest first
    _filled_to: int | None = None

    def attempt_left(self, now: float) -> None:
        """Every attempt earns, retries too."""
        self._fill(now)
        self._credit[-1][1] += PER_ATTEMPT

    def spend(self, now: float) -> bool:
        """Takes the credit of one retry, the oldest first. False takes nothing."""
        self._fill(now)
        if sum(credit for _, credit in self._credit) < 1 - _ROUNDING:
            return False
        owed = 1.0
        for each in self._credit:
            paid = min(each[1], owed)
            each[1] -= paid
            owed -= paid
        return True

    def _fill(self, now: float) -> None:
        second = int(now)
        if second == self._filled_to:
            return
        begin = second - KEPT_S if self._filled_to is None else max(self._filled_to, second - KEPT_S)
        self._credit.extend([float(each), PER_SECOND] for each in range(begin + 1, second + 1))
        self._filled_to = max(second, self._filled_to or second)
        while self._credit[0][0] <= second - KEPT_S:
            self._credit.popleft()
