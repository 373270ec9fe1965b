"""The log of a SQLite store copied into the file, beside the commits.

The copy of 1,000 pages takes 5 ms of processor and, on a busy disk, 14 ms by the clock; on the loop that would hold
every conversation up. So a thread copies with a connection of its own. What is committed meanwhile is left, and as
long as anything is left the log cannot begin anew: the writer copies that little itself, when the thread is done.
"""

from pathlib import Path
from threading import Thread

import apsw

from flowc.runtime.store.file import DISK, discard


class Relief:
    def __init__(self, path: Path, vfs: str | None) -> None:
        self._path = path
        self._vfs = vfs
        self._thread: Thread | None = None

    @property
    def is_over(self) -> bool:
        """A copy was begun and has ended."""
        return self._thread is not None and not self._thread.is_alive()

    @property
    def is_under_way(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def begin(self) -> None:
        self._thread = Thread(target=copy, args=(self._path, self._vfs), name="flowc-store-relief", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Waits for it. Nobody else can copy, nor make frames of a failed commit certain, while it is under way."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None


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
