"""The one writer of a SQLite store: it owns the only writing connection, and commits what many ask for in one
transaction, with one sync.

A group runs on the event loop, statement by statement: they are short, and each turn is waited for there. Its COMMIT
runs there too while it takes less than SLOW_S, because a hop to a thread and back costs as much as a sync on a good
disk that nobody else uses. At the first that takes longer COMMIT moves to a thread, for good: from then on the loop
computes the next turns while the disk syncs the last ones, and nobody touches the connection meanwhile.

Two kinds of errors. A *bad job* (a constraint, a value that does not fit) is the mistake of that job: the
transaction is taken back, and the group runs again one by one, so that the others do not suffer. Everything of the
*disk* (full, I/O, corruption, a lock) is nobody's mistake: a COMMIT that failed may still be there after a crash, so
nobody is told anything but that it is unknown, and the file is closed and opened again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Final, Generic, TypeVar

import apsw
from msgspec import Struct

from flowc.runtime.errors import StoreError, StoreUnavailable
from flowc.runtime.store.beside import Beside
from flowc.runtime.store.file import BUSY_MS, DISK, connect, connect_reading, discard
from flowc.runtime.store.relief import Relief
from flowc.runtime.telemetry.counting import Spread
from flowc.runtime.telemetry.metrics import SIZES

T = TypeVar("T")

GROUP_JOBS: Final = 128
GROUP_BYTES: Final = 1 << 20
LEAST_ROUNDS: Final = 4  # of the loop, before a group is taken
MOST_ROUNDS: Final = 8
SLOW_S: Final = 0.020
COPIED_PAGES: Final = 1000  # of the log, at a time, beside the commits
LOG_PAGES: Final = 16_000  # then the log begins anew, for which the commits have to wait


class Job(Struct, Generic[T], eq=False):
    """Something to do in a transaction. Of two jobs with one `unit` address only the first goes into a group. A caller
    waits as `asked`, or is called: `learn` gets the answer, and must not raise."""

    run: Callable[[apsw.Connection], T]
    unit: str | None = None
    size_bytes: int = 0
    answer: T | BaseException | None = None
    asked: "Asked | None" = None
    learn: "Callable[[T | BaseException | None], None] | None" = None


class Asked(Struct, eq=False):
    """Jobs that one caller waits for."""

    open: int
    future: asyncio.Future[None]


@dataclass(slots=True, eq=False)
class Figures:
    """Counted since the store was opened, for metrics."""

    groups: int = 0
    jobs: int = 0
    group_size: Spread = field(default_factory=lambda: Spread(SIZES))
    bad: int = 0
    reopened: int = 0
    checkpoints: int = 0
    busy_s: float = 0.0  # all of a group
    synced_s: float = 0.0  # its COMMIT
    copied_s: float = 0.0  # copying the log, but for what a thread beside the loop does


@dataclass(slots=True, eq=False)
class Writer:
    path: Path
    vfs: str | None
    timer: Callable[[], float] = perf_counter
    figures: Figures = field(default_factory=Figures)
    _connection: apsw.Connection | None = None
    _reader: apsw.Connection | None = None
    _queue: deque[Job[object]] = field(default_factory=deque)
    _scheduled: bool = False
    _busy: bool = False  # the thread has the connection
    _beside: Beside | None = None
    _written: int = 0  # pages, by this connection, when the log began
    _copy_at: int = COPIED_PAGES
    _renew_at: int = LOG_PAGES
    _idle: asyncio.Event | None = None
    _closed: bool = False
    _empties: bool = False
    _relief: Relief = field(init=False)

    def __post_init__(self) -> None:
        self._relief = Relief(self.path, self.vfs)

    # ------------------------------------------------------------------------------------------------------ for callers

    async def write(self, jobs: Sequence[Job[T]]) -> list[T | BaseException]:
        """What each job answered, or the exception of a bad one; StoreUnavailable where it may or may not be there."""
        if self._closed:
            raise StoreUnavailable("it was closed")
        if not jobs:
            return []
        loop = asyncio.get_running_loop()
        asked = Asked(len(jobs), loop.create_future())
        for job in jobs:
            job.asked = asked
            self._queue.append(job)  # type: ignore[arg-type]  # the queue does not care what a job answers
        self._schedule(loop)
        await asked.future
        return [job.answer for job in jobs]  # type: ignore[misc]  # answered, or the future would not be done

    def submit(self, job: Job[T]) -> None:
        """For a job with `learn`. Raises StoreUnavailable."""
        if self._closed:
            raise StoreUnavailable("it was closed")
        self._queue.append(job)  # type: ignore[arg-type]  # the queue does not care what a job answers
        self._schedule(asyncio.get_running_loop())

    def reader(self) -> apsw.Connection:
        """For short reads on the loop: the writing connection, whose cache is warm, unless the thread has it."""
        if not self._busy:
            return self._connected()
        if self._reader is None:
            self._reader = connect_reading(self.path, vfs=self.vfs)
        return self._reader

    def open(self) -> None:
        """Raises what `connect` raises."""
        self._connected()

    def broken(self) -> None:
        """After an error of the disk while reading: the file is opened again. The thread finds out by itself."""
        if not self._busy:
            self._drop()
        if self._reader is not None:
            discard(self._reader)
            self._reader = None

    def empty_log(self) -> None:
        """What the log holds is soon neither there nor in the file any more, where the pages were overwritten: after
        the next group of jobs that finds nobody reading it."""
        self._empties = True

    @property
    def is_threaded(self) -> bool:
        """COMMIT runs beside the loop."""
        return self._beside is not None

    async def close(self) -> None:
        """Waits for what was asked before."""
        self._closed = True
        while self._queue or self._busy:
            self._idle = asyncio.Event()
            self._schedule(asyncio.get_running_loop())
            await self._idle.wait()
        if self._beside is not None:
            self._beside.end()
        self._relief.end()
        self.broken()

    # ----------------------------------------------------------------------------------------------------------- groups

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        """The group is taken some rounds of the loop later, so whoever is ready joins it."""
        if not self._scheduled and not self._busy:
            self._scheduled = True
            loop.call_soon(self._gather, loop, len(self._queue), 1)

    def _gather(self, loop: asyncio.AbstractEventLoop, before: int, rounds: int) -> None:
        """Waits as long as each round brings more: a turn that reads comes a few rounds after one that does not."""
        waiting = len(self._queue)
        if rounds < MOST_ROUNDS and (waiting > before or rounds < LEAST_ROUNDS) and waiting < GROUP_JOBS:
            loop.call_soon(self._gather, loop, waiting, rounds + 1)
        else:
            self._flush(loop)

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        self._scheduled = False
        group = self._take()
        began = self.timer()
        if group and self._ran(group):
            if self._beside is not None:
                self._busy = True
                self._beside.do(self._sync, lambda error: self._synced(loop, group, error), loop)
                self.figures.busy_s += self.timer() - began
                return
            self._settle(group, self._tried_sync())
        self.figures.busy_s += self.timer() - began
        self._finish(loop, group)

    def _take(self) -> list[Job[object]]:
        """The next group: at most one unit a conversation, the order kept."""
        group: list[Job[object]] = []
        units: set[str] = set()
        held: list[Job[object]] = []
        size = 0
        queue = self._queue
        while queue and len(group) < GROUP_JOBS and size < GROUP_BYTES:
            job = queue.popleft()
            if job.unit is not None:
                if job.unit in units:
                    held.append(job)
                    continue
                units.add(job.unit)
            group.append(job)
            size += job.size_bytes
        queue.extendleft(reversed(held))
        return group

    def _synced(self, loop: asyncio.AbstractEventLoop, group: list[Job[object]], error: BaseException | None) -> None:
        self._busy = False
        self._settle(group, error)
        self._finish(loop, group)

    def _finish(self, loop: asyncio.AbstractEventLoop, group: list[Job[object]]) -> None:
        if group:
            self.figures.groups += 1
            self.figures.jobs += len(group)
            self.figures.group_size.add(len(group))
        self._relieve(loop, is_new=bool(group))  # first: who learns an answer may come with the next job
        for job in group:
            if job.learn is not None:
                job.learn(job.answer)
                continue
            asked = job.asked
            assert asked is not None
            asked.open -= 1
            if asked.open == 0 and not asked.future.done():  # a caller that was cancelled does not listen
                asked.future.set_result(None)
        if self._queue:
            self._schedule(loop)
        elif self._idle is not None and not self._busy:
            self._idle.set()

    # ----------------------------------------------------------------------------------------------------- transactions

    def _ran(self, group: list[Job[object]]) -> bool:
        """Whether all of the group waits for its COMMIT, each job with its answer. Otherwise all are answered for
        good, and no transaction is open."""
        try:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            for job in group:
                job.answer = job.run(connection)
        except StoreError as error:  # it cannot be opened
            self._answer(group, error if isinstance(error, StoreUnavailable) else StoreUnavailable(str(error)))
        except DISK as error:
            self._drop()
            self._answer(group, StoreUnavailable(str(error)))
        except Exception as error:  # noqa: BLE001 - whatever a job did wrong, the others must not suffer
            self._one_by_one(group, error)
        else:
            return True
        return False

    def _sync(self) -> None:
        """COMMIT; all that the thread does with the connection."""
        began = self.timer()
        assert self._connection is not None
        self._connection.execute("COMMIT")
        took_s = self.timer() - began
        self.figures.synced_s += took_s
        if self._busy:  # beside the loop, where the rest of the group is counted
            self.figures.busy_s += took_s
        if took_s >= SLOW_S and self._beside is None:
            self._beside = Beside("flowc-store-commit")

    def _tried_sync(self) -> Exception | None:
        try:
            self._sync()
        except Exception as error:  # noqa: BLE001 - what it means is decided in one place
            return error
        return None

    def _settle(self, group: list[Job[object]], error: BaseException | None) -> None:
        """After COMMIT: the answers hold, or nobody is told more than is certain."""
        if error is None:
            return
        if isinstance(error, DISK):
            self._drop()
            self._answer(group, StoreUnavailable(str(error)))
        else:
            self._one_by_one(group, error)

    def _one_by_one(self, group: list[Job[object]], error: BaseException) -> None:
        """Takes a transaction back in which some job is bad, and tries each for itself. Rare, so all on the loop."""
        try:
            self._take_back()
        except Exception as failed:  # noqa: BLE001 - the disk; or a bug of ours, and nobody may wait for ever for that
            self._drop()
            return self._answer(group, StoreUnavailable(str(failed)))
        if len(group) == 1:
            self.figures.bad += 1
            group[0].answer = error
            return None
        for at, job in enumerate(group):
            if self._ran([job]):
                self._settle([job], self._tried_sync())
            if isinstance(job.answer, StoreUnavailable):
                return self._answer(group[at:], job.answer)
        return None

    def _take_back(self) -> None:
        """Makes sure that the transaction is gone. SQLite may have taken it back by itself; to go on then would
        commit row by row."""
        if self._connection is not None and self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    @staticmethod
    def _answer(jobs: Sequence[Job[object]], answer: StoreUnavailable) -> None:
        for job in jobs:
            job.answer = answer

    # ---------------------------------------------------------------------------------------------------------- the log

    def _relieve(self, loop: asyncio.AbstractEventLoop, *, is_new: bool) -> None:
        """Keeps the log short. Nearly all of it is copied beside the commits, piece by piece; but as long as any of it
        is left it cannot begin anew, so that the last piece is copied while the commits wait."""
        connection = self._connection
        if connection is None:
            return None
        pages = _pages_written(connection) - self._written
        if self._empties and is_new and not self._relief.is_under_way:
            self._relief.end()
            return self._renew(loop)
        if self._relief.is_over:
            self._relief.end()
            self._copy_at = pages + COPIED_PAGES
            if pages >= self._renew_at:
                return self._renew(loop)
        elif pages >= self._copy_at and not self._relief.is_under_way:
            self._relief.begin()
        return None

    def _renew(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._beside is None:
            return self._checkpoint()
        self._busy = True
        return self._beside.do(self._checkpoint, lambda _: self._checkpointed(loop), loop)

    def _checkpointed(self, loop: asyncio.AbstractEventLoop) -> None:
        self._busy = False
        self._finish(loop, [])

    def _checkpoint(self) -> None:
        """Copies the rest of the log into the file. Its failure is not that of the commits before it."""
        if self._connection is None:
            return
        began = self.timer()
        self.figures.checkpoints += 1
        try:
            pages, copied = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            if self._empties and copied >= pages:
                self._empties = not _truncated(self._connection)
        except DISK:
            self._drop()
            return
        finally:
            self.figures.copied_s += self.timer() - began
        if copied >= pages:
            self._written, self._copy_at, self._renew_at = _pages_written(self._connection), COPIED_PAGES, LOG_PAGES
        else:  # a long read holds the log: it grows, and is tried again a piece later
            self._copy_at, self._renew_at = pages + COPIED_PAGES, pages + COPIED_PAGES

    def _connected(self) -> apsw.Connection:
        if self._connection is None:
            self._relief.end()
            self._connection = connect(self.path, vfs=self.vfs)
            self._written = _pages_written(self._connection)
            self._copy_at, self._renew_at = COPIED_PAGES, LOG_PAGES
        return self._connection

    def _drop(self) -> None:
        """Lets go of a connection that cannot be trusted any more; the next use opens the file again."""
        if self._connection is not None:
            self.figures.reopened += 1
            connection, self._connection = self._connection, None
            discard(connection)


def _pages_written(connection: apsw.Connection) -> int:
    """Into the log, since the connection was opened. A hook of SQLite tells of each COMMIT too, but has to wait for
    Python's lock in the midst of it."""
    return connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]


def _truncated(connection: apsw.Connection) -> bool:
    """Whether the log, copied already, could be cut to nothing: not while somebody reads."""
    connection.set_busy_timeout(0)
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.BusyError:
        return False
    finally:
        connection.set_busy_timeout(BUSY_MS)
    return True
