"""The file of a SQLite store: who may open it, how it is opened, and its schema.

Durability rests on what is checked here: a local file system (locks and syncs of network ones lie), one process
(SQLite would let several in, and each would think that it owns the leases and the cache), a schema that this flowc
knows, WAL with `synchronous=FULL`.
"""

import fcntl
import os
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import apsw

from flowc.runtime.errors import (
    StoreCorrupt,
    StoreForeign,
    StoreLocked,
    StoreOnNetwork,
    StoreTooNew,
    StoreTooOld,
    StoreUnavailable,
    StoreUnreachable,
)

APPLICATION: Final = 0x666C6F77  # "flow", in the file's header
CACHE_KIB: Final = 256 * 1024
BUSY_MS: Final = 2000  # others may only read, so a lock is theirs for a moment, such as a backup tool's
NETWORK: Final = frozenset(
    {"9p", "afs", "ceph", "cifs", "coda", "gfs", "gfs2", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs"}
)
NETWORK_FUSE: Final = frozenset({"ceph", "curlftpfs", "davfs", "gcsfuse", "glusterfs", "rclone", "s3fs", "sshfs"})

# What the disk, the file or another process did. Never the mistake of a unit.
DISK: Final = (
    apsw.AbortError,
    apsw.AuthError,
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.ConnectionClosedError,
    apsw.CorruptError,
    apsw.FullError,
    apsw.IOError,
    apsw.InternalError,
    apsw.InterruptError,
    apsw.LockedError,
    apsw.NoLFSError,
    apsw.NoMemError,
    apsw.NotADBError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
    OSError,
    MemoryError,
)


class FileLock:
    """One process serves one file: held until closed, or until the process is gone, however it goes."""

    def __init__(self, path: Path) -> None:
        """Raises StoreLocked, naming the process that has it."""
        self._descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            written = os.pread(self._descriptor, 32, 0).strip()
            os.close(self._descriptor)
            raise StoreLocked(path, int(written) if written.isdigit() else None) from taken
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)  # the file stays: removing it would let two processes lock two files of one name


def lock(path: Path) -> FileLock:
    """The lock of a store's file, its folder made where there is none. Raises StoreLocked, StoreOnNetwork,
    StoreUnreachable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mounts = Path("/proc/self/mountinfo")
        kind = network_kind(path.parent.stat().st_dev, mounts.read_text()) if mounts.exists() else None
        if kind is not None:
            raise StoreOnNetwork(path, kind)
        return FileLock(path)
    except OSError as error:
        raise StoreUnreachable(path, error.strerror or str(error)) from error


def network_kind(device: int, mountinfo: str) -> str | None:
    """The type of the mounted file system with this device number, if it is reached over a network."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mountinfo.splitlines():
        mount, _, source = line.partition(" - ")
        if source and mount.split()[2] == wanted:
            kind = source.split()[0]
            family, _, name = kind.partition(".")
            return kind if kind in NETWORK or (family == "fuse" and name in NETWORK_FUSE) else None
    return None


def connect(path: Path, *, vfs: str | None = None) -> apsw.Connection:
    """The writing connection, with the newest schema. Raises StoreTooNew, StoreForeign, StoreCorrupt,
    StoreUnreachable, StoreUnavailable."""
    try:
        connection = apsw.Connection(str(path), vfs=vfs)
    except DISK as error:
        raise StoreUnreachable(path, str(error)) from error
    try:
        _prepare(connection, path)
    except (apsw.NotADBError, apsw.CorruptError) as error:
        discard(connection)
        raise (StoreForeign(path) if isinstance(error, apsw.NotADBError) else StoreCorrupt(path, str(error))) from error
    except DISK as error:
        discard(connection)
        raise StoreUnavailable(str(error)) from error
    except BaseException:
        discard(connection)
        raise
    return connection


def end_leases(connection: apsw.Connection, now_ms: int) -> None:
    """Whoever holds the file's lock is the only server there is: what one before it was working on may be taken at
    once, where its leases would let the users wait until they lapse."""
    with connection:
        connection.execute(
            "UPDATE command SET wait_ms = ?1, ready_ms = iif(deferred, ready_ms, ?1) "
            "WHERE server IS NOT NULL AND wait_ms > ?1; "
            "UPDATE inbox SET lease_ms = ?1 WHERE lease_ms > ?1; "
            "UPDATE outgoing SET lease_ms = ?1 WHERE lease_ms > ?1",
            {"1": now_ms},
        )


def connect_reading(path: Path, *, vfs: str | None = None) -> apsw.Connection:
    """A connection that can only read, beside the writing one."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs)
        connection.set_busy_timeout(BUSY_MS)
        _keep_plans(connection)
    except DISK as error:
        raise StoreUnavailable(str(error)) from error
    return connection


def check_readable(connection: apsw.Connection, path: Path) -> None:
    """That this flowc can read the file. Raises StoreForeign, StoreTooNew, StoreTooOld, StoreUnavailable."""
    try:
        version = _checked_version(connection, path)
    except apsw.NotADBError as error:
        raise StoreForeign(path) from error
    if version < len(migrations()):
        raise StoreTooOld(path, version, len(migrations()))


def schema_of(path: Path) -> tuple[int, int]:
    """The schema that the file has, and the one that this flowc knows. Raises StoreForeign, StoreTooNew,
    StoreUnavailable."""
    connection = connect_reading(path)
    try:
        return _checked_version(connection, path), len(migrations())
    except apsw.NotADBError as error:
        raise StoreForeign(path) from error
    except DISK as error:
        raise StoreUnavailable(str(error)) from error
    finally:
        discard(connection)


def migrate_file(path: Path) -> None:
    """Brings the file to the newest schema, as opening it does. Raises what `connect` raises."""
    connect(path).close()


def discard(connection: apsw.Connection) -> None:
    """Closes a connection whose disk may be failing: closing syncs too, and its failure tells nothing new."""
    with suppress(*DISK):
        connection.close(force=True)


def _prepare(connection: apsw.Connection, path: Path) -> None:
    connection.set_busy_timeout(BUSY_MS)
    _keep_plans(connection)
    version, known = _checked_version(connection, path), migrations()
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("wal_autocheckpoint", 0)  # the writer decides when
    connection.pragma("cache_size", -CACHE_KIB)
    connection.pragma("secure_delete", "on")  # what was erased is overwritten
    # Frames of a commit that failed may stand in the log, not synced: they are made certain before anything follows.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    for number, script in enumerate(known[version:], version + 1):
        with connection:
            connection.execute(script)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {number}")


def _keep_plans(connection: apsw.Connection) -> None:
    """A statement is planned once. This SQLite has STAT4, and would plan some anew for each value that is bound: the
    look into an empty inbox took 11.7 µs, of which 10.4 were that."""
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)


def _checked_version(connection: apsw.Connection, path: Path) -> int:
    """The schema of the file, 0 for an empty one."""
    version = int(str(connection.pragma("user_version")))
    is_empty = not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    if not is_empty and connection.pragma("application_id") != APPLICATION:
        raise StoreForeign(path)
    if version > len(migrations()):
        raise StoreTooNew(path, version, len(migrations()))
    return version


@cache
def migrations() -> tuple[str, ...]:
    """The scripts in order; the n-th makes schema n from schema n - 1."""
    scripts = sorted(
        (entry for entry in files("flowc.runtime.store").joinpath("queries").iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    for number, entry in enumerate(scripts, 1):
        assert entry.name.startswith(f"{number:04}_"), f"{entry.name} should have number {number}"
    return tuple(entry.read_text() for entry in scripts)


def engine_version() -> str:
    """The version of the SQLite that the store brings."""
    return apsw.sqlite_lib_version()
