"""Opens what an engine stands on: the store, the services and the understanding of an environment, or what it was
given."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import ClassVar, Final

from flowc.runtime.bundle import from_bytes, to_bytes
from flowc.runtime.engine.seal import Seal
from flowc.runtime.engine.secrets import secrets_of
from flowc.runtime.engine.surroundings import Deployed, Surroundings, Understanding
from flowc.runtime.engine.watching import observe_line, observe_program, observe_services, observe_store, watching
from flowc.runtime.environment import Environment
from flowc.runtime.errors import Fault, StoreError
from flowc.runtime.kernel import load
from flowc.runtime.policy.limits import limits_of
from flowc.runtime.program import Program
from flowc.runtime.releases import make_current, program_of
from flowc.runtime.services.calls import Services
from flowc.runtime.services.open import open_services
from flowc.runtime.services.port import Caller, Clock
from flowc.runtime.store.memory import MemoryStore
from flowc.runtime.store.port import Store
from flowc.runtime.store.rows import Holder, ServerId
from flowc.runtime.store.sqlite import SqliteStore
from flowc.runtime.telemetry import Log
from flowc.runtime.telemetry.metrics import Metrics
from flowc.runtime.telemetry.tracing import Tracing
from flowc.runtime.understanding.open import open_understanding

LEASE_MS: Final = 30_000
SEED_BITS: Final = 63  # a key is drawn from it and the conversation, so two turns of one conversation must not share it


class StoreUnknown(StoreError):  # noqa: N818 - named by the fact
    """No store has such an address."""

    fault: ClassVar[Fault] = "caller"

    def __init__(self, address: str) -> None:
        super().__init__(f"`{address}` is no store: write `memory:` or `sqlite:///PATH`")
        self.address = address


@dataclass(frozen=True, slots=True)
class Given:
    """What an engine was opened with; None: as the environment says."""

    store: Store | None
    services: Caller | None
    understanding: Understanding | None
    clock: Clock
    rng: Random
    log: Log
    metrics: Metrics
    tracing: Tracing | None


@asynccontextmanager
async def surroundings_of(
    bundle: bytes | Program, environment: Environment, given: Given
) -> AsyncIterator[Surroundings]:
    """Everything open and the bundle current, for as long as the block runs."""
    packed = bundle if isinstance(bundle, bytes) else to_bytes(bundle)
    program = from_bytes(packed)
    async with AsyncExitStack() as opened:
        services = given.services
        if services is None:
            services = await opened.enter_async_context(
                open_services(
                    program,
                    environment.services,
                    draw=given.rng.random,
                    environment=environment.name,
                    clock=given.clock,
                    watch=watching(given.metrics),
                    tracing=given.tracing,
                )
            )
        understanding = given.understanding
        if understanding is None:
            understanding = await opened.enter_async_context(
                open_understanding(program, environment.chain, given.clock, environment.classifier)
            )
        store = given.store
        if store is None:
            store = open_store(environment.store, environment.folder)
            opened.push_async_callback(store.close)
        observe_program(given.metrics, program)
        if isinstance(services, Services):
            observe_services(given.metrics, services)
        if isinstance(store, SqliteStore):
            observe_store(given.metrics, store)
        deployment = await make_current(store, program, packed, by="serve")
        current = _deployed(deployment.number, program)
        around = Surroundings(
            store,
            services,
            understanding,
            given.clock,
            partial(given.rng.getrandbits, SEED_BITS),
            Seal(given.rng.randbytes(32), given.rng.randbytes),
            Holder(ServerId(given.rng.randbytes(8).hex()), LEASE_MS),
            given.log,
            given.metrics,
            current,
            lambda number: _fetched(store, number),
            {current.number: current},
            limits=limits_of(environment.rates, environment.rates_of),
            is_remote=given.understanding is None and environment.classifier is not None,
        )
        observe_line(given.metrics, around.line)
        if given.tracing is not None:
            from flowc.runtime.engine.traced import trace_all

            trace_all(around, given.tracing)
        opened.push_async_callback(around.stop)
        yield around


def open_store(address: str, folder: Path) -> Store:
    """`memory:` or `sqlite:///PATH`. Raises StoreError, StoreUnknown."""
    path = file_of(address, folder)
    return MemoryStore() if path is None else SqliteStore.open(path)


def file_of(address: str, folder: Path) -> Path | None:
    """The file of a store, None where it is in memory. Raises StoreUnknown."""
    if address == "memory:":
        return None
    if address.startswith("sqlite:///"):
        return folder / address.removeprefix("sqlite:///")
    raise StoreUnknown(address)


async def _fetched(store: Store, number: int) -> Deployed:
    return _deployed(number, await program_of(store, number))


def _deployed(number: int, program: Program) -> Deployed:
    return Deployed(number, program, load(program), secrets_of(program))
