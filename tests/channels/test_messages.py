"""What each route of docs/http.md answers when all is well."""

import asyncio
import re
from pathlib import Path

import pytest
from channels.serving import Desk, serving, until
from starlette.routing import Route

from flowc.runtime.channels.http import http_app
from flowc.runtime.channels.tokens import Tokens
from flowc.runtime.services.scripted import Fails, Gives
from flowc.runtime.simulate.clock import SimulatedClock
from flowc.runtime.store.memory import MemoryStore

DOCUMENT = (Path(__file__).parents[2] / "docs" / "http.md").read_text()


async def test_the_documented_routes_are_the_routes(desk: Desk) -> None:
    documented = set(re.findall(r"`(GET|POST) ([^`]+)`", DOCUMENT.split("An answer:")[0]))
    from channels.serving import desk as program

    app = http_app(desk.engine, program(), Tokens())
    served = {
        (method, route.path)
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert served == documented


async def test_a_message_is_answered_with_its_turn(desk: Desk) -> None:
    answer = await desk.post("messages", {"text": "show me", "id": "m1"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "conversation": "c",
        "turn": 1,
        "version": "1.2.0",
        "state": "waiting",
        "intent": "show",
        "replies": [
            {"id": "1.1.0", "text": "Hello there!", "buttons": ["Find it", "Show me"]},
            {
                "id": "1.1.1",
                "text": "Here it is.",
                "images": ["https://example.com/map.png"],
                "links": [{"label": "Where it is", "url": "https://example.com/map"}],
            },
            {"id": "1.1.2", "text": "More?"},
        ],
    }


async def test_the_channel_opens_a_conversation_once(desk: Desk) -> None:
    first = await desk.post("open", {"user": {"id": "ann", "name": "Ann"}})
    again = await desk.post("open", {"user": {"id": "ann", "name": "Ann"}})
    assert [reply["text"] for reply in first.json()["replies"]] == ["Hello Ann!"]
    assert (again.status_code, again.json()["replies"]) == (200, [])


async def test_open_takes_an_empty_body(desk: Desk) -> None:
    assert (await desk.post("open", b"")).json()["replies"][0]["text"] == "Hello there!"


async def test_an_end_is_told_and_a_message_begins_again(desk: Desk) -> None:
    await desk.post("open", {})
    ended = await desk.say("no")
    assert (ended["state"], ended["replies"][-1]["text"]) == ("ended", "Bye.")
    again = await desk.say("show me")
    assert again["state"] == "waiting"
    assert again["replies"][0]["id"].startswith("2.1.")


async def test_what_the_channel_knows_of_the_user_reaches_the_flow(desk: Desk) -> None:
    body = {"user": {"id": "ann", "name": "Ann", "tier": "gold", "zone": "Europe/Berlin", "channel": "web"}}
    await desk.post("open", {**body, "locale": "en"})
    await desk.say("echo", **body)
    assert (await desk.say("hm", **body))["replies"][0]["text"] == "You said hm, gold."


async def test_an_event_from_outside_is_answered_and_known_by_its_id(desk: Desk) -> None:
    await desk.post("open", {})
    first = await desk.post("events", {"name": "table_ready", "id": "e1", "table": 4})
    again = await desk.post("events", {"name": "table_ready", "id": "e1", "table": 4})
    assert [reply["text"] for reply in first.json()["replies"]] == ["Table 4 is ready.", "Hello there!"]
    assert (again.json()["replies"], again.json()["duplicate"]) == (first.json()["replies"], True)
    other = await desk.post("events", {"name": "table_ready", "id": "e1", "table": 5})
    assert other.status_code == 422


@pytest.mark.parametrize(("answer", "text"), [("returned", "Back again."), ("unavailable", "Nobody is there.")])
async def test_people_are_done_or_not_there(desk: Desk, answer: str, text: str) -> None:
    await desk.post("open", {})
    assert (await desk.say("people"))["state"] == "handoff"
    back = await desk.post("handoff", {"answer": answer})
    assert (back.status_code, back.json()["state"]) == (200, "waiting")
    assert back.json()["replies"][0]["text"] == text


async def test_where_a_conversation_is(desk: Desk) -> None:
    await desk.post("open", {})
    await desk.say("echo")
    found = await desk.get("/v1/conversations/c")
    assert found.status_code == 200
    assert found.json() == {
        "conversation": "c",
        "turn": 2,
        "version": "1.2.0",
        "state": "waiting",
        "waits": ["desk/echo.ask.word"],
    }
    assert (await desk.get("/v1/conversations/nobody")).status_code == 404


async def test_health_and_readiness(desk: Desk) -> None:
    assert (await desk.get("/healthz")).json() == {"alive": True}
    ready = await desk.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "reasons": []})
    await desk.engine.drain()
    ready = await desk.get("/readyz")
    assert (ready.status_code, ready.json()) == (503, {"ready": False, "reasons": ["the server stops"]})


async def test_the_page_is_one_file_that_loads_nothing(desk: Desk) -> None:
    page = await desk.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    assert re.findall(r"""(?:src|href)\s*=\s*["'][^"']+""", page.text) == []
    assert "https://" not in page.text
    assert "import " not in page.text


# ------------------------------------------------------------------------------------------------------- repetitions


@pytest.mark.parametrize("by", ["id", "header"])
async def test_a_repetition_is_answered_the_same_and_changes_nothing(desk: Desk, by: str) -> None:
    body = {"text": "pay"} | ({"id": "m1"} if by == "id" else {})
    headers = {} if by == "id" else {"idempotency-key": "m1"}
    desk.script("pay", Gives("R-1"), Gives("R-2"))
    first = (await desk.post("messages", body, **headers)).json()
    again = (await desk.post("messages", body, **headers)).json()
    assert "Paid R-1." in [reply["text"] for reply in first["replies"]]
    assert again == {**first, "duplicate": True}
    assert len(desk.shop.attempts) == 1


async def test_the_id_in_the_body_and_in_the_header_are_one_id(desk: Desk) -> None:
    first = (await desk.post("messages", {"text": "show me", "id": "m1"})).json()
    again = (await desk.post("messages", {"text": "show me"}, **{"idempotency-key": "m1"})).json()
    assert again["replies"] == first["replies"]


async def test_without_an_id_a_second_message_is_a_new_one(desk: Desk) -> None:
    assert (await desk.say("show me"))["turn"] == 1
    assert (await desk.say("show me"))["turn"] == 2


async def test_the_same_id_with_another_body_is_refused(desk: Desk) -> None:
    await desk.say("show me", id="m1")
    answer = await desk.post("messages", {"text": "people", "id": "m1"})
    assert answer.status_code == 422
    assert "the id came before with another body" in answer.json()["detail"]
    assert (await desk.get("/v1/conversations/c")).json()["state"] == "waiting"


async def test_the_same_id_in_two_conversations_is_two_messages(desk: Desk) -> None:
    assert (await desk.say("show me", "one", id="m1"))["turn"] == 1
    assert "duplicate" not in await desk.say("show me", "two", id="m1")


async def test_a_repetition_while_the_first_still_runs_is_one_turn(desk: Desk) -> None:
    desk.script("pay", Gives("R-1", after_s=0.5))
    both = asyncio.gather(*(desk.post("messages", {"text": "pay", "id": "m1"}) for _ in range(2)))
    await until(lambda: bool(desk.shop.attempts))
    desk.clock.pass_to(desk.clock.now_ms() + 500)
    first, second = await both
    assert first.json()["replies"] == second.json()["replies"]
    assert len(desk.shop.attempts) == 1


# ------------------------------------------------------------------------------------------------------ slow and busy


async def test_a_turn_that_outlives_reply_within_is_accepted_and_answered_by_the_stream(desk: Desk) -> None:
    await desk.post("open", {})
    desk.script("dig", Gives("gold", after_s=20))
    waiting = asyncio.ensure_future(desk.post("messages", {"text": "dig", "id": "m1"}))
    await until(lambda: bool(desk.shop.attempts))
    desk.clock.pass_to(desk.clock.now_ms() + 3_000)
    answer = await waiting
    assert answer.status_code == 202
    said = [{"id": "1.2.0", "text": "Digging."}]
    assert answer.json() == {"conversation": "c", "replies": said, "state": "working"}
    async with desk.stream(after="1.1.0") as stream:
        assert await stream.texts(1) == ["Digging."]
        desk.clock.pass_to(desk.clock.now_ms() + 17_000)
        assert await stream.texts(2) == ["Dug up gold.", "More?"]
    again = await desk.post("messages", {"text": "dig", "id": "m1"})
    assert [reply["text"] for reply in again.json()["replies"]] == ["Digging.", "Dug up gold.", "More?"]


async def test_messages_that_wait_are_answered_in_their_order_and_too_many_are_refused(desk: Desk) -> None:
    await desk.post("open", {})
    desk.script("dig", Gives("gold", after_s=0.5))
    first = asyncio.ensure_future(desk.post("messages", {"text": "dig"}))
    await until(lambda: bool(desk.shop.attempts))
    others = [asyncio.ensure_future(desk.post("messages", {"text": "show me"})) for _ in range(21)]
    await until(lambda: any(other.done() for other in others))
    refused = [other.result() for other in others if other.done()]
    assert [answer.status_code for answer in refused] == [429]
    assert refused[0].headers["retry-after"] == "2"
    assert refused[0].headers["content-type"] == "application/problem+json"
    desk.clock.pass_to(desk.clock.now_ms() + 500)
    answers = await asyncio.gather(first, *others)
    assert sorted(answer.status_code for answer in answers) == [200] * 21 + [429]
    assert len({answer.json()["turn"] for answer in answers if answer.status_code == 200}) == 21


async def test_a_server_that_stops_says_when_to_come_back(desk: Desk) -> None:
    await desk.engine.drain()
    answer = await desk.post("messages", {"text": "show me", "id": "m1"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["detail"] == "the server stops"


async def test_a_store_that_does_not_answer_is_503_and_the_repetition_is_taken() -> None:
    from engine.world import Trouble

    store = MemoryStore(SimulatedClock(0))
    trouble = Trouble(store)
    async with serving(store=trouble) as desk:  # type: ignore[arg-type]  # passes the port on
        await desk.post("open", {})
        trouble.is_gone = True
        answer = await desk.post("messages", {"text": "show me", "id": "m1"})
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert (await desk.get("/readyz")).status_code == 503
        trouble.is_gone = False
        assert (await desk.say("show me", id="m1"))["replies"][-1]["text"] == "More?"


async def test_an_erased_conversation_is_gone(desk: Desk) -> None:
    await desk.post("open", {})
    await desk.engine.erase("c")
    answer = await desk.post("messages", {"text": "hello"})
    assert (answer.status_code, answer.json()["title"]) == (410, "erased")
    assert (await desk.get("/v1/conversations/c")).status_code == 404


async def test_a_backend_that_is_away_is_said_in_the_flows_words(desk: Desk) -> None:
    desk.script("find", Fails("rejected"))
    answer = await desk.say("find it")
    assert "Not found." in [reply["text"] for reply in answer["replies"]]


async def test_a_message_that_says_nothing_of_its_user_leaves_what_is_known(desk: Desk) -> None:
    await desk.post("open", {"user": {"id": "ann", "name": "Ann", "tier": "gold"}})
    await desk.say("echo")
    assert (await desk.say("hm"))["replies"][0]["text"] == "You said hm, gold."
