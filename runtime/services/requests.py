"""HTTP requests of operations: made at load into plans, filled with arguments for each attempt. No I/O.

A `{parameter}` of the path is percent-encoded, so that no argument can name another resource; the others are the query
of a GET and the JSON body of everything else. A parameter that is `none` is not sent.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import msgspec

from flowc.runtime.kernel.evaluate import Env, Evaluate, outside
from flowc.runtime.kernel.texts import expression_of
from flowc.runtime.program import HttpRequest, Key, Operation
from flowc.runtime.services.settings import ServiceSettings
from flowc.runtime.values import Names, Shapes, Value, to_json

_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_ALWAYS = (("accept", "application/json"), ("accept-encoding", "identity"), ("user-agent", "flowc"))
_NO_TIME = datetime.min.replace(tzinfo=UTC)  # what a service says about a request reads only parameters
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request ready to be sent."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


class Unsendable(Exception):  # noqa: N818 - it becomes the outcome `rejected`
    """Arguments that no request of this operation can carry."""


Fill = Callable[[Mapping[str, Value], str | None], Outgoing]


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """How the requests of one operation are made."""

    http: HttpRequest
    key: Key | None
    base_url: str
    fixed_headers: tuple[tuple[str, str], ...]
    places: frozenset[str]
    headers: tuple[tuple[str, Evaluate], ...]
    body: Evaluate | None
    names: Names
    zone: ZoneInfo
    currency: str | None

    def fill(self, arguments: Mapping[str, Value], key: str | None) -> Outgoing:
        """The request for these arguments. Raises Unsendable."""
        others = {name: value for name, value in arguments.items() if name not in self.places and value is not None}
        url = self.base_url + _PLACE.sub(lambda place: _path_part(place[1], arguments), self.http.path)
        headers = [*self.fixed_headers, *self._own_headers(arguments), *_key_header(self.key, key)]
        field = _key_field(self.key, key)
        if self.http.method == "GET":
            query = [*_query(others, self.names), *field.items()]
            return Outgoing("GET", f"{url}?{urlencode(query)}" if query else url, tuple(headers), None)
        body = self._body(arguments, others, field)
        if body is not None:
            headers.append(("content-type", "application/json"))
        return Outgoing(self.http.method, url, tuple(headers), body)

    def _own_headers(self, arguments: Mapping[str, Value]) -> list[tuple[str, str]]:
        values = [(name, evaluate(self._env(arguments))) for name, evaluate in self.headers]
        headers = [(name, plain_text(value)) for name, value in values if value is not None]
        for name, text in headers:
            if _UNSENDABLE.search(text):
                raise Unsendable(f"header `{name}` cannot hold a line break or control character")
        return headers

    def _body(
        self, arguments: Mapping[str, Value], others: Mapping[str, Value], field: Mapping[str, str]
    ) -> bytes | None:
        whole = to_json(others if self.body is None else self.body(self._env(arguments)), names=self.names)
        if not isinstance(whole, dict):
            return msgspec.json.encode(whole)
        whole |= field
        return msgspec.json.encode(whole) if whole or self.body is not None else None

    def _env(self, arguments: Mapping[str, Value]) -> Env:
        return outside(arguments, self.zone, self.currency)


def plan(operation: Operation, settings: ServiceSettings, shapes: Shapes) -> RequestPlan:
    """The plan of an `http` operation of a service whose address is set."""
    http = operation.http
    if http is None or settings.url is None:
        raise ValueError(f"operation `{operation.name}` has no request")  # the compiler and `address_problem` see to it
    bearer = [("authorization", f"Bearer {settings.bearer}")] if settings.bearer is not None else []
    return RequestPlan(
        http,
        operation.key,
        settings.url.rstrip("/"),
        (*_ALWAYS, *settings.headers.items(), *bearer),
        frozenset(_PLACE.findall(http.path)),
        tuple((header.name, expression_of(header.value)) for header in http.headers),
        None if http.body is None else expression_of(http.body),
        settings.spelling,
        ZoneInfo(shapes.zone),
        shapes.currency,
    )


def plain_text(value: Value) -> str:
    """A value in a path, query or header: texts as they are, numbers without an exponent, the others as their JSON."""
    match value:
        case str():
            return value
        case Decimal():
            return format(value, "f")
        case _:
            json = to_json(value)
            return json if isinstance(json, str) else msgspec.json.encode(json).decode()


def _path_part(name: str, arguments: Mapping[str, Value]) -> str:
    value = arguments.get(name)
    text = "" if value is None else plain_text(value)
    # Encoded dots are dots to many servers, and an empty part is another path.
    if text in ("", ".", ".."):
        raise Unsendable(f"`{name}` is no part of a path")
    return quote(text, safe="")


def _query(arguments: Mapping[str, Value], names: Names) -> list[tuple[str, str]]:
    query = []
    for name, value in arguments.items():
        (spelt,) = _spelt(name, names)
        items = value if isinstance(value, tuple) else (value,)
        query += [(spelt, plain_text(item)) for item in items if item is not None]
    return query


def _spelt(name: str, names: Names) -> tuple[str, ...]:
    spelt = to_json({name: None}, names=names)
    return tuple(spelt) if isinstance(spelt, dict) else (name,)


def _key_header(key: Key | None, value: str | None) -> list[tuple[str, str]]:
    if key is None or value is None or key.carrier == "field":
        return []
    return [("Idempotency-Key" if key.carrier == "auto" or key.name is None else key.name, value)]


def _key_field(key: Key | None, value: str | None) -> dict[str, str]:
    if key is None or value is None or key.carrier != "field" or key.name is None:
        return {}
    return {key.name: value}
