"""The one writer of a SQLite store: it owns the only writing connection, and commits what many ask for in one
transaction, with one sync.

A group runs on the event loop while its COMMIT takes less than SLOW_S: a hop to a thread and back costs more than a
sync on a good disk. At the first that takes longer the writer moves to a thread of its own, for good. What counts is
the time that is spent on the disk: the rest of a group is Python, which a thread would not make quicker.

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
from queue import SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Final, Generic, TypeVar

import apsw

from flowc.runtime.errors import StoreError, StoreUnavailable
from flowc.runtime.store.file import DISK, connect, connect_reading, discard
from flowc.runtime.store.relief import Relief

T = TypeVar("T")

GROUP_JOBS: Final = 128
GROUP_BYTES: Final = 1 << 20
SLOW_S: Final = 0.020
CHECKPOINT_PAGES: Final = 1000


@dataclass(slots=True, eq=False)
class Job(Generic[T]):
    """Something to do in a transaction. Of two jobs with one `unit` address only the first goes into a group."""

    run: Callable[[apsw.Connection], T]
    unit: str | None = None
    size_bytes: int = 0
    answer: T | BaseException | None = None
    asked: "Asked | None" = None


@dataclass(slots=True, eq=False)
class Asked:
    """Jobs that one caller waits for."""

    open: int
    future: asyncio.Future[None]


@dataclass(slots=True, eq=False)
class Figures:
    """Counted since the store was opened, for metrics."""

    groups: int = 0
    jobs: int = 0
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
    _busy: bool = False  # the thread has a group
    _thread: Thread | None = None
    _groups: SimpleQueue[tuple[asyncio.AbstractEventLoop, list[Job[object]]] | None] = field(
        default_factory=SimpleQueue
    )
    _log_pages: int = 0
    _synced_s: float = 0.0
    _checkpoint_at: int = CHECKPOINT_PAGES
    _idle: asyncio.Event | None = None
    _closed: bool = False
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

    def reader(self) -> apsw.Connection:
        """For short reads on the loop. The writing connection, whose cache is warm, until it has moved to its
        thread."""
        if self._thread is None:
            return self._connected()
        if self._reader is None:
            self._reader = connect_reading(self.path, vfs=self.vfs)
        return self._reader

    def open(self) -> None:
        """Raises what `connect` raises."""
        self._connected()

    def broken(self) -> None:
        """After an error of the disk while reading: the file is opened again. The thread finds out by itself."""
        if self._thread is None:
            self._drop()
        elif self._reader is not None:
            discard(self._reader)
            self._reader = None

    @property
    def is_threaded(self) -> bool:
        return self._thread is not None

    async def close(self) -> None:
        """Waits for what was asked before."""
        self._closed = True
        while self._queue or self._busy:
            self._idle = asyncio.Event()
            self._schedule(asyncio.get_running_loop())
            await self._idle.wait()
        if self._thread is not None:
            self._groups.put(None)
            self._thread.join()  # it has nothing to do but to end
        self.broken()
        self._relief.end()
        self._drop()

    # ----------------------------------------------------------------------------------------------------------- groups

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        """The group is taken one round of the loop later, so whoever is ready joins it."""
        if not self._scheduled and not self._busy:
            self._scheduled = True
            loop.call_soon(self._flush, loop)

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        self._scheduled = False
        group = self._take()
        if not group:
            self._finish(loop, group)
        elif self._thread is not None:
            self._busy = True
            self._groups.put((loop, group))
        else:
            took = self._commit(group)
            if took >= SLOW_S:
                self._thread = Thread(target=self._work, name="flowc-store-writer", daemon=True)
                self._thread.start()
            self._finish(loop, group)
            self._relieve()

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

    def _work(self) -> None:
        while (item := self._groups.get()) is not None:
            loop, group = item
            self._commit(group)
            loop.call_soon_threadsafe(self._finish, loop, group)
            if self._is_long:
                self._relief.end()  # of the time on the loop
                self._checkpoint()

    def _finish(self, loop: asyncio.AbstractEventLoop, group: list[Job[object]]) -> None:
        self._busy = False
        for job in group:
            asked = job.asked
            assert asked is not None
            asked.open -= 1
            if asked.open == 0 and not asked.future.done():  # a caller that was cancelled does not listen
                asked.future.set_result(None)
        if self._queue:
            self._schedule(loop)
        elif self._idle is not None:
            self._idle.set()

    # ------------------------------------------------------------------------------------------- in the writer's thread

    def _commit(self, group: list[Job[object]]) -> float:
        """Answers each job. How long COMMIT took, in seconds."""
        began = self.timer()
        self._synced_s = 0.0
        try:
            self._transact(group)
        except StoreError as error:  # it cannot be opened
            self._answer(group, error if isinstance(error, StoreUnavailable) else StoreUnavailable(str(error)))
        except Exception as error:  # noqa: BLE001 - the disk; or a bug of ours, and nobody may wait for ever for that
            self._drop()
            self._answer(group, StoreUnavailable(str(error)))
        self.figures.groups += 1
        self.figures.jobs += len(group)
        self.figures.busy_s += self.timer() - began
        self.figures.synced_s += self._synced_s
        return self._synced_s

    def _transact(self, group: list[Job[object]]) -> None:
        """The group in one transaction, or one by one where one of them is bad. Raises what the disk did, with
        nobody answered who was not committed for certain."""
        connection = self._connected()
        try:
            connection.execute("BEGIN IMMEDIATE")
            answers = [job.run(connection) for job in group]
            ready = self.timer()
            connection.execute("COMMIT")
            self._synced_s += self.timer() - ready
        except DISK:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a job did wrong, the others must not suffer
            self._take_back(connection)
            if len(group) == 1:
                self.figures.bad += 1
                group[0].answer = error
                return
        else:
            for job, answer in zip(group, answers, strict=True):
                job.answer = answer
            return
        for at, job in enumerate(group):
            try:
                self._transact([job])
            except DISK as error:
                self._drop()
                self._answer(group[at:], StoreUnavailable(str(error)))
                return

    @staticmethod
    def _take_back(connection: apsw.Connection) -> None:
        """Makes sure that the transaction is gone. SQLite may have taken it back by itself; to go on then would
        commit row by row."""
        if connection.in_transaction:
            connection.execute("ROLLBACK")

    @staticmethod
    def _answer(jobs: Sequence[Job[object]], answer: StoreUnavailable) -> None:
        for job in jobs:
            job.answer = answer

    @property
    def _is_long(self) -> bool:
        return self._connection is not None and self._log_pages >= self._checkpoint_at

    def _relieve(self) -> None:
        """On the loop: the bulk of a long log is copied beside it."""
        if self._relief.is_over:
            self._relief.end()
            self._checkpoint()
        elif self._is_long and not self._relief.is_under_way:
            self._relief.begin()

    def _checkpoint(self) -> None:
        """Copies the log into the file. Its failure is not that of the commits before it."""
        if self._connection is None:
            return
        began = self.timer()
        self.figures.checkpoints += 1
        try:
            pages, copied = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except DISK:
            self._drop()
            return
        finally:
            self.figures.copied_s += self.timer() - began
        # A long read may hold the log: then it grows, and is tried again a piece later.
        self._checkpoint_at = CHECKPOINT_PAGES if copied >= pages else pages + CHECKPOINT_PAGES
        self._log_pages = 0

    def _connected(self) -> apsw.Connection:
        if self._connection is None:
            self._relief.end()
            self._connection = connect(self.path, vfs=self.vfs)
            self._connection.set_wal_hook(self._committed)
            self._log_pages, self._checkpoint_at = 0, CHECKPOINT_PAGES
        return self._connection

    def _committed(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _drop(self) -> None:
        """Lets go of a connection that cannot be trusted any more; the next use opens the file again."""
        if self._connection is not None:
            self.figures.reopened += 1
            connection, self._connection = self._connection, None
            discard(connection)
