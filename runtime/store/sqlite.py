"""The store in one SQLite file: the default, for one process on one machine. For more of either the store is
PostgreSQL.

Thin: each method makes jobs for the writer, or reads. What a job does is in turns, inbox, commands, timers, outgoing
and operating; each is plain synchronous code over a connection inside a transaction.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import anyio
import apsw

from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.program import PriorityClass
from flowc.runtime.store import chain, commands, epochs, inbox, loads, operating, outgoing, retention, timers
from flowc.runtime.store.clock import SystemClock
from flowc.runtime.store.file import DISK, FileLock, connect_reading, discard, end_leases, lock
from flowc.runtime.store.overview import (
    Census,
    DeadEvent,
    Deployment,
    Doubt,
    NewDeployment,
    Pause,
    Pruned,
    Report,
    Summary,
)
from flowc.runtime.store.port import CLASSES, Clock
from flowc.runtime.store.queues import Pick, in_order
from flowc.runtime.store.rows import (
    Address,
    Claimable,
    Claims,
    Digest,
    Holder,
    Incoming,
    JournalRow,
    Loaded,
    Outcome,
    Postponed,
    Receipt,
    Result,
    Row,
    Sent,
    ServerId,
    Settlement,
    Start,
    StoredCommand,
    TurnReplies,
    Unfit,
    Unit,
    Unknown,
    Wanted,
)
from flowc.runtime.store.turns import Marks, commit_unit
from flowc.runtime.store.writer import Figures, Job, Writer

T = TypeVar("T")

UNIT_BYTES = 512  # what a unit's columns take beside its bodies


class SqliteStore:
    def __init__(self, path: Path, clock: Clock, writer: Writer, held: FileLock) -> None:
        self._path = path
        self._clock = clock
        self._writer = writer
        self._lock = held
        self._marks: Marks = {}
        self._aside = anyio.CapacityLimiter(1)

    @classmethod
    def open(cls, path: Path, clock: Clock | None = None, *, vfs: str | None = None) -> Self:
        """Makes the file where there is none. Raises a StoreError that says what to do."""
        held = lock(path)
        writer = Writer(path, vfs)
        try:
            writer.open()
            told = clock or SystemClock()
            end_leases(writer.reader(), told.now_ms())
            timers.release(writer.reader(), told.now_ms())
            epochs.begin(writer.reader(), told.now_ms())
        except BaseException as error:
            writer.broken()
            held.close()
            if isinstance(error, DISK):
                raise StoreUnavailable(str(error)) from error
            raise
        return cls(path, told, writer, held)

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def figures(self) -> Figures:
        """For metrics: commits, group sizes, errors."""
        return self._writer.figures

    async def close(self) -> None:
        await self._writer.close()
        self._lock.close()

    # ------------------------------------------------------------------------------------------------------------ turns

    def look_up(self, wanted: Wanted) -> Loaded:
        """As `load` of one."""
        return self._read(lambda connection: loads.load(connection, wanted))

    async def load(self, wanted: Sequence[Wanted]) -> Sequence[Loaded]:
        return self._read(lambda connection: tuple(loads.load(connection, one) for one in wanted))

    async def commit(self, units: Sequence[Unit]) -> Sequence[Outcome]:
        now_ms = self._clock.now_ms()
        try:
            answers = await self._writer.write([self._job(unit, now_ms) for unit in units])
        except StoreUnavailable:
            return tuple(Unknown() for _ in units)
        return tuple(map(_outcome, answers))

    def submit(self, unit: Unit, learn: Callable[[Outcome | Exception], None]) -> None:
        """As `commit` of one unit, for which no task waits: `learn` gets what that would answer or raise."""
        job = self._job(unit, self._clock.now_ms())
        job.learn = partial(_tell, learn)
        try:
            self._writer.submit(job)
        except StoreUnavailable:
            learn(Unknown())

    def _job(self, unit: Unit, now_ms: int) -> Job[Outcome]:
        run = partial(commit_unit, unit=unit, now_ms=now_ms, marks=self._marks)
        return Job(run, unit.base.address, UNIT_BYTES + _bytes_of(unit))

    # ------------------------------------------------------------------------------------------------------------ inbox

    async def receive(self, events: Sequence[Incoming], holder: Holder) -> Sequence[Receipt]:
        now_ms = self._clock.now_ms()
        return await self._each([partial(inbox.receive, event=event, holder=holder, now_ms=now_ms) for event in events])

    async def tried(self, address: Address, number: int, holder: Holder) -> int | None:
        now_ms = self._clock.now_ms()
        return await self._one(lambda connection: inbox.tried(connection, address, number, holder, now_ms))

    async def discard(self, address: Address, number: int) -> bool:
        return await self._one(lambda connection: inbox.discard(connection, address, number))

    # --------------------------------------------------------------------------------------------------------- commands

    async def claim(
        self,
        what: Claimable,
        shards: Collection[int],
        limit: int,
        holder: Holder,
        classes: Sequence[PriorityClass] = CLASSES,
        pick: Pick | None = None,
    ) -> Claims:
        now_ms = self._clock.now_ms()
        match what:
            case "commands":
                wanted = pick or in_order(classes, limit)
                return await self._one(lambda connection: commands.claim(connection, shards, wanted, holder, now_ms))
            case "inbox":
                return await self._one(
                    lambda connection: inbox.claim(connection, shards, limit, holder, classes, now_ms)
                )
            case "timers":
                return await self._one(lambda connection: timers.claim(connection, shards, limit, holder, now_ms))
            case "replies":
                return await self._one(lambda connection: outgoing.claim(connection, shards, limit, holder, now_ms))

    async def start(self, starts: Sequence[Start]) -> Sequence[int | None]:
        now_ms = self._clock.now_ms()
        return await self._each([partial(commands.start, start=start, now_ms=now_ms) for start in starts])

    async def postpone(self, commands_: Sequence[Postponed]) -> None:
        await self._each([partial(commands.postpone, back=back) for back in commands_])

    async def settle(self, results: Sequence[Result], holder: Holder) -> Sequence[Settlement]:
        now_ms = self._clock.now_ms()
        return await self._each(
            [partial(commands.settle, result=result, holder=holder, now_ms=now_ms) for result in results]
        )

    async def commands(self, address: Address) -> Sequence[StoredCommand]:
        return self._read(lambda connection: commands.outstanding(connection, address))

    async def late(self, address: Address) -> Sequence[tuple[CommandKey, int]]:
        return self._read(lambda connection: commands.late(connection, address))

    async def tried_timer(self, address: Address, incarnation: int, generation: int, after_ms: int) -> int | None:
        return await self._one(
            lambda connection: timers.tried(connection, address, incarnation, (generation, after_ms))
        )

    async def delay_overdue(self, shards: Collection[int]) -> int:
        now_ms, total, more = self._clock.now_ms(), 0, True
        while more:
            delayed, more = await self._one(lambda connection: timers.delay_overdue(connection, shards, now_ms))
            total += delayed
        return total

    # ---------------------------------------------------------------------------------------------------------- replies

    async def replies(
        self, address: Address, after: tuple[int, int] = (0, 0), limit: int = 100
    ) -> Sequence[TurnReplies]:
        return self._read(lambda connection: chain.replies_after(connection, address, after, limit))

    async def sent(self, cursors: Sequence[Sent]) -> None:
        await self._each([partial(outgoing.sent, cursor=cursor) for cursor in cursors])

    # --------------------------------------------------------------------------------------------------------- releases

    async def prepare(self, digest: Digest, bundle: bytes) -> None:
        operating.check_digest(digest, bundle)
        now_ms = self._clock.now_ms()
        await self._one(lambda connection: operating.prepare(connection, digest, bundle, now_ms))

    async def bundle(self, digest: Digest) -> bytes | None:
        return self._read(lambda connection: operating.bundle(connection, digest))

    async def deployments(self, limit: int = 100) -> Sequence[Deployment]:
        return self._read(lambda connection: operating.deployments(connection, limit))

    async def activate(self, new: NewDeployment, expects: int) -> Deployment | None:
        now_ms = self._clock.now_ms()
        return await self._one(lambda connection: operating.activate(connection, new, expects, now_ms))

    async def report(self, server: ServerId, digest: Digest | None = None, problem: str | None = None) -> None:
        now_ms = self._clock.now_ms()
        await self._one(lambda connection: operating.report(connection, server, digest, problem, now_ms))

    async def reports(self, within_ms: int) -> Sequence[Report]:
        since_ms = self._clock.now_ms() - within_ms
        return self._read(lambda connection: operating.reports(connection, since_ms))

    # -------------------------------------------------------------------------------------------------------- operating

    async def census(self) -> Sequence[Census]:
        return await self._read_aside(operating.census)

    async def summaries(
        self, after: Address | None = None, limit: int = 100, *, ended: bool = False
    ) -> Sequence[Summary]:
        return await self._read_aside(lambda connection: loads.summaries(connection, after, limit, ended))

    async def journal(
        self, address: Address, incarnation: int | None = None, after: int = 0, limit: int = 1000
    ) -> Sequence[JournalRow]:
        return self._read(lambda connection: chain.journal(connection, address, incarnation, after, limit))

    async def scan(self, cursor: str = "", limit: int = 1000) -> tuple[Sequence[JournalRow], str]:
        return await self._read_aside(lambda connection: chain.scan(connection, cursor, limit))

    async def erase(self, address: Address) -> Row | None:
        self._writer.empty_log()
        return await self._one(lambda connection: operating.erase(connection, address))

    async def prune(self, before_ms: int, cursor: str = "", limit: int = 100) -> Pruned:
        return await self._one(lambda connection: retention.prune(connection, before_ms, cursor, limit))

    async def doubts(self, limit: int = 100) -> Sequence[Doubt]:
        return self._read(lambda connection: epochs.doubts(connection, limit))

    async def dead(self, limit: int = 100) -> Sequence[DeadEvent]:
        return self._read(lambda connection: operating.dead(connection, limit))

    async def bury(self, address: Address, incarnation: int, turn: int) -> bool:
        return await self._one(lambda connection: operating.bury(connection, address, incarnation, turn))

    async def revive(
        self, address: Address, incarnation: int, turn: int, event: Incoming, holder: Holder
    ) -> Receipt | None:
        now_ms = self._clock.now_ms()
        return await self._one(
            lambda connection: operating.revive(connection, (address, incarnation, turn), event, holder, now_ms)
        )

    async def pauses(self) -> Sequence[Pause]:
        return self._read(operating.pauses)

    async def pause(self, pause: Pause) -> None:
        now_ms = self._clock.now_ms()
        await self._one(lambda connection: operating.pause(connection, pause, now_ms))

    async def resume(self, service: str) -> bool:
        now_ms = self._clock.now_ms()
        return await self._one(lambda connection: operating.resume(connection, service, now_ms))

    # --------------------------------------------------------------------------------------------------- how it is done

    async def _each(self, runs: Sequence[Callable[[apsw.Connection], T]]) -> tuple[T, ...]:
        return tuple(map(_answered, await self._writer.write([Job(run) for run in runs])))

    async def _one(self, run: Callable[[apsw.Connection], T]) -> T:
        (answer,) = await self._writer.write([Job(run)])
        return _answered(answer)

    def _read(self, read: Callable[[apsw.Connection], T]) -> T:
        """On the loop: a few rows by key, which cost less than a hop to a thread."""
        try:
            return read(self._writer.reader())
        except DISK as error:
            self._writer.broken()
            raise StoreUnavailable(str(error)) from error

    async def _read_aside(self, read: Callable[[apsw.Connection], T]) -> T:
        """In a thread, with a connection of its own: whole tables."""

        def work() -> T:
            connection = connect_reading(self._path)
            try:
                return read(connection)
            except DISK as error:
                raise StoreUnavailable(str(error)) from error
            finally:
                discard(connection)

        return await anyio.to_thread.run_sync(work, limiter=self._aside)


@asynccontextmanager
async def sqlite_store(path: Path, clock: Clock | None = None, *, vfs: str | None = None) -> AsyncIterator[SqliteStore]:
    """The store while it is open."""
    store = SqliteStore.open(path, clock, vfs=vfs)
    try:
        yield store
    finally:
        with anyio.CancelScope(shield=True):
            await store.close()


def _bytes_of(unit: Unit) -> int:
    entry = unit.entry
    bodies = len(unit.position) + len(entry.event) + len(entry.reads) + len(entry.replies) + len(entry.notes)
    return bodies + sum([len(command.body) for command in unit.commands]) if unit.commands else bodies


def _outcome(answer: Outcome | BaseException) -> Outcome:
    if not isinstance(answer, BaseException):
        return answer
    match answer:
        case StoreUnavailable():
            return Unknown()
        case apsw.Error() | OverflowError():
            return Unfit(str(answer))
        case _:
            raise answer


def _tell(learn: Callable[[Outcome | Exception], None], answer: Outcome | BaseException | None) -> None:
    assert answer is not None
    try:
        outcome = _outcome(answer)
    except Exception as error:  # noqa: BLE001 - whoever learns it decides what it means
        learn(error)
    else:
        learn(outcome)


def _answered(answer: T | BaseException) -> T:
    if isinstance(answer, BaseException):
        raise answer
    return answer
