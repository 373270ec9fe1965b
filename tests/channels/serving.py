"""A real server in this process: the real engine over a store, simulated time, backends that follow a script, and
uvicorn on a free port."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import httpx2

from flowc.compiler.compile import compile_project
from flowc.compiler.project import open_project
from flowc.runtime import Engine
from flowc.runtime.channels.http import http_app
from flowc.runtime.channels.server import bound, serve
from flowc.runtime.channels.tokens import Token, Tokens, hashed
from flowc.runtime.engine.watching import watching
from flowc.runtime.environment import Environment
from flowc.runtime.policy.limits import Rates
from flowc.runtime.program import Program
from flowc.runtime.services.calls import Services
from flowc.runtime.services.port import Adapter
from flowc.runtime.services.scripted import Outcome, ScriptedAdapter
from flowc.runtime.services.traced import TracedAdapter, noting
from flowc.runtime.simulate.clock import SimulatedClock
from flowc.runtime.store.memory import MemoryStore
from flowc.runtime.store.port import Store
from flowc.runtime.telemetry.metrics import Metrics
from flowc.runtime.telemetry.tracing import Tracing
from flowc.runtime.values import Shapes

START_MS = 1_790_000_000_000


@cache
def desk() -> Program:
    outcome = compile_project(open_project(Path(__file__).parent / "desk"))
    assert outcome.program is not None, outcome.diagnostics
    return outcome.program


async def until(holds: Callable[[], bool]) -> None:
    """Waits for something that another task does; the test's timeout says when it never does."""
    while not holds():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.002)


@dataclass
class Desk:
    """A server, and a client of it."""

    engine: Engine
    clock: SimulatedClock
    shop: ScriptedAdapter
    client: httpx2.AsyncClient
    port: int
    wishes: asyncio.Queue[None]
    token: str | None = None

    def script(self, operation: str, *outcomes: Outcome) -> None:
        self.shop.script(operation, outcomes)

    def headers(self, token: str | None = None) -> dict[str, str]:
        given = token or self.token
        return {"authorization": f"Bearer {given}"} if given else {}

    async def post(
        self, path: str, body: object, conversation: str = "c", *, token: str | None = None, **headers: str
    ) -> httpx2.Response:
        """POST `body` as JSON, or as it is where it is bytes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"/v1/conversations/{conversation}/{path}"
        return await self.client.post(url, content=content, headers={**self.headers(token), **headers})

    async def get(self, path: str, *, token: str | None = None) -> httpx2.Response:
        return await self.client.get(path, headers=self.headers(token))

    async def say(self, text: str, conversation: str = "c", **more: object) -> dict[str, Any]:
        """The answer to a message, which must be 200."""
        answer = await self.post("messages", {"text": text, **more}, conversation)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    @asynccontextmanager
    async def stream(
        self, conversation: str = "c", after: str | None = None, token: str | None = None
    ) -> AsyncIterator["Stream"]:
        headers = self.headers(token) | ({"last-event-id": after} if after else {})
        async with self.client.stream("GET", f"/v1/conversations/{conversation}/stream", headers=headers) as response:
            yield Stream(response, response.aiter_lines())


@dataclass
class Stream:
    """Server-sent events as they come."""

    response: httpx2.Response
    lines: AsyncIterator[str]
    comments: list[str] = field(default_factory=list)

    async def event(self) -> dict[str, str]:
        """The next event: its fields. Empty at the end of the stream."""
        fields: dict[str, str] = {}
        async for line in self.lines:
            if line.startswith(":"):
                self.comments.append(line[1:].strip())
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                return fields
        return fields

    async def texts(self, count: int) -> list[str]:
        return [json.loads((await self.event())["data"])["text"] for _ in range(count)]


@asynccontextmanager
async def serving(
    *tokens: Token,
    store: Store | None = None,
    token: str | None = None,
    port: int = 0,
    drawn: str | None = None,
    tracing: Tracing | None = None,
    rates: Rates | None = None,
) -> AsyncIterator[Desk]:
    """A server of the desk; it ends as it does on SIGTERM. `drawn` is the token for its own machine."""
    clock, rng, program, metrics = SimulatedClock(START_MS), Random(7), desk(), Metrics()
    shapes = Shapes(program.records, program.zone, program.currency)
    shop = ScriptedAdapter(program.services["shop"], shapes, clock)
    watch = watching(metrics)
    adapter: Adapter = shop
    if tracing is not None:
        adapter, watch = TracedAdapter(tracing, "shop", shop), noting(tracing, watch)
    listening = bound("127.0.0.1", port)
    port = listening.getsockname()[1]
    wishes: asyncio.Queue[None] = asyncio.Queue()
    started, closing = asyncio.Event(), asyncio.Event()

    async def wished() -> AsyncIterator[None]:
        while True:
            yield await wishes.get()

    opened = Engine.open(
        program,
        Environment(rates=rates or Rates()),
        store=store or MemoryStore(clock),
        services=Services(program, {"shop": adapter}, clock=clock, draw=rng.random, watch=watch),
        clock=clock,
        rng=rng,
        metrics=metrics,
        tracing=tracing,
        sweep_every_s=inf,
        drain_s=5,
    )
    with listening:
        async with opened as engine, asyncio.TaskGroup() as tasks:
            local = None if drawn is None else hashed(drawn)
            app = http_app(engine, program, Tokens(tokens, local), closing)

            async def finish() -> None:
                closing.set()
                await engine.drain()

            server = tasks.create_task(serve(app, listening, started.set, finish, wished))
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
                await started.wait()
                try:
                    yield Desk(engine, clock, shop, client, port, wishes, token)
                finally:
                    wishes.put_nowait(None)  # also after a failure: the tasks' group waits for the server
            await server
