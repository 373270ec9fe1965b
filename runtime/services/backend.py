"""One service at run time: its adapter, and what its operations share. Makes one attempt under all limits.

The order is: time left, breaker, rate limit, place, the attempt's own timeout, the adapter. Everything that decides is
in `flowc.runtime.policy`; this only waits, sends, and gives back what it took.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
from msgspec import Struct

from flowc.runtime.kernel.events import CallFailure
from flowc.runtime.policy import verdict
from flowc.runtime.policy.breaker import Breaker, Pass
from flowc.runtime.policy.budget import Budget
from flowc.runtime.policy.bulkhead import Bulkhead, Ticket
from flowc.runtime.policy.cache import AnswerCache
from flowc.runtime.policy.deadline import no_time, spare_s
from flowc.runtime.policy.limiter import Limiter, UserLimiter
from flowc.runtime.policy.retry import LONGEST_SLEEP_S
from flowc.runtime.policy.verdict import Broken, Held, NotSent, RawAnswer, TimedOut
from flowc.runtime.program import PriorityClass, Service
from flowc.runtime.services.port import Adapter, AttemptRequest, Clock, Seen, Watch


class Terms(Struct, frozen=True):
    """Under what an attempt is made. `longest_wait_s`: for the rate limit and a place; what would wait longer is
    held."""

    deadline_at: float
    priority: PriorityClass
    longest_wait_s: float = float("inf")


def for_writes(deadline_at: float, priority: PriorityClass) -> Terms:
    """A write that would wait long gives its task back, and is claimed again."""
    return Terms(deadline_at, priority, LONGEST_SLEEP_S)


@dataclass(slots=True)
class Gate:
    """Whether an operator has paused the service."""

    is_paused: bool = False


@dataclass(slots=True)
class Backend:
    """`budget`, `answers` and `gate` are of the whole service; the limits may be one operation's own."""

    service: Service
    adapter: Adapter
    clock: Clock
    watch: Watch
    breaker: Breaker
    bulkhead: Bulkhead
    limiter: Limiter | None
    users: UserLimiter | None
    budget: Budget = field(default_factory=Budget)
    answers: AnswerCache = field(default_factory=AnswerCache)
    gate: Gate = field(default_factory=Gate)

    async def attempt(self, request: AttemptRequest, terms: Terms) -> RawAnswer:
        """One attempt, or `Held` when it was not made."""
        timer = _Timer(self.clock.now)
        raw = await self._admitted(request, terms, timer)
        seen = self._seen(request, raw, timer)
        if request.seen is not None:
            request.seen.append(seen)
        self.watch(seen)
        return raw

    async def _admitted(self, request: AttemptRequest, terms: Terms, timer: "_Timer") -> RawAnswer:
        if self.gate.is_paused:
            return Held("unavailable", f"service {self.service.name} is paused")
        now = self.clock.now()
        if held := no_time(spare_s(now, terms.deadline_at, request.timeout_s)):
            return held
        admitted = self.breaker.admit(now)
        if admitted is None:
            return Held("unavailable", "the breaker is open", self.breaker.wait_s(now))
        health: verdict.Health = "silent"
        try:
            raw = await self._limited(request, terms, timer, admitted)
            health = verdict.health(raw)
        finally:
            self.breaker.give_back(admitted, health, self.clock.now())
        return raw

    async def _limited(self, request: AttemptRequest, terms: Terms, timer: "_Timer", admitted: Pass) -> RawAnswer:
        has_limits = self.limiter is not None or self.users is not None
        if has_limits and (held := await self._wait_for_limits(request, terms)):
            return held
        ticket = self.bulkhead.enter(terms.priority, _wake_nobody)
        if ticket is None:
            return Held("overloaded", f"{self.bulkhead.places} calls are running and as many wait")
        try:
            if ticket.place == "waiting":
                await self._wait_for_place(ticket, request, terms)
            if ticket.place == "waiting":
                return Held("overloaded", "no place in time")
            return await self._send(request, terms, timer, admitted)
        finally:
            self.bulkhead.leave(ticket)

    async def _wait_for_place(self, ticket: Ticket, request: AttemptRequest, terms: Terms) -> None:
        """Until the ticket is `in`, or no attempt could end in time any more; a write waits shortly."""
        moved = anyio.Event()
        ticket.wake = moved.set
        with self.clock.timeout(self._longest_wait_s(request, terms)):
            await moved.wait()

    async def _wait_for_limits(self, request: AttemptRequest, terms: Terms) -> Held | None:
        """The user's bucket first: it is booked at the time at which the service's lets the call go."""
        user = self._user_limiter(request.user)
        while user is not None and (wait_s := user.wait_s(self.clock.now())) > 0:
            if wait_s > self._longest_wait_s(request, terms):
                return Held("overloaded", "the limit of this user", wait_s)
            await self.clock.sleep(wait_s)
        now = self.clock.now()
        wait = 0.0
        if self.limiter is not None:
            reserved = self.limiter.reserve(now, self._longest_wait_s(request, terms))
            if reserved is None:
                return Held("overloaded", "the rate limit of the service", self.limiter.wait_s(now))
            wait = reserved
        if user is not None:
            user.book(now + wait)
        if wait > 0:
            await self.clock.sleep(wait)
        return None

    def _user_limiter(self, user: str | None) -> Limiter | None:
        return None if self.users is None or user is None else self.users.of(user, self.clock.now())

    def _longest_wait_s(self, request: AttemptRequest, terms: Terms) -> float:
        return min(terms.longest_wait_s, spare_s(self.clock.now(), terms.deadline_at, request.timeout_s))

    async def _send(self, request: AttemptRequest, terms: Terms, timer: "_Timer", admitted: Pass) -> RawAnswer:
        now = self.clock.now()
        # Both may have changed while it waited for its turn.
        if held := no_time(spare_s(now, terms.deadline_at, request.timeout_s)):
            return held
        if not self.breaker.holds(admitted):
            return Held("unavailable", "the breaker opened", self.breaker.wait_s(now))
        self.budget.attempt_left(now)
        timer.sent(now)
        raw: RawAnswer = TimedOut(f"no answer within {request.timeout_s:g} s")
        with self.clock.timeout(request.timeout_s) as scope:
            try:
                raw = await self.adapter.attempt(request)
            except Exception as error:  # noqa: BLE001 - whatever an adapter raises, the attempt may have been done
                raw = Broken(f"the adapter raised {type(error).__name__}")
        if not scope.cancelled_caught:
            return raw
        if not request.wire.is_sent:
            return NotSent(f"no connection within {request.timeout_s:g} s")
        return request.wire.known or raw

    def _seen(self, request: AttemptRequest, raw: RawAnswer, timer: "_Timer") -> Seen:
        is_read = request.operation.kind == "read"
        result = verdict.of_read(raw) if is_read else verdict.of_write(raw, request.operation.key, in_doubt=False)
        failure = result if isinstance(result, CallFailure) else None
        return Seen(
            service=self.service.name,
            operation=request.operation.name,
            number=request.number,
            outcome="ok" if failure is None else failure.kind,
            sent=verdict.was_sent(raw),
            queued_s=timer.queued_s(),
            took_s=timer.took_s(),
            message="" if failure is None else failure.message,
            after=request.after,
        )


def _wake_nobody() -> None:
    """For a call that has a place at once, as most have."""


class _Timer:
    """When an attempt began, and when it was sent."""

    __slots__ = ("_began_at", "_now", "_sent_at")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._began_at = now()
        self._sent_at: float | None = None

    def sent(self, at: float) -> None:
        self._sent_at = at

    def queued_s(self) -> float:
        return (self._now() if self._sent_at is None else self._sent_at) - self._began_at

    def took_s(self) -> float:
        return 0.0 if self._sent_at is None else self._now() - self._sent_at
