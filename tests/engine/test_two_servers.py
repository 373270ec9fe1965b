"""What a server believes of a conversation is a guess: another one may have gone on with it."""

from engine.world import World


async def test_a_silence_is_taken_by_a_server_that_did_not_take_the_last_turns(world: World) -> None:
    async with world.serving() as one, world.serving() as other:
        await one.say("what")
        await other.say("look")
        await one.wait(600)
        assert (await other.said())[-1] == "Are you there?"


async def test_people_give_back_what_another_server_gave_them(world: World) -> None:
    async with world.serving() as one, world.serving() as other:
        await one.say("what")
        await other.say("people")
        turn = await one.engine.answer_handoff("c", "returned")
        assert [reply.text for reply in turn.replies] == ["Back.", "Ready."]


async def test_a_channel_opens_what_another_server_ended(world: World) -> None:
    async with world.serving() as one, world.serving() as other:
        await one.say("what")
        await other.say("bye")
        turn = await one.engine.open_conversation("c")
        assert (turn.incarnation, [reply.text for reply in turn.replies]) == (2, ["Ready."])
