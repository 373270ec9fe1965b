"""Silence timers, and time in a conversation."""

import asyncio

from engine.world import World

from flowc.runtime.kernel.events import Succeeded
from flowc.runtime.simulate.clock import SimulatedClock


async def test_a_silence_fires_when_it_is_due_and_not_before(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        await server.wait(599)
        assert "Are you there?" not in await server.said()
        await server.wait(1)
        assert (await server.said())[-1] == "Are you there?"
        await server.wait(60)
        assert (await server.said())[-1] == "Are you there?"


async def test_a_silence_survives_a_restart(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
    async with world.serving() as server:
        await server.wait(600)
        assert (await server.said())[-1] == "Are you there?"


async def test_after_a_stop_an_overdue_silence_is_due_after_one_minute(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
    world.clock.pass_to(world.clock.now_ms() + 3_600_000)
    async with world.serving() as server:
        await server.wait(59)
        assert "Are you there?" not in await server.said()
        await server.wait(1)
        assert (await server.said())[-1] == "Are you there?"


async def test_leaving_the_wait_deletes_its_timer(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        await server.wait(599)
        await server.say("later")
        await server.wait(599)
        assert "Are you there?" not in await server.said()


async def test_a_message_accepted_before_the_timer_was_due_goes_first(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        gate = world.backends.hold("find")
        task = server.saying("look")
        await server.settle()
        await server.wait(600)
        gate.give(Succeeded("x"))
        assert (await task).replies[0].text == "Found x and othered."
        await server.settle()
        assert "Are you there?" not in await server.said()


async def test_time_never_goes_back_in_a_conversation(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        world.clock._now_ms -= 5_000
        await server.say("later")
        times = [row.entry.now_ms for row in await world.journal()]
        assert times == sorted(times)


async def test_the_turn_after_a_reply_is_taken_by_who_comes_after(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        world.backends.hold("find")
        task = server.saying("slow", id="1")
        await server.settle()
        assert (await server.said())[-1] == "One moment."
        task.cancel()
        await server.settle()
    world.backends.script("find", Succeeded("x"))
    async with world.serving() as server:
        await server.wait(31)
        await server.settle()
        assert (await server.said())[-3:] == ["One moment.", "Found x.", "Ready."]
        again = await server.say("slow", id="1")
        assert [reply.text for reply in again.replies] == ["One moment.", "Found x.", "Ready."]


async def test_reads_of_a_group_run_together(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        first, second = world.backends.hold("find"), world.backends.hold("other")
        task = server.saying("look")
        await server.settle()
        assert [each.operation for each in world.backends.asked] == ["find", "other"]
        second.give(Succeeded("b"))
        first.give(Succeeded("a"))
        assert (await task).replies[0].text == "Found a and b."


async def test_simulated_time_wakes_in_order() -> None:
    clock, woken = SimulatedClock(0), list[int]()

    async def sleeper(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.ensure_future(sleeper(seconds)) for seconds in (3, 1, 2)]
    await asyncio.sleep(0)
    with clock.timeout(1) as scope:
        clock.pass_to(2_500)
        await asyncio.sleep(1)
    assert scope.cancelled_caught
    assert woken == [1, 2]
    clock.pass_to(3_000)
    await asyncio.gather(*tasks)
    assert woken == [1, 2, 3]
