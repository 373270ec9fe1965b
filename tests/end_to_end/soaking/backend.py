"""The backend of the soak: it enters what it is told into a ledger of its own, and is as bad as backends are. It may be
slow, fail, refuse, do its work and lose the answer, or do it too late. A repeated key is answered from the ledger and
adds no line; without a key each request is one more line.

    python backend.py PORT LEDGER
"""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

MOODS = (("well", 85), ("slow", 6), ("fail", 3), ("refuse", 2), ("lose", 2), ("late", 2))
SLOW_S = (0.05, 0.6)
LATE_S = 1.3  # over the flow's timeout of a second


class DroppedConnection(Response):
    """Breaks the promised length, so that the connection is cut after the work was done."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"512")]})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        raise asyncio.CancelledError


@dataclass
class Book:
    ledger: Path
    rng: Random = field(default_factory=lambda: Random(1))
    keys: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    lines: int = 0

    def enter(self, kind: str, key: str | None, conversation: str, step: int) -> int:
        """The number of the line, which is there before the answer is."""
        if key is not None and key in self.keys:
            return self.keys[key]
        self.lines += 1
        with self.ledger.open("a") as file:
            line = {"kind": kind, "key": key, "conversation": conversation, "step": step, "number": self.lines}
            file.write(json.dumps(line) + "\n")
        self.counts[conversation] = self.counts.get(conversation, 0) + 1
        if key is not None:
            self.keys[key] = self.lines
        return self.lines

    async def behaved(self, work: Callable[[], int]) -> Response:
        """The answer to `work`, done or not as the mood is."""
        moods, weights = zip(*MOODS, strict=True)
        mood = self.rng.choices(moods, weights)[0]
        if mood == "fail":
            return JSONResponse({"error": "out of order"}, 503)
        if mood == "refuse":
            return JSONResponse({"error": "too many"}, 429)
        if mood == "slow":
            await asyncio.sleep(self.rng.uniform(*SLOW_S))
        number = work()
        if mood == "late":
            await asyncio.sleep(LATE_S)
        return DroppedConnection() if mood == "lose" else JSONResponse(number)

    async def entries(self, request: Request) -> Response:
        return await self.behaved(lambda: self.counts.get(request.path_params["conversation"], 0))

    async def entry(self, request: Request) -> Response:
        body, key = await request.json(), request.headers["idempotency-key"]
        return await self.behaved(lambda: self.enter("keyed", key, body["conversation"], body["step"]))

    async def risk(self, request: Request) -> Response:
        body = await request.json()
        return await self.behaved(lambda: self.enter("risk", None, body["conversation"], body["step"]))


def main() -> None:
    book = Book(Path(sys.argv[2]))
    routes = [
        Route("/entries/{conversation}", book.entries, methods=["GET"]),
        Route("/entries", book.entry, methods=["POST"]),
        Route("/risks", book.risk, methods=["POST"]),
    ]
    uvicorn.run(Starlette(routes=routes), port=int(sys.argv[1]), log_level="critical", access_log=False)


if __name__ == "__main__":
    main()
