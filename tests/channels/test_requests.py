"""What is no request: a problem document that says where and why, and nothing changes."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from channels.serving import Desk, serving
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
async def desk() -> AsyncIterator[Desk]:
    """One server for all: what it refuses changes nothing."""
    async with serving() as served:
        yield served


def problem(answer: httpx2.Response, status: int) -> str:
    """The detail of a problem document."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) == {"type", "title", "status", "detail"}
    assert (body["type"], body["status"]) == ("about:blank", status)
    assert "\n" not in body["detail"]
    return str(body["detail"])


NOT_MESSAGES: list[tuple[object, str]] = [
    (b"", "missing required field `text`"),
    (b"hello", "not JSON"),
    (b'{"text": "x"', "not JSON"),
    (b'{"text": "\xff\xfe"}', "not JSON"),
    (b'\xff\xfe{\x00"\x00', "not JSON"),
    (b'{"text": "\\ud800"}', "not JSON"),
    (b'{"text": "a\x00b"}', "not JSON"),
    (b'{"text": NaN}', "not JSON"),
    (b'{"text": "x"} {}', "not JSON"),
    ([], "expected `object`, got `array`"),
    (None, "expected `object`, got `null`"),
    ({"text": 3}, "expected `str`, got `int` - at `$.text`"),
    ({"text": None}, "expected `str`, got `null` - at `$.text`"),
    ({"text": ["x"]}, "at `$.text`"),
    ({"text": "x", "id": 7}, "at `$.id`"),
    ({"text": "x", "texts": "y"}, "unknown field `texts`"),
    ({"text": "x", "user": "ann"}, "at `$.user`"),
    ({"text": "x", "user": {"id": 7}}, "at `$.id`"),
    ({"text": "x", "user": {"age": 7}}, "`user` has no `age`"),
    ({"text": "x", "user": {"visits": "many"}}, "`user.visits`"),
    ({"text": "x", "user": {"visits": 1.5}}, "`user.visits`"),
    ({"text": "x", "user": {"visits": 10**40}}, "`user.visits`"),
    ({"text": "x", "user": {"tier": {"a": 1}}}, "`user.tier`"),
    ({"text": "x", "locale": 3}, "at `$.locale`"),
]


@pytest.mark.parametrize(("body", "says"), NOT_MESSAGES, ids=lambda value: repr(value)[:40])
async def test_a_body_that_is_no_message(desk: Desk, body: object, says: str) -> None:
    assert says in problem(await desk.post("messages", body, "wrong"), 422)
    assert (await desk.get("/v1/conversations/wrong")).status_code == 404


async def test_deep_json_is_refused(desk: Desk) -> None:
    for body in (b"[" * 60_000, b'{"text":"x","user":{"tier":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_002):
        problem(await desk.post("messages", body), 422)
        problem(await desk.post("events", b'{"name":"table_ready","id":"e","table":' + body + b"}"), 422)


NOT_EVENTS: list[tuple[object, str]] = [
    ({"id": "e1"}, "missing required field `name`"),
    ({"name": "table_ready", "table": 4}, "missing required field `id`"),
    ({"name": "table_ready", "id": "", "table": 4}, "needs an `id`"),
    ({"name": "no_such", "id": "e1"}, "no event `no_such`"),
    ({"name": "table_ready", "id": "e1"}, "`table`"),
    ({"name": "table_ready", "id": "e1", "table": "four"}, "`table`"),
    ({"name": "table_ready", "id": "e1", "table": 4, "tabel": 5}, "no field `tabel`"),
    ([], "expected `object`"),
    (b"x", "not JSON"),
]


@pytest.mark.parametrize(("body", "says"), NOT_EVENTS, ids=lambda value: repr(value)[:40])
async def test_a_body_that_is_no_event(desk: Desk, body: object, says: str) -> None:
    assert says in problem(await desk.post("events", body), 422)


@pytest.mark.parametrize("body", [{}, {"answer": "maybe"}, {"answer": 1}, {"answer": "returned", "x": 1}, b"x"])
async def test_a_body_that_is_no_answer_of_people(desk: Desk, body: object) -> None:
    problem(await desk.post("handoff", body), 422)


@pytest.mark.parametrize("body", [b"x", [], {"text": "x"}, {"user": 1}])
async def test_a_body_that_opens_nothing(desk: Desk, body: object) -> None:
    problem(await desk.post("open", body), 422)


@pytest.mark.parametrize("id", ["a%20b", "%00", "a%0Ab", "%C3%A9", "x" * 129, "a;b", "%22", "a%5Cb", "%ff"])
@pytest.mark.parametrize("route", ["messages", "open", "events", "handoff", "stream", ""])
async def test_an_id_that_is_not_allowed(desk: Desk, id: str, route: str) -> None:
    bodies: dict[str, object] = {
        "messages": {"text": "x"},
        "open": {},
        "events": {"name": "table_ready", "id": "e", "table": 1},
        "handoff": {"answer": "returned"},
    }
    path = f"/v1/conversations/{id}/{route}".rstrip("/")
    sent = await desk.post(route, bodies[route], id) if route in bodies else await desk.get(path)
    assert "1 to 128 letters, digits" in problem(sent, 422)


@pytest.mark.parametrize("id", ["a", "x" * 128, "web-1234", "Ann.B_c~d:e@f+g", "+491701234567"])
async def test_an_id_that_is_allowed(desk: Desk, id: str) -> None:
    assert (await desk.say("show me", id))["conversation"] == id


async def test_an_id_of_a_message_may_be_anything_but_too_long(desk: Desk) -> None:
    for name in ("x" * 200, "\N{SNOWMAN}", "a b\x00c", "../../x", "'; drop table"):
        first, again = (await desk.say("show me", "d", id=name), await desk.say("show me", "d", id=name))
        assert first["replies"] == again["replies"]
    assert "at most 200 characters" in problem(await desk.post("messages", {"text": "x", "id": "x" * 201}), 413)
    event = {"name": "table_ready", "id": "x" * 201, "table": 1}
    assert "at most 200 characters" in problem(await desk.post("events", event), 413)


# --------------------------------------------------------------------------------------------------------------- size


async def test_a_body_that_says_it_is_too_long_is_refused_before_it_comes(desk: Desk) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(b"POST /v1/conversations/c/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    writer.close()
    await writer.wait_closed()


async def test_a_body_that_comes_in_pieces_is_refused_at_the_bound(desk: Desk) -> None:
    async def pieces(count: int) -> AsyncIterator[bytes]:
        yield b'{"text": "'
        for _ in range(count):
            yield b"x" * 1024
        yield b'"}'

    url = "/v1/conversations/c/messages"
    assert (await desk.client.post(url, content=pieces(10))).status_code == 200
    assert "more than 65536 bytes" in problem(await desk.client.post(url, content=pieces(80)), 413)


async def test_a_text_just_within_the_bound_is_taken(desk: Desk) -> None:
    room = 64 * 1024 - len('{"text": ""}')
    assert (await desk.post("messages", json.dumps({"text": "x" * room}).encode())).status_code == 200
    problem(await desk.post("messages", json.dumps({"text": "x" * (room + 1)}).encode()), 413)


# -------------------------------------------------------------------------------------------------- routes and methods


@pytest.mark.parametrize("path", ["/nowhere", "/v1", "/v1/conversations", "/v1/conversations/a/b", "/admin", "/%00"])
async def test_an_unknown_path(desk: Desk, path: str) -> None:
    assert "there is nothing at" in problem(await desk.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/conversations/c/messages", {"POST"}),
        ("DELETE", "/v1/conversations/c", {"GET", "HEAD"}),
        ("PUT", "/v1/conversations/c/open", {"POST"}),
        ("POST", "/v1/conversations/c/stream", {"GET", "HEAD"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
        ("POST", "/", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_method(desk: Desk, method: str, path: str, allowed: set[str]) -> None:
    answer = await desk.client.request(method, path)
    assert method in problem(answer, 405)
    assert set(answer.headers["allow"].split(", ")) == allowed


async def test_a_last_event_id_that_is_none(desk: Desk) -> None:
    for wrong in ("x", "1.2", "1.2.3.4", "-1.0.0", "9" * 40 + ".1.1"):
        url = "/v1/conversations/c/stream"
        assert "Last-Event-ID" in problem(await desk.client.get(url, headers={"last-event-id": wrong}), 422)


# ------------------------------------------------------------------------------------------------------ text is data


@pytest.mark.parametrize(
    ("conversation", "text"),
    list(
        enumerate(
            [
                "<script>alert(1)</script>",
                "{{ user.id }} {% for x in y %} {# z #}",
                "\u202eabc \u0000 \x1b[31m",
                "\N{PILE OF POO}" * 20,
                "x'; drop table conversations; --",
                "{ORDER} %s {0}",
            ]
        )
    ),
)
async def test_what_a_user_writes_is_text(desk: Desk, conversation: int, text: str) -> None:
    here = f"text{conversation}"
    opened = await desk.post("open", {"user": {"name": text}}, here)
    assert opened.json()["replies"][0]["text"] == f"Hello {text}!"
    await desk.say("echo", here, user={"tier": text})
    answer = await desk.say(text, here)
    assert answer["replies"][0]["text"] == f"You said {text}, {text}."


async def test_a_locale_and_a_zone_that_nobody_knows_are_the_bots(desk: Desk) -> None:
    for wrong in ("Mars/Base", "../../etc/passwd", "x" * 5_000, "\x00"):
        answer = await desk.say("show me", "zones", user={"zone": wrong, "locale": wrong})
        assert answer["replies"][-1]["text"] == "More?"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["text", "id", "user", "locale", "name", "x"]), inner)
        ),
        max_leaves=8,
    )
    | st.binary(max_size=60)
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_body_is_answered_or_refused(desk: Desk, body: object) -> None:
    for route in ("messages", "open", "events", "handoff"):
        answer = await desk.post(route, body)
        assert answer.status_code in (200, 202, 404, 413, 422)
