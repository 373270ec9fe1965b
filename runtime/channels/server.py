"""A web server around the HTTP face: a socket that is bound before anything starts, uvicorn, and an orderly end."""

import asyncio
import resource
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar, Final

import anyio
import uvicorn
from starlette.types import ASGIApp

from flowc.runtime.channels.direct import DirectProtocol

__all__ = ["PortTaken", "bound", "serve"]

DRAIN_S: Final = 10  # for what runs
FLUSH_S: Final = 2  # for answers that are on their way then
BACKLOG: Final = 2048
MAX_HEAD: Final = 64 * 1024
MOST_CONNECTIONS: Final = 10_000
LEAST_CONNECTIONS: Final = 100
OTHER_FILES: Final = 128
TOO_MANY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\nconnection: close\r\n"
    b"content-type: application/problem+json\r\ncontent-length: 89\r\n\r\n"
    b'{"type":"about:blank","title":"unavailable","status":503,"detail":"too many connections"}'
)


class PortTaken(Exception):  # noqa: N818  # the fact, as the caller words it
    """The address cannot be listened on; the message says why."""


def bound(host: str, port: int) -> socket.socket:
    """A listening socket. Raises PortTaken where another process has the port or the address is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        listening.close()
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PortTaken(f"cannot listen on {host}:{port}: {reason.lower()}") from error
    listening.setblocking(False)
    return listening


def most_connections() -> int:
    """How many may be open: as many as there may be files, but for what else is open."""
    return max(LEAST_CONNECTIONS, min(MOST_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - OTHER_FILES))


class Bounded(DirectProtocol):
    """HTTP with bounds: on heads, for uvicorn's collects headers as long as they come, and on connections, for the
    store needs files too."""

    most: ClassVar[int] = most_connections()
    _is_head = True
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its own is
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.write(TOO_MANY)
            transport.close()

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._is_head and self._head_bytes > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_headers_complete(self) -> None:
        self._is_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_head, self._head_bytes = True, 0
        super().on_message_complete()


class Server(uvicorn.Server):
    """uvicorn that says when it takes requests, and leaves signals to `serve`."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = started

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]  # its own is one too
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell()


async def signals() -> AsyncIterator[None]:
    """Says each time that SIGINT or SIGTERM came."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
        async for _ in received:
            yield


async def nothing() -> None:
    """Where there is nothing to finish."""


async def serve(
    app: ASGIApp,
    listening: socket.socket,
    started: Callable[[], None],
    closing: Callable[[], Awaitable[None]] = nothing,
    wishes: Callable[[], AsyncIterator[None]] = signals,
) -> None:
    """Serve until the first of `wishes`, then finish what runs; a second one ends at once. `started` is called once
    requests are taken. `closing` takes nothing more and ends when what runs is finished; it has DRAIN_S, and until
    then requests are still answered: with a refusal, and /readyz with 503."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        http=Bounded,
        ws="none",
        timeout_graceful_shutdown=FLUSH_S,
        server_header=False,
        proxy_headers=False,  # nothing here depends on where a request came from
        date_header=False,
    )
    server = Server(config, started)

    async def end_when_wished() -> None:
        is_first = True
        async for _ in wishes():
            if is_first:
                is_first = False
                tasks.start_soon(finish)
            else:
                server.force_exit = server.should_exit = True

    async def finish() -> None:
        with anyio.move_on_after(DRAIN_S):
            await closing()
        server.should_exit = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end_when_wished)
        await server.serve(sockets=[listening])
        tasks.cancel_scope.cancel()
