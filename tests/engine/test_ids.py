"""Every event has an id, unique in its conversation, scoped by channel and token."""

import pytest
from engine.world import LEASE_S, Trouble, World

from flowc.runtime.engine.errors import Conflict
from flowc.runtime.kernel.events import Succeeded
from flowc.runtime.store.rows import FromInbox


async def test_a_known_id_is_answered_with_the_replies_of_all_turns_it_caused(world: World) -> None:
    async with world.serving() as server:
        await server.say("look")
        first = await server.say("pay", id="1")
        assert [reply.text for reply in first.replies] == ["Paying.", "Paid payed.", "Ready."]
        await server.say("look")
        again = await server.say("pay", id="1")
        assert again.replies == first.replies
        assert again.duplicate
        assert len(world.backends.of("pay")) == 1


async def test_a_known_id_is_known_by_another_server(world: World) -> None:
    async with world.serving() as server:
        first = await server.say("pay", id="1")
    async with world.serving() as server:
        again = await server.say("pay", id="1")
    assert (again.replies, again.state, again.intent) == (first.replies, first.state, first.intent)


async def test_while_its_turns_run_a_repetition_is_attached_to_them(world: World) -> None:
    async with world.serving() as server:
        await server.say("look")
        gate = world.backends.hold("pay")
        first = server.saying("pay", id="1")
        await server.settle()
        second = server.saying("pay", id="1")
        await server.settle()
        assert not second.done()
        gate.give(Succeeded("x"))
        assert (await second).replies == (await first).replies
        assert len(world.backends.of("pay")) == 1


async def test_while_its_turns_run_a_repetition_on_another_server_gets_all_of_them(world: World) -> None:
    async with world.serving() as server:
        await server.say("look")
        world.backends.hold("pay")
        server.saying("pay", id="1").add_done_callback(lambda task: task.cancelled() or task.exception())
        await server.settle()
    world.backends.script("pay", Succeeded("x"))
    async with world.serving() as server:
        again = server.saying("pay", id="1")
        await server.settle()
        assert not again.done()
        await server.wait(31)
        assert [reply.text for reply in (await again).replies] == ["Paying.", "Paid x.", "Ready."]


async def test_the_same_id_with_another_body_is_a_conflict(world: World) -> None:
    async with world.serving() as server:
        await server.say("look", id="1")
        with pytest.raises(Conflict):
            await server.say("pay", id="1")
        gate = world.backends.hold("find")
        running = server.saying("look", id="2")
        await server.settle()
        with pytest.raises(Conflict):
            await server.say("pay", id="2")
        gate.give(Succeeded("x"))
        await running
    async with world.serving() as server:
        with pytest.raises(Conflict):
            await server.say("pay", id="1")


async def test_a_message_without_an_id_is_a_new_message(world: World) -> None:
    async with world.serving() as server:
        first = await server.say("look")
        second = await server.say("look")
        assert second.turn > first.turn
        assert not second.duplicate


async def test_an_id_is_known_past_the_end_of_its_conversation(world: World) -> None:
    async with world.serving() as server:
        await server.say("look")
        bye = await server.say("bye", id="1")
        assert bye.state == "ended"
        assert (await server.say("bye", id="1")).replies == bye.replies
        assert (await server.say("look")).incarnation == 2


async def test_two_senders_may_use_one_id(world: World) -> None:
    async with world.serving() as server:
        await server.say("look", id="1", scope="a")
        other = await server.say("bye", id="1", scope="b")
        assert other.state == "ended"


async def test_a_lost_race_begins_again_at_the_look_up(world: World) -> None:
    async with world.serving() as one, world.serving() as other:
        await one.say("look")
        await other.say("look")
        assert (await one.texts("pay", id="1"))[0] == "Paying."
        assert (await other.say("pay", id="1")).duplicate
        turns = len(await world.journal())
        assert (await other.say("bye", id="2")).turn == turns + 1
        again = await one.say("bye", id="2")
        assert (again.turn, again.duplicate) == (turns + 1, True)


async def test_a_commit_whose_outcome_is_unknown_begins_again_at_the_look_up(world: World) -> None:
    trouble = Trouble(world.store)
    async with world.serving(trouble) as server:  # type: ignore[arg-type]  # it passes on what it does not have
        await server.say("what")
        trouble.after.append(lambda unit: True)
        kept = await server.say("later", id="1")
        assert (kept.turn, [reply.text for reply in kept.replies]) == (2, ["Queued.", "Ready."])
        trouble.before.append(lambda unit: True)
        assert (await server.texts("later", id="2")) == ["Queued.", "Ready."]
        await server.settle()
        assert len({row.cause for row in await world.journal()}) == 3
        assert len(world.backends.of("pay")) == 2


async def test_a_message_is_answered_when_nobody_learned_of_its_commit_nor_of_its_results(world: World) -> None:
    trouble = Trouble(world.store)
    async with world.serving(trouble) as server:  # type: ignore[arg-type]  # as the store
        trouble.after = [lambda unit: bool(unit.commands)]
        asked = server.saying("pay", id="1")
        await server.settle()
        trouble.after = [lambda unit: isinstance(unit.source, FromInbox)]
        await server.wait(LEASE_S + 1)
        assert [reply.text for reply in (await asked).replies] == ["Ready.", "Paying.", "Paid payed.", "Ready."]


async def test_a_repetition_looks_again_whether_another_server_ended_what_it_caused(world: World) -> None:
    trouble = Trouble(world.store)
    async with world.serving(trouble) as one:  # type: ignore[arg-type]  # as the store
        trouble.after = [lambda unit: bool(unit.commands)]
        asked = one.saying("pay", id="1")
        await one.settle()
        async with world.serving() as other:
            await other.wait(LEASE_S + 1)
        assert [reply.text for reply in (await one.say("pay", id="1")).replies][-2:] == ["Paid payed.", "Ready."]
        await asked
