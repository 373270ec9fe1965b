"""The ports of one simulated server: the store and the backends as it reaches them.

Each crossing is a place where the server may die: before, when nothing is done, and after, when it is and the server
does not live to know. The book is told of what is done.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from flowc.runtime.engine.seal import Seal
from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.kernel.events import CallResult
from flowc.runtime.policy.verdict import RawAnswer
from flowc.runtime.program import ServicePolicy
from flowc.runtime.services.port import Adapter, AttemptRequest, Call, Caller, Claim, Later
from flowc.runtime.simulate.backends import commanded
from flowc.runtime.simulate.book import Book
from flowc.runtime.simulate.doubts import Doubts, Promise
from flowc.runtime.simulate.plan import MOST_CROSSINGS, Faults
from flowc.runtime.store.port import Clock, Store
from flowc.runtime.store.rows import (
    Address,
    Claims,
    Holder,
    Incoming,
    Loaded,
    Outcome,
    Postponed,
    Receipt,
    Result,
    Row,
    Settlement,
    Start,
    Unit,
    Unknown,
    Wanted,
)

T = TypeVar("T")


class Line(Protocol):
    """The life of the server whose ports these are."""

    @property
    def is_dead(self) -> bool: ...

    def die(self) -> None: ...


@dataclass(slots=True)
class Crossing:
    """Where a server crosses to the outside."""

    line: Line
    faults: Faults

    async def over(self) -> None:
        """Passes one place; the server may die here, and a dead one goes no further."""
        self.alive()
        self.faults.cross()
        if self.faults.crashes():
            self.line.die()
            self.alive()
        delay_s = self.faults.store_delay_s()
        if delay_s is not None:
            await asyncio.sleep(delay_s)
            self.alive()

    def alive(self) -> None:
        if self.line.is_dead or self.faults.crossings > MOST_CROSSINGS:
            raise asyncio.CancelledError


class SimulatedStore:
    """A store as one server reaches it. What the book need not know of is passed on as it is."""

    def __init__(self, inner: Store, crossing: Crossing, book: Book, doubts: Doubts, seal: Seal) -> None:
        self._inner = inner
        self._crossing = crossing
        self._book = book
        self._doubts = doubts
        self._seal = seal

    @property
    def clock(self) -> Clock:
        return self._inner.clock

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method = getattr(self._inner, name)
        return lambda *arguments, **named: self._do((), lambda: method(*arguments, **named), _nothing)

    async def _do(
        self,
        addresses: Collection[Address],
        work: Callable[[], Awaitable[T]],
        learn: Callable[[T], None],
        promises: Sequence[Promise] = (),
    ) -> T:
        """Asks the store; the book learns what it answered, or what may be so where nobody knows."""
        await self._crossing.over()
        trouble = self._crossing.faults.store()
        if trouble == "before":
            raise StoreUnavailable("simulated")
        with self._doubts.asking(addresses):
            try:
                answer = await work()
            except BaseException:
                for promise in promises:
                    self._doubts.doubt(promise)
                raise
            learn(answer)
        self._doubts.look(addresses)
        await self._crossing.over()
        if trouble == "after":
            raise StoreUnavailable("simulated")
        return answer

    # ------------------------------------------------------------------------------------------------------------ turns

    async def load(self, wanted: Sequence[Wanted]) -> Sequence[Loaded]:
        return await self._do({one.address for one in wanted}, lambda: self._inner.load(wanted), _nothing)

    async def commit(self, units: Sequence[Unit]) -> Sequence[Outcome]:
        def learn(outcomes: Sequence[Outcome]) -> None:
            now_ms = self.clock.now_ms()
            for unit, outcome in zip(units, outcomes, strict=True):
                if isinstance(outcome, Unknown):
                    self._doubts.doubt(Promise(unit.base.address, unit, self._seal))
                else:
                    self._book.committed(unit, outcome, self._seal, now_ms)

        promises = [Promise(unit.base.address, unit, self._seal) for unit in units]
        addresses = {unit.base.address for unit in units}
        try:
            return await self._do(addresses, lambda: self._inner.commit(units), learn, promises)
        except StoreUnavailable:
            return tuple(Unknown() for _ in units)

    # ------------------------------------------------------------------------------------------------------------ inbox

    async def receive(self, events: Sequence[Incoming], holder: Holder) -> Sequence[Receipt]:
        def learn(receipts: Sequence[Receipt]) -> None:
            for event, receipt in zip(events, receipts, strict=True):
                self._book.received(event, receipt)

        promises = [Promise(event.address, event, self._seal) for event in events]
        addresses = {event.address for event in events}
        return await self._do(addresses, lambda: self._inner.receive(events, holder), learn, promises)

    async def discard(self, address: Address, number: int) -> bool:
        def learn(_gone: bool) -> None:
            self._book.discarded(address, number)

        promise = Promise(address, number, self._seal)
        return await self._do({address}, lambda: self._inner.discard(address, number), learn, [promise])

    async def erase(self, address: Address) -> Row | None:
        def learn(row: Row | None) -> None:
            if row is not None:
                self._book.erased(address)

        promise = Promise(address, "erasure", self._seal)
        return await self._do({address}, lambda: self._inner.erase(address), learn, [promise])

    # --------------------------------------------------------------------------------------------------------- commands

    async def claim(self, what: Any, shards: Any, limit: int, holder: Holder, *more: Any, **named: Any) -> Claims:  # noqa: ANN401 - as the store has it
        def learn(claims: Claims) -> None:
            for command in claims.commands:
                self._book.waits(command.key, self.clock.now_ms() + holder.lease_ms)

        return await self._do((), lambda: self._inner.claim(what, shards, limit, holder, *more, **named), learn)

    async def start(self, starts: Sequence[Start]) -> Sequence[int | None]:
        def learn(attempts: Sequence[int | None]) -> None:
            for start, attempt in zip(starts, attempts, strict=True):
                if attempt is not None:
                    self._book.waits(start.key, self.clock.now_ms() + start.holder.lease_ms)

        return await self._do((), lambda: self._inner.start(starts), learn)

    async def postpone(self, commands: Sequence[Postponed]) -> None:
        def learn(_nothing: None) -> None:
            for back in commands:
                self._book.waits(back.key, back.due_ms)

        await self._do((), lambda: self._inner.postpone(commands), learn)

    async def settle(self, results: Sequence[Result], holder: Holder) -> Sequence[Settlement]:
        def learn(settlements: Sequence[Settlement]) -> None:
            for result, settlement in zip(results, settlements, strict=True):
                self._book.settled(result, settlement, self._seal)

        promises = [Promise(result.address, result, self._seal) for result in results]
        addresses = {result.address for result in results}
        return await self._do(addresses, lambda: self._inner.settle(results, holder), learn, promises)


def _nothing(_answer: object) -> None:
    """The book has no use for it."""


@dataclass(slots=True)
class SimulatedCaller:
    """The services of one server, with what each write is attempted for."""

    inner: Caller

    async def read(self, call: Call) -> CallResult:
        return await self.inner.read(call)

    async def write(self, call: Call, claim: Claim) -> CallResult | Later:
        before = commanded.set(claim.key)
        try:
            return await self.inner.write(call, claim)
        finally:
            commanded.reset(before)

    def pause(self, service: str) -> None:
        self.inner.pause(service)

    def resume(self, service: str) -> None:
        self.inner.resume(service)


@dataclass(slots=True)
class CrossingAdapter:
    """The way to a backend, with places where the server may die: before it asks, and before it has the answer."""

    inner: Adapter
    crossing: Crossing
    book: Book
    service: str
    policy: ServicePolicy
    open_breakers: Callable[[], Sequence[str]] = tuple
    _running: int = 0
    _probing: int = 0
    _sent: deque[float] = field(default_factory=deque)  # when, as far back as the rate limit looks

    def opened(self) -> AbstractAsyncContextManager[None]:
        return self.inner.opened()

    async def attempt(self, request: AttemptRequest) -> RawAnswer:
        await self.crossing.over()
        operation = request.operation
        if operation.kind == "write":
            self.book.attempted(self.service, operation.name, request.key, commanded.get())
        is_probe = self.service in self.open_breakers()
        self._running += 1
        self._probing += is_probe
        try:
            self._within_limits()
            answer = await self.inner.attempt(request)
            await self.crossing.over()
            return answer
        finally:
            self._running -= 1
            self._probing -= is_probe

    def _within_limits(self) -> None:
        places, limit = self.policy.places, self.policy.limit
        if self._running > places:
            raise self.book.broken(f"{self._running} attempts at once at {self.service}, {places} may be")
        if limit is not None:
            now, sent = asyncio.get_running_loop().time(), self._sent
            sent.append(now)
            while sent[0] < now - limit.per_s:
                sent.popleft()
            # A full bucket, what flows in meanwhile, and those that had their token and waited for a place.
            if len(sent) > 2 * limit.count + places:
                raise self.book.broken(f"{len(sent)} attempts within {limit.per_s} s at {self.service}")
        if self._probing > 1:
            raise self.book.broken(f"{self._probing} probes at once at {self.service}")
