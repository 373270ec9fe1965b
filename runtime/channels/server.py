"""A web server around the HTTP face: a socket that is bound before anything starts, uvicorn, and an orderly end."""

import signal
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import anyio
import uvicorn
from starlette.types import ASGIApp

__all__ = ["PortTaken", "bound", "serve"]

DRAIN_S: Final = 10
BACKLOG: Final = 2048


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
    except (OSError, OverflowError) as error:
        listening.close()
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PortTaken(f"cannot listen on {host}:{port}: {reason.lower()}") from error
    listening.setblocking(False)
    return listening


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


async def serve(app: ASGIApp, listening: socket.socket, started: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM, then finish what runs. `started` is called once requests are taken."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        http="httptools",
        ws="none",
        timeout_graceful_shutdown=DRAIN_S,
        h11_max_incomplete_event_size=64 * 1024,
        server_header=False,
        date_header=False,
    )
    server = Server(config, started)

    async def end_on_signal() -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                if server.should_exit:
                    server.force_exit = True
                server.should_exit = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end_on_signal)
        await server.serve(sockets=[listening])
        tasks.cancel_scope.cancel()
