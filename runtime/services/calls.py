"""Calls as the engine makes them: policies around attempts, for reads, for writes, and for jobs.

A read ends with its call. A write that its conversation waits for sleeps only shortly, and gives a longer wait back as
`Later`; a job makes one attempt a claim. What a failed attempt means is decided in `flowc.runtime.policy`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from flowc.runtime.kernel.events import CallFailure, CallResult
from flowc.runtime.policy.breaker import Breaker
from flowc.runtime.policy.breaker import State as BreakerState
from flowc.runtime.policy.bulkhead import Bulkhead
from flowc.runtime.policy.cache import may_keep
from flowc.runtime.policy.deadline import deadline, spare_s
from flowc.runtime.policy.limiter import Limiter, UserLimiter
from flowc.runtime.policy.retry import LONGEST_SLEEP_S, may_repeat, wait_s
from flowc.runtime.policy.schedule import (
    Again,
    Progress,
    Settled,
    after_command_attempt,
    after_job_attempt,
    key_left_s,
)
from flowc.runtime.policy.verdict import RawAnswer, of_read, of_write, was_sent
from flowc.runtime.program import Breaker as BreakerLine
from flowc.runtime.program import Operation, OwnPolicy, Program, RateLimit, Service
from flowc.runtime.services.backend import Backend, Terms, for_writes
from flowc.runtime.services.port import Adapter, AttemptRequest, Call, Claim, Clock, Later, Seen, Watch

RECOVERY_TIMEOUTS = 2  # what a write in doubt gets beyond its `within`, in timeouts: one to queue, one for its attempt


def watch_nothing(seen: Seen, /) -> None:
    """For who does not want to see attempts."""


class Services:
    """The services of a program. `draw` is uniform in [0, 1); `adapters` are open."""

    def __init__(
        self,
        program: Program,
        adapters: Mapping[str, Adapter],
        *,
        clock: Clock,
        draw: Callable[[], float],
        watch: Watch = watch_nothing,
    ) -> None:
        self._clock = clock
        self._draw = draw
        self._backends = {
            name: _backend(service, adapters[name], clock, watch) for name, service in program.services.items()
        }
        self._own = {
            (service.name, operation.name): _own_backend(self._backends[service.name], operation.own)
            for service in program.services.values()
            for operation in service.operations.values()
            if operation.own is not None
        }
        self._cached = {
            (service.name, operation.name)
            for service in program.services.values()
            for operation in service.operations.values()
            if may_keep(operation, program.records)
        }

    # ------------------------------------------------------------------------------------------------------- reads

    async def read(self, call: Call) -> CallResult:
        """The outcome of a read, within its time."""
        backend, operation = self._operation(call)
        result = await self._fresh(backend, operation, call)
        if (call.service, call.operation) not in self._cached:
            return result
        return backend.answers.answer(operation, call.arguments, result, self._clock.now())

    async def _fresh(self, backend: Backend, operation: Operation, call: Call) -> CallResult:
        policy = operation.policy
        terms = Terms(deadline(self._clock.now(), policy.within_ms / 1000, call.deadline), call.priority)
        number, after = 0, ""
        while True:
            number += 1
            request = AttemptRequest(
                operation, call.arguments, policy.timeout_ms / 1000, number, user=call.user, after=after, seen=call.seen
            )
            raw = await backend.attempt(request, terms)
            if number > policy.retry.attempts or not may_repeat(raw, operation):
                return of_read(raw)
            wait = wait_s(raw, policy.retry, number, self._draw())
            now = self._clock.now()
            if wait > spare_s(now, terms.deadline_at, request.timeout_s) or not backend.budget.spend(now):
                return of_read(raw)
            after = _kind(of_read(raw))
            await self._clock.sleep(wait)

    # ------------------------------------------------------------------------------------------------------ writes

    async def write(self, call: Call, claim: Claim) -> CallResult | Later:
        """The outcome of a write, or when to claim it again."""
        backend, operation = self._operation(call)
        if operation.key is None and claim.in_doubt:
            return CallFailure("unknown", "it was being done when the server stopped")
        attempt = _WriteAttempt(backend, operation, call, claim, self._clock)
        return await (self._job(attempt) if claim.deferred else self._command(attempt))

    async def _command(self, attempt: "_WriteAttempt") -> CallResult | Later:
        while True:
            raw, progress = await attempt.make()
            match after_command_attempt(raw, attempt.operation, progress, self._draw()):
                case Settled(result):
                    return result
                case Again(wait, in_doubt):
                    if was_sent(raw) and not attempt.backend.budget.spend(self._clock.now()):
                        return of_write(raw, attempt.operation.key, in_doubt=progress.in_doubt)
                    if wait > LONGEST_SLEEP_S:
                        return attempt.later(wait, raw, in_doubt=in_doubt)
                    attempt.in_doubt = in_doubt
                    await self._clock.sleep(wait)

    async def _job(self, attempt: "_WriteAttempt") -> CallResult | Later:
        """One attempt. It spends no retry credit: its waits grow to minutes, and others' retries must not fail it."""
        backend = attempt.backend
        if backend.gate.is_paused:
            return Later(0.0, "the service is paused", in_doubt=attempt.in_doubt, paused=True)
        raw, progress = await attempt.make()
        match after_job_attempt(raw, attempt.operation, progress, self._draw()):
            case Settled(result):
                return result
            case Again(wait, in_doubt):
                return attempt.later(wait, raw, in_doubt=in_doubt)

    # ------------------------------------------------------------------------------------------------------- pauses

    def pause(self, service: str) -> None:
        """From now calls are refused; jobs are given back."""
        self._backends[service].gate.is_paused = True

    def resume(self, service: str) -> None:
        """Ends a pause."""
        self._backends[service].gate.is_paused = False

    def open_breakers(self) -> tuple[str, ...]:
        """Services, and operations with a breaker of their own, to which nothing is sent just now."""
        breakers = {id(each.breaker): (name, each.breaker) for name, each in self._backends.items()}
        for name, each in self._own.items():
            breakers.setdefault(id(each.breaker), (".".join(name), each.breaker))
        return tuple(name for name, breaker in breakers.values() if breaker.is_open)

    def breakers(self) -> Mapping[tuple[str, str], BreakerState]:
        """The state of each breaker, by service and operation; without an operation it is the service's."""
        own = {name: each.breaker for name, each in self._own.items()}
        found = {(name, ""): each.breaker for name, each in self._backends.items()}
        shared = {id(breaker) for breaker in found.values()}
        found.update((name, breaker) for name, breaker in own.items() if id(breaker) not in shared)
        return {name: breaker.state for name, breaker in found.items()}

    def _operation(self, call: Call) -> tuple[Backend, Operation]:
        backend = self._own.get((call.service, call.operation)) or self._backends[call.service]
        return backend, backend.service.operations[call.operation]


@dataclass(slots=True)
class _WriteAttempt:
    """A claimed write: makes its attempts, and knows what they have come to."""

    backend: Backend
    operation: Operation
    call: Call
    claim: Claim
    clock: Clock
    in_doubt: bool = False
    _sent: int = 0
    _first_sent_at: float | None = None
    _ends_at: float = 0.0
    _after: str = ""

    def __post_init__(self) -> None:
        now = self.clock.now()
        self.in_doubt = self.claim.in_doubt
        self._ends_at = now + self.claim.within_s - self.claim.waited_s
        if self.in_doubt:
            # What may have been done is repeated even past its `within`: that is the only way to learn.
            self._ends_at = max(self._ends_at, now + RECOVERY_TIMEOUTS * self._timeout_s)
        if self.claim.first_sent_s is not None:
            self._first_sent_at = now - self.claim.first_sent_s

    @property
    def _timeout_s(self) -> float:
        return self.operation.policy.timeout_ms / 1000

    async def make(self) -> tuple[RawAnswer, Progress]:
        """One attempt, and where the write is after it; its `in_doubt` is what was so before."""
        began = self.clock.now()
        # The life of a key is known from the first attempt on; before it the whole of it is left.
        key_ends_at = began + key_left_s(self.operation, self._first_sent_s(began))
        request = AttemptRequest(
            self.operation,
            self.call.arguments,
            self._timeout_s,
            self.claim.attempts + self._sent + 1,
            self.claim.key if self.operation.key is not None else None,
            self.call.user,
            self._after,
            seen=self.call.seen,
        )
        raw = await self.backend.attempt(request, for_writes(min(self._ends_at, key_ends_at), self.call.priority))
        if was_sent(raw):
            self._sent += 1
            self._after = _kind(of_write(raw, self.operation.key, in_doubt=False))
            self._first_sent_at = began if self._first_sent_at is None else self._first_sent_at
        return raw, self._progress()

    def later(self, wait: float, raw: RawAnswer, *, in_doubt: bool) -> Later:
        result = of_write(raw, self.operation.key, in_doubt=False)
        why = f"{result.kind}: {result.message}" if isinstance(result, CallFailure) else ""
        return Later(wait, why, attempts=self._sent, in_doubt=in_doubt)

    def _progress(self) -> Progress:
        now = self.clock.now()
        attempts = self.claim.attempts + self._sent
        return Progress(attempts, self._ends_at - now, self._first_sent_s(now), self.in_doubt)

    def _first_sent_s(self, now: float) -> float | None:
        return None if self._first_sent_at is None else now - self._first_sent_at


def _kind(result: CallResult) -> str:
    return result.kind if isinstance(result, CallFailure) else "ok"


def _backend(service: Service, adapter: Adapter, clock: Clock, watch: Watch) -> Backend:
    policy = service.policy
    return Backend(
        service,
        adapter,
        clock,
        watch,
        _breaker(policy.breaker),
        Bulkhead(policy.places),
        _limiter(policy.limit),
        _user_limiter(policy.limit_per_user),
    )


def _own_backend(shared: Backend, own: OwnPolicy) -> Backend:
    """The same service for one operation: what it says itself is its own, the rest it shares."""
    return replace(
        shared,
        breaker=shared.breaker if own.breaker is None else _breaker(own.breaker),
        bulkhead=shared.bulkhead if own.places is None else Bulkhead(own.places),
        limiter=shared.limiter if own.limit is None else _limiter(own.limit),
        users=shared.users if own.limit_per_user is None else _user_limiter(own.limit_per_user),
    )


def _breaker(line: BreakerLine) -> Breaker:
    return Breaker(line.percent, line.calls, line.open_ms / 1000)


def _user_limiter(limit: RateLimit | None) -> UserLimiter | None:
    return None if limit is None else UserLimiter(limit.count, limit.per_s)


def _limiter(limit: RateLimit | None) -> Limiter | None:
    return None if limit is None else Limiter(limit.count, limit.per_s)
