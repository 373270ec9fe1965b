"""The way of a message through HTTP that nearly all requests go, past ASGI.

A turn takes some 100 µs; a scope, a router, two messages back and a response that is written in two pieces take as
long again. So where a request is what nearly all are (`POST …/messages`, whole, with a length, no other one before
it on its connection), it goes from uvicorn's parser to the face and its answer back in one piece. Every other
request goes to the application as usual, which answers these the same.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias, cast

from starlette.applications import Starlette
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

__all__ = ["Act", "App", "DirectProtocol", "Head", "head_of"]

MESSAGES: Final = re.compile(rb"/v1/conversations/([A-Za-z0-9._~:@+-]{1,128})/messages")
LONGEST_BODY: Final = 64 * 1024
INDIRECT: Final = frozenset({b"expect", b"transfer-encoding", b"upgrade"})

Head: TypeAlias = bytes  # status line and headers, without the empty line at their end
Act: TypeAlias = Callable[[str, Mapping[bytes, bytes], bytes], Awaitable[tuple[Head, bytes]]]


def head_of(status: int, headers: list[tuple[bytes, bytes]]) -> Head:
    return STATUS_LINE[status] + b"".join([b"%b: %b\r\n" % header for header in headers])


class App(Starlette):
    """An application whose messages have a direct way: `direct` is given conversation, headers and body, and raises
    nothing."""

    direct: Act


class Exchange:
    """A message on its way, as uvicorn's protocol knows a request: what `RequestResponseCycle` is to an application."""

    __slots__ = ("body", "conversation", "disconnected", "headers", "keep_alive", "more_body", "response_complete")

    def __init__(self, conversation: str, headers: Mapping[bytes, bytes]) -> None:
        self.conversation = conversation
        self.headers = headers
        self.body = bytearray()
        self.more_body = True
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False

    @property
    def message_event(self) -> "Exchange":
        """Nobody waits for a piece of it."""
        return self

    def set(self) -> None:
        """As an event has it."""


class DirectProtocol(HttpToolsProtocol):
    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._act = self.app.direct if isinstance(self.app, App) else None

    def on_message_begin(self) -> None:
        # The scope that uvicorn makes here is for ASGI only.
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        exchange = self._exchange()
        if exchange is not None:
            self.cycle = cast(RequestResponseCycle, exchange)
            return
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        exchange: object = self.cycle
        if not isinstance(exchange, Exchange):
            return super().on_message_complete()
        if exchange.more_body:
            exchange.more_body = False
            task = self.loop.create_task(self._answer(exchange))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)
        return None

    def _exchange(self) -> Exchange | None:
        """None: the application is asked."""
        before: RequestResponseCycle | None = self.cycle
        if self._act is None or (before is not None and not before.response_complete):
            return None
        found = MESSAGES.fullmatch(self.url)
        if found is None or self.parser.get_method() != b"POST" or self.parser.get_http_version() != "1.1":
            return None
        headers = dict(self.headers)
        length = headers.get(b"content-length", b"")
        is_usual = (
            len(headers) == len(self.headers) and INDIRECT.isdisjoint(headers) and self.parser.should_keep_alive()
        )
        if not is_usual or not length.isdigit() or int(length) > LONGEST_BODY:
            return None
        return Exchange(found[1].decode(), headers)

    async def _answer(self, exchange: Exchange) -> None:
        assert self._act is not None
        head, body = await self._act(exchange.conversation, exchange.headers, bytes(exchange.body))
        if self.flow.write_paused and not exchange.disconnected:
            await self.flow.drain()
        exchange.response_complete = True
        if exchange.disconnected or self.transport.is_closing():
            return
        if exchange.keep_alive:
            self.transport.write(b"%b\r\n%b" % (head, body))
        else:
            self.transport.write(b"%bconnection: close\r\n\r\n%b" % (head, body))
            self.transport.close()
        self.on_response_complete()
