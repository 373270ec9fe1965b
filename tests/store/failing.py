"""A disk that fails on demand, under SQLite."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import apsw

CODES = {"full": apsw.SQLITE_FULL, "io": apsw.SQLITE_IOERR_WRITE, "sync": apsw.SQLITE_IOERR_FSYNC}


@dataclass
class Disk:
    """`fails` names what fails from now on; `after` lets that many operations pass first."""

    fails: str | None = None
    after: int = 0
    failures: int = 0
    synced: list[str] = field(default_factory=list)

    def meet(self, operation: str) -> None:
        if self.fails is None or (self.fails == "sync") != (operation == "sync"):
            return
        if self.after > 0:
            self.after -= 1
            return
        self.failures += 1
        raise apsw.exception_for(CODES[self.fails])


class FailingFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._is_log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        if self._is_log:
            self._disk.meet("write")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        if self._is_log:
            self._disk.meet("sync")
        super().xSync(flags)


class FailingVFS(apsw.VFS):
    def __init__(self, name: str, disk: Disk) -> None:
        super().__init__(name, "")
        self._disk = disk

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        return FailingFile(self._disk, name, flags)


@contextmanager
def failing_disk(name: str) -> Iterator[Disk]:
    disk = Disk()
    vfs = FailingVFS(name, disk)
    try:
        yield disk
    finally:
        vfs.unregister()
