"""A simulated disk under the real SQLite: what was written and not synced may be lost or torn when the machine dies.

Files lie on the real disk, and SQLite sees them as they were written last. Beside each stands what is durable: the
bytes of the last sync, and the writes since then. At a crash each of those is kept, lost or torn by sectors, in any
combination, and the file is made what is left.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any, Final, Literal

import apsw

from flowc.runtime.store.port import Clock
from flowc.runtime.store.relief import Relief, copy
from flowc.runtime.store.sqlite import SqliteStore

NAME: Final = "flowc-simulated"
SECTOR_BYTES: Final = 512
COPIED_PAGES: Final = 40  # of the log, so that it is copied and begun anew within a seed
LOG_PAGES: Final = 120

Failure = Literal["full", "io"]
CODES: Final = {"full": apsw.SQLITE_FULL, "io": apsw.SQLITE_IOERR_WRITE, "sync": apsw.SQLITE_IOERR_FSYNC}


@dataclass(slots=True)
class Kept:
    """A file: the bytes of its last sync, and each write since then; of a truncation the bytes are None."""

    durable: bytearray = field(default_factory=bytearray)
    since: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        for offset, written in self.since:
            _apply(self.durable, offset, written)
        self.since.clear()

    def crash(self, rng: Random) -> None:
        for offset, written in self.since:
            fate = rng.random()
            if fate < 0.4:
                _apply(self.durable, offset, written)
            elif fate < 0.7 and written is not None:
                for at in range(0, len(written), SECTOR_BYTES):
                    if rng.random() < 0.5:
                        _apply(self.durable, offset + at, written[at : at + SECTOR_BYTES])
        self.since.clear()


def _apply(content: bytearray, offset: int, written: bytes | None) -> None:
    if written is None:
        del content[offset:]
        return
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(written)] = written


class SimulatedDisk:
    """The folder of one machine. `meets` is asked at each write and sync: it may name a failure, or end the machine's
    life by `die`."""

    def __init__(self, rng: Random) -> None:
        self.folder = Path(mkdtemp(prefix="flowc-disk-", dir=_memory()))
        self.path = self.folder / "store.db"
        self.meets: Callable[[Literal["write", "sync"]], Failure | None] = _meets_nothing
        self.life = 0
        self._rng = rng
        self._files: dict[str, Kept] = {}
        _vfs().disks[str(self.folder)] = self

    def die(self) -> None:
        """Nothing can be written any more until the machine starts again."""
        self.life += 1

    def start(self) -> None:
        """After a death, when no file is open: what is left is what there is."""
        for name, kept in self._files.items():
            kept.crash(self._rng)
            Path(name).write_bytes(kept.durable)
        (self.folder / "store.db-shm").unlink(missing_ok=True)

    def remove(self) -> None:
        """For good."""
        del _vfs().disks[str(self.folder)]
        shutil.rmtree(self.folder)

    def begin_with(self, content: bytes) -> None:
        """The store's file, before anybody opens it."""
        self.path.write_bytes(content)
        self._files[str(self.path)] = Kept(bytearray(content))

    def file(self, name: str) -> Kept:
        return self._files.setdefault(name, Kept())

    def forget(self, name: str) -> None:
        self._files.pop(name, None)

    def meet(self, operation: Literal["write", "sync"], life: int) -> Failure | None:
        """Raises where the machine is dead, or dies here."""
        failure = self.meets(operation) if life == self.life else None
        if life != self.life:
            raise apsw.exception_for(apsw.SQLITE_IOERR)
        return failure

    def doom(self, kept: Kept) -> None:
        """A sync failed: some of what it was for never becomes durable, whatever is synced later."""
        kept.since = [each for each in kept.since if self._rng.random() < 0.5]


@cache
def _memory() -> Path | None:
    """A file system in memory, where there is one: nothing here has to survive this machine."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() and os.access(shared, os.W_OK) else None


def _meets_nothing(_operation: Literal["write", "sync"]) -> Failure | None:
    return None


class _File(apsw.VFSFile):
    def __init__(self, disk: SimulatedDisk, name: str, shown: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix-excl", shown, flags)
        self._disk = disk
        self._life = disk.life
        self._kept = disk.file(name)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        failure = self._disk.meet("write", self._life)
        if failure is not None:
            raise apsw.exception_for(CODES[failure])
        self._kept.since.append((offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        if self._disk.meet("write", self._life) is not None:
            raise apsw.exception_for(CODES["io"])
        self._kept.since.append((newsize, None))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        if self._disk.meet("sync", self._life) is not None:
            self._disk.doom(self._kept)
            raise apsw.exception_for(CODES["sync"])
        self._kept.sync()


class _VFS(apsw.VFS):
    """One for all simulated disks of this process; a file is told by its folder."""

    def __init__(self) -> None:
        self.disks: dict[str, SimulatedDisk] = {}
        super().__init__(NAME, "unix-excl")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        full = name.filename() if isinstance(name, apsw.URIFilename) else name
        if full is None:
            return apsw.VFSFile("unix-excl", name, flags)
        return _File(self.disks[str(Path(full).parent)], full, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        disk = self.disks[str(Path(filename).parent)]
        disk.meet("write", disk.life)
        super().xDelete(filename, syncdir)
        disk.forget(filename)


@cache
def _vfs() -> _VFS:
    return _VFS()


class _AtOnce(Relief):
    """Copies the log when it is asked to, not beside."""

    _is_over = False

    @property
    def is_over(self) -> bool:
        return self._is_over

    @property
    def is_under_way(self) -> bool:
        return False

    def begin(self) -> None:
        copy(self._path, self._vfs)
        self._is_over = True

    def end(self) -> None:
        self._is_over = False


class FileStore(SqliteStore):
    """The store of SQLite on a simulated disk: all on the loop, and what it takes is no time."""

    @classmethod
    def on(cls, disk: SimulatedDisk, clock: Clock) -> "FileStore":
        """Raises what `open` raises."""
        store = cls.open(disk.path, clock, vfs=NAME)
        writer = store._writer
        writer.timer, writer._relief = _no_time, _AtOnce(disk.path, NAME)
        writer._copy_at, writer._renew_at = COPIED_PAGES, LOG_PAGES
        return store

    def leave(self) -> None:
        """As when its process is gone: nothing that was asked is done any more."""
        self._writer._queue.clear()
        self._writer._closed = True
        self._writer.broken()
        self._lock.close()

    async def _read_aside(self, read: Callable[[apsw.Connection], Any]) -> Any:  # noqa: ANN401 - as what it replaces
        return self._read(read)


def _no_time() -> float:
    return 0.0


@cache
def fresh() -> bytes:
    """The file of a store in which nothing is yet."""
    disk = SimulatedDisk(Random(0))
    try:
        store = SqliteStore.open(disk.path, vfs=NAME)
        store._writer.broken()
        store._lock.close()
        return disk.path.read_bytes()
    finally:
        disk.remove()
