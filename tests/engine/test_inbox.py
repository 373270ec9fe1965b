"""What has to wait is stored before anybody is told that we have it, and is taken in order."""

import asyncio

import pytest
from engine.world import Trouble, World

from flowc.runtime.engine.errors import TooBusy, Unavailable
from flowc.runtime.engine.message import Accepted, Message
from flowc.runtime.engine.stored import MessageBody, body_bytes
from flowc.runtime.kernel.events import Succeeded
from flowc.runtime.store.recent import event_hash
from flowc.runtime.store.rows import Address, FromInbox, Holder, Incoming, Received, ServerId


async def test_messages_of_a_busy_conversation_are_taken_in_the_order_of_acceptance(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        gate = world.backends.hold("find")
        running = [server.saying(text, id=text) for text in ("look", "bye", "what")]
        await server.settle()
        assert [event.number for event in (await world.loaded()).inbox] == [1, 2, 3]
        gate.give(Succeeded("x"))
        looked, bye, what = [await task for task in running]
        assert looked.turn < bye.turn
        assert (looked.state, bye.state) == ("waiting", "ended")
        assert what.incarnation == 2
        assert (await world.loaded()).inbox == ()


async def test_a_message_that_waits_survives_its_server(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        world.backends.hold("find")
        tasks = [server.saying(text) for text in ("look", "bye")]
        await server.settle()
        for task in tasks:
            task.cancel()
    world.backends.script("find", Succeeded("x"))
    async with world.serving() as server:
        await server.wait(31)
        assert (await server.said())[-3:] == ["Found x and othered.", "Ready.", "Bye."]


async def test_a_message_whose_reads_take_over_50_ms_is_stored_first(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        gate = world.backends.hold("find")
        running = server.saying("look")
        await server.settle()
        assert (await world.loaded()).inbox == ()
        await server.wait(0.05)
        assert [event.number for event in (await world.loaded()).inbox] == [1]
        gate.give(Succeeded("x"))
        assert (await running).replies[0].text == "Found x and othered."
        assert (await world.loaded()).inbox == ()


async def test_at_most_20_messages_wait_and_results_always_fit(world: World) -> None:
    async with world.serving() as server:
        await server.say("later")
        await server.settle()
        held = world.backends.hold("pay")
        await server.say("later")
        gate = world.backends.hold("find")
        running = [server.saying("look") for _ in range(20)]
        await server.settle()
        with pytest.raises(TooBusy) as refused:
            await server.say("look")
        assert refused.value.retry_after_s > 0
        await server.wait(0)
        held.give(Succeeded("late"))
        await server.settle()
        assert [event.event.kind for event in (await world.loaded()).inbox] == ["message"] * 20 + ["result"]
        world.backends.script("find", Succeeded("y"))
        gate.give(Succeeded("x"))
        for task in running:
            await task
        await server.settle()
        assert "Later paid late." in await server.said()


async def test_a_client_that_goes_away_cancels_nothing(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        gate = world.backends.hold("find")
        running = server.saying("look", id="1")
        await server.settle()
        running.cancel()
        await server.settle()
        gate.give(Succeeded("x"))
        await server.settle()
        assert (await server.said())[-2:] == ["Found x and othered.", "Ready."]


async def test_across_conversations_nothing_waits(world: World) -> None:
    async with world.serving() as server:
        await server.say("what", conversation="slow")
        world.backends.hold("find")
        held = server.saying("look", conversation="slow")
        await server.settle()
        assert await server.texts("bye", conversation="quick")
        held.cancel()


async def test_a_turn_from_no_inbox_goes_behind_what_another_server_stored(world: World) -> None:
    async with world.serving() as one, world.serving() as other:
        await one.say("what")
        await other.say("what")
        gate = world.backends.hold("find")
        first = one.saying("look", id="a")
        await one.settle()
        behind = one.saying("bye", id="b")
        await one.settle()
        last = other.saying("what", id="c")
        await other.settle()
        gate.give(Succeeded("x"))
        answers = [await task for task in (first, behind, last)]
        assert [answer.state for answer in answers] == ["waiting", "ended", "waiting"]
        assert [answer.incarnation for answer in answers] == [1, 1, 2]
        assert (await world.loaded()).inbox == ()


async def test_an_accepted_message_is_stored_and_answered_by_the_stream(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        gate = world.backends.hold("find")
        accepting = asyncio.ensure_future(server.engine.accept(Message("c", "look")))
        await server.settle()
        await server.wait(10)
        accepted = await accepting
        assert isinstance(accepted, Accepted)
        assert len((await world.loaded()).inbox) == 1
        gate.give(Succeeded("x"))
        await server.settle()
        assert (await server.said())[-2:] == ["Found x and othered.", "Ready."]


async def test_trouble_of_the_store_uses_up_no_tries_of_an_event(world: World) -> None:
    trouble = Trouble(world.store)
    async with world.serving(trouble) as server:  # type: ignore[arg-type]  # it passes on what it does not have
        await server.say("what")
        gate = world.backends.hold("find")
        first, second = server.saying("look"), server.saying("bye")
        await server.settle()
        trouble.before = [lambda unit: isinstance(unit.source, FromInbox)] * 5
        gate.give(Succeeded("x"))
        assert (await first).state == "waiting"
        assert trouble.before == []
        assert (await second).state == "ended"
        assert await world.store.dead() == ()


async def test_a_try_that_is_counted_and_nobody_learns_it_is_not_counted_again(world: World) -> None:
    trouble = Trouble(world.store)
    async with world.serving(trouble) as server:  # type: ignore[arg-type]  # it passes on what it does not have
        await server.say("what")
        gone = Holder(ServerId("gone"), 1)
        event = Incoming(Address("c"), event_hash("", "look"), "message", body_bytes(MessageBody("look")))
        [stored] = await world.store.receive([event], gone)
        assert isinstance(stored, Received)
        trouble.untold_tries = 1
        await server.wait(1)
        assert [waiting.tries for waiting in (await world.loaded()).inbox] == [1]
        gate = world.backends.hold("find")
        await server.wait(31)
        assert [waiting.tries for waiting in (await world.loaded()).inbox] == [1]
        gate.give(Succeeded("x"))
        await server.settle()
        assert (await server.said())[-2:] == ["Found x and othered.", "Ready."]


async def test_nobody_is_told_that_we_have_it_when_the_store_is_gone(world: World) -> None:
    trouble = Trouble(world.store)
    async with world.serving(trouble) as server:  # type: ignore[arg-type]  # it passes on what it does not have
        await server.say("what")
        trouble.is_gone = True
        with pytest.raises(Unavailable):
            await server.say("bye", id="1")
        trouble.is_gone = False
        assert await server.texts("bye", id="1") == ["Bye."]


async def test_what_was_accepted_is_answered_when_the_store_is_back(world: World) -> None:
    trouble = Trouble(world.store)
    async with world.serving(trouble) as server:  # type: ignore[arg-type]  # it passes on what it does not have
        await server.say("what")
        gate = world.backends.hold("find")
        first, second = server.saying("look"), server.saying("bye")
        await server.settle()
        trouble.is_gone = True
        gate.give(Succeeded("x"))
        await server.settle()
        trouble.is_gone = False
        await server.wait(1)
        assert (await first).state == "waiting"
        assert (await second).state == "ended"


async def test_a_message_that_could_not_be_stored_during_its_reads_is_refused_once_and_let_go(world: World) -> None:
    trouble = Trouble(world.store)
    async with world.serving(trouble) as server:  # type: ignore[arg-type]  # as the store
        await server.say("what")
        gate = world.backends.hold("find")
        asked = server.saying("look")
        await server.settle()
        trouble.is_gone = True
        await server.wait(0.1)
        trouble.is_gone = False
        gate.give(Succeeded("x"))
        with pytest.raises(Unavailable):
            await asked
        await server.settle()
        assert server.engine.is_quiet


async def test_a_message_that_came_before_a_commit_was_told_is_taken_after_it(world: World) -> None:
    trouble = Trouble(world.store)
    async with world.serving(trouble) as server:  # type: ignore[arg-type]  # as the store
        await server.say("what")
        trouble.answers = asyncio.Event()
        first = server.saying("look")
        await server.settle()
        second = server.saying("look")
        await server.settle()
        trouble.answers.set()
        assert (await first).replies[0].text == (await second).replies[0].text == "Found finded and othered."
