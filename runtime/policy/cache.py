"""Answers of reads, kept to be served when their service fails.

Not a cache that saves calls: a fresh answer is always preferred. The key is a digest of operation and arguments, so
that what a user said is not held in memory longer than needed. Bounded by entries; the longest unused go first.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from flowc.runtime.kernel.events import CallFailure, CallResult, Succeeded
from flowc.runtime.values import Value

MOST_ANSWERS = 10_000
FAILING = frozenset(["timeout", "unavailable", "overloaded", "malformed"])


def is_failing(result: CallResult) -> bool:
    """Whether the service failed, rather than said no."""
    return isinstance(result, CallFailure) and result.kind in FAILING


@dataclass(slots=True)
class AnswerCache:
    most: int = MOST_ANSWERS
    _answers: OrderedDict[bytes, tuple[float, Value]] = field(default_factory=OrderedDict)

    def keep(self, key: bytes, value: Value, now: float) -> None:
        self._answers[key] = (now, value)
        self._answers.move_to_end(key)
        if len(self._answers) > self.most:
            self._answers.popitem(last=False)

    def find(self, key: bytes, oldest_s: float, now: float) -> Succeeded | None:
        """An answer that is at most `oldest_s` old."""
        found = self._answers.get(key)
        if found is None:
            return None
        kept_at, value = found
        if now - kept_at > oldest_s:
            del self._answers[key]
            return None
        self._answers.move_to_end(key)
        return Succeeded(value)
