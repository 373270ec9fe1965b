"""What a server that stopped has left is found, taken, and counted; what is old is removed while others go on."""

import asyncio

from engine.world import START_MS, World, probe

from flowc.runtime.engine.engine import Engine
from flowc.runtime.engine.keeper import AGAIN_S, PAUSE_S, REST_S, SLICE
from flowc.runtime.engine.message import Message
from flowc.runtime.environment import Environment
from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.kernel.events import Succeeded
from flowc.runtime.simulate.clock import SimulatedClock
from flowc.runtime.store.memory import MemoryStore
from flowc.runtime.store.overview import Pruned

DAY_S = 24 * 3600.0


def repairs(world: World) -> dict[str, float]:
    return {kind: count for (kind,), count in world.metrics.repairs.values()}


async def test_nothing_is_repaired_while_nobody_stops(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        for word in ("look", "slow", "pay", "later"):
            await server.say(word)
        await server.wait(600)
        assert repairs(world) == {}


async def test_a_write_whose_server_stopped_is_repaired(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        world.backends.hold("pay")
        task = server.saying("pay")
        await server.settle()
        task.cancel()
    world.backends.script("pay", Succeeded("x"))
    async with world.serving() as server:
        await server.wait(31)
        assert (await server.said())[-2:] == ["Paid x.", "Ready."]
    assert repairs(world)["command"] == 1


async def test_a_message_whose_server_stopped_is_repaired(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        world.backends.hold("find")
        tasks = [server.saying("look"), server.saying("bye")]
        await server.settle()
        for task in tasks:
            task.cancel()
    world.backends.script("find", Succeeded("x"))
    async with world.serving() as server:
        await server.wait(31)
        assert (await server.said())[-1] == "Bye."
    assert repairs(world)["inbox"] >= 1


async def test_a_turn_that_had_to_follow_is_repaired(world: World) -> None:
    async with world.serving() as server:
        await server.say("what")
        world.backends.hold("find")
        task = server.saying("slow")
        await server.settle()
        task.cancel()
    world.backends.script("find", Succeeded("x"))
    async with world.serving() as server:
        await server.wait(31)
        assert (await server.said())[-2:] == ["Found x.", "Ready."]
    assert repairs(world) == {"turn": 1}


# -------------------------------------------------------------------------------------------------------------- keeping


class Slow(MemoryStore):
    """Says how often it was asked to remove something, and does not answer where the test says so."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__(clock)
        self.asked: list[int] = []
        self.is_gone = False

    async def prune(self, before_ms: int, cursor: str = "", limit: int = 100) -> Pruned:
        self.asked.append(limit)
        if self.is_gone:
            raise StoreUnavailable("the test took it away")
        return await super().prune(before_ms, cursor, limit)


async def test_what_is_old_is_removed_while_the_engine_runs() -> None:
    clock = SimulatedClock(START_MS)
    store, world = Slow(clock), World(MemoryStore(clock), clock)
    environment = Environment(keep_ms=int(30 * DAY_S * 1000))
    opened = Engine.open(probe(), environment, store=store, services=world.backends, clock=clock, drain_s=0)
    async with opened as engine:
        for number in range(SLICE + 20):
            await engine.handle(Message(f"c{number}", "bye"))
        assert len(await store.summaries(limit=1000, ended=True)) == SLICE + 20
        await pass_s(clock, REST_S)
        asked = len(store.asked)
        await pass_s(clock, REST_S)
        assert len(store.asked) - asked == 1, "nothing is old: it is looked at once in a while"
        await pass_s(clock, 31 * DAY_S)
        for _ in range(4):
            await pass_s(clock, PAUSE_S)
        assert set(store.asked) == {SLICE}
        assert len((await store.scan(limit=1000))[0]) == 1
        store.is_gone = True
        await pass_s(clock, REST_S)
        asked = len(store.asked)
        await pass_s(clock, AGAIN_S)
        assert len(store.asked) == asked + 1


async def pass_s(clock: SimulatedClock, seconds: float) -> None:
    clock.pass_to(clock.now_ms() + round(seconds * 1000))
    for _ in range(50):
        await asyncio.sleep(0)
