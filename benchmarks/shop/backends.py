"""The two backends of the shop as HTTP services with limited capacity: each has so many places, and who finds none
waits in the order of arrival, for as long as it takes.

As most servers do, they do not notice that a caller has gone: what it asked for is done all the same. With `--notice`
they do not begin what nobody waits for any more. Each enquiry is an effect, made once for its idempotency key, and a
line of the ledger.

    python benchmarks/shop/backends.py --crm 8821 --inventory 8822
"""

import argparse
import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from math import exp, log, sqrt

import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send


@dataclass(frozen=True)
class Speed:
    """`places` at once, each for a time that is log-normal."""

    places: int
    mean_s: float
    deviation_s: float

    @property
    def per_s(self) -> float:
        """What it can do at most."""
        return self.places / self.mean_s

    @property
    def spread(self) -> float:
        """Of the logarithm of a service time."""
        return sqrt(log(1 + (self.deviation_s / self.mean_s) ** 2))

    @property
    def median_s(self) -> float:
        return self.mean_s * exp(-(self.spread**2) / 2)

    def drawn(self, rng: random.Random) -> float:
        """One service time in seconds."""
        return exp(rng.gauss(log(self.median_s), self.spread))


# 40 answers a second each.
SPEEDS = {"crm": Speed(6, 0.150, 0.060), "inventory": Speed(10, 0.250, 0.100)}


@dataclass
class Backend:
    """One service, and what it did: how many a second, and each enquiry with the time at which it was done."""

    name: str
    speed: Speed
    rng: random.Random
    began_at: float
    notices: bool
    done: Counter[int] = field(default_factory=Counter)
    enquiries: dict[str, tuple[str, float]] = field(default_factory=dict)
    waiting: int = 0
    longest: int = 0
    calls: int = 0

    def __post_init__(self) -> None:
        self._places = asyncio.Semaphore(self.speed.places)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        body = (await receive()).get("body", b"")
        if scope["path"] == "/ledger":
            return await answer(send, 200, self.ledger())
        self.calls += 1
        self.waiting += 1
        self.longest = max(self.longest, self.waiting)
        gone = asyncio.ensure_future(receive())  # comes to an end when the caller goes
        async with self._places:
            self.waiting -= 1
            if self.notices and gone.done():
                return None
            await asyncio.sleep(self.speed.drawn(self.rng))
        gone.cancel()
        now = time.time() - self.began_at
        self.done[int(now)] += 1
        return await answer(send, 200, self.found(scope, body, now))

    def found(self, scope: Scope, body: bytes, now: float) -> object:
        last = scope["path"].rpartition("/")[2]
        match self.name, scope["method"]:
            case "crm", "GET":
                return {"id": last, "name": f"Customer {last}"}
            case "inventory", "POST":
                wanted = json.loads(body)
                key = next(value for name, value in scope["headers"] if name == b"idempotency-key").decode()
                self.enquiries.setdefault(key, (wanted["from"], now))
                last = wanted["id"]
        return {"id": last, "left": int(last[1:]) % 50, "read": int(now * 1000)}

    def ledger(self) -> object:
        return {
            "began_at": self.began_at,
            "calls": self.calls,
            "longest": self.longest,
            "done": dict(self.done),
            "enquiries": list(self.enquiries.values()),
        }


async def answer(send: Send, status: int, value: object) -> None:
    body = json.dumps(value).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def serve(ports: dict[str, int], seed: int, *, notices: bool) -> None:
    """Serve both until stopped."""
    began_at = time.time()
    servers = []
    for name, port in ports.items():
        backend = Backend(name, SPEEDS[name], random.Random(f"{seed} {name}"), began_at, notices)
        config = uvicorn.Config(backend, port=port, log_level="critical", access_log=False, lifespan="off")
        servers.append(uvicorn.Server(config))
    print("ready", flush=True)
    await asyncio.gather(*(server.serve() for server in servers))


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, port in {"crm": 8821, "inventory": 8822}.items():
        parser.add_argument(f"--{name}", type=int, default=port, help="its port")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--notice", action="store_true", help="do not begin what nobody waits for any more")
    arguments = parser.parse_args()
    uvloop.install()
    ports = {name: getattr(arguments, name) for name in SPEEDS}
    asyncio.run(serve(ports, arguments.seed, notices=arguments.notice))


if __name__ == "__main__":
    main()
