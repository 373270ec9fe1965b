"""Who may use the HTTP face, and whose a conversation is."""

import hmac
from collections.abc import AsyncIterator

import pytest
from channels.serving import Desk, serving

from flowc.runtime.channels import tokens as module
from flowc.runtime.channels.tokens import Role, Token, Tokens, hashed

ROUTES = [
    ("POST", "/v1/conversations/c/messages"),
    ("POST", "/v1/conversations/c/open"),
    ("POST", "/v1/conversations/c/events"),
    ("POST", "/v1/conversations/c/handoff"),
    ("GET", "/v1/conversations/c"),
    ("GET", "/v1/conversations/c/stream"),
]


@pytest.fixture
async def guarded() -> AsyncIterator[Desk]:
    """A server with three tokens; requests carry the website's unless they say another."""
    known = [Token("website", hashed("w"), "channel"), Token("app", hashed("a"), "channel")]
    known += [Token("auditor", hashed("r"), "reader"), Token("desk", hashed("o"), "operator")]
    async with serving(*known, token="w") as served:
        yield served


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_without_a_token_of_the_server_nothing_is_done(guarded: Desk, method: str, path: str) -> None:
    for given in (None, "", "Bearer", "Bearer x", "Basic w", "w", "Bearer W", "Bearer w w", "Bearer \xe9"):
        headers = {} if given is None else {"authorization": given.encode("latin-1")}
        answer = await guarded.client.request(method, path, headers=headers, content=b"{")
        assert answer.status_code == 401, given
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_token_of_the_server_is_known(guarded: Desk) -> None:
    for given in ("Bearer w", "bearer w", "BEARER  w"):
        answer = await guarded.client.post("/v1/conversations/c/open", headers={"authorization": given})
        assert answer.status_code == 200


async def test_health_and_the_page_need_no_token(guarded: Desk) -> None:
    for path in ("/healthz", "/readyz", "/"):
        assert (await guarded.client.get(path)).status_code == 200


async def test_a_channel_is_not_an_operator(guarded: Desk) -> None:
    await guarded.post("open", {})
    await guarded.say("people")
    for token in ("w", "r"):
        answer = await guarded.post("handoff", {"answer": "returned"}, token=token)
        assert (answer.status_code, answer.json()["title"]) == (403, "forbidden")
        assert "operator" in answer.json()["detail"]


async def test_an_operator_answers_for_the_people_of_another_token(guarded: Desk) -> None:
    await guarded.post("open", {})
    await guarded.say("people")
    answer = await guarded.post("handoff?owner=website", {"answer": "returned"}, token="o")
    assert answer.json()["replies"][0]["text"] == "Back again."
    assert answer.json()["conversation"] == "c"


async def test_conversations_of_two_tokens_never_meet(guarded: Desk) -> None:
    await guarded.post("open", {"user": {"name": "Ann"}})
    assert (await guarded.get("/v1/conversations/c")).status_code == 200
    assert (await guarded.get("/v1/conversations/c", token="a")).status_code == 404
    assert (await guarded.get("/v1/conversations/c?owner=website", token="a")).status_code == 404
    assert (await guarded.get("/v1/conversations/c/stream?owner=website", token="a")).status_code == 404
    other = await guarded.post("messages", {"text": "show me", "id": "m1"}, token="a")
    assert other.json()["turn"] == 1
    assert other.json()["replies"][0]["text"] == "Hello there!"
    async with guarded.stream(token="a") as stream:
        assert await stream.texts(1) == ["Hello there!"]


async def test_the_same_id_of_two_tokens_is_two_messages(guarded: Desk) -> None:
    first = await guarded.post("messages", {"text": "show me", "id": "m1"})
    other = await guarded.post("messages", {"text": "people", "id": "m1"}, token="a")
    assert (first.json()["state"], other.json()["state"]) == ("waiting", "handoff")


async def test_an_id_cannot_reach_into_another_tokens_conversations(guarded: Desk) -> None:
    await guarded.post("open", {})
    for id in ("website/c", "website%2Fc", "..%2Fwebsite%2Fc", "../website/c"):
        assert (await guarded.get(f"/v1/conversations/{id}", token="a")).status_code == 404


async def test_a_reader_looks_at_the_conversations_of_all(guarded: Desk) -> None:
    await guarded.post("open", {})
    found = await guarded.get("/v1/conversations/c?owner=website", token="r")
    assert (found.status_code, found.json()["conversation"]) == (200, "c")
    assert (await guarded.get("/v1/conversations/c", token="r")).status_code == 404


async def test_a_page_of_another_site_may_not_talk_to_a_server_without_tokens(desk: Desk) -> None:
    for site, status in (("cross-site", 403), ("same-origin", 200), ("none", 200)):
        answer = await desk.post("open", {}, **{"sec-fetch-site": site, "content-type": "text/plain"})
        assert answer.status_code == status


async def test_a_problem_does_not_name_the_token(guarded: Desk) -> None:
    assert "website" not in (await guarded.get("/v1/conversations/nobody")).text


# -------------------------------------------------------------------------------------------------------- comparison


def test_every_token_is_compared_in_constant_time_by_its_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def noted(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    known = Tokens((Token("one", hashed("1")), Token("two", hashed("2")), Token("three", hashed("3"))))
    assert module.hmac.compare_digest is hmac.compare_digest
    monkeypatch.setattr(module.hmac, "compare_digest", noted)
    for given in ("Bearer 1", "Bearer 3", "Bearer wrong", None):
        compared.clear()
        known.caller(given)
        assert [other for _, other in compared] == [token.digest for token in known.known]
    assert b"1" not in [token.digest for token in known.known]


@pytest.mark.parametrize(
    ("role", "may"),
    [("channel", 1), ("reader", 2), ("operator", 3), ("admin", 4)],
)
def test_a_role_has_the_rights_of_those_below(role: Role, may: int) -> None:
    caller = Tokens((Token("t", hashed("t"), role),)).caller("Bearer t")
    assert caller is not None
    roles: list[Role] = ["channel", "reader", "operator", "admin"]
    assert [each for each in roles if caller.may(each)] == roles[:may]
