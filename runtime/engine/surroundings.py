"""What every session of an engine shares: the ports, the clocks, the seal and the programs that it can run."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import anyio

from flowc.runtime.engine.place import Place
from flowc.runtime.engine.seal import Seal
from flowc.runtime.engine.secrets import Secrets
from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.kernel import Asking, LoadedProgram, Position, Step, advance
from flowc.runtime.kernel.events import Event, Understood
from flowc.runtime.policy.admission import Admission
from flowc.runtime.policy.limits import Limits
from flowc.runtime.policy.line import Line
from flowc.runtime.policy.places import Places
from flowc.runtime.program import Program
from flowc.runtime.services.port import Caller, Clock
from flowc.runtime.store.port import Store
from flowc.runtime.store.rows import Address, Holder, Loaded, Outcome, Unit, Wanted
from flowc.runtime.store.sqlite import SqliteStore
from flowc.runtime.telemetry import Log
from flowc.runtime.telemetry.metrics import Metrics
from flowc.runtime.telemetry.tracing import Tracing
from flowc.runtime.understanding.port import Heard

CANCELLED_AGAIN_S: Final = 0.5
MOST_TURNS: Final = 256  # that run at once: two groups of commits, one on its way to the disk

Advance = Callable[[LoadedProgram, Position | None, Event], Step]
Commit = Callable[[Sequence[Unit]], Awaitable[Sequence[Outcome]]]
Learn = Callable[[Outcome | Exception], None]


class Understanding(Protocol):
    """The chain of providers. Answers within their `within`; what nobody understands is empty."""

    def hear(self, heard: Heard, asking: Asking) -> Understood | None:
        """What needs no wait; None: `understand` is to be asked."""
        ...

    async def understand(self, heard: Heard, asking: Asking) -> Understood: ...


@dataclass(frozen=True, slots=True)
class Deployed:
    """A version that conversations run."""

    number: int
    program: Program
    loaded: LoadedProgram
    secrets: Secrets


@dataclass(slots=True)
class Surroundings:
    """`time` waits and counts (the store's clock says what time it is). `seed` draws the random bits of a turn.
    `advance` and `commit` are what a turn does by; a trace looks into them. `line` is in front of the places to run;
    `admission` and `limits` (None: there are none) say who may come in. `is_remote`: understanding may wait for
    somebody else."""

    store: Store
    caller: Caller
    understanding: Understanding
    time: Clock
    seed: Callable[[], int]
    seal: Seal
    holder: Holder
    log: Log
    metrics: Metrics
    current: Deployed
    fetch: Callable[[int], Coroutine[None, None, Deployed]]
    deployed: dict[int, Deployed] = field(default_factory=dict)
    running: set[asyncio.Task[None]] = field(default_factory=set)
    tracing: Tracing | None = None
    limits: Limits | None = None
    is_remote: bool = False
    line: Line[Place] = field(default_factory=lambda: Line(Places(MOST_TURNS)))
    admission: Admission = field(default_factory=Admission)
    is_stopping: bool = False  # what runs is finished, and nothing begun
    advance: Advance = advance
    commit: Commit = field(init=False)

    def __post_init__(self) -> None:
        self.commit = self.store.commit

    def look_up(self, address: Address) -> Loaded | None:
        """Where a conversation stands, as far as that needs no wait. Of SQLite's store itself; whoever stands around a
        store sees `load`."""
        if type(self.store) is not SqliteStore:
            return None
        try:
            return self.store.look_up(Wanted(address))
        except StoreUnavailable:
            return None  # `load` meets it again, where it is waited for

    def submit(self, unit: Unit, learn: Learn) -> None:
        """Commits a unit that no task waits for."""
        if type(self.store) is SqliteStore:
            self.store.submit(unit, learn)
        else:
            self.start(self._submitted(unit, learn))

    async def _submitted(self, unit: Unit, learn: Learn) -> None:
        try:
            (outcome,) = await self.commit([unit])
        except Exception as error:  # noqa: BLE001 - whoever learns it decides what it means
            learn(error)
        else:
            learn(outcome)

    def start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Runs in a task of the engine, which no client can cancel. `running` is what a task group is otherwise; one
        of asyncio's costs 2.5 µs a task more, in each turn."""
        task = asyncio.get_running_loop().create_task(work)
        self.running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """One task's mistake does not stop the others."""
        self.running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.log("error", "task failed", {"error": type(error).__name__})

    async def stop(self) -> None:
        """Cancels what is still under way, and waits for its end: the store has what was promised."""
        with anyio.CancelScope(shield=True):
            while self.running:  # what ends may have started something
                for task in tuple(self.running):
                    task.cancel()
                # One whose own time ended just then takes this for that, and goes on: it is cancelled again.
                await asyncio.wait(tuple(self.running), timeout=CANCELLED_AGAIN_S)

    async def version(self, deployment: int) -> Deployed:
        """The program that a row names; fetched from the store where this server does not have it yet."""
        known = self.deployed.get(deployment)
        if known is None:
            known = self.deployed[deployment] = await self.fetch(deployment)
        return known
