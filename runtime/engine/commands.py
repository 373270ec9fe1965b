"""Writes on their way to backends: started by compare-and-swap, attempted, and their results brought home.

A write that its conversation waits for runs right after the commit that stored it, and its result is taken by the
turn that waits for it, in one transaction. A job, a retry that waited, and whatever was recovered from a server that
stopped, is claimed as a row when there is a place for it; its result becomes an event in the transaction that sets its
command done. Should we stop in between, the lease lapses and the row is claimed again: a write with a key is repeated,
one without a key is `unknown`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.seal import SealBroken
from flowc.runtime.engine.session import Session
from flowc.runtime.engine.stored import (
    MOST_TRIED,
    Body,
    CommandBody,
    ResultBody,
    SealedArguments,
    SealedBody,
    StoredResult,
    Tried,
    body_bytes,
    result_hash,
    tried_of,
)
from flowc.runtime.engine.surroundings import Surroundings
from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.kernel.events import CallFailure, CallResult, CommandKey
from flowc.runtime.policy.dispatch import Dispatch
from flowc.runtime.policy.places import Places
from flowc.runtime.program import PriorityClass
from flowc.runtime.services.port import Call, Claim, Later, Seen
from flowc.runtime.store.overview import Pause
from flowc.runtime.store.port import ALL_SHARDS
from flowc.runtime.store.queues import Queues
from flowc.runtime.store.recent import EventHash
from flowc.runtime.store.rows import (
    Address,
    Gone,
    Incoming,
    Late,
    NewCommand,
    Postponed,
    Result,
    Settled,
    Start,
    StoredCommand,
    Unit,
)
from flowc.runtime.values import Value, decode, encode

MOST_AT_ONCE: Final = 256  # claimed commands of this server that are being attempted


@dataclass(frozen=True, slots=True)
class Held:
    """A command that this server may attempt now. `is_awaited`: the turn that waits for it runs here; otherwise it has
    one of the places, and its result goes through the inbox."""

    address: Address
    incarnation: int
    key: CommandKey
    service: str
    operation: str
    body: CommandBody
    priority: PriorityClass
    deferred: bool
    created_ms: int
    within_ms: int
    attempt: int
    cause: EventHash | None
    is_awaited: bool


class Commands:
    def __init__(self, around: Surroundings, session: Callable[[Address], Session], sweep: Callable[[], None]) -> None:
        self._around = around
        self._session = session
        self._sweep = sweep
        self._running: set[CommandKey] = set()
        services = around.current.program.services
        sizes = {service.name: service.policy.places for service in services.values()}
        self._dispatch = Dispatch(Places(MOST_AT_ONCE), sizes, around.store.clock.now_ms())
        self._pauses: dict[str, Pause] = {}

    @property
    def is_busy(self) -> bool:
        return bool(self._running)

    def begin(self, unit: Unit) -> None:
        """Starts what a committed turn asked for."""
        for command in unit.commands:
            held = _held(unit, command)
            if command.deferred:
                self._sweep()
            elif command.holder is not None:
                self._around.start(self._run(held))
            else:
                self._around.start(self._start_first(held))

    # --------------------------------------------------------------------------------------------------------- claimed

    def wait_s(self) -> float:
        """How long until a service that has to wait may have work again; infinite where none has to."""
        return self._dispatch.wait_s(self._around.time.now())

    def apply(self, pauses: Sequence[Pause]) -> None:
        """Pauses, and ends pauses, as the rows of the store say."""
        services, now_ms = self._around.current.program.services, self._around.store.clock.now_ms()
        told = {pause.service: pause for pause in pauses if pause.service in services}
        for name in self._pauses.keys() | told.keys():
            new = told.get(name)
            if new == self._pauses.get(name):
                continue
            if new is not None and new.rate is None:
                self._dispatch.pause(name)
                self._around.caller.pause(name)
            else:
                self._dispatch.resume(name, now_ms, None if new is None else new.rate)
                self._around.caller.resume(name)
        self._pauses = told

    async def claim(self) -> None:
        """Goes on with what is due, as much as there are places for. Raises StoreUnavailable."""
        dispatch, now = self._dispatch, self._around.time.now()
        if not dispatch.has_room:
            return
        used = dispatch

        def pick(queues: Queues) -> Sequence[StoredCommand]:
            nonlocal used
            used = snapshot.copied()
            return used.pick(queues, now)

        snapshot = dispatch.copied()
        claims = await self._around.store.claim("commands", ALL_SHARDS, MOST_AT_ONCE, self._around.holder, pick=pick)
        dispatch.is_behind = used.is_behind
        for service in used.drained:
            await self._around.store.resume(service)
            dispatch.resume(service, 0)
            self._pauses.pop(service, None)
        await self._take([row for row in claims.commands if row.key not in self._running])

    async def _take(self, rows: Sequence[StoredCommand]) -> None:
        """Goes on with rows that are leased to us. A place that could not be used is given back."""
        now, begun = self._around.time.now(), set[CommandKey]()
        lapsed = sum(row.server is not None for row in rows)
        if lapsed:
            self._around.metrics.repairs.add("command", by=lapsed)
        for row in rows:
            self._dispatch.take(row.service, row.priority, now)
        try:
            expired = [row for row in rows if self._is_too_late(row)]
            for row in expired:
                await self._settle(
                    _of_row(row, row.attempt), CallFailure("overloaded", "its time was over before it was sent")
                )
            wanted = [row for row in rows if row not in expired]
            starts = [Start(row.address, row.key, row.attempt, self._around.holder) for row in wanted]
            for row, attempt in zip(wanted, await self._around.store.start(starts) if starts else (), strict=True):
                if attempt is not None:
                    waited_ms = self._around.store.clock.now_ms() - row.wait_ms
                    self._around.metrics.queued.add(max(waited_ms, 0) / 1000, row.priority)
                    self._around.start(self._run(_of_row(row, attempt)))
                    begun.add(row.key)
        finally:
            for row in rows:
                if row.key not in begun:
                    self._dispatch.give_back(row.service, row.priority)

    def _is_too_late(self, row: StoredCommand) -> bool:
        """One that was never sent is not started after its `within`."""
        body = decode(row.body, CommandBody)
        was_sent = row.state == "started" or body.attempts > 0
        return not was_sent and self._around.store.clock.now_ms() >= row.until_ms

    async def _start_first(self, held: Held) -> None:
        try:
            start = Start(held.address, held.key, 0, self._around.holder)
            [attempt] = await self._around.store.start([start])
        except StoreUnavailable:
            return  # it is ready in the store, or started and lapses
        if attempt is not None:
            await self._run(held)

    async def _run(self, held: Held) -> None:
        self._running.add(held.key)
        try:
            seen: list[Seen] = []
            result = await self._attempt(held, seen)
            tried = (*held.body.tried, *tried_of(seen))[-MOST_TRIED:]
            if isinstance(result, Later):
                await self._postpone(held, result, tried)
            elif held.is_awaited:
                self._session(held.address).give(self._awaited(held, result, tried))
            else:
                await self._settle(held, result, tried)
        except StoreUnavailable:
            self._around.log("warning", "result not stored", {"service": held.service, "operation": held.operation})
        finally:
            self._running.discard(held.key)
            if not held.is_awaited:
                self._leave(held)

    def _leave(self, held: Held) -> None:
        """Its place is free for what waits."""
        self._dispatch.give_back(held.service, held.priority)
        if self._dispatch.is_behind:
            self._sweep()

    async def _attempt(self, held: Held, seen: list[Seen]) -> CallResult | Later:
        body = held.body
        try:
            arguments = body.arguments if not body.sealed else self._opened(body.sealed)
        except SealBroken:
            return CallFailure("unknown", "its secret was lost when the server stopped")
        call = Call(held.service, held.operation, arguments, priority=held.priority, user=body.user, seen=seen)
        try:
            return await self._around.caller.write(call, self._claim(held))
        except Exception as error:  # noqa: BLE001 - a mistake of ours, or of an adapter: it may have been done
            facts = {"service": held.service, "operation": held.operation, "error": type(error).__name__}
            self._around.log("error", "write failed", facts)
            return CallFailure("unknown", type(error).__name__)

    def _opened(self, sealed: bytes) -> dict[str, Value]:
        """Raises SealBroken."""
        return decode(self._around.seal.open(sealed), SealedArguments).arguments

    def _claim(self, held: Held) -> Claim:
        body, now_ms = held.body, self._around.store.clock.now_ms()
        is_interrupted = _is_interrupted(held)
        first_sent_ms = held.created_ms if is_interrupted and body.first_sent_ms is None else body.first_sent_ms
        return Claim(
            held.key,
            held.deferred,
            held.within_ms / 1000,
            (now_ms - held.created_ms) / 1000,
            body.attempts + (1 if is_interrupted else 0),
            None if first_sent_ms is None else (now_ms - first_sent_ms) / 1000,
            body.in_doubt or is_interrupted,
        )

    # ------------------------------------------------------------------------------------------------------- its result

    async def _postpone(self, held: Held, later: Later, tried: tuple[Tried, ...]) -> None:
        body, now_ms = held.body, self._around.store.clock.now_ms()
        wait_ms = round(later.wait_s * 1000)
        unsent = later.attempts == 0
        if not unsent:
            self._around.metrics.retries.add(held.service, held.operation, later.why.partition(":")[0])
        if unsent and not later.paused and not self._has_own_limits(held):
            self._dispatch.rest(held.service, held.priority, self._around.time.now() + later.wait_s)
        attempts = body.attempts + later.attempts + (1 if _is_interrupted(held) else 0)
        kept = replace(
            body,
            attempts=attempts,
            first_sent_ms=body.first_sent_ms or (held.created_ms if attempts else None),
            in_doubt=later.in_doubt,
            accounted=held.attempt - 1 if unsent else held.attempt,
            tried=tried,
        )
        server = self._around.holder.server
        row = Postponed(held.address, held.key, held.attempt, server, now_ms + wait_ms, unsent, encode(kept))
        await self._around.store.postpone([row])
        self._sweep()

    def _has_own_limits(self, held: Held) -> bool:
        """Whether the operation was held by limits that the others of its service do not share."""
        service = self._around.current.program.services.get(held.service)
        operation = None if service is None else service.operations.get(held.operation)
        return operation is None or operation.own is not None

    async def _settle(self, held: Held, result: CallResult, tried: tuple[Tried, ...] = ()) -> None:
        """Sets the command done, and its result into the inbox, in one transaction."""
        event = Incoming(
            held.address,
            result_hash(held.key),
            "result",
            body_bytes(self._sealed(held, ResultBody(held.key, result, held.cause, tried))),
            incarnation=held.incarnation,
        )
        done = Result(held.address, held.key, self._result_bytes(held, result), event, _only_of(held, result))
        [settlement] = await self._around.store.settle([done], self._around.holder)
        match settlement:
            case Settled():
                self._session(held.address).look()
            case Late(count=count):
                self._around.metrics.late_results.add(held.service, held.operation)
                self._around.log("info", "late result", {"service": held.service, "count": count})
            case Gone():
                pass  # nobody is there any more to be told

    def _awaited(self, held: Held, result: CallResult, tried: tuple[Tried, ...]) -> Pending:
        body = ResultBody(held.key, result, held.cause, tried)
        return Pending(
            result_hash(held.key),
            body,
            incarnation=held.incarnation,
            cause=held.cause,
            settles=held.key,
            attempt=_only_of(held, result),
        )

    def _is_secret(self, held: Held) -> bool:
        return (held.service, held.operation) in self._around.current.secrets.results

    def _sealed(self, held: Held, body: ResultBody) -> Body:
        if not self._is_secret(held):
            return body
        return SealedBody(self._around.seal.close(body_bytes(body)), key=held.key, cause=held.cause)

    def _result_bytes(self, held: Held, result: CallResult) -> bytes:
        stored = encode(StoredResult(result))
        return encode(StoredResult(None, self._around.seal.close(stored))) if self._is_secret(held) else stored


def _only_of(held: Held, result: CallResult) -> int | None:
    """The attempt that a result is of, where it says that nothing was done: another server may have begun a later one
    when our lease had lapsed, of which that is not true."""
    return held.attempt if isinstance(result, CallFailure) and result.kind != "unknown" else None


def _is_interrupted(held: Held) -> bool:
    """An attempt began that nobody lived to tell of."""
    return held.attempt > held.body.accounted + 1


def _held(unit: Unit, command: NewCommand) -> Held:
    return Held(
        unit.base.address,
        unit.incarnation,
        command.key,
        command.service,
        command.operation,
        decode(command.body, CommandBody),
        command.priority,
        command.deferred,
        command.due_ms,
        command.until_ms - command.due_ms,
        1,
        unit.cause,
        is_awaited=True,
    )


def _of_row(row: StoredCommand, attempt: int) -> Held:
    return Held(
        row.address,
        row.incarnation,
        row.key,
        row.service,
        row.operation,
        decode(row.body, CommandBody),
        row.priority,
        row.deferred,
        row.created_ms,
        row.until_ms - row.created_ms,
        attempt,
        row.cause,
        is_awaited=False,
    )
