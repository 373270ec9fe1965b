"""The load: sends each message at its time and notes what came of it, over bare asyncio connections that stay open.

A latency counts from the time at which the message was due, so that a server, or this process, that is late hides
nothing of it.
"""

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, cast

from shop.arrivals import Arrival
from shop.processes import HOST

GIVES_UP_S: Final = 60.0
STALE_S: Final = 3.0  # servers close connections that were idle for 5 s, maybe just when we send
OLD_S: Final = 1.0  # an article that was read longer ago comes from a cache
READ = re.compile(r"\((\d+)\)")

Ending = Literal["fresh", "cached", "later", "failed", "refused"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a message: `first_s` and `done_s` since it was due; they differ where the flow had a word for the
    wait. `at_s` as of the arrival, of which `priority` is."""

    at_s: float
    conversation: str
    priority: str
    ending: Ending
    first_s: float
    done_s: float
    status: int


class Connection(asyncio.Protocol):
    """One request at a time over a connection that stays open."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # that of uvloop is one without saying so

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) >= length and self._answer is not None and not self._answer.done():
            self._received.clear()
            self._answer.set_result((int(head.split(b" ", 2)[1]), bytes(body)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server closed the connection"))

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body."""
        if self._transport is None:
            raise ConnectionResetError("the server closed the connection")
        self._answer = asyncio.get_running_loop().create_future()
        head = f"{method} {path} HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Load:
    """Sends to one port. `began_at` is the time of the machine at which the first second begins."""

    def __init__(self, port: int, backend_began_at: float) -> None:
        self._port = port
        self._backend_began_at = backend_began_at
        self._idle: deque[tuple[float, Connection]] = deque()
        self.answers: list[Answer] = []
        self.late_s: list[float] = []  # how much later than due each message was sent
        self.began_at = 0.0

    async def run(self, messages: Iterable[Arrival]) -> None:
        """Until the last message is answered or given up."""
        async with asyncio.TaskGroup() as sending:
            began, self.began_at = time.perf_counter(), time.time()
            for message in messages:
                wait = began + message.at_s - time.perf_counter()
                if wait > 0:
                    await asyncio.sleep(wait)
                self.late_s.append(max(0.0, time.perf_counter() - began - message.at_s))
                sending.create_task(self._send(message, began + message.at_s))
        for _, connection in self._idle:
            connection.close()

    async def _send(self, message: Arrival, due: float) -> None:
        body = {
            "text": message.text,
            "id": f"{message.conversation}.{message.number}",
            "user": {"id": message.customer},
        }
        packed, path = json.dumps(body).encode(), f"/v1/conversations/{message.conversation}/messages"
        first: float | None = None
        status, text = 0, ""
        try:
            async with asyncio.timeout(GIVES_UP_S):
                # 202: it is stored, and its replies will come; the same id again waits for them.
                status, received = await self._asked(path, packed)
                while status == 202:
                    first = first or time.perf_counter()
                    status, received = await self._asked(path, packed)
            text = received.decode()
        except (OSError, TimeoutError):
            pass
        done = time.perf_counter()
        ending = self._ending(status, text)
        self.answers.append(
            Answer(
                message.at_s,
                message.conversation,
                message.priority,
                ending,
                (first or done) - due,
                done - due,
                status,
            )
        )

    async def _asked(self, path: str, body: bytes) -> tuple[int, bytes]:
        since, connection = self._idle.pop() if self._idle else (0.0, None)
        if connection is None or not connection.is_open or time.perf_counter() - since > STALE_S:
            _, connection = await asyncio.get_running_loop().create_connection(Connection, HOST, self._port)
        try:
            answer = await connection.ask("POST", path, body)
        except BaseException:
            connection.close()
            raise
        self._idle.append((time.perf_counter(), connection))
        return answer

    def _ending(self, status: int, text: str) -> Ending:
        if status in (429, 503):
            return "refused"
        if status != 200:
            return "failed"
        if "write here" in text:
            return "later"
        read = READ.search(text)
        if read is None:
            return "failed"
        age_s = time.time() - self._backend_began_at - int(read[1]) / 1000
        return "cached" if age_s > OLD_S else "fresh"


async def asked(port: int, path: str) -> object:
    """The JSON that a GET answers."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, HOST, port)
    _, body = await connection.ask("GET", path)
    connection.close()
    return json.loads(body)
