"""Which commands are attempted, and in which order, while more of them wait than there are places."""

from engine.world import Server, World

from flowc.runtime.kernel.events import Succeeded
from flowc.runtime.operations import PauseService, ResumeService
from flowc.runtime.services.port import Later
from flowc.runtime.store.rows import Address

JOB_PLACES = 52  # of the 64 of a service: a fifth is kept for urgent and high


async def pause(server: Server) -> None:
    await server.engine.operate(PauseService("desk", "me"))
    await server.settle()


async def resume(server: Server, rate: int | None = None) -> None:
    await server.engine.operate(ResumeService("desk", "me", rate))
    await server.settle()


async def deferring(server: Server, *conversations: str) -> None:
    for conversation in conversations:
        await server.say("later", conversation=conversation)
    await server.settle()


async def test_a_job_waits_for_a_place_and_takes_the_first_that_is_free(world: World) -> None:
    async with world.serving() as server:
        gates = [world.backends.hold("pay") for _ in range(JOB_PLACES)]
        await deferring(server, *[f"c{number}" for number in range(JOB_PLACES + 3)])
        assert len(world.backends.of("pay")) == JOB_PLACES
        for number, gate in enumerate(gates[:2]):
            gate.give(Succeeded("x"))
            world.backends.hold("pay")
            await server.settle()
            assert len(world.backends.of("pay")) == JOB_PLACES + number + 1


async def test_a_retry_that_waits_holds_no_place_and_keeps_its_class(world: World) -> None:
    world.backends.script("pay", *[Later(60, "unavailable", attempts=1)] * (JOB_PLACES + 3), Succeeded("x"))
    async with world.serving() as server:
        await deferring(server, *[f"c{number}" for number in range(JOB_PLACES + 3)])
        assert len(world.backends.of("pay")) == JOB_PLACES + 3
        [parked] = await world.store.commands(Address("c0"))
        assert (parked.priority, parked.server) == ("normal", None)
        await server.wait(60)
        assert len(world.backends.of("pay")) == 2 * (JOB_PLACES + 3)


async def test_a_service_that_refuses_is_left_alone_until_it_may_take_more(world: World) -> None:
    world.backends.script("pay", Later(30, "the breaker is open"), Succeeded("x"))
    async with world.serving() as server:
        await deferring(server, "a")
        await deferring(server, "b")
        assert len(world.backends.of("pay")) == 1
        await server.wait(29)
        assert len(world.backends.of("pay")) == 1
        await server.wait(1)
        assert len(world.backends.of("pay")) == 3


async def test_jobs_of_a_paused_service_keep_their_place_and_their_time_stands_still(world: World) -> None:
    async with world.serving() as server:
        await pause(server)
        assert world.backends.paused == {"desk"}
        await deferring(server, "a", "b")
        await server.wait(7_200)  # the jobs have an hour
        assert world.backends.of("pay") == []
        await resume(server)
        assert world.backends.paused == set()
        assert ["Later paid payed." in await server.said(each) for each in ("a", "b")] == [True, True]
        claims = [each.claim for each in world.backends.of("pay")]
        assert [round(claim.within_s - claim.waited_s) for claim in claims if claim] == [3_600, 3_600]


async def test_a_pause_outlives_the_server(world: World) -> None:
    async with world.serving() as server:
        await pause(server)
        await deferring(server, "a")
    world.backends.paused.clear()
    async with world.serving() as server:
        assert world.backends.paused == {"desk"}
        assert world.backends.of("pay") == []
        await resume(server)
        assert len(world.backends.of("pay")) == 1


async def test_resumed_slowly_jobs_come_out_one_by_one_in_order_until_none_waits(world: World) -> None:
    async with world.serving() as server:
        await pause(server)
        await deferring(server, "a", "b", "c")
        await server.wait(10)
        await resume(server, rate=2)
        told = []
        for _ in range(5):
            told.append(len(world.backends.of("pay")))
            await server.wait(0.25)
        assert told == [1, 1, 2, 2, 3]
        assert [len(await server.said(each)) for each in ("a", "b", "c")] == [5, 5, 5]
        await server.wait(1)
        assert await world.store.pauses() == ()
        await deferring(server, "d", "e")
        assert len(world.backends.of("pay")) == 5
