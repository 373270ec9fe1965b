"""A real HTTP server on a local port that behaves as a test says, also in ways that no framework would allow."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Received:
    """A request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> object:
        return json.loads(self.body)


Behaviour = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Backend:
    """What it does next, and what it got."""

    behave: Behaviour
    port: int = 0
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            while (request := await _request(reader, number)) is not None:
                self.received.append(request)
                await self.behave(request, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def running(behave: Behaviour) -> AsyncIterator[Backend]:
    backend = Backend(behave)
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(backend.serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    backend.port = server.sockets[0].getsockname()[1]
    try:
        yield backend
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _request(reader: asyncio.StreamReader, connection: int) -> Received | None:
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, target, headers, body, connection)


def answers(status: int = 200, body: object = None, headers: dict[str, str] | None = None) -> Behaviour:
    """Answers every request alike. A `bytes` body goes out as it is."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()

    async def behave(_: Received, writer: asyncio.StreamWriter) -> None:
        lines = {"content-length": str(len(content)), **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"HTTP/1.1 {status} Words\r\n{head}\r\n".encode() + content)

    return behave


async def hangs(_: Received, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3_600)


async def drops(_: Received, writer: asyncio.StreamWriter) -> None:
    """Reads the request, maybe does it, and is gone."""
    writer.transport.abort()
    raise ConnectionError


def writes(raw: bytes, *, then_hang: bool = False) -> Behaviour:
    """Sends these bytes, then closes the connection or says no more."""

    async def behave(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        if then_hang:
            await asyncio.sleep(3_600)
        raise ConnectionError

    return behave
