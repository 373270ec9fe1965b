"""The log of a SQLite store copied into the file, beside the commits.

The copy of 1,000 pages takes 5 ms of processor and, on a busy disk, 14 ms by the clock; on the loop that would hold
every conversation up. So a thread copies with a connection of its own. What is committed meanwhile is left, and as
long as anything is left the log cannot begin anew: the writer copies that little itself, when the thread is done.
"""

from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import apsw

from flowc.runtime.store.file import DISK, discard


class Relief:
    def __init__(self, path: Path, vfs: str | None) -> None:
        self._path = path
        self._vfs = vfs
        self._thread = ThreadPoolExecutor(1, "flowc-store-relief")
        self._copied: Future[None] | None = None

    @property
    def is_over(self) -> bool:
        """A copy was begun and has ended."""
        return self._copied is not None and self._copied.done()

    @property
    def is_under_way(self) -> bool:
        return self._copied is not None and not self._copied.done()

    def begin(self) -> None:
        self._copied = self._thread.submit(copy, self._path, self._vfs)

    def end(self) -> None:
        """Waits for it. Nobody else can copy, nor make frames of a failed commit certain, while it is under way."""
        if self._copied is not None:
            wait([self._copied])
            self._copied = None

    def close(self) -> None:
        self.end()
        self._thread.shutdown()


def copy(path: Path, vfs: str | None) -> None:
    """Copies what the log has now. A failure is nobody's: the writer finds the disk as it is."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
    except DISK:
        return
    try:
        connection.pragma("synchronous", "full")
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    except DISK:
        pass
    finally:
        discard(connection)
