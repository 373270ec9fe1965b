"""A clinic that was talked to: its project with a store, as the commands find it, and what its server told of it."""

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import StringIO
from math import inf
from pathlib import Path
from random import Random

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from flowc.compiler.compile import compile_project
from flowc.compiler.project import open_project
from flowc.runtime.engine.engine import Engine
from flowc.runtime.engine.message import Message, Turn
from flowc.runtime.engine.watching import watching
from flowc.runtime.environment import Environment
from flowc.runtime.kernel import Asking
from flowc.runtime.kernel.events import Understood, User
from flowc.runtime.policy.verdict import Answered, RawAnswer
from flowc.runtime.services.calls import Services
from flowc.runtime.services.port import AttemptRequest, Clock, LoopClock
from flowc.runtime.services.traced import TracedAdapter, noting
from flowc.runtime.simulate.clock import SimulatedClock
from flowc.runtime.store.sqlite import SqliteStore
from flowc.runtime.telemetry.exposition import page
from flowc.runtime.telemetry.log import log_to
from flowc.runtime.telemetry.metrics import Metrics
from flowc.runtime.telemetry.tracing import Tracing
from flowc.runtime.understanding.chain import Chain
from flowc.runtime.understanding.port import Heard
from flowc.runtime.understanding.rules import Rules

CLINIC = Path(__file__).parent / "clinic"
START_MS = 1_790_000_000_000


class Records:
    """Answers by operation, each once, the last for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[RawAnswer | Exception]] = {}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield

    def script(self, operation: str, *answers: RawAnswer | Exception) -> None:
        self.answers[operation] = list(answers)

    async def attempt(self, request: AttemptRequest) -> RawAnswer:
        several = self.answers.get(request.operation.name, [Answered("fine")])
        answer = several.pop(0) if len(several) > 1 else several[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Ears:
    """The rules, which stumble over a word."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def hear(self, heard: Heard, asking: Asking) -> None:
        """Nothing at once: it may stumble."""

    async def understand(self, heard: Heard, asking: Asking) -> Understood:
        if heard.text.startswith("poison"):
            raise RuntimeError(f"cannot read {heard.text!r}")
        return await self._chain.understand(heard, asking)


@dataclass
class Ward:
    """`log`, `spans` and `page` are what the server told."""

    project: Path
    records: Records
    metrics: Metrics
    log: StringIO
    exporter: InMemorySpanExporter
    engine: Engine
    user: User | None = None
    said: list[str] = field(default_factory=list)

    async def say(self, text: str, conversation: str = "c1") -> Turn:
        turn = await self.engine.handle(Message(conversation, text, user=self.user))
        self.said += [reply.text for reply in turn.replies]
        return turn

    async def event(self, fields: Mapping[str, object], conversation: str = "c1", id: str = "e1") -> Turn:
        return await self.engine.send_event(conversation, "arrived", fields, id)

    async def page(self) -> str:
        return page(await self.engine.counted()).decode()

    @property
    def spans(self) -> str:
        return "\n".join(span.to_json() for span in self.exporter.get_finished_spans())


@asynccontextmanager
async def ward(folder: Path, clock: SimulatedClock | None = None) -> AsyncIterator[Ward]:
    """A server of the clinic, in real time unless it has a clock. After the block its store stays."""
    project = folder / "clinic"
    shutil.copytree(CLINIC, project)
    program = compile_project(open_project(project)).program
    assert program is not None
    rng, metrics, log, records = Random(7), Metrics(), StringIO(), Records()
    time: Clock = clock or LoopClock()
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing = Tracing(provider)
    adapters = {"records": TracedAdapter(tracing, "records", records)}
    (project / ".flowc").mkdir()
    store = SqliteStore.open(project / ".flowc" / "dev.db", clock)
    watch = noting(tracing, watching(metrics))
    async with Engine.open(
        program,
        Environment(),
        store=store,
        services=Services(program, adapters, clock=time, draw=rng.random, watch=watch),
        understanding=Ears(Chain(Rules(program), (), time)),
        clock=time,
        rng=rng,
        log=log_to(log, json=True, least="debug"),
        metrics=metrics,
        tracing=tracing,
        sweep_every_s=inf,
        drain_s=1,
    ) as engine:
        yield Ward(project, records, metrics, log, exporter, engine)
    await store.close()
