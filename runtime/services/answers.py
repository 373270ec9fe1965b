"""HTTP answers as raw answers: status first, then the declared failures, then the value. No I/O.

Messages name statuses and places, never what a backend or user said: they are shown where nothing personal may be.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import msgspec

from flowc.runtime.policy.verdict import Answered, Broken, Declared, Misshaped, PushedBack, RawAnswer, Rejected
from flowc.runtime.program import Failure, Operation
from flowc.runtime.values import Malformed, Names, Shapes, Value, from_json, is_optional

_decoder = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Reading:
    """How the answers of one operation are read."""

    operation: Operation
    shapes: Shapes
    names: Names
    answer: tuple[str, ...]

    def needs_body(self, status: int) -> bool:
        """Whether the status alone does not say everything."""
        if 200 <= status < 300 and self.operation.result is not None:
            return True
        return any(each.fields or each.when_path is not None for each in self._declared(status))

    def of_status(self, status: int, headers: Mapping[str, str], now: datetime) -> RawAnswer:
        """What the answer comes to if its body is never seen."""
        words = _words(status)
        match status:
            case 429:
                return PushedBack(words, retry_after_s(headers.get("retry-after"), now))
            case 503 if "retry-after" in headers:
                return PushedBack(words, retry_after_s(headers.get("retry-after"), now))
            case 408 | 425:
                return Broken(words, is_refusal=True)
            case _ if 400 <= status < 500:
                return Rejected(words)
            case _ if status >= 500:
                return Broken(words)
            case _ if status >= 300:
                return Misshaped(f"{words}, a redirect, which is not followed")
            case _:
                return Misshaped(f"{words}, but its body is not there")

    def read(self, status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> RawAnswer:
        """What the answer comes to."""
        failures = self._declared(status)
        if failures:
            json = _decoded(body)
            matching = [each for each in failures if each.when_path is not None and _matches(each, json)]
            for failure in (*matching, *(each for each in failures if each.when_path is None)):
                return self._declared_answer(failure, status, json)
        if 200 <= status < 300:
            return self._value(status, body)
        return self.of_status(status, headers, now)

    def _declared(self, status: int) -> tuple[Failure, ...]:
        return tuple(each for each in self.operation.failures if each.status == status)

    def _declared_answer(self, failure: Failure, status: int, json: object) -> RawAnswer:
        fields: dict[str, Value] = {}
        for field in failure.fields:
            try:
                fields[field.name] = from_json(field.type, _field(json, field.name), self.shapes, names=self.names)
            except Malformed:
                words = f"{_words(status)} for `{failure.name}`, but its body does not tell `{field.name}`"
                is_refusal = 400 <= status < 500 and self.operation.kind == "write"
                return Rejected(words) if is_refusal else Misshaped(words)
        return Declared(failure.name, fields, _words(status))

    def _value(self, status: int, body: bytes) -> RawAnswer:
        type = self.operation.result
        if type is None:
            return Answered()
        json = _decoded(body)
        if isinstance(json, _Nothing) and body.strip():
            return Misshaped(f"{_words(status)}, but its body is not JSON")
        try:
            value = from_json(type, _at(json, self.answer, is_optional(type)), self.shapes, names=self.names)
        except Malformed as error:
            where = ".".join([*self.answer, *([error.path] if error.path else [])])
            place = f" at `{where}`" if where else ""
            return Misshaped(f"{_words(status)}, but its body does not fit the type{place}")
        return Answered(value)


class _Nothing:
    """What stands where there is no JSON."""


_NOTHING = _Nothing()


def _decoded(body: bytes) -> object:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _NOTHING


def _at(json: object, path: Sequence[str], optional: bool) -> object:
    """The part of the JSON that is the value."""
    for key in path:
        if isinstance(json, dict) and key in json:
            json = json[key]
        elif optional:
            return None
        else:
            raise Malformed("", "is missing")
    return None if isinstance(json, _Nothing) else json


def _field(json: object, name: str) -> object:
    """A field of a failure's body: the key that equals its name but for case, `_` and `-`."""
    if not isinstance(json, dict):
        return None
    folded = {str(key).replace("_", "").replace("-", "").casefold(): value for key, value in json.items()}
    return folded.get(name.replace("_", "").casefold())


def _matches(failure: Failure, json: object) -> bool:
    found = json
    for key in failure.when_path or ():
        found = found.get(key) if isinstance(found, dict) else None
    if isinstance(found, bool):
        return failure.when_equals == ("true" if found else "false")
    return isinstance(found, str | int | Decimal) and str(found) == failure.when_equals


def _words(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds of a `Retry-After`: a number or a date. None when it is neither."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    aware = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
