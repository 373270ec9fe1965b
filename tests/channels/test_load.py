"""What is told to who cannot be served just now."""

import asyncio
import json

import pytest
from channels.serving import Desk, serving

from flowc.runtime.channels.server import Bounded
from flowc.runtime.policy.admission import STEPS
from flowc.runtime.policy.limits import Rates
from flowc.runtime.program import RateLimit


async def test_who_sends_too_much_is_told_when_to_come_back() -> None:
    async with serving(rates=Rates(per_user=RateLimit(1, 40))) as desk:
        await desk.say("show me", id="m1")
        refused = await desk.post("messages", {"text": "show me", "id": "m2"})
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "40"
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json() == {
            "type": "about:blank",
            "title": "too busy",
            "status": 429,
            "detail": "more came than is allowed: send it again in 40 s",
        }
        assert (await desk.post("messages", {"text": "show me", "id": "m1"})).json()["duplicate"]
        desk.clock.pass_to(desk.clock.now_ms() + 40_000)
        assert (await desk.post("messages", {"text": "show me", "id": "m2"})).status_code == 200


async def test_when_there_is_too_much_to_do_who_begins_is_refused_politely(desk: Desk) -> None:
    await desk.say("show me", id="m1")
    admission = desk.engine._around.admission
    admission.mark, admission.is_calm, admission._ends_at = 3 * STEPS, False, float("inf")
    refused = await desk.post("messages", {"text": "show me"}, "other")
    assert refused.status_code == 503
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    told = refused.json()
    assert told["title"] == "unavailable"
    assert told["detail"].startswith("there is too much to do just now: send it again in ")
    assert (await desk.post("messages", {"text": "show me"})).status_code == 200


async def test_more_connections_than_there_may_be_are_answered_and_closed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bounded, "most", 2)
    held = [await asyncio.open_connection("127.0.0.1", desk.port) for _ in range(3)]
    for reader, writer in held[:2]:
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    answer = await held[2][0].read()
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"retry-after: 2\r\n" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["detail"] == "too many connections"
    for _, writer in held:
        writer.close()
        await writer.wait_closed()
    assert (await desk.client.get("/healthz")).status_code == 200
