"""What operators ask a running server for: only with a token of role admin, also where talking needs none."""

import httpx2
import pytest
from channels.serving import Desk, serving

from flowc.runtime.channels.tokens import Token, hashed


async def operate(desk: Desk, name: str, body: object, token: str | None) -> httpx2.Response:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return await desk.client.post(f"/admin/{name}", json=body, headers=headers)


async def told(desk: Desk, name: str, body: object) -> dict[str, object]:
    answer = await operate(desk, name, body, "drawn")
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


async def test_a_server_without_tokens_is_operated_with_the_one_it_drew_only() -> None:
    async with serving(drawn="drawn") as desk:
        await desk.say("hello")
        for token in (None, "other"):
            assert (await operate(desk, "erase", {"conversation": "c"}, token)).status_code == 401
        assert (await desk.say("hello"))["turn"] == 2
        assert (await told(desk, "erase", {"conversation": "c"}))["erased"]


async def test_a_server_that_drew_none_is_not_operated_without_one() -> None:
    async with serving() as desk:
        assert (await operate(desk, "erase", {"conversation": "c"}, None)).status_code == 401


@pytest.mark.parametrize(("token", "status"), [("w", 403), ("o", 403), ("a", 404), ("drawn", 404), ("x", 401)])
async def test_only_an_admin_operates(token: str, status: int) -> None:
    known = [Token("website", hashed("w")), Token("desk", hashed("o"), "operator"), Token("boss", hashed("a"), "admin")]
    async with serving(*known, drawn="drawn") as desk:
        assert (await operate(desk, "erase", {"conversation": "c"}, token)).status_code == status


async def test_the_drawn_token_operates_and_does_not_talk() -> None:
    async with serving(Token("website", hashed("w")), drawn="drawn") as desk:
        assert (await desk.post("messages", {"text": "hello"}, token="drawn")).status_code == 401


async def test_what_is_no_operation_is_one_sentence() -> None:
    async with serving(drawn="drawn") as desk:
        unknown = await operate(desk, "explode", {}, "drawn")
        assert (unknown.status_code, unknown.json()["detail"]) == (404, "there is no operation explode")
        missing = await operate(desk, "erase", {}, "drawn")
        assert (missing.status_code, "conversation" in missing.json()["detail"]) == (422, True)
        more = await operate(desk, "erase", {"conversation": "c", "all": True}, "drawn")
        assert more.status_code == 422


async def test_an_erased_conversation_is_gone_and_its_address_too() -> None:
    async with serving(drawn="drawn") as desk:
        await desk.say("hello")
        assert await told(desk, "erase", {"conversation": "c", "dry": True}) == {
            "conversation": "c", "erased": False, "turns": 1, "commands": 0,
        }  # fmt: skip
        await desk.say("hello again")
        assert (await told(desk, "erase", {"conversation": "c"}))["turns"] == 2
        assert (await desk.post("messages", {"text": "hello"})).status_code == 410
        assert (await told(desk, "erase", {"conversation": "c"}))["turns"] == 0
