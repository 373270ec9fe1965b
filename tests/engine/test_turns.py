"""Events, people, faults, ends, erasure, secrets, and what the journal keeps."""

import asyncio
from random import Random

import pytest
from engine.world import Trouble, World, probe

from flowc.runtime.engine.errors import Erased, Malformed, NotFound, TooLong
from flowc.runtime.engine.message import Message
from flowc.runtime.engine.replay import Differs, replay
from flowc.runtime.engine.seal import Seal, SealBroken
from flowc.runtime.engine.stored import Recorded
from flowc.runtime.kernel import Position, load
from flowc.runtime.kernel.events import Succeeded
from flowc.runtime.store.rows import Address
from flowc.runtime.values import decode

SEAL = Seal(bytes(32), Random(0).randbytes)


async def test_the_journal_replays_to_the_stored_state(world: World) -> None:
    async with world.serving() as server:
        for text in ("look", "pay", "slow", "later", "nonsense"):
            await server.say(text)
        await server.settle()
        await server.engine.send_event("c", "paid", {"amount": 3}, "e")
        await server.wait(600)
    row, rows = (await world.loaded()).row, await world.journal()
    assert len(rows) == row.turn
    assert replay(load(probe()), rows, SEAL) == decode(row.position, Position)
    with pytest.raises(Differs):
        replay(load(probe()), [rows[0], rows[2]], SEAL)


async def test_turns_have_no_gap_and_reply_ids_say_where_they_were_said(world: World) -> None:
    async with world.serving() as server:
        turns = [await server.say(text) for text in ("look", "pay", "bye", "look")]
        rows = [*await world.journal(incarnation=1), *await world.journal(incarnation=2)]
        places = [(row.incarnation, row.turn) for row in rows]
        assert places == [(1, turn) for turn in range(1, turns[2].turn + 1)] + [(2, 1), (2, 2)]
        answered = [reply.id for turn in turns for reply in turn.replies]
        assert answered == [reply.id for reply in await server.engine.recorded("c")]
        assert len(set(answered)) == len(answered)
        assert answered[0] == "1.1.0"


async def test_the_stream_goes_on_after_a_reply_and_follows(world: World) -> None:
    async with world.serving() as server:
        first = await server.say("look")
        stream = server.engine.replies("c", first.replies[0].id)
        assert (await anext(stream)).id == first.replies[1].id
        assert (await anext(stream)).id == first.replies[2].id
        coming = asyncio.ensure_future(anext(stream))
        await server.settle()
        assert not coming.done()
        bye = await server.say("bye")
        assert (await coming).id == bye.replies[0].id
        await stream.aclose()


# -------------------------------------------------------------------------------------------------------------- events


async def test_an_event_begins_a_conversation_and_a_second_one_is_known(world: World) -> None:
    async with world.serving() as server:
        first = await server.engine.send_event("c", "paid", {"amount": 3}, "e")
        assert [reply.text for reply in first.replies][:2] == ["Ready.", "Got 3."]
        assert (await server.engine.send_event("c", "paid", {"amount": 3}, "e")).duplicate


async def test_an_event_after_the_end_is_recorded_and_unhandled(world: World) -> None:
    async with world.serving() as server:
        await server.say("bye")
        answer = await server.engine.send_event("c", "paid", {"amount": 3}, "e")
        assert (answer.is_handled, answer.state, answer.replies) == (False, "ended", ())
        assert (await server.engine.send_event("c", "paid", {"amount": 3}, "e")).duplicate
        assert (await server.say("what")).incarnation == 2


async def test_what_is_no_event_of_the_bot_is_refused(world: World) -> None:
    async with world.serving() as server:
        with pytest.raises(Malformed, match="no event"):
            await server.engine.send_event("c", "unheard", {}, "1")
        with pytest.raises(Malformed, match="amount"):
            await server.engine.send_event("c", "paid", {"amount": "much"}, "2")
        with pytest.raises(TooLong):
            await server.say("x" * 70_000)
        with pytest.raises(NotFound):
            await server.engine.conversation("c")


async def test_a_conversation_that_its_channel_opens_is_opened_once(world: World) -> None:
    async with world.serving() as server:
        opened = await server.engine.open_conversation("c")
        assert [reply.text for reply in opened.replies] == ["Ready."]
        again = await server.engine.open_conversation("c")
        assert (again.turn, again.replies) == (1, ())


async def test_a_conversation_belongs_to_the_token_that_began_it(world: World) -> None:
    async with world.serving() as server:
        await server.engine.handle(Message("c", "what", owner="mine"))
        with pytest.raises(NotFound):
            await server.engine.handle(Message("c", "bye", owner="theirs"))
        gate = world.backends.hold("find")
        running = server.saying("look")
        await server.settle()
        with pytest.raises(NotFound):
            await server.engine.handle(Message("c", "bye", owner="theirs"))
        gate.give(Succeeded("x"))
        await running
        assert (await server.engine.handle(Message("c", "bye", owner="mine"))).state == "ended"
        assert (await server.engine.conversation("c")).owner == "mine"


# -------------------------------------------------------------------------------------------------------------- people


async def test_while_people_have_it_messages_are_recorded_and_the_rest_waits(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        job = world.backends.hold("pay")
        await server.say("later")
        assert (await server.say("people")).state == "handoff"
        told = await server.say("hello?")
        assert (told.state, told.replies) == ("handoff", ())
        job.give(Succeeded("x"))
        queued = await server.engine.send_event("c", "paid", {"amount": 3}, "e")
        assert queued.queued
        await server.settle()
        assert sorted(event.event.kind for event in (await world.loaded()).inbox) == ["event", "result"]
        back = await server.engine.answer_handoff("c", "returned")
        assert [reply.text for reply in back.replies] == ["Back.", "Ready."]
        await server.settle()
        assert {"Later paid x.", "Got 3."} <= set(await server.said())
        assert (await world.loaded()).inbox == ()


async def test_an_answer_of_people_where_nobody_asked_them_changes_nothing(world: World) -> None:
    async with world.serving() as server:
        turn = (await server.say("what")).turn
        assert (await server.engine.answer_handoff("c", "unavailable")).turn == turn


# -------------------------------------------------------------------------------------------------------------- faults


async def test_after_three_tries_the_message_is_set_aside_and_its_user_told(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        before = (await world.loaded()).row
        told = await server.say("poison", id="1")
        assert len(told.replies) == 1
        after = (await world.loaded()).row
        assert (after.turn, after.wait) == (before.turn + 1, before.wait)
        assert world.logged.count(("error", "turn failed")) == 3
        [dead] = await world.store.dead()
        assert (dead.dead.kind, dead.dead.tries) == ("message", 3)
        assert (await server.say("poison", id="1")).duplicate
        assert await server.texts("bye") == ["Bye."]


async def test_tries_are_counted_before_the_try(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        gate = world.backends.hold("find")
        tasks = [server.saying("look"), server.saying("look")]
        await server.settle()
        assert [event.tries for event in (await world.loaded()).inbox] == [1, 0]
        second = world.backends.hold("find")
        gate.give(Succeeded("x"))
        await tasks[0]
        await server.settle()
        assert [event.tries for event in (await world.loaded()).inbox] == [1]
        second.give(Succeeded("x"))
        await tasks[1]


async def test_a_message_that_stops_three_servers_is_set_aside(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        world.backends.hold("find")
        tasks = [server.saying("look"), server.saying("bye")]
        await server.settle()
        for task in tasks:
            task.cancel()
    for _ in range(2):
        world.backends.hold("find")
        async with world.serving() as server:
            await server.wait(31)
    async with world.serving() as server:
        await server.wait(31)
        assert (await server.said())[-1] == "Bye."
        [dead] = await world.store.dead()
        assert dead.dead.kind == "message"


async def test_a_fault_of_the_first_message_is_told(world: World) -> None:
    async with world.serving() as server:
        told = await server.say("poison")
        assert (len(told.replies), told.state) == (1, "ended")
        assert (await server.say("what")).incarnation == 2


# ------------------------------------------------------------------------------------------------------------- erasure


async def test_an_erased_address_is_gone_and_a_turn_in_flight_loses(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        gate = world.backends.hold("find")
        task = server.saying("look")
        await server.settle()
        assert await server.engine.erase("c")
        gate.give(Succeeded("x"))
        with pytest.raises(Erased):
            await task
        with pytest.raises(Erased):
            await server.say("what")
        assert await world.journal() == ()
        assert not await server.engine.erase("nobody")


async def test_commands_not_started_are_cancelled_by_erasure(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
    trouble = Trouble(world.store)
    async with world.serving(trouble) as server:  # type: ignore[arg-type]  # it passes on what it does not have
        trouble.after.append(lambda unit: bool(unit.commands) and trouble.vanish())
        task = server.saying("later")
        await server.settle()
        task.cancel()
    assert len(await world.store.commands(Address("c"))) == 1
    await world.store.erase(Address("c"))
    async with world.serving() as server:
        await server.wait(31)
    assert world.backends.of("pay") == []


# ------------------------------------------------------------------------------------------------------------- secrets


async def test_a_secret_is_sealed_in_every_row(world: World) -> None:
    async with world.serving() as server:
        await server.say("unlock")
        gate = world.backends.hold("open")
        task = server.saying("4711")
        await server.settle()
        [command] = await world.store.commands(Address("c"))
        row = (await world.loaded()).row
        stored = [command.body, row.position, *(entry.entry.event for entry in await world.journal())]
        assert not any(b"4711" in bytes(each) for each in stored)
        assert world.backends.of("open")[0].arguments == {"pin": "4711"}
        gate.give(Succeeded("x"))
        assert (await task).replies[0].text == "Open."
    recorded = [decode(row.entry.event, Recorded) for row in await world.journal()]
    assert [each.event is None for each in recorded].count(True) == 1


async def test_after_a_crash_the_write_of_a_secret_is_unknown(world: World) -> None:
    async with world.serving() as server:
        await server.say("unlock")
        world.backends.hold("open")
        task = server.saying("4711")
        await server.settle()
        task.cancel()
        await server.settle()
    async with world.serving() as server:
        await server.wait(31)
        assert (await server.said())[-2:] == ["Perhaps open.", "Ready."]
    assert len(world.backends.of("open")) == 1


async def test_after_a_crash_the_message_with_a_secret_is_asked_for_again(world: World) -> None:
    trouble = Trouble(world.store)
    async with world.serving(trouble) as server:  # type: ignore[arg-type]  # it passes on what it does not have
        asked = await server.say("unlock")
        trouble.gate = asyncio.Event()
        tasks = [server.saying("1234"), server.saying("4711")]
        await server.settle()
        accepting = asyncio.ensure_future(server.engine.accept(Message("c", "9999")))
        await server.settle()
        inbox = (await world.loaded()).inbox
        assert inbox
        assert not any(b"4711" in event.event.body or b"9999" in event.event.body for event in inbox)
        for task in (*tasks, accepting):
            task.cancel()
    async with world.serving() as server:
        await server.wait(31)
        assert asked.replies[-1].text == "Which PIN?"
        assert len(await server.said()) > len(asked.replies)
    assert world.backends.of("open") == []


def test_a_seal_is_opened_by_its_key_alone() -> None:
    sealed = SEAL.close(b"a secret that is longer than one block of the key stream, which has 64 bytes")
    assert SEAL.open(sealed).startswith(b"a secret that")
    assert b"secret" not in sealed
    with pytest.raises(SealBroken):
        Seal(b"x" * 32, Random(1).randbytes).open(sealed)
    with pytest.raises(SealBroken):
        SEAL.open(sealed[:-1] + bytes([sealed[-1] ^ 1]))


async def test_what_came_after_a_fault_ended_it_replays(world: World) -> None:
    async with world.serving() as server:
        await server.say("poison")
        await server.engine.send_event("c", "paid", {"amount": 1}, "e")
    rows, row = await world.journal(), (await world.loaded()).row
    assert (row.turn, row.ended) == (2, True)
    assert replay(load(probe()), rows, SEAL) is None
