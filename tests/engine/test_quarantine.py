"""An event that cannot be taken is tried three times, whoever tries, and then set aside; what cannot be read is set
aside at once. Nothing stands behind it for ever."""

import pytest
from engine.world import Server, World

from flowc.runtime.engine.stored import result_hash
from flowc.runtime.kernel.events import Succeeded
from flowc.runtime.store.recent import EventHash, event_hash
from flowc.runtime.store.rows import Address, EventKind, Holder, Incoming, Result, ServerId

GONE = Holder(ServerId("gone"), 1)


async def dead(world: World) -> list[tuple[str, int]]:
    return [(event.dead.kind, event.dead.tries) for event in await world.store.dead()]


async def last(server: Server) -> str:
    return (await server.said())[-1]


# -------------------------------------------------------------------------------------------------------------- timers


async def test_a_timer_whose_turn_fails_three_times_is_set_aside(world: World) -> None:
    async with world.serving() as server:
        await server.say("watch")
        world.backends.script("find", RuntimeError("broken"))
        await server.wait(300)
        assert await dead(world) == [("timer", 3)]
        assert (await server.said())[-2:] == ["Something failed.", "Ready."]
        assert len(world.backends.of("find")) == 3


async def test_a_timer_whose_turn_stops_three_servers_is_set_aside(world: World) -> None:
    async with world.serving() as server:
        await server.say("watch")
        world.backends.hold("find")
        await server.wait(300)
    for _ in range(2):
        world.backends.hold("find")
        async with world.serving() as server:
            await server.wait(61)
            assert await dead(world) == []
    async with world.serving() as server:
        await server.wait(61)
        assert [kind for kind, _ in await dead(world)] == ["timer"]
        assert (await server.said())[-2:] == ["Something failed.", "Ready."]
    assert len(world.backends.of("find")) == 3


async def test_a_timer_that_could_not_be_tried_yet_has_no_tries(world: World) -> None:
    """It is claimed again and again while a message before it takes its time."""
    async with world.serving() as server:
        await server.say("watch")
        gate = world.backends.hold("find")
        await server.wait(300)
        for _ in range(5):
            await server.wait(31)
        gate.give(Succeeded("x"))
        await server.settle()
        assert await dead(world) == []
        assert (await server.said())[-2:] == ["Found x and othered.", "Ready."]


async def test_the_turn_after_a_reply_that_stops_its_servers_is_set_aside(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        world.backends.hold("find")
        task = server.saying("slow")
        await server.settle()
        task.cancel()
    for _ in range(3):
        world.backends.hold("find")
        async with world.serving() as server:
            await server.wait(31)
            assert await last(server) == "One moment."
    async with world.serving() as server:
        await server.wait(31)
        assert (await server.said())[-2:] == ["Something failed.", "Ready."]
        assert len(await dead(world)) == 1


# ------------------------------------------------------------------------------------------------- what cannot be read


def damaged(kind: EventKind, hash: EventHash | None = None, incarnation: int | None = None) -> Incoming:
    return Incoming(Address("c"), hash or event_hash("", kind), kind, b"\xc1\xff", b"", incarnation=incarnation)


@pytest.mark.parametrize("kind", ["message", "event"])
async def test_an_event_that_cannot_be_read_is_set_aside_and_those_behind_it_are_taken(
    world: World, kind: EventKind
) -> None:
    async with world.serving() as server:
        await server.say("what")
        await world.store.receive([damaged(kind)], GONE)
        await server.wait(1)
        [event] = await world.store.dead()
        assert (event.dead.kind, event.dead.body) == (kind, b"\xc1\xff")
        assert (await world.loaded()).inbox == ()
        assert await server.texts("bye") == ["Bye."]


async def test_a_first_message_that_cannot_be_read_is_set_aside(world: World) -> None:
    await world.store.receive([damaged("message")], GONE)
    async with world.serving() as server:
        await server.wait(1)
        assert [kind for kind, _ in await dead(world)] == ["message"]
        assert (await server.texts("what"))[-1] == "Ready."


async def test_the_result_of_a_job_that_cannot_be_read_ends_the_job(world: World) -> None:
    async with world.serving() as server:
        world.backends.hold("pay")
        await server.say("many")
        [command] = await world.store.commands(Address("c"))
        event = damaged("result", result_hash(command.key), 1)
        await world.store.settle([Result(Address("c"), command.key, b"", event)], GONE)
        await server.wait(1)
        assert [kind for kind, _ in await dead(world)] == ["result"]
        loaded = await world.loaded()
        assert (loaded.row.jobs, loaded.inbox) == (0, ())


async def test_a_timer_that_cannot_be_read_fires_from_its_row(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        await world.store.receive([damaged("timer", incarnation=1)], GONE)
        await server.wait(600)
        await server.wait(31)
        assert await last(server) == "Are you there?"
        assert (await world.loaded()).inbox == ()
