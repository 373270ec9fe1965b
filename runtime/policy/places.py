"""Places to work at. Of N, floor(N/5) are kept for urgent and high."""

from dataclasses import dataclass
from typing import Final

from flowc.runtime.program import PriorityClass

HIGH: Final = frozenset[PriorityClass](("urgent", "high"))


def is_high(priority: PriorityClass) -> bool:
    return priority in HIGH


@dataclass(slots=True)
class Places:
    total: int
    high: int = 0
    others: int = 0

    @property
    def used(self) -> int:
        return self.high + self.others

    def has(self, *, high: bool) -> bool:
        """Whether there is a place; for others than urgent and high, beside those that are kept."""
        return self.high + self.others < self.total and (high or self.others < self.total - self.total // 5)

    def enter(self, priority: PriorityClass) -> bool:
        """Takes a place where there is one for that class. Each turn asks, so it is `has` and `take` in one."""
        if priority in HIGH:
            if self.high + self.others < self.total:
                self.high += 1
                return True
        elif self.high + self.others < self.total and self.others < self.total - self.total // 5:
            self.others += 1
            return True
        return False

    def leave(self, priority: PriorityClass) -> None:
        if priority in HIGH:
            self.high -= 1
        else:
            self.others -= 1

    def take(self, *, high: bool) -> None:
        if high:
            self.high += 1
        else:
            self.others += 1

    def give_back(self, *, high: bool) -> None:
        if high:
            self.high -= 1
        else:
            self.others -= 1
