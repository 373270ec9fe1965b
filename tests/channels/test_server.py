"""The server around the face: clients that go away, what is not HTTP, and an orderly end."""

import asyncio
import socket

import pytest
from channels.serving import Desk, until

from flowc.runtime.channels.server import PortTaken, bound
from flowc.runtime.services.scripted import Gives

REQUEST = b'{"text": "pay", "id": "m1"}'


async def test_a_client_that_goes_away_cancels_nothing(desk: Desk) -> None:
    await desk.post("open", {})
    desk.script("pay", Gives("R-1", after_s=0.5))
    _, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    head = b"POST /v1/conversations/c/messages HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    writer.write(head % len(REQUEST) + REQUEST)
    await until(lambda: bool(desk.shop.attempts))
    writer.transport.abort()
    await asyncio.sleep(0)
    desk.clock.pass_to(desk.clock.now_ms() + 500)
    again = await desk.post("messages", {"text": "pay", "id": "m1"})
    assert again.json()["replies"][0]["text"] == "Paid R-1."
    assert len(desk.shop.attempts) == 1


async def test_a_client_that_goes_away_in_the_middle_of_its_body_sent_nothing(desk: Desk) -> None:
    await desk.post("open", {})
    _, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(b"POST /v1/conversations/c/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 27\r\n\r\n" + REQUEST[:10])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert "duplicate" not in (await desk.post("messages", {"text": "pay", "id": "m1"})).json()


@pytest.mark.parametrize("raw", [b"hello\r\n\r\n", b"\x16\x03\x01\x00\xff", b"GET / HTTP/9.9\r\n\r\n", b"\0" * 64])
async def test_what_is_not_http_is_refused(desk: Desk, raw: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(raw)
    writer.write_eof()
    assert (await reader.read()).split(b"\r\n")[0] in (b"", b"HTTP/1.1 400 Bad Request")
    writer.close()
    await writer.wait_closed()
    assert (await desk.get("/healthz")).status_code == 200


async def test_a_head_without_an_end_is_cut_off(desk: Desk) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ")
    try:
        for _ in range(1_000):
            writer.write(b"x" * 4096)
            await writer.drain()
        writer.write(b"\r\n\r\n")
        cut_off = (await reader.readline()).startswith(b"HTTP/1.1 400 ")
    except ConnectionError:
        cut_off = True
    writer.transport.abort()
    assert cut_off
    assert (await desk.get("/healthz")).status_code == 200


async def test_a_long_body_that_comes_with_its_head_is_no_long_head(desk: Desk) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    body = b'{"text": "%s"}' % (b"x" * 65_000)
    head = b"POST /v1/conversations/c/messages HTTP/1.1\r\nHost: x\r\nX-Some: %s\r\nContent-Length: %d\r\n\r\n"
    for _ in range(3):
        writer.write(head % (b"y" * 2_000, len(body)) + body)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        await reader.readuntil(b'"state":"waiting"}')
    writer.close()
    await writer.wait_closed()


async def test_a_turn_that_runs_when_the_server_is_told_to_stop_is_answered(desk: Desk) -> None:
    await desk.post("open", {})
    desk.script("pay", Gives("R-1", after_s=0.5))
    running = asyncio.ensure_future(desk.post("messages", {"text": "pay", "id": "m1"}))
    await until(lambda: bool(desk.shop.attempts))
    desk.wishes.put_nowait(None)
    while (ready := await desk.get("/readyz")).status_code == 200:  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.002)
    assert (ready.status_code, ready.json()["reasons"]) == (503, ["the server stops"])
    refused = await desk.post("messages", {"text": "pay", "id": "m2"}, "other")
    assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (503, True)
    desk.clock.pass_to(desk.clock.now_ms() + 500)
    assert (await running).json()["replies"][0]["text"] == "Paid R-1."
    await until(lambda: not accepts(desk.port))


def accepts(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_an_address_that_cannot_be_listened_on() -> None:
    with bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"cannot listen on 127.0.0.1:{port}: address already in use"):
            bound("127.0.0.1", port)
    for host in ("192.0.2.1", "no.such.host.invalid", "a..b", "", "::ffff:x", "x" * 300):
        if host:
            with pytest.raises(PortTaken, match="cannot listen on"):
                bound(host, 0)
