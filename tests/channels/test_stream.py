"""Replies as server-sent events."""

import asyncio
import json

import pytest
from channels.serving import Desk, until

from flowc.runtime.channels import http
from flowc.runtime.services.scripted import Gives


async def test_a_stream_has_the_replies_as_the_answers_have_them(desk: Desk) -> None:
    answers = [(await desk.post("open", {})).json(), await desk.say("show me")]
    replies = [reply for answer in answers for reply in answer["replies"]]
    async with desk.stream() as stream:
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        assert stream.response.headers["cache-control"] == "no-store"
        events = [await stream.event() for _ in replies]
    assert [json.loads(event["data"]) for event in events] == replies
    assert [event["id"] for event in events] == [reply["id"] for reply in replies]
    assert {event["event"] for event in events} == {"reply"}
    assert stream.comments == ["open"]


async def test_a_stream_goes_on_after_the_last_event_id(desk: Desk) -> None:
    await desk.post("open", {})
    await desk.say("show me")
    async with desk.stream(after="1.2.0") as stream:
        assert await stream.texts(1) == ["More?"]
        await desk.say("no")
        assert await stream.texts(1) == ["Bye."]
    async with desk.client.stream("GET", "/v1/conversations/c/stream?after=1.2.1") as response:
        lines = response.aiter_lines()
        assert [await anext(lines) for _ in range(3)][2] == "id: 1.3.0"


async def test_a_stream_may_be_there_before_its_conversation(desk: Desk) -> None:
    async with desk.stream("new") as stream:
        await desk.post("open", {}, "new")
        assert await stream.texts(1) == ["Hello there!"]


async def test_a_stream_goes_on_in_the_next_conversation_of_its_address(desk: Desk) -> None:
    async with desk.stream() as stream:
        await desk.say("no")
        await desk.say("show me")
        assert await stream.texts(5) == ["Hello there!", "Bye.", "Hello there!", "Here it is.", "More?"]


async def test_what_nobody_asked_for_comes_by_the_stream(desk: Desk) -> None:
    await desk.post("open", {})
    desk.script("pay", Gives("R-1", after_s=0.5))
    async with desk.stream(after="1.1.0") as stream:
        await desk.say("later")
        assert await stream.texts(2) == ["Queued.", "More?"]
        await until(lambda: bool(desk.shop.attempts))
        desk.clock.pass_to(desk.clock.now_ms() + 500)
        assert (await stream.texts(1)) == ["Later paid R-1."]


async def test_two_streams_of_one_conversation_both_have_all(desk: Desk) -> None:
    async with desk.stream() as one, desk.stream() as two:
        await desk.post("open", {})
        await desk.say("no")
        assert await one.texts(2) == await two.texts(2) == ["Hello there!", "Bye."]


async def test_a_text_of_several_lines_is_one_event(desk: Desk) -> None:
    await desk.say("echo")
    said = "one\n\nevent: reply\ndata: {}\n\n: two"
    await desk.say(said, user={"tier": "x"})
    async with desk.stream(after="1.1.1") as stream:
        assert await stream.texts(2) == [f"You said {said}, x.", "More?"]


async def test_a_silent_stream_says_that_it_is_there(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PING_S", 0.001)
    async with desk.stream() as stream:
        coming = asyncio.ensure_future(stream.event())
        await until(lambda: "still here" in stream.comments)
        await desk.post("open", {})
        assert json.loads((await coming)["data"])["text"] == "Hello there!"


async def test_a_client_that_goes_leaves_nothing_behind(desk: Desk) -> None:
    await desk.post("open", {})
    async with desk.stream() as stream:
        await stream.texts(1)
        assert desk.engine._session("c").watchers  # type: ignore[arg-type]  # an address
    await until(lambda: not desk.engine._session("c").watchers)  # type: ignore[arg-type]  # an address


async def test_a_stream_ends_at_once_when_the_server_does(desk: Desk) -> None:
    async with desk.stream() as stream:
        desk.wishes.put_nowait(None)
        assert await asyncio.wait_for(stream.event(), 5) == {}
