"""The file of a SQLite store: one process, a known schema, a local disk."""

import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest
from store.making import ANNA, ManualClock, begun, row_of

from flowc.runtime.errors import StoreForeign, StoreLocked, StoreOnNetwork, StoreTooNew, StoreUnreachable
from flowc.runtime.store import file
from flowc.runtime.store.file import migrations, network_kind
from flowc.runtime.store.sqlite import SqliteStore, sqlite_store

HOLD = """
import sys, time
from pathlib import Path
from flowc.runtime.store.sqlite import SqliteStore
store = SqliteStore.open(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


async def test_what_was_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    async with sqlite_store(tmp_path / "deep" / "flowc.db", ManualClock()) as store:
        row = await begun(store)
    async with sqlite_store(tmp_path / "deep" / "flowc.db", ManualClock()) as store:
        assert await row_of(store) == row


def test_two_processes_do_not_serve_one_file(tmp_path: Path) -> None:
    path = tmp_path / "flowc.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StoreLocked, match=f"process {other.pid}:"):
            SqliteStore.open(path)
        other.kill()
    SqliteStore.open(path)  # the lock went with the process


async def test_one_process_does_not_open_a_file_twice(tmp_path: Path) -> None:
    async with sqlite_store(tmp_path / "flowc.db"):
        with pytest.raises(StoreLocked, match=str(os.getpid())):
            SqliteStore.open(tmp_path / "flowc.db")
    async with sqlite_store(tmp_path / "flowc.db"):
        pass


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "flowc.db"
    async with sqlite_store(path):
        pass
    newer = len(migrations()) + 1
    with apsw.Connection(str(path)) as connection:
        connection.pragma("user_version", newer)
    connection.close()
    with pytest.raises(StoreTooNew, match=f"schema {newer}"):
        SqliteStore.open(path)
    with pytest.raises(StoreTooNew):  # and the lock was given back
        SqliteStore.open(path)


async def test_an_older_schema_is_migrated_with_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "flowc.db"
    async with sqlite_store(path, ManualClock()) as store:
        row = await begun(store)
    known = migrations()
    monkeypatch.setattr(file, "migrations", lambda: (*known, "CREATE TABLE newer (a INTEGER) STRICT;"))
    async with sqlite_store(path, ManualClock()) as store:
        assert await row_of(store) == row
        connection = store._writer.reader()
        assert connection.pragma("user_version") == len(known) + 1
        assert connection.table_exists("main", "newer")


async def test_a_migration_that_fails_leaves_the_schema_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "flowc.db"
    async with sqlite_store(path, ManualClock()) as store:
        row = await begun(store)
    known = migrations()
    with monkeypatch.context() as patched:
        patched.setattr(file, "migrations", lambda: (*known, "CREATE TABLE newer (a); SELECT nonsense FROM nowhere;"))
        with pytest.raises(apsw.SQLError):
            SqliteStore.open(path)
    async with sqlite_store(path, ManualClock()) as store:
        assert await row_of(store, ANNA) == row
        assert not store._writer.reader().table_exists("main", "newer")


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    text, other = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("not a database, but long enough to be one " * 100)
    with apsw.Connection(str(other)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(StoreForeign, match="not a flowc store"):
            SqliteStore.open(path)
        assert path.read_bytes() == before


def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnreachable, match="check the folder"):
        SqliteStore.open(tmp_path / "file" / "flowc.db")


@pytest.mark.parametrize(
    ("kind", "refused"),
    [
        ("nfs4", True),
        ("cifs", True),
        ("9p", True),
        ("fuse.sshfs", True),
        ("ext4", False),
        ("fuse.mergerfs", False),
        ("btrfs", False),
    ],
)
def test_network_file_systems_are_known_by_the_mount(kind: str, refused: bool) -> None:
    mounts = f"1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:42 / /data rw,relatime shared:9 - {kind} server:/x rw\n"
    assert network_kind(os.makedev(0, 42), mounts) == (kind if refused else None)
    assert network_kind(os.makedev(8, 1), mounts) is None


def test_a_file_on_a_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "network_kind", lambda device, mounts: "nfs4")
    with pytest.raises(StoreOnNetwork, match="nfs4"):
        SqliteStore.open(tmp_path / "flowc.db")


async def test_the_file_is_synced_at_every_commit(tmp_path: Path) -> None:
    async with sqlite_store(tmp_path / "flowc.db") as store:
        connection = store._writer.reader()
        settings = [connection.pragma(name) for name in ("journal_mode", "synchronous", "wal_autocheckpoint")]
        assert settings == ["wal", 2, 0]
