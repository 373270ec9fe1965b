"""A message on its direct way is answered as the application answers it."""

import asyncio

import pytest
from channels.serving import Desk, serving

from flowc.runtime.channels.tokens import Token, hashed

HEAD = b"POST /v1/conversations/%b/messages HTTP/1.1\r\nhost: x\r\n%b\r\n"


async def exchanged(desk: Desk, request: bytes, answers: int = 1) -> list[tuple[bytes, set[bytes], bytes]]:
    """Status line, headers and body of each answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(request)
    found = []
    for _ in range(answers):
        status, *headers = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        length = next(int(header.partition(b": ")[2]) for header in headers if header.startswith(b"content-length"))
        found.append((status, set(headers), await reader.readexactly(length)))
    writer.close()
    await writer.wait_closed()
    return found


def direct(conversation: bytes, headers: bytes, body: bytes) -> bytes:
    return HEAD % (conversation, headers + b"content-length: %d\r\n" % len(body)) + body


def by_application(conversation: bytes, headers: bytes, body: bytes) -> bytes:
    """The same, in pieces, which have no length before them."""
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    return HEAD % (conversation, headers + b"transfer-encoding: chunked\r\n") + chunk


TOKEN = b"authorization: Bearer w\r\n"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (TOKEN, b'{"text": "hello"}'),
        (TOKEN + b"idempotency-key: k\r\n", b'{"text": "hello"}'),
        (TOKEN, b'{"text": "hello", "id": "m", "user": {"id": "ada"}}'),
        (TOKEN, b'{"text": "hello", "user": {"nobody": 1}}'),
        (TOKEN, b'{"text": 1}'),
        (TOKEN, b"hello"),
        (TOKEN, b""),
        (b"authorization: Bearer other\r\n", b'{"text": "hello"}'),
        (b"", b'{"text": "hello"}'),
    ],
)
async def test_both_ways_give_the_same_answer(headers: bytes, body: bytes) -> None:
    answers = []
    for way in (direct, by_application):
        async with serving(Token("website", hashed("w"))) as desk:
            answers += await exchanged(desk, way(b"c", headers, body))
    assert answers[0] == answers[1]


async def test_a_page_of_another_site_is_refused_on_both_ways(desk: Desk) -> None:
    for way in (direct, by_application):
        [(status, _, _)] = await exchanged(desk, way(b"c", b"sec-fetch-site: cross-site\r\n", b'{"text": "hello"}'))
        assert status == b"HTTP/1.1 403 Forbidden"


async def test_an_id_is_known_whichever_way_it_came(desk: Desk) -> None:
    key = b"idempotency-key: k\r\n"
    [(_, _, first)] = await exchanged(desk, direct(b"c", key, b'{"text": "hello"}'))
    [(_, _, again)] = await exchanged(desk, by_application(b"c", key, b'{"text": "hello"}'))
    assert b'"duplicate":true' in again
    assert b'"duplicate"' not in first


async def test_messages_that_come_one_behind_the_other_are_answered_in_order(desk: Desk) -> None:
    one, two = direct(b"a", b"", b'{"text": "hello"}'), by_application(b"b", b"", b'{"text": "hello"}')
    answers = await exchanged(desk, one + two + one, 3)
    assert [body.split(b'"')[3] for _, _, body in answers] == [b"a", b"b", b"a"]


@pytest.mark.parametrize("length", [64 * 1024 + 1, 10**9])
async def test_a_body_that_says_it_is_too_long_is_not_read(desk: Desk, length: int) -> None:
    [(status, _, _)] = await exchanged(desk, HEAD % (b"c", b"content-length: %d\r\n" % length))
    assert status.startswith(b"HTTP/1.1 413 ")
