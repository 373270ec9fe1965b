"""The backends of the order bot as one small HTTP service: orders, customers and tickets, each on its own port.

    python flows/order_support/backends.py --ledger /tmp/ledger.jsonl

Every effect is a line of the ledger, written and synced before the answer, so that the ledger says what really
happened. A repeated idempotency key is answered from the ledger and adds no line. Each service can be made slow or
failing while it runs:

    curl -X PUT http://127.0.0.1:8802/control -d '{"mode": "fail"}'
    curl -X PUT http://127.0.0.1:8801/control -d '{"delay_ms": 700}'

`mode` is `ok`, `fail` (503), `hang` (no answer for a minute), `lose` (does it, then drops the connection) or
`nonsense`.
"""

import argparse
import asyncio
import copy
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

PORTS = {"orders": 8801, "crm": 8802, "tickets": 8803}
HANG_S = 60.0

Body = dict[str, str]

ORDERS: dict[str, dict[str, str | None]] = {
    "AB123456": {"id": "AB123456", "status": "shipped", "eta": "2026-12-01"},
    "AB123457": {"id": "AB123457", "status": "open", "eta": None},
    "AB123458": {"id": "AB123458", "status": "delivered", "eta": None},
    "CD000001": {"id": "CD000001", "status": "shipped", "eta": None},
}
CUSTOMERS = {
    "ann": {"id": "ann", "name": "Ann Lee", "tier": "gold"},
    "bob": {"id": "bob", "name": "Bob Roy", "tier": "standard"},
}


@dataclass(frozen=True)
class Behaviour:
    """How a service answers at the moment."""

    mode: str = "ok"
    delay_ms: int = 0


@dataclass
class Ledger:
    """What was done, by idempotency key, in a file of JSON lines that outlives the process."""

    path: Path | None
    answers: dict[str, tuple[int, object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path is not None and self.path.exists():
            for line in self.path.read_text().splitlines():
                entry = json.loads(line)
                if entry["key"]:
                    self.answers[entry["key"]] = (entry["status"], entry["answer"])

    def once(self, key: str, effect: str, subject: str, status: int, answer: object) -> tuple[int, object]:
        """The answer of the first request with this key; records the effect if this is the first."""
        if key and key in self.answers:
            return self.answers[key]
        if self.path is not None:
            entry = {"key": key, "effect": effect, "subject": subject, "status": status, "answer": answer}
            with self.path.open("a") as lines:
                lines.write(json.dumps(entry) + "\n")
                lines.flush()
                os.fsync(lines.fileno())
        if key:
            self.answers[key] = (status, answer)
        return status, answer

    @property
    def tickets(self) -> int:
        return sum(1 for _, answer in self.answers.values() if isinstance(answer, str) and answer.startswith("T-"))


@dataclass
class Backends:
    """The three services over one ledger."""

    ledger: Ledger
    behaviour: dict[str, Behaviour] = field(default_factory=lambda: {name: Behaviour() for name in PORTS})
    orders: dict[str, dict[str, str | None]] = field(default_factory=lambda: copy.deepcopy(ORDERS))

    def get_order(self, request: Request, body: Body) -> tuple[int, object]:
        order = self.orders.get(request.path_params["id"])
        return (200, order) if order else (404, {"error": "no such order"})

    def cancel_order(self, request: Request, body: Body) -> tuple[int, object]:
        identifier = request.path_params["id"]
        key = request.headers.get("idempotency-key", "")
        if key in self.ledger.answers:
            return self.ledger.answers[key]
        order = self.orders.get(identifier)
        if order is None:
            return 404, {"error": "no such order"}
        if order["status"] != "open":
            return 409, {"error": "it has left the warehouse"}
        return self.ledger.once(key, "cancel", identifier, 200, order)

    def get_customer(self, request: Request, body: Body) -> tuple[int, object]:
        identifier = request.path_params["id"]
        return 200, CUSTOMERS.get(identifier, {"id": identifier, "name": identifier, "tier": "standard"})

    def create_ticket(self, request: Request, body: Body) -> tuple[int, object]:
        key = request.headers.get("idempotency-key", "")
        return self.ledger.once(key, "ticket", body.get("subject", ""), 201, f"T-{self.ledger.tickets + 1}")

    def app(self, name: str) -> Starlette:
        """The HTTP face of one service."""
        routes = {
            "orders": [("GET", "/orders/{id}", self.get_order), ("POST", "/orders/{id}/cancel", self.cancel_order)],
            "crm": [("GET", "/customers/{id}", self.get_customer)],
            "tickets": [("POST", "/tickets", self.create_ticket)],
        }
        operations = [Route(path, self.answering(name, act), methods=[method]) for method, path, act in routes[name]]
        return Starlette(routes=[Route("/control", self.control(name), methods=["PUT", "GET"]), *operations])

    def control(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def change(request: Request) -> Response:
            if request.method == "PUT":
                self.behaviour[name] = replace(self.behaviour[name], **json.loads(await request.body()))
            return JSONResponse(vars(self.behaviour[name]))

        return change

    def answering(
        self, name: str, act: Callable[[Request, Body], tuple[int, object]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            behaviour = self.behaviour[name]
            await asyncio.sleep(behaviour.delay_ms / 1000)
            if behaviour.mode == "fail":
                return JSONResponse({"error": "out of order"}, 503)
            if behaviour.mode == "hang":
                await asyncio.sleep(HANG_S)
            body = json.loads(await request.body() or b"{}")
            status, answer = act(request, body)
            if behaviour.mode == "lose":
                return DroppedConnection()
            if behaviour.mode == "nonsense":
                return Response("<html>Bad gateway</html>", 200)
            return JSONResponse(answer, status)

        return respond


class DroppedConnection(Response):
    """Breaks the promised length, so that the server cuts the connection after the work was done."""

    def __init__(self) -> None:
        super().__init__(b"", headers={"content-length": "512"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"512")]})
        await send({"type": "http.response.body", "body": b'{"id":', "more_body": True})
        raise asyncio.CancelledError


async def serve(ledger: Path | None, offset: int) -> None:
    """Serve all three until stopped."""
    backends = Backends(Ledger(ledger))
    servers = []
    for name, port in PORTS.items():
        config = uvicorn.Config(backends.app(name), port=port + offset, log_level="critical", access_log=False)
        servers.append(uvicorn.Server(config))
    print("backends listen on " + ", ".join(f"{name}: {port + offset}" for name, port in PORTS.items()), flush=True)
    await asyncio.gather(*(server.serve() for server in servers))


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ledger", type=Path, help="file that records every effect")
    parser.add_argument("--offset", type=int, default=0, help="added to each port")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.ledger, arguments.offset))


if __name__ == "__main__":
    main()
