"""Simulated users and the network between them and the servers: messages that are lost, doubled, late and out of
order, and senders that repeat with the same id until they have an answer."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING, Final, Literal

from flowc.runtime.engine.engine import Engine
from flowc.runtime.engine.errors import Erased, NotFound, TooBusy, Unavailable
from flowc.runtime.engine.message import Accepted, Message, Sent, Turn
from flowc.runtime.engine.pending import hash_of
from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.kernel.events import User
from flowc.runtime.program import Event
from flowc.runtime.services.port import LoopClock
from flowc.runtime.services.samples import NoSample
from flowc.runtime.simulate.server import ConnectionLost
from flowc.runtime.simulate.values import drawn
from flowc.runtime.store.recent import EventHash
from flowc.runtime.store.rows import Address
from flowc.runtime.values import to_json

if TYPE_CHECKING:
    from flowc.runtime.simulate.world import World

AGAIN_S: Final = 2.0
GIVES_UP_S: Final = 20.0  # on one request; then the same is sent again
EDGE_S: Final = 0.2
LONGEST_THOUGHT_S: Final = 1800.0
SCOPE: Final = "users"
STREAM_S: Final = 60.0  # a stream is broken off after that, and begun again where it was

Ask = Callable[[Engine], Awaitable[Turn | Accepted]]


async def converse(world: "World", name: str, rng: Random) -> None:
    """A user who says what a conversation waits for, mostly, and tells it what happens outside, until the plan's
    messages are sent and answered."""
    plan = world.faults.plan
    sent: list[asyncio.Task[None]] = []
    for number in range(plan.messages):
        await asyncio.sleep(_think_s(world, Address(name), rng))
        sent.append(asyncio.ensure_future(_act(world, name, rng, number)))
        if rng.random() < plan.patience:
            await asyncio.wait([sent[-1]], timeout=GIVES_UP_S * 3)
        if world.faults.happens(world.faults.plan.jumps):
            world.jump(rng)
        if world.faults.happens(world.faults.plan.erases):
            sent.append(asyncio.ensure_future(_erase(world, name)))
    for task in sent:
        await task


def _think_s(world: "World", address: Address, rng: Random) -> float:
    """How long a user thinks; some until a silence is over, and then say something just before or after its end."""
    one = world.book.kept(address)
    waits = [world.clock.until_s(timer.due_ms) for timer in one.timers.get(one.current, ())]
    if waits and min(waits) < LONGEST_THOUGHT_S and world.faults.happens(world.faults.plan.edges):
        return max(0.0, min(waits) + (rng.random() - 0.5) * EDGE_S)
    return rng.expovariate(1 / world.faults.plan.think_s)


async def _act(world: "World", name: str, rng: Random, number: int) -> None:
    """One thing that a user, people or the outside world does."""
    position, chance = world.book.kept(Address(name)).position, rng.random()
    if position is not None and position.expects == "people" and chance < 0.6:
        answer: Literal["returned", "unavailable"] = "returned" if rng.random() < 0.7 else "unavailable"
        identity = f"h{number}"
        return await _deliver(
            world, hash_of("handoff", identity), lambda engine: engine.answer_handoff(name, answer, id=identity)
        )
    event = rng.choice(world.game.events) if world.game.events and chance < 0.15 else None
    if event is not None and (fields := _fields(world, event, rng)) is not None:
        identity = f"e{number}"
        return await _deliver(
            world,
            hash_of("event users", identity),
            lambda engine: engine.send_event(name, event.name, fields, identity, scope=SCOPE, user=User(name)),
        )
    if number == 0 and chance < 0.3:
        return await _deliver(
            world, hash_of("open", "o"), lambda engine: engine.open_conversation(name, User(name), id="o")
        )
    text = world.phrases.draw(position, rng, world.now())
    message = Message(name, text, f"m{number}", User(name), SCOPE, proved=True)
    is_streamed = rng.random() < 0.3
    return await _deliver(
        world,
        hash_of(SCOPE, f"m{number}"),
        lambda engine: engine.accept(message) if is_streamed else engine.handle(message),
    )


def _fields(world: "World", event: Event, rng: Random) -> dict[str, object] | None:
    shapes = world.phrases.shapes
    try:
        return {each.name: to_json(drawn(each.type, shapes, rng, world.now(), each.name)) for each in event.fields}
    except NoSample:
        return None


async def _erase(world: "World", name: str) -> None:
    while True:
        server = await world.up()
        try:
            await server.request(lambda engine: engine.erase(name))
        except (ConnectionLost, Unavailable, StoreUnavailable):
            await asyncio.sleep(AGAIN_S)
        else:
            return


async def _deliver(world: "World", name: EventHash, ask: Ask) -> None:
    """Sends the same until it is answered."""
    while True:
        copies = 2 if world.faults.happens(world.faults.plan.doubled) else 1
        answers = [asyncio.ensure_future(_send(world, name, ask)) for _ in range(copies)]
        await asyncio.wait(answers)
        waits = [task.result() for task in answers]
        if None in waits:
            return
        await asyncio.sleep(min(wait for wait in waits if wait is not None))


async def _send(world: "World", name: EventHash, ask: Ask) -> float | None:
    """One request: None where it was answered, else when to send it again."""
    faults = world.faults
    if faults.happens(faults.plan.delayed):
        await asyncio.sleep(faults.rng.random() * GIVES_UP_S)
    if faults.happens(faults.plan.lost):
        return GIVES_UP_S
    server = await world.up()
    answer: Turn | Accepted | None = None
    try:
        with LoopClock().timeout(GIVES_UP_S):
            answer = await server.request(ask)
    except (ConnectionLost, Unavailable):
        return AGAIN_S
    except TooBusy as busy:
        return busy.retry_after_s
    except (Erased, NotFound):
        world.refused(name)
        return None
    if answer is None or faults.happens(faults.plan.lost):
        return AGAIN_S
    world.note("answered", name.hex(), answer)
    world.book.answered(name, answer)
    return AGAIN_S if isinstance(answer, Accepted) else None


async def listen(world: "World", name: str) -> None:
    """A client that reads the stream of a conversation, and takes it up where it broke off."""
    heard: list[Sent] = []
    while True:
        server = await world.up()
        try:
            with LoopClock().timeout(STREAM_S):
                await server.request(lambda engine: _read(world, name, engine, heard))
        except (ConnectionLost, Unavailable, StoreUnavailable):
            await asyncio.sleep(AGAIN_S)
        if world.book.kept(Address(name)).is_erased:
            return


async def _read(world: "World", name: str, engine: Engine, heard: list[Sent]) -> None:
    async for reply in engine.replies(name, heard[-1].id if heard else None):
        heard.append(reply)
        if not world.doubts.is_asked(Address(name)):
            world.book.streamed(Address(name), heard)
