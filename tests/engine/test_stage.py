"""The stage that `.chat` files play on: the real engine in simulated time."""

from datetime import UTC, datetime, timedelta

from engine.world import Words, probe

from flowc.runtime.engine.testing import Stage
from flowc.runtime.kernel.events import RankedIntent, Understood
from flowc.runtime.services.scripted import Fails, Gives

START = datetime(2026, 11, 22, 10, tzinfo=UTC)


async def test_a_job_that_fails_is_repeated_and_its_result_said() -> None:
    async with Stage.open(probe(), start=START, understanding=Words()) as stage:
        stage.script("desk", "pay", [Fails("unavailable"), Gives("T-1")])
        await stage.begin()
        await stage.say("anything", Understood((RankedIntent("later", 1.0),)))
        assert [reply.text for reply in await stage.replies()] == ["Ready.", "Queued.", "Ready."]
        await stage.after(timedelta(minutes=9))
        assert [reply.text for reply in await stage.replies()] == ["Later paid T-1.", "Ready."]
        [write] = stage.writes()
        assert (write.operation, write.arguments) == ("pay", {"amount": 3})
        assert (await stage.whereabouts()).waits == ("probe/start.listen",)


async def test_time_passes_in_order_and_stands_at_the_moment_asked_for() -> None:
    async with Stage.open(probe(), start=START, understanding=Words()) as stage:
        await stage.begin()
        await stage.after(timedelta(minutes=70))
        assert [reply.text for reply in await stage.replies()] == ["Ready.", "Are you there?", "Bye."]
        assert (await stage.whereabouts()).state == "ended"
        await stage.at(START + timedelta(hours=2))
        assert stage.now_ms == int((START + timedelta(hours=2)).timestamp() * 1000)


async def test_a_backend_that_answers_later_takes_simulated_time() -> None:
    async with Stage.open(probe(), start=START, understanding=Words()) as stage:
        stage.script("desk", "find", [Gives("a", after_s=0.3)])
        turn = await stage.say("look")
        assert turn.replies[-2].text.startswith("Found a")
        assert stage.now_ms >= START.timestamp() * 1000 + 300


async def test_what_was_passed_is_told_for_coverage() -> None:
    async with Stage.open(probe(), start=START, understanding=Words()) as stage:
        await stage.say("people")
        await stage.answer_handoff("unavailable")
        await stage.say("bye")
        states = [passed.place for passed in await stage.transitions() if passed.kind == "state"]
        assert states[:3] == ["start", "people", "start"]
        assert await stage.outcome() is None
