"""One server of a simulated world, from its start to its stop or its death."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from flowc.runtime.engine.engine import Engine
from flowc.runtime.engine.opening import LEASE_MS, SEED_BITS
from flowc.runtime.engine.seal import Seal
from flowc.runtime.engine.surroundings import Deployed, Surroundings
from flowc.runtime.engine.turn import MOST_TRIES
from flowc.runtime.errors import FlowcError
from flowc.runtime.releases import make_current
from flowc.runtime.services.calls import Services
from flowc.runtime.services.port import LoopClock
from flowc.runtime.simulate.backends import SimulatedAdapter
from flowc.runtime.simulate.ports import Crossing, CrossingAdapter, SimulatedCaller, SimulatedStore
from flowc.runtime.store.port import Store
from flowc.runtime.store.rows import Holder, ServerId
from flowc.runtime.telemetry import Fact, Severity

if TYPE_CHECKING:
    from flowc.runtime.simulate.world import World

DRAIN_S: Final = 30.0

T = TypeVar("T")


class ConnectionLost(Exception):  # noqa: N818 - what it says
    """The server is gone, and nobody knows what became of the request."""


class SimulatedServer:
    """`engine` is there while it takes requests."""

    def __init__(self, world: "World", number: int) -> None:
        self.number = number
        self.is_dead = False
        self.engine: Engine | None = None
        self._world = world
        self._rng = Random(world.rng.getrandbits(64))
        self._around: Surroundings | None = None
        self._life: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._crossing = Crossing(self, world.faults)

    async def live(self) -> None:
        """Until it stopped or died."""
        self._life = asyncio.ensure_future(self._serve())
        await asyncio.wait([self._life])
        if not self._life.cancelled() and (error := self._life.exception()) is not None:
            self.die()
            if not isinstance(error, FlowcError):
                raise self._world.book.broken(f"a server ends with {type(error).__name__}: {error}") from error

    def stop(self) -> None:
        """Finishes what is under way, and ends."""
        self._stopping.set()

    def die(self) -> None:
        """At once: whatever it did stands still for good, what its store had not made sure of may be gone."""
        if self.is_dead:
            return
        self.is_dead = True
        self.engine = None
        self._world.note("died", self.number)
        if self._world.disk is not None:
            self._world.disk.die()
        self._end()
        for task in (*(self._around.running if self._around is not None else ()), self._life):
            if task is not None:
                task.cancel()

    def _end(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)

    async def _serve(self) -> None:
        inner = self._world.open_store(self)
        around = self._around = await self._surroundings(inner)
        async with Engine.over(around, sweep_every_s=float("inf"), drain_s=0) as engine:
            self.engine = engine
            self._world.note("up", self.number)
            self._world.came_up()
            await self._stopping.wait()
            self.engine = None
            with LoopClock().timeout(DRAIN_S):
                await engine.drain()
        await around.stop()
        self._end()
        self._world.note("stopped", self.number)

    async def _surroundings(self, inner: Store) -> Surroundings:
        world, rng = self._world, self._rng
        seal = Seal(rng.randbytes(32), rng.randbytes)
        store = cast(Store, SimulatedStore(inner, self._crossing, world.book, world.doubts, seal))
        game = world.game
        made = await make_current(store, game.program, game.bundle, by="simulate")
        current = Deployed(made.number, game.program, game.loaded, game.secrets)

        async def fetch(number: int) -> Deployed:
            raise LookupError(f"nobody deployed {number}")

        return Surroundings(
            store=store,
            caller=SimulatedCaller(self._services()),
            understanding=world.phrases,
            time=LoopClock(),
            seed=lambda: rng.getrandbits(SEED_BITS),
            seal=seal,
            holder=Holder(ServerId(f"server{self.number}"), LEASE_MS),
            log=self._log,
            metrics=game.metrics,
            current=current,
            fetch=fetch,
            deployed={current.number: current},
        )

    def _services(self) -> Services:
        world, faults = self._world, self._world.faults
        adapters: dict[str, CrossingAdapter] = {}
        for name, backend in world.backends.items():
            way = SimulatedAdapter(backend, faults.behaviour)
            policy = world.game.program.services[name].policy
            adapters[name] = CrossingAdapter(way, self._crossing, world.book, name, policy)
        services = Services(world.game.program, adapters, clock=LoopClock(), draw=self._rng.random)
        for adapter in adapters.values():
            adapter.open_breakers = services.open_breakers
        return services

    def _log(self, severity: Severity, event: str, facts: Mapping[str, Fact], /) -> None:
        if severity != "error" or self.is_dead or self._world.book.violations:
            return
        if event == "turn failed" and _is_expected(facts):
            return
        self._world.book.broken(f"a mistake of ours: {event}, {dict(facts)}")

    # --------------------------------------------------------------------------------------------------------- requests

    async def request(self, ask: Callable[[Engine], Awaitable[T]]) -> T:
        """The answer of a request that reaches this server. Raises ConnectionLost, and what the engine refuses."""
        await self._cross()
        if self.engine is None:
            raise ConnectionLost
        task = asyncio.ensure_future(ask(self.engine))
        either: list[asyncio.Future[Any]] = [task, self._gone]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not task.done() or task.cancelled():
                raise ConnectionLost
        finally:
            task.cancel()  # who asked is gone
        await self._cross()
        return task.result()

    async def _cross(self) -> None:
        try:
            await self._crossing.over()
        except asyncio.CancelledError:
            if self.is_dead:
                raise ConnectionLost from None
            raise


def _is_expected(facts: Mapping[str, Fact]) -> bool:
    """A poisoned message, and one over which three servers died: whose fault it was, nobody knows."""
    error, tries = str(facts.get("error")), facts.get("tries")
    return error.startswith("RuntimeError") or (isinstance(tries, int) and tries > MOST_TRIES)
