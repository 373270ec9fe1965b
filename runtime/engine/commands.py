"""Writes on their way to backends: started by compare-and-swap, attempted, and their results brought home.

A write that its conversation waits for runs right after the commit that stored it, and its result is taken by the
turn that waits for it, in one transaction. A job, and whatever was recovered from a server that stopped, is claimed
as a row; its result becomes an event in the transaction that sets its command done. Should we stop in between, the
lease lapses and the row is claimed again: a write with a key is repeated, one without a key is `unknown`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.seal import SealBroken
from flowc.runtime.engine.session import Session
from flowc.runtime.engine.stored import (
    Body,
    CommandBody,
    ResultBody,
    SealedArguments,
    SealedBody,
    StoredResult,
    body_bytes,
    result_hash,
)
from flowc.runtime.engine.surroundings import Surroundings
from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.kernel.events import CallFailure, CallResult, CommandKey
from flowc.runtime.services.port import Call, Claim, Later
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

MOST_AT_ONCE: Final = 256  # commands of this server that are being attempted


@dataclass(frozen=True, slots=True)
class Held:
    """A command that this server may attempt now. `is_awaited`: the turn that waits for it runs here; otherwise its
    result goes through the inbox."""

    address: Address
    incarnation: int
    key: CommandKey
    service: str
    operation: str
    body: CommandBody
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

    @property
    def room(self) -> int:
        return MOST_AT_ONCE - len(self._running)

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

    async def take(self, claimed: Sequence[StoredCommand]) -> None:
        """Goes on with rows that are leased to us."""
        rows = [row for row in claimed if row.key not in self._running]
        expired = [row for row in rows if self._is_too_late(row)]
        for row in expired:
            await self._settle(
                _of_row(row, row.attempt), CallFailure("overloaded", "its time was over before it was sent")
            )
        wanted = [row for row in rows if row not in expired]
        starts = [Start(row.address, row.key, row.attempt, self._around.holder) for row in wanted]
        for row, attempt in zip(wanted, await self._around.store.start(starts) if starts else (), strict=True):
            if attempt is not None:
                self._around.start(self._run(_of_row(row, attempt)))

    def _is_too_late(self, row: StoredCommand) -> bool:
        """One that was never sent is not started after its `within`."""
        body = decode(row.body, CommandBody)
        was_sent = row.state == "started" or body.attempts > 0
        return not was_sent and self._around.store.clock.now_ms() >= row.until_ms + body.paused_ms

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
            result = await self._attempt(held)
            if isinstance(result, Later):
                await self._postpone(held, result)
            elif held.is_awaited:
                self._session(held.address).give(self._awaited(held, result))
            else:
                await self._settle(held, result)
        except StoreUnavailable:
            self._around.log("warning", "result not stored", {"service": held.service, "operation": held.operation})
        finally:
            self._running.discard(held.key)

    async def _attempt(self, held: Held) -> CallResult | Later:
        body = held.body
        try:
            arguments = body.arguments if not body.sealed else self._opened(body.sealed)
        except SealBroken:
            return CallFailure("unknown", "its secret was lost when the server stopped")
        call = Call(held.service, held.operation, arguments, user=body.user)
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
            (now_ms - held.created_ms - body.paused_ms) / 1000,
            body.attempts + (1 if is_interrupted else 0),
            None if first_sent_ms is None else (now_ms - first_sent_ms) / 1000,
            body.in_doubt or is_interrupted,
        )

    # ------------------------------------------------------------------------------------------------------- its result

    async def _postpone(self, held: Held, later: Later) -> None:
        body, now_ms = held.body, self._around.store.clock.now_ms()
        wait_ms = round(later.wait_s * 1000)
        unsent = later.attempts == 0
        if not unsent:
            self._around.metrics.retries.add(held.service, held.operation, later.why.partition(":")[0])
        attempts = body.attempts + later.attempts + (1 if _is_interrupted(held) else 0)
        kept = replace(
            body,
            attempts=attempts,
            first_sent_ms=body.first_sent_ms or (held.created_ms if attempts else None),
            in_doubt=later.in_doubt,
            paused_ms=body.paused_ms + (wait_ms if later.paused else 0),
            accounted=held.attempt - 1 if unsent else held.attempt,
        )
        server = self._around.holder.server
        row = Postponed(held.address, held.key, held.attempt, server, now_ms + wait_ms, unsent, encode(kept))
        await self._around.store.postpone([row])
        self._sweep()

    async def _settle(self, held: Held, result: CallResult) -> None:
        """Sets the command done, and its result into the inbox, in one transaction."""
        event = Incoming(
            held.address,
            result_hash(held.key),
            "result",
            body_bytes(self._sealed(held, ResultBody(held.key, result, held.cause))),
            incarnation=held.incarnation,
        )
        done = Result(held.address, held.key, self._result_bytes(held, result), event)
        [settlement] = await self._around.store.settle([done], self._around.holder)
        match settlement:
            case Settled():
                self._session(held.address).look()
            case Late(count=count):
                self._around.metrics.late_results.add(held.service, held.operation)
                self._around.log("info", "late result", {"service": held.service, "count": count})
            case Gone():
                pass  # nobody is there any more to be told

    def _awaited(self, held: Held, result: CallResult) -> Pending:
        body = ResultBody(held.key, result, held.cause)
        return Pending(result_hash(held.key), body, incarnation=held.incarnation, cause=held.cause, settles=held.key)

    def _is_secret(self, held: Held) -> bool:
        return (held.service, held.operation) in self._around.current.secrets.results

    def _sealed(self, held: Held, body: ResultBody) -> Body:
        if not self._is_secret(held):
            return body
        return SealedBody(self._around.seal.close(body_bytes(body)), key=held.key, cause=held.cause)

    def _result_bytes(self, held: Held, result: CallResult) -> bytes:
        stored = encode(StoredResult(result))
        return encode(StoredResult(None, self._around.seal.close(stored))) if self._is_secret(held) else stored


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
        row.deferred,
        row.created_ms,
        row.until_ms - row.created_ms,
        attempt,
        row.cause,
        is_awaited=False,
    )
