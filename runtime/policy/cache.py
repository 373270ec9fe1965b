"""Answers of reads, kept to be served when their service fails.

Not a cache that saves calls: a fresh answer is always preferred. The key is a digest of operation and arguments, so
that what a user said is not held in memory longer than needed. Bounded by entries; the longest unused go first.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from flowc.runtime.kernel.events import CallFailure, CallResult, Succeeded
from flowc.runtime.program import Operation
from flowc.runtime.types import Field, ListOf, Marked, Optional, Record, Type
from flowc.runtime.values import Value, pack

MOST_ANSWERS = 10_000
FAILING = frozenset(["timeout", "unavailable", "overloaded", "malformed"])


def is_failing(result: CallResult) -> bool:
    """Whether the service failed, rather than said no."""
    return isinstance(result, CallFailure) and result.kind in FAILING


def may_keep(operation: Operation, records: Mapping[str, tuple[Field, ...]]) -> bool:
    """Whether its answers are kept. A secret lives for one turn, so neither it nor what it opened is."""
    if operation.policy.cache_ms is None:
        return False
    types = [each.type for each in operation.parameters]
    if operation.result is not None:
        types.append(operation.result)
    return not any(_holds_secret(each, records, frozenset()) for each in types)


def _holds_secret(type_: Type, records: Mapping[str, tuple[Field, ...]], seen: frozenset[str]) -> bool:
    match type_:
        case Marked("secret", _):
            return True
        case Marked(_, inner) | Optional(inner) | ListOf(inner):
            return _holds_secret(inner, records, seen)
        case Record(name) if name not in seen:
            return any(_holds_secret(each.type, records, seen | {name}) for each in records[name])
        case _:
            return False


@dataclass(slots=True)
class AnswerCache:
    """Of one service."""

    most: int = MOST_ANSWERS
    _answers: OrderedDict[bytes, tuple[float, Value]] = field(default_factory=OrderedDict)

    def answer(
        self, operation: Operation, arguments: Mapping[str, Value], result: CallResult, now: float
    ) -> CallResult:
        """What a read comes to: its own result, which is kept, or where the service fails one that is not too old."""
        if isinstance(result, CallFailure) and not is_failing(result):
            return result
        key = blake2b(pack((operation.name, dict(arguments))), digest_size=16).digest()
        if isinstance(result, Succeeded):
            self.keep(key, result.value, now)
            return result
        return self.find(key, (operation.policy.cache_ms or 0) / 1000, now) or result

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
