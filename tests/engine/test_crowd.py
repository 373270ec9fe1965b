"""More comes than can be done at once: places to run, words in time, messages taken together, limits, refusals."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random

import pytest
from engine.world import START_MS, Gate, Server, World, within_reason
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.compiler.compile import compile_project
from flowc.compiler.project import open_project
from flowc.runtime.engine.errors import Overloaded, TooBusy
from flowc.runtime.engine.message import Accepted, Message, Turn
from flowc.runtime.engine.place import Place, serve
from flowc.runtime.environment import Environment
from flowc.runtime.kernel.events import Succeeded, User
from flowc.runtime.policy.admission import STEPS, TOP
from flowc.runtime.policy.limits import Rates
from flowc.runtime.policy.line import Line
from flowc.runtime.program import Program, RateLimit
from flowc.runtime.services.port import Later
from flowc.runtime.simulate.clock import SimulatedClock
from flowc.runtime.store.memory import MemoryStore
from flowc.runtime.store.rows import Address

WORDS = "One moment, please."
PHONE = User("ann", channel="phone")


@cache
def crowd() -> Program:
    outcome = compile_project(open_project(Path(__file__).parent / "crowd"))
    assert outcome.program is not None, outcome.diagnostics
    return outcome.program


@pytest.fixture
async def server(world: World) -> AsyncIterator[Server]:
    async with world.serving(program=crowd()) as server:
        yield server


@contextmanager
def full(server: Server) -> Iterator[Line[Place]]:
    """All places are taken, as long as the block runs."""
    line = server.engine._around.line
    others = line.places.total - line.places.total // 5
    for number in range(line.places.total):
        line.places.take(high=number >= others)
    yield line
    for number in range(line.places.total):
        line.places.leave("urgent" if number >= others else "normal")
    serve(line)


def accepting(server: Server, text: str) -> asyncio.Task[Turn | Accepted]:
    return asyncio.ensure_future(within_reason(server.engine.accept(Message("c", text))))


# ----------------------------------------------------------------------------------------------------- places to run


async def test_while_a_turn_waits_for_a_backend_it_holds_no_place(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = server.engine._around.line
    monkeypatch.setattr(line.places, "total", 1)
    gate = server.world.backends.hold("find")
    held = server.saying("look", conversation="slow")
    await server.settle()
    assert line.places.used == 0
    assert await server.texts("bye", conversation="quick") == ["Ready.", "Bye."]
    gate.give(Succeeded("x"))
    assert (await held).replies[-2].text == "Found x."
    assert line.places.used == 0


async def test_conversations_stand_in_line_by_their_class(server: Server) -> None:
    with full(server) as line:
        for number, user in enumerate((None, None, PHONE)):
            message = Message(f"c{number}", "look", user=user)
            server.keep(server.engine.handle(message))
        await server.settle()
        assert line.depths() == (1, 2, 0)
    await server.settle()
    assert line.depths() == (0, 0, 0)
    assert [turn.replies[-2].text for turn in await server.kept()] == ["Found finded."] * 3


async def test_what_comes_while_its_conversation_stands_in_line_goes_behind_and_lends_its_class(server: Server) -> None:
    await server.say("what")
    with full(server) as line:
        server.keep(server.engine.handle(Message("c", "look")))
        await server.settle()
        assert line.depths() == (0, 1, 0)
        server.keep(server.engine.handle(Message("c", "bye")))
        await server.settle()
        assert [waiting.number for waiting in (await server.world.loaded()).inbox] == [1, 2]
    first, second = await server.kept()
    assert first.turn == second.turn, "they waited together, and are taken together"


async def test_a_write_of_a_low_state_is_lent_the_class_of_the_message_that_waits_for_it(server: Server) -> None:
    await server.say("what")
    server.world.backends.script("pay", Later(30, "unavailable", attempts=1))
    server.keep(server.engine.handle(Message("c", "pay")))
    await server.settle()
    [write] = await server.world.store.commands(Address("c"))
    assert write.priority == "low"
    server.keep(server.engine.handle(Message("c", "bye")))
    await server.settle()
    [write] = await server.world.store.commands(Address("c"))
    assert write.priority == "normal"


# -------------------------------------------------------------------------------------------------- taken together


async def test_messages_that_wait_are_taken_as_one_in_order_and_answered_alike(server: Server) -> None:
    await server.say("what")
    gate = server.world.backends.hold("find")
    running = server.saying("look")
    await server.settle()
    waiting = [server.saying(text, id=text) for text in ("one", "two", "three")]
    await server.settle()
    gate.give(Succeeded("x"))
    await running
    answers = [await task for task in waiting]
    assert len({answer.turn for answer in answers}) == 1
    assert [reply.text for reply in answers[0].replies] == ["What? one\ntwo\nthree", "Ready."]
    again = await server.say("two", id="two")
    assert (again.duplicate, again.replies) == (True, answers[0].replies)
    assert (await server.world.loaded()).inbox == ()


async def test_what_came_later_than_the_flow_says_is_taken_by_itself(server: Server) -> None:
    await server.say("what")
    gate = server.world.backends.hold("find")
    running = server.saying("look")
    await server.settle()
    waiting = []
    for text, pause_s in (("one", 2.9), ("two", 0.2), ("three", 0)):
        waiting.append(server.saying(text))
        await server.settle()
        await server.wait(pause_s)
    gate.give(Succeeded("x"))
    await running
    first, second, third = [await task for task in waiting]
    assert first.turn == second.turn == third.turn - 1
    assert third.replies[0].text == "What? three"


async def test_messages_that_wait_survive_their_server_together(world: World) -> None:
    async with world.serving(program=crowd()) as server:
        await server.say("what")
        world.backends.hold("find")
        tasks = [server.saying(text, id=text) for text in ("look", "one", "two")]
        await server.settle()
        for task in tasks:
            task.cancel()
    world.backends.script("find", Succeeded("x"))
    async with world.serving(program=crowd()) as server:
        await server.wait(31)
        assert "What? look\none\ntwo" in await server.said()
        assert (await server.say("two", id="two")).duplicate


# ------------------------------------------------------------------------------------------------------ words in time


async def test_who_has_waited_out_the_time_of_its_calls_is_stored_and_answered_with_words(server: Server) -> None:
    """Two seconds are promised, and a call may take one of them."""
    await server.say("what")
    with full(server):
        accepted = accepting(server, "look")
        await server.settle()
        await server.wait(0.9)
        assert not accepted.done()
        await server.wait(0.1)
        assert await accepted == Accepted("c", WORDS)
        assert len((await server.world.loaded()).inbox) == 1
    await server.settle()
    assert (await server.said())[-2:] == ["Found finded.", "Ready."]


async def test_who_has_begun_may_use_the_time_of_its_calls(server: Server) -> None:
    await server.say("what")
    server.world.backends.hold("find")
    accepted = accepting(server, "look")
    await server.settle()
    await server.wait(1.9)
    assert not accepted.done()
    await server.wait(0.1)
    assert await accepted == Accepted("c", WORDS)


async def test_words_that_the_flow_said_come_before_those_for_the_wait(server: Server) -> None:
    await server.say("what")
    server.world.backends.hold("pay")
    accepted = accepting(server, "pay")
    await server.settle()
    await server.wait(2)
    found = await accepted
    assert isinstance(found, Accepted)
    assert (found.text, [reply.text for reply in found.replies]) == (None, ["Paying."])


moments = st.lists(
    st.tuples(st.integers(0, 1500), st.sampled_from("abc"), st.sampled_from(["look", "pay", "hm"])), max_size=12
)


@settings(max_examples=25, deadline=None)
@given(moments, st.lists(st.sampled_from([0, 300, 990, None]), min_size=1, max_size=8), st.integers(1, 3))
def test_the_first_words_leave_in_time_whatever_the_queues_do(
    messages: list[tuple[int, str, str]], takes: list[int | None], places: int
) -> None:
    """Backends that answer early, late or never, and hardly any places to run."""
    asyncio.run(within_reason(first_words(messages, takes, places)))


async def first_words(messages: list[tuple[int, str, str]], takes: list[int | None], places: int) -> None:
    clock = SimulatedClock(START_MS)
    world = World(MemoryStore(clock), clock)
    gates: list[tuple[float, Gate]] = []
    random = Random(7)
    told: list[float] = []
    async with world.serving(program=crowd()) as server:
        server.engine._around.line.places.total = places

        async def tell(text: str, conversation: str) -> None:
            began = clock.now()
            await server.engine.accept(Message(conversation, text))
            told.append(clock.now() - began)

        async def pass_to(at: float) -> None:
            """Ends what ends until then, each at its time."""
            while (first := min([due for due, _ in gates] + [clock.next_ms or at], default=at)) < at:
                clock.pass_to(first)
                for each in [each for each in gates if each[0] <= first]:
                    gates.remove(each)
                    each[1].give(Succeeded("x"))
                await server.settle()
            clock.pass_to(at)
            await server.settle()

        for gap, conversation, text in messages:
            await pass_to(clock.now() * 1000 + gap)
            took = random.choice(takes)
            if text != "hm":
                gate = world.backends.hold("find" if text == "look" else "pay")
                gates.append((clock.now() * 1000 + (10**9 if took is None else took), gate))
            server.keep(tell(text, conversation))
            await server.settle()
        await pass_to(clock.now() * 1000 + 3_000)
        assert len(told) == len(messages), told
        assert all(waited <= 2.0 + 1e-6 for waited in told), told


# ------------------------------------------------------------------------------------------- limits and refusals


async def test_who_sends_too_much_is_told_when_to_come_back_and_a_repetition_is_answered(world: World) -> None:
    environment = Environment(rates=Rates(per_user=RateLimit(2, 60)))
    async with world.serving(program=crowd(), environment=environment) as server:
        await server.say("one", id="1")
        await server.say("two", id="2")
        with pytest.raises(TooBusy) as refused:
            await server.say("three", id="3")
        assert refused.value.retry_after_s == pytest.approx(30)
        assert (await server.say("two", id="2")).duplicate
        await server.say("of another", conversation="d")
        world.clock.pass_to(world.clock.now_ms() + 30_000)
        assert (await server.say("three", id="3")).turn == 3


async def test_a_token_has_a_limit_of_its_own(world: World) -> None:
    environment = Environment(rates_of={"web": Rates(RateLimit(1, 60))})
    async with world.serving(program=crowd(), environment=environment) as server:
        await server.engine.handle(Message("web/a", "one", owner="web"))
        with pytest.raises(TooBusy):
            await server.engine.handle(Message("web/b", "one", owner="web"))
        await server.engine.handle(Message("app/b", "one", owner="app"))


async def test_when_overloaded_who_begins_is_refused_and_who_runs_is_not(server: Server) -> None:
    admission = server.engine._around.admission
    await server.say("what", conversation="runs", id="1")
    admission.mark, admission.is_calm, admission._ends_at = 3 * STEPS, False, float("inf")
    with pytest.raises(Overloaded) as refused:
        await server.say("what", conversation="begins")
    assert 1 <= refused.value.retry_after_s <= 20
    assert (await server.say("what", conversation="runs")).turn == 2
    assert (await server.engine.handle(Message("phone", "what", user=PHONE))).turn == 1
    assert ("warning", "overloaded") in server.world.logged
    admission.mark = 5 * STEPS
    with pytest.raises(Overloaded):
        await server.say("what", conversation="runs")
    assert (await server.say("what", conversation="runs", id="1")).duplicate
    with pytest.raises(Overloaded):
        await server.engine.open_conversation("opens")


async def test_running_high_is_stored_and_answered_with_words(server: Server) -> None:
    admission = server.engine._around.admission
    await server.engine.handle(Message("c", "what", user=PHONE))
    admission.mark, admission.is_calm, admission._ends_at = TOP, False, float("inf")
    assert await server.engine.accept(Message("c", "look", user=PHONE)) == Accepted("c", WORDS)
    await server.settle()
    assert (await server.said())[-2:] == ["Found finded.", "Ready."]


async def test_more_than_can_wait_is_refused_whoever_it_is(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowc.runtime.engine.gate.MOST_WAITING", 2)
    with full(server):
        for number in range(2):
            server.keep(server.engine.handle(Message(f"c{number}", "what")))
        await server.settle()
        with pytest.raises(Overloaded):
            await server.engine.handle(Message("d", "what", user=PHONE))
    assert len(await server.kept()) == 2


async def test_a_line_that_does_not_get_shorter_is_overload_and_it_ends_by_itself(server: Server) -> None:
    clock, line = server.world.clock, server.engine._around.line
    refused = 0
    line.places.total = 5
    for number in range(60):
        with full(server):
            for each in range(10):
                try:
                    await asyncio.wait_for(server.engine.accept(Message(f"{number}.{each}", "what")), 0.001)
                except Overloaded:
                    refused += 1
                except TimeoutError:
                    pass
            clock.pass_to(clock.now() * 1000 + 30)
            await server.settle()
        await server.settle()
    assert refused > 50
    clock.pass_to(clock.now() * 1000 + 60_000)
    assert (await server.say("what", conversation="after")).turn == 1
    assert server.engine._gate.is_open
