"""The `http` adapter against a real server: what is sent, and what every kind of answer comes to."""

import socket
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.backend import Backend, answers, drops, hangs, running, writes
from services.programs import DEFAULT_BREAKER

from flowc.runtime.policy.verdict import (
    Answered,
    Broken,
    Declared,
    Lost,
    Misshaped,
    NotSent,
    PushedBack,
    RawAnswer,
    Rejected,
    TimedOut,
    of_write,
)
from flowc.runtime.program import (
    Argument,
    Constant,
    Failure,
    HttpRequest,
    Key,
    Local,
    MakeRecord,
    Operation,
    Policy,
    Render,
    Retry,
    Service,
    ServicePolicy,
    Show,
    Template,
    Words,
)
from flowc.runtime.services.answers import retry_after_s
from flowc.runtime.services.backend import Terms
from flowc.runtime.services.calls import _backend, watch_nothing
from flowc.runtime.services.http import LARGEST_ANSWER_BYTES, HttpAdapter
from flowc.runtime.services.port import AttemptRequest, LoopClock
from flowc.runtime.services.requests import Unsendable, plan
from flowc.runtime.services.settings import ServiceSettings
from flowc.runtime.types import Basic, Choice, Field, Integer, ListOf, Number, Optional, Record, Text, Type
from flowc.runtime.values import Money, Shapes, Value

pytestmark = pytest.mark.anyio

ORDER = (Field("id", Text()), Field("shipped_on", Optional(Basic("date"))), Field("total", Optional(Number())))
ORDER_TYPE = Record("Order")
SHAPES = Shapes({"Order": ORDER}, "Europe/Berlin", "EUR")
AUTO = Key("auto", None, 1, keeps_refusals=False)


def operation(
    http: HttpRequest,
    result: Type | None = ORDER_TYPE,
    failures: tuple[Failure, ...] = (),
    key: Key | None = None,
    timeout_ms: int = 2_000,
) -> Operation:
    kind = "read" if http.method == "GET" else "write"
    return Operation("op", kind, (), result, Policy(timeout_ms, 10_000, Retry(0, 1, 1)), key, failures, (), http)  # type: ignore[arg-type]


GET = HttpRequest("GET", "/orders/{id}")
POST = HttpRequest("POST", "/orders/{id}/cancel")


async def attempt(
    backend: Backend,
    it: Operation,
    arguments: Mapping[str, Value] | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    key: str | None = None,
) -> RawAnswer:
    """One attempt as the services make it, on an adapter of its own."""
    service = Service("orders", "http", ServicePolicy(DEFAULT_BREAKER, 4), {"op": it})
    adapter = HttpAdapter(service, ServiceSettings(**{"url": backend.url, **(settings or {})}), SHAPES)
    line = _backend(service, adapter, LoopClock(), watch_nothing)
    request = AttemptRequest(it, arguments or {"id": "1"}, it.policy.timeout_ms / 1000, key=key)
    async with adapter.opened():
        return await line.attempt(request, Terms(anyio.current_time() + 10, "normal"))


# ---------------------------------------------------------------------------------------------------- what is sent


async def test_a_get_has_path_and_query() -> None:
    async with running(answers(body={"id": "1"})) as backend:
        arguments = {"id": "a/b?c#d e%", "tags": ("x&y", "z"), "count": 3, "on": date(2026, 12, 24), "left_out": None}
        await attempt(backend, operation(GET), arguments)
        (got,) = backend.received
        assert got.method == "GET"
        assert urlsplit(got.target).path == "/orders/a%2Fb%3Fc%23d%20e%25"
        assert parse_qsl(urlsplit(got.target).query) == [
            ("tags", "x&y"),
            ("tags", "z"),
            ("count", "3"),
            ("on", "2026-12-24"),
        ]
        assert got.headers["accept"] == "application/json"
        assert got.headers["accept-encoding"] == "identity"
        assert got.body == b""


async def test_others_have_a_json_body() -> None:
    async with running(answers(body={"id": "1"})) as backend:
        arguments = {"id": "1", "the_reason": "late", "refund": Money(Decimal("12.50"), "EUR"), "note": None}
        await attempt(backend, operation(POST), arguments)
        (got,) = backend.received
        assert got.json == {"the_reason": "late", "refund": {"amount": "12.50", "currency": "EUR"}}
        assert got.headers["content-type"] == "application/json"
        assert "idempotency-key" not in got.headers


async def test_names_are_written_as_the_configuration_says() -> None:
    async with running(answers(body={"id": "1"})) as backend:
        camel = {"names": "camelCase"}
        await attempt(backend, operation(POST), {"id": "1", "the_reason": {"first_name": "a"}}, settings=camel)
        await attempt(backend, operation(GET), {"id": "1", "page_size": 5}, settings=camel)
        assert backend.received[0].json == {"theReason": {"firstName": "a"}}
        assert backend.received[1].target == "/orders/1?pageSize=5"


async def test_headers_and_body_of_an_operation_are_expressions_over_its_parameters() -> None:
    greeting = Template(0, (Words("for "), Show(Local("id"))))
    http = HttpRequest(
        "PUT",
        "/orders",
        headers=(
            Argument("X-Order", Render(greeting)),
            Argument("X-None", Local("nothing")),
            Argument("X-Kind", Constant("integer", 7)),
        ),
        body=MakeRecord((Argument("order_id", Local("id")), Argument("items", Local("items")))),
    )
    async with running(answers(body={"id": "1"})) as backend:
        await attempt(backend, operation(http), {"id": "1", "items": ("a",), "nothing": None})
        (got,) = backend.received
        assert (got.headers["x-order"], got.headers["x-kind"]) == ("for 1", "7")
        assert "x-none" not in got.headers
        assert got.json == {"order_id": "1", "items": ["a"]}


@pytest.mark.parametrize(
    ("key", "header", "field"),
    [
        (AUTO, "idempotency-key", None),
        (Key("header", "X-Request-Id", 1, keeps_refusals=False), "x-request-id", None),
        (Key("field", "request_id", 1, keeps_refusals=False), None, "request_id"),
    ],
)
async def test_a_key_travels_as_declared(key: Key, header: str | None, field: str | None) -> None:
    async with running(answers(body={"id": "1"})) as backend:
        await attempt(backend, operation(POST, key=key), {"id": "1", "reason": "late"}, key="k-1")
        (got,) = backend.received
        assert {name for name, value in got.headers.items() if value == "k-1"} == ({header} if header else set())
        assert got.json == {"reason": "late"} | ({field: "k-1"} if field else {})


async def test_credentials_and_base_path_come_from_the_configuration() -> None:
    async with running(answers(body={"id": "1"})) as backend:
        settings = {"url": f"{backend.url}/api/v2/", "bearer": "s3cret", "headers": {"X-Tenant": "acme"}}
        await attempt(backend, operation(GET), settings=settings)
        (got,) = backend.received
        assert got.target == "/api/v2/orders/1"
        assert (got.headers["authorization"], got.headers["x-tenant"]) == ("Bearer s3cret", "acme")
    assert "s3cret" not in repr(ServiceSettings(bearer="s3cret", headers={"X": "s3cret"}))


@given(st.text(max_size=40))
def test_no_argument_leaves_its_part_of_the_path(text: str) -> None:
    settings = ServiceSettings(url="https://orders.internal/api")
    it = plan(operation(HttpRequest("GET", "/orders/{id}/lines")), settings, SHAPES)
    try:
        url = it.fill({"id": text}, None).url
    except Unsendable:
        assert text in ("", ".", "..")
    except UnicodeEncodeError:
        assert any(0xD800 <= ord(each) < 0xE000 for each in text)
    else:
        assert url.startswith("https://orders.internal/api/orders/")
        assert url.endswith("/lines")
        part = url.removeprefix("https://orders.internal/api/orders/").removesuffix("/lines")
        assert unquote(part) == text
        assert not set(part) & set("/?#\\ \r\n")


@pytest.mark.parametrize("id", ["", ".", "..", None])
async def test_an_argument_that_is_no_part_of_a_path_is_rejected_unsent(id: str | None) -> None:
    async with running(answers(body={"id": "1"})) as backend:
        assert isinstance(await attempt(backend, operation(GET), {"id": id}), Rejected)
        assert backend.received == []


async def test_a_line_break_in_a_header_is_rejected_unsent() -> None:
    http = HttpRequest("GET", "/orders", headers=(Argument("X-Order", Local("id")),))
    async with running(answers(body={"id": "1"})) as backend:
        assert isinstance(await attempt(backend, operation(http), {"id": "1\r\nX-Admin: yes"}), Rejected)
        assert backend.received == []


async def test_connections_are_kept_and_cookies_are_not() -> None:
    async with running(answers(body={"id": "1"}, headers={"set-cookie": "who=ann; Path=/"})) as backend:
        it = operation(GET, failures=(Failure("not_found", (), 404, None, None),))
        service = Service("orders", "http", ServicePolicy(DEFAULT_BREAKER, 4), {"op": it})
        adapter = HttpAdapter(service, ServiceSettings(url=backend.url), SHAPES)
        async with adapter.opened():
            for status in (200, 404, 200):
                backend.behave = answers(status, {"id": "1"}, {"set-cookie": "who=ann; Path=/"})
                await adapter.attempt(AttemptRequest(it, {"id": "1"}, 2.0))
        assert [each.connection for each in backend.received] == [1, 1, 1]
        assert not any("cookie" in each.headers for each in backend.received)


# ------------------------------------------------------------------------------------------------ what answers mean


async def test_a_value_is_read_by_its_type() -> None:
    body = {"ID": "AB1", "shippedOn": "2026-12-24", "total": 12.10, "more": [1, 2]}
    async with running(answers(body=body)) as backend:
        got = await attempt(backend, operation(GET))
        assert got == Answered({"id": "AB1", "shipped_on": date(2026, 12, 24), "total": Decimal("12.1")})


async def test_answer_says_which_part_is_the_value() -> None:
    http = HttpRequest("GET", "/x", answer=("data", "first"))
    async with running(answers(body={"data": {"first": "yes"}})) as backend:
        assert await attempt(backend, operation(http, Text())) == Answered("yes")
        backend.behave = answers(body={"data": []})
        assert isinstance(await attempt(backend, operation(http, Text())), Misshaped)
        assert await attempt(backend, operation(http, Optional(Text()))) == Answered(None)


async def test_an_operation_without_a_value_takes_any_success() -> None:
    async with running(answers(204)) as backend:
        assert await attempt(backend, operation(POST, None)) == Answered(None)
        backend.behave = answers(200, b"<html>")
        assert await attempt(backend, operation(POST, None)) == Answered(None)
        backend.behave = answers(204)
        assert await attempt(backend, operation(POST, Optional(Text()))) == Answered(None)
        assert isinstance(await attempt(backend, operation(POST, Text())), Misshaped)


@pytest.mark.parametrize(
    ("status", "headers", "meaning"),
    [
        (400, {}, Rejected("400 Bad Request")),
        (401, {}, Rejected("401 Unauthorized")),
        (404, {}, Rejected("404 Not Found")),
        (499, {}, Rejected("499")),
        (408, {}, Broken("408 Request Timeout", is_refusal=True)),
        (425, {}, Broken("425 Too Early", is_refusal=True)),
        (429, {}, PushedBack("429 Too Many Requests")),
        (429, {"retry-after": "7"}, PushedBack("429 Too Many Requests", 7.0)),
        (500, {}, Broken("500 Internal Server Error")),
        (500, {"retry-after": "7"}, Broken("500 Internal Server Error")),
        (503, {}, Broken("503 Service Unavailable")),
        (503, {"retry-after": "7"}, PushedBack("503 Service Unavailable", 7.0)),
        (503, {"retry-after": "soon"}, PushedBack("503 Service Unavailable", None)),
        (301, {"location": "/elsewhere"}, Misshaped("301 Moved Permanently, a redirect, which is not followed")),
        (304, {}, Misshaped("304 Not Modified, a redirect, which is not followed")),
    ],
)
async def test_a_status_means(status: int, headers: dict[str, str], meaning: RawAnswer) -> None:
    async with running(answers(status, b"" if status == 304 else {"detail": "no"}, headers)) as backend:
        assert await attempt(backend, operation(POST)) == meaning
        assert len(backend.received) == 1


CODED = (
    Failure("too_late", (Field("since", Basic("date")),), 409, ("error", "code"), "late"),
    Failure("busy", (), 409, ("retry",), "true"),
    Failure("conflict", (), 409, None, None),
    Failure("empty", (), 200, ("count",), "0"),
)


@pytest.mark.parametrize(
    ("status", "body", "name", "fields"),
    [
        (409, {"error": {"code": "late"}, "Since": "2026-11-01"}, "too_late", {"since": date(2026, 11, 1)}),
        (409, {"retry": True}, "busy", {}),
        (409, {"error": {"code": "other"}}, "conflict", {}),
        (409, {"error": "late"}, "conflict", {}),
        (409, b"<html>", "conflict", {}),
        (409, b"", "conflict", {}),
        (200, {"count": 0}, "empty", {}),
    ],
)
async def test_declared_failures(status: int, body: object, name: str, fields: dict[str, Value]) -> None:
    async with running(answers(status, body)) as backend:
        got = await attempt(backend, operation(POST, failures=CODED))
        assert isinstance(got, Declared)
        assert (got.name, got.fields) == (name, fields)


async def test_a_failure_that_does_not_tell_its_fields() -> None:
    late = answers(409, {"error": {"code": "late"}})
    async with running(late) as backend:
        assert isinstance(await attempt(backend, operation(POST, failures=CODED)), Rejected)
        assert isinstance(await attempt(backend, operation(GET, failures=CODED)), Misshaped)


@pytest.mark.parametrize(
    ("type", "body"),
    [
        (Text(), {"id": "1"}),
        (Record("Order"), {"total": 3}),
        (Record("Order"), {"id": "1", "shipped_on": "yesterday"}),
        (Choice(("a", "b")), "c"),
        (Integer(1, 10), 11),
        (ListOf(Text()), ["a", 1]),
        (Text(), b"<html>garbage</html>"),
        (Text(), b'{"id": '),
        (Text(), b"[" * 100_000),
        (Text(), b'"\xff\xfe"'),
    ],
)
async def test_a_success_that_does_not_fit_is_misshaped_and_quotes_nothing(type: Type, body: object) -> None:
    async with running(answers(200, body)) as backend:
        got = await attempt(backend, operation(GET, type))
        assert isinstance(got, Misshaped)
        assert "yesterday" not in got.message
        assert "garbage" not in got.message


async def test_an_answer_is_read_up_to_4_mib() -> None:
    text = "x" * (LARGEST_ANSWER_BYTES - 2)
    async with running(answers(200, text)) as backend:
        assert await attempt(backend, operation(GET, Text())) == Answered(text)
        backend.behave = answers(200, text + "x")
        assert isinstance(await attempt(backend, operation(GET, Text())), Misshaped)
        endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        backend.behave = writes(endless + (b"100000\r\n" + b"x" * 0x100000 + b"\r\n") * 5, then_hang=True)
        assert isinstance(await attempt(backend, operation(GET, Text())), Misshaped)


async def test_a_compressed_answer_is_not_unpacked() -> None:
    async with running(answers(200, b"\x1f\x8b\x08", {"content-encoding": "gzip"})) as backend:
        assert isinstance(await attempt(backend, operation(GET)), Misshaped)


# --------------------------------------------------------------------------------------------------- no answer at all


async def test_nobody_there_is_not_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        backend = Backend(hangs, taken.getsockname()[1])
        assert isinstance(await attempt(backend, operation(POST)), NotSent)


async def test_a_name_that_does_not_resolve_is_not_sent() -> None:
    settings = {"url": "http://nobody.invalid"}
    assert isinstance(await attempt(Backend(hangs), operation(POST), settings=settings), NotSent)


async def test_a_server_that_does_not_take_the_connection_is_not_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        crowd = []
        for _ in range(4):  # fills the queue of connections that nobody accepts
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            crowd.append(one)
        try:
            backend = Backend(hangs, full.getsockname()[1])
            assert isinstance(await attempt(backend, operation(POST, timeout_ms=100)), NotSent)
        finally:
            for one in crowd:
                one.close()


async def test_a_server_that_hangs_is_timed_out() -> None:
    async with running(hangs) as backend:
        assert isinstance(await attempt(backend, operation(POST, timeout_ms=100)), TimedOut)
        assert len(backend.received) == 1


@pytest.mark.parametrize(
    "behave",
    [
        drops,
        writes(b""),
        writes(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{"),
        writes(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
        writes(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    ],
    ids=["after reading", "without a word", "in the body", "bad chunks", "another protocol"],
)
async def test_a_connection_that_breaks_off_is_lost(behave: object) -> None:
    async with running(behave) as backend:  # type: ignore[arg-type]
        got = await attempt(backend, operation(POST))
        assert isinstance(got, Lost)
        assert len(backend.received) == 1  # never repeated by the client


class Head(NamedTuple):
    status: int
    kind: str


HEADS = [Head(409, "too_late"), Head(422, "rejected"), Head(200, "unknown"), Head(500, "unknown")]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("then_hang", [True, False], ids=["hangs", "breaks off"])
async def test_a_head_that_says_everything_counts_without_its_body(head: Head, *, then_hang: bool) -> None:
    raw = f"HTTP/1.1 {head.status} X\r\ncontent-length: 50\r\n\r\n".encode()
    async with running(writes(raw, then_hang=then_hang)) as backend:
        it = operation(POST, failures=(Failure("too_late", (), 409, None, None),), timeout_ms=200)
        result = of_write(await attempt(backend, it), None, in_doubt=False)
        assert getattr(result, "kind", "ok") == head.kind


async def test_many_calls_at_once_on_few_connections() -> None:
    async with running(answers(body="yes")) as backend:
        it = operation(GET, Text())
        service = Service("orders", "http", ServicePolicy(DEFAULT_BREAKER, 4), {"op": it})
        adapter = HttpAdapter(service, ServiceSettings(url=backend.url), SHAPES)
        line = _backend(service, adapter, LoopClock(), watch_nothing)
        got: list[RawAnswer] = []

        async def one() -> None:
            terms = Terms(anyio.current_time() + 10, "high")
            got.append(await line.attempt(AttemptRequest(it, {"id": "1"}, 2.0), terms))

        async with adapter.opened(), anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(one)
        assert got == [Answered("yes")] * 8
        assert backend.connections <= 4


def test_retry_after_is_seconds_or_a_date() -> None:
    now = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    assert retry_after_s("120", now) == 120
    assert retry_after_s("Wed, 25 Nov 2026 12:00:30 GMT", now) == 30
    assert retry_after_s("Wed, 25 Nov 2026 11:00:00 GMT", now) == 0
    assert retry_after_s("-5", now) is None
    assert retry_after_s("later", now) is None
    assert retry_after_s(None, now) is None
