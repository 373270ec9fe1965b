"""Writes: started by compare-and-swap, recovered from servers that stop, and never guessed."""

import asyncio
from random import Random

import pytest
from engine.world import LEASE_S, Server, Trouble, World, probe

from flowc.runtime.engine.replay import replay
from flowc.runtime.engine.seal import Seal
from flowc.runtime.engine.stored import ResultBody, body_bytes, result_hash
from flowc.runtime.kernel import load
from flowc.runtime.kernel.events import CallFailure, Succeeded
from flowc.runtime.services.port import Later
from flowc.runtime.store.rows import Address, Holder, Incoming, Result, ServerId, Settled


async def stop_during(world: World, text: str, operation: str) -> None:
    """A server that is gone while the backend is busy with a write."""
    async with world.serving() as server:
        await server.say("what")
        world.backends.hold(operation)
        task = server.saying(text, id="1")
        await server.settle()
        assert len(world.backends.of(operation)) == 1
        task.cancel()
        await server.settle()


async def test_recovery_repeats_a_keyed_write_with_its_key(world: World) -> None:
    await stop_during(world, "pay", "pay")
    world.backends.script("pay", Succeeded("x"))
    async with world.serving() as server:
        await server.wait(31)
        assert (await server.said())[-2:] == ["Paid x.", "Ready."]
    first, second = world.backends.of("pay")
    assert first.key == second.key
    assert second.claim is not None
    assert second.claim.in_doubt


async def test_nothing_is_recovered_before_its_lease_lapses(world: World) -> None:
    await stop_during(world, "pay", "pay")
    async with world.serving() as server:
        await server.wait(29)
        assert len(world.backends.of("pay")) == 1


async def test_a_started_write_without_key_is_given_back_in_doubt(world: World) -> None:
    await stop_during(world, "once", "once")
    world.backends.script("once", CallFailure("unknown"))
    async with world.serving() as server:
        await server.wait(31)
        assert (await server.said())[-2:] == ["Nobody knows.", "Ready."]
    claim = world.backends.of("once")[1].claim
    assert claim is not None
    assert claim.in_doubt


async def ready_but_not_started(world: World) -> None:
    """A server that is gone between the commit of a write and its start."""
    trouble = Trouble(world.store)
    async with world.serving(trouble) as server:  # type: ignore[arg-type]  # it passes on what it does not have
        await server.say("what")
        trouble.after.append(lambda unit: bool(unit.commands) and trouble.vanish())
        task = server.saying("once", id="1")
        await server.settle()
        task.cancel()
        await server.settle()
    assert [command.state for command in await world.store.commands(Address("c"))] == ["ready"]
    assert world.backends.of("once") == []


async def test_a_write_that_was_not_started_is_started_by_who_comes_after(world: World) -> None:
    await ready_but_not_started(world)
    async with world.serving() as server:
        await server.wait(0)
        assert (await server.said())[-2:] == ["Done onceed.", "Ready."]
    [asked] = world.backends.of("once")
    assert asked.claim is not None
    assert not asked.claim.in_doubt


async def test_one_not_yet_started_is_not_started_after_its_within(world: World) -> None:
    await ready_but_not_started(world)
    world.clock.pass_to(world.clock.now_ms() + 5_000)
    async with world.serving() as server:
        await server.wait(0)
        assert (await server.said())[-2:] == ["Not done: overloaded.", "Ready."]
    assert world.backends.of("once") == []


async def test_a_result_is_taken_in_the_turn_that_waits_for_it(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        before = await world.loaded()
        await server.say("pay")
        after = await world.loaded()
        assert after.row.turn == before.row.turn + 2
        assert after.commands == ()
        assert after.inbox == ()


async def test_a_later_result_is_recorded_and_changes_nothing(world: World) -> None:
    async with world.serving() as slow:
        await slow.say("what")
        gate = world.backends.hold("pay")
        task = slow.saying("pay", id="1")
        await slow.settle()
        async with world.serving() as quick:
            world.backends.script("pay", Succeeded("first"))
            await quick.wait(31)
            assert (await quick.said())[-2:] == ["Paid first.", "Ready."]
            gate.give(Succeeded("second"))
            await slow.settle()
            assert (await quick.said())[-2:] == ["Paid first.", "Ready."]
            assert [reply.text for reply in (await task).replies] == ["Paying.", "Paid first.", "Ready."]


async def test_while_a_write_is_outstanding_only_its_own_result_is_taken(world: World) -> None:
    async with world.serving() as server:
        await server.say("later")
        await server.settle()
        gate = world.backends.hold("once")
        task = server.saying("once")
        await server.settle()
        sending = asyncio.ensure_future(server.engine.send_event("c", "paid", {"amount": 5}, "e1"))
        await server.settle()
        assert not sending.done()
        turn = (await world.loaded()).row.turn
        await server.settle()
        assert (await world.loaded()).row.turn == turn
        gate.give(Succeeded("own"))
        assert [reply.text for reply in (await task).replies] == ["Done own.", "Ready."]
        assert (await sending).replies[0].text == "Got 5."


async def test_an_exception_of_an_adapter_is_unknown(world: World) -> None:
    world.backends.script("pay", RuntimeError("bug"))
    async with world.serving() as server:
        assert await server.texts("pay") == ["Ready.", "Paying.", "Nobody knows.", "Ready."]


async def test_a_failure_goes_to_its_arm(world: World) -> None:
    world.backends.script("pay", CallFailure("refused"))
    async with world.serving() as server:
        assert "Refused." in await server.texts("pay")


# ---------------------------------------------------------------------------------------------------------------- jobs


async def finish(server: Server) -> list[str]:
    await server.settle()
    return await server.said()


async def test_a_job_waits_as_a_row_and_survives_restarts(world: World) -> None:
    world.backends.script(
        "pay", Later(60, "unavailable", attempts=1), Later(60, "unavailable", attempts=1), Succeeded("x")
    )
    async with world.serving() as server:
        await server.say("later")
        await server.settle()
    for _ in range(2):
        async with world.serving() as server:
            await server.wait(59)
            count = len(world.backends.of("pay"))
            await server.wait(1)
            assert len(world.backends.of("pay")) == count + 1
    async with world.serving() as server:
        assert "Later paid x." in await finish(server)
    claims = [each.claim for each in world.backends.of("pay")]
    assert len({claim.key for claim in claims if claim}) == 1
    assert [claim.attempts for claim in claims if claim] == [0, 1, 2]
    assert not any(claim.in_doubt for claim in claims if claim)


async def test_local_refusals_of_a_job_are_no_attempts(world: World) -> None:
    world.backends.script("pay", Later(60, "overloaded"), Succeeded("x"))
    async with world.serving() as server:
        await server.say("later")
        await server.settle()
        await server.wait(60)
        assert "Later paid x." in await finish(server)
    claims = [each.claim for each in world.backends.of("pay")]
    assert [claim.attempts for claim in claims if claim] == [0, 0]
    assert not any(claim.in_doubt for claim in claims if claim)


async def test_after_the_end_a_job_runs_with_nothing_waiting_and_answers_its_own_incarnation(world: World) -> None:
    world.backends.script("pay", Later(60, "unavailable", attempts=1), Succeeded("x"))
    async with world.serving() as server:
        ended = await server.say("many")
        assert ended.state == "ended"
        await server.settle()
        again = await server.say("what")
        assert again.incarnation == 2
        await server.wait(60)
        await server.settle()
        said = [(reply.id.split(".")[0], reply.text) for reply in await server.engine.recorded("c")]
        assert ("1", "After all paid x.") in said
        assert (await world.loaded()).row.incarnation == 2
        assert (await world.store.commands(Address("c"))) == ()


async def test_a_job_whose_result_is_set_aside_is_over(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        world.backends.hold("pay")
        await server.say("many")
        await server.settle()
        assert (await world.loaded()).row.jobs == 1
    address, gone = Address("c"), Holder(ServerId("gone"), 1000)
    [job] = await world.store.commands(address)
    body = body_bytes(ResultBody(job.key, Succeeded("x"), job.cause))
    event = Incoming(address, result_hash(job.key), "result", body, incarnation=job.incarnation)
    [settled] = await world.store.settle([Result(address, job.key, b"", event)], gone)
    assert isinstance(settled, Settled)
    for _ in range(3):  # the servers that took it did not live to tell
        await world.store.tried(address, settled.number, gone)
    async with world.serving() as server:
        await server.wait(31)
        [dead] = await world.store.dead()
        assert dead.dead.kind == "result"
        row = (await world.loaded()).row
        assert (row.jobs, row.position) == (0, b"")
        assert "After all" not in " ".join(await server.said())


async def test_a_job_of_an_incarnation_before_opens_nothing_and_hinders_no_other_job(world: World) -> None:
    first, second = world.backends.hold("pay"), world.backends.hold("pay")
    async with world.serving() as server:
        await server.say("gone")
        await server.settle()
        assert (await server.say("what")).incarnation == 2
        first.give(CallFailure("refused"))
        await server.settle()
        second.give(Succeeded("x"))
        await server.settle()
        assert (await server.said())[-2:] == ["People will help.", "Gone paid x."]
        assert (await server.say("bye")).incarnation == 2
        rows = await world.journal(incarnation=1)
        assert [row.ended for row in rows] == [True, True, True]
        replay(load(probe()), rows, Seal(bytes(32), Random(0).randbytes))
    assert not await world.store.commands(Address("c"))


@pytest.mark.parametrize("text", ["later", "pay"])
async def test_a_failure_of_a_lapsed_attempt_is_not_that_of_a_later_one(world: World, text: str) -> None:
    first, second = world.backends.hold("pay"), world.backends.hold("pay")
    async with world.serving() as one, world.serving() as other:
        await one.say("what")
        asked = one.saying(text)
        await one.settle()
        await other.wait(LEASE_S + 1)
        assert len(world.backends.of("pay")) == 2
        first.give(CallFailure("overloaded"))  # it waited, and was never sent
        await one.settle()
        second.give(Succeeded("receipt"))
        await other.settle()
        assert any(text.endswith("aid receipt.") for text in await other.said())
        asked.cancel()
