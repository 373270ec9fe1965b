"""What operators ask an engine for."""

import pytest
from engine.world import World, probe

from flowc.runtime.engine.errors import NotFound, Refusal
from flowc.runtime.engine.replay import replay
from flowc.runtime.engine.seal import Seal
from flowc.runtime.kernel import load
from flowc.runtime.kernel.events import Succeeded
from flowc.runtime.operations import EndConversation, Erase, perform

END = EndConversation("c", "me")


async def test_a_conversation_is_ended_where_it_stands_and_its_address_begins_anew(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        assert await server.engine.operate(EndConversation("c", "me", dry=True)) == {
            "conversation": "c", "wait": "probe/start.listen",
        }  # fmt: skip
        assert not (await world.loaded()).row.ended
        said = await server.said()
        await server.engine.operate(END)
        await server.settle()
        row = (await world.loaded()).row
        assert (row.ended, row.timers, await server.said()) == (True, (), said)
        with pytest.raises(NotFound):
            await server.engine.operate(END)
        assert (await server.say("what")).incarnation == 2
        replay(load(probe()), await world.journal(incarnation=1), Seal(bytes(32), bytes))


async def test_it_is_ended_after_the_write_that_is_under_way(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        gate = world.backends.hold("pay")
        task = server.saying("pay")
        await server.settle()
        for _ in range(2):
            await server.engine.operate(END)  # asked twice it is one event
        await server.settle()
        assert not (await world.loaded()).row.ended
        gate.give(Succeeded("x"))
        assert (await task).replies[1].text == "Paid x."
        await server.settle()
        assert (await world.loaded()).row.ended


async def test_jobs_of_a_conversation_that_was_ended_go_on(world: World) -> None:
    async with world.serving() as server:
        gate = world.backends.hold("pay")
        await server.say("later")
        await server.engine.operate(END)
        await server.settle()
        assert ((await world.loaded()).row.ended, (await world.loaded()).row.jobs) == (True, 1)
        gate.give(Succeeded("x"))
        await server.settle()
        assert (await server.said())[-1] == "Later paid x."
        assert (await world.loaded()).row.jobs == 0


async def test_where_no_server_runs_the_next_one_ends_it(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
    await perform(END, world.store, None)
    async with world.serving() as server:
        await server.wait(1)
        assert (await world.loaded()).row.ended


@pytest.mark.parametrize("operation", [END, Erase("c"), Erase("c", dry=True)])
async def test_nobody_can_be_ended_or_erased(world: World, operation: EndConversation | Erase) -> None:
    async with world.serving() as server:
        with pytest.raises(Refusal, match="conversation c"):
            await server.engine.operate(operation)
