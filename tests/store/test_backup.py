"""A copy is the store at one moment; who goes on from it knows that it has been elsewhere since."""

import threading
from pathlib import Path

import apsw
import pytest
from store.making import ANNA, BEN, START_MS, A, B, ManualClock, begun, command, committed, message, row_of, unit

from flowc.runtime.errors import StoreForeign, StoreUnreachable
from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.store.backup import backup
from flowc.runtime.store.file import FileLock
from flowc.runtime.store.overview import Doubt
from flowc.runtime.store.port import ALL_SHARDS
from flowc.runtime.store.reading import reading
from flowc.runtime.store.rows import SilenceTimer
from flowc.runtime.store.sqlite import SqliteStore


def findings(path: Path) -> list[str]:
    with reading(path) as reader:
        return [*reader.broken(quick=False), *reader.contradictions()]


async def test_a_copy_is_made_while_the_store_is_served(tmp_path: Path, clock: ManualClock) -> None:
    store = SqliteStore.open(tmp_path / "flowc.db", clock)
    row = await begun(store)
    copied = threading.Event()

    def copying() -> None:
        backup(tmp_path / "flowc.db", tmp_path / "copy.db", START_MS)
        copied.set()

    thread = threading.Thread(target=copying)
    thread.start()
    number = 0
    while not copied.is_set() and number < 2000:
        row = await committed(store, unit(row, message(f"m{number}")))
        number += 1
    thread.join()
    await store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "flowc.db", "flowc.db.lock"]  # noqa: ASYNC240
    with reading(tmp_path / "copy.db") as reader:
        assert list(reader.broken(quick=False)) == []
    copy = SqliteStore.open(tmp_path / "copy.db", clock)
    kept = await row_of(copy)
    assert 1 <= kept.turn <= row.turn
    assert len(await copy.journal(ANNA, limit=5000)) == kept.turn
    await copy.close()


async def test_a_copy_that_is_served_begins_an_epoch_once(tmp_path: Path, clock: ManualClock) -> None:
    """Whatever the copy holds of commands may have been done since: also one that was ready."""
    store = SqliteStore.open(tmp_path / "flowc.db", clock)
    await begun(store, commands=(command("ready", deferred=True), command("held", holder=A)))
    backup(tmp_path / "flowc.db", tmp_path / "copy.db", START_MS + 1)
    assert [one.state for one in await store.commands(ANNA)] == ["started", "ready"]
    assert await store.doubts() == ()
    await store.close()
    clock.at_ms += 5000
    copy = SqliteStore.open(tmp_path / "copy.db", clock)
    doubts = await copy.doubts()
    what = ("orders", "cancel", START_MS, START_MS + 1, START_MS + 5000, True)
    assert doubts == (Doubt(ANNA, CommandKey("held"), *what), Doubt(ANNA, CommandKey("ready"), *what))
    taken = (await copy.claim("commands", ALL_SHARDS, 9, B)).commands
    assert {(one.key, one.state, one.attempt) for one in taken} == {("held", "started", 2), ("ready", "started", 1)}
    await begun(copy, BEN, commands=(command("new"),))
    await copy.close()
    again = SqliteStore.open(tmp_path / "copy.db", clock)
    assert await again.doubts() == doubts
    assert [one.attempt for one in await again.commands(BEN)] == [0]
    await again.close()


async def test_a_copy_of_a_copy_begins_an_epoch_too(tmp_path: Path, clock: ManualClock) -> None:
    store = SqliteStore.open(tmp_path / "flowc.db", clock)
    await begun(store, commands=(command("old"),))
    backup(tmp_path / "flowc.db", tmp_path / "one.db", START_MS + 1)
    await store.close()
    backup(tmp_path / "one.db", tmp_path / "two.db", START_MS + 2)
    two = SqliteStore.open(tmp_path / "two.db", clock)
    assert [doubt.key for doubt in await two.doubts()] == ["old"]
    await begun(two, BEN, commands=(command("new"),))
    backup(tmp_path / "two.db", tmp_path / "three.db", START_MS + 3)
    await two.close()
    three = SqliteStore.open(tmp_path / "three.db", clock)
    assert {doubt.key for doubt in await three.doubts()} == {"old", "new"}
    await three.close()


async def test_what_cannot_be_copied_leaves_nothing(tmp_path: Path, clock: ManualClock) -> None:
    store = SqliteStore.open(tmp_path / "flowc.db", clock)
    with pytest.raises(StoreUnreachable, match="is there already"):
        backup(tmp_path / "flowc.db", tmp_path / "flowc.db.lock", START_MS)
    with pytest.raises(StoreUnreachable, match="not there"):
        backup(tmp_path / "nobody.db", tmp_path / "copy.db", START_MS)
    other = tmp_path / "other.db"
    other.write_bytes(b"this is no store, by any means " * 200)
    with pytest.raises(StoreForeign):
        backup(other, tmp_path / "copy.db", START_MS)
    await store.close()
    assert not (tmp_path / "copy.db").exists()
    assert not (tmp_path / "copy.db.part").exists()


# ------------------------------------------------------------------------------------------------------------ the check

DAMAGES = {
    "a turn is gone from the middle": (
        "DELETE FROM journal WHERE turn = 2",
        [],  # what stands before it is older than what is kept, as far as anybody can tell
    ),
    "a turn leads to another conversation": (
        "UPDATE journal SET previous = (SELECT id FROM journal WHERE address = 'ben') WHERE turn = 3",
        ["turn 4 of the journal follows a turn of another conversation, or one that is not before it"],
    ),
    "a turn has another number": (
        "UPDATE journal SET turn = 7 WHERE turn = 2",
        ["turn 3 of the journal has no number", "turn 4 of the journal has no number"],
    ),
    "a row is older than its journal": (
        "UPDATE conversation SET turn = 2 WHERE address = 'anna'",
        ["conversation anna stands at another turn"],
    ),
    "a command of nobody": ("UPDATE command SET home = 7", ["a command of anna belongs to no conversation"]),
    "a timer that nobody looks at": ("DELETE FROM look", ["conversation anna has timers, and nothing looks at them"]),
    "a deployment that is not there": (
        "UPDATE conversation SET deployment = 9 WHERE address = 'anna'",
        ["conversation anna runs a deployment that is not there"],
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_the_check_finds(tmp_path: Path, clock: ManualClock, damage: str) -> None:
    store = SqliteStore.open(tmp_path / "flowc.db", clock)
    statement, expected = DAMAGES[damage]
    with apsw.Connection(str(tmp_path / "flowc.db")) as connection:
        connection.execute("INSERT INTO bundle VALUES ('d', 0, x'')")
        connection.execute("INSERT INTO deployment VALUES (1, 0, 'stable', 'bot', '1', 'd', 'deploy', '', '', 100)")
    await begun(store, BEN)
    row = await begun(store, commands=(command(),))
    row = await committed(store, unit(row, message("second")))
    await committed(store, unit(row, message("third"), timers=(SilenceTimer(1, 5000, START_MS + 5000),)))
    await store.close()
    assert findings(tmp_path / "flowc.db") == []
    with apsw.Connection(str(tmp_path / "flowc.db")) as connection:
        connection.execute(statement)
    found = findings(tmp_path / "flowc.db")
    assert len(found) == len(expected), found
    assert all(told.startswith(sentence) for told, sentence in zip(found, expected, strict=True)), found


async def test_a_damaged_page_is_found(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "flowc.db"
    store = SqliteStore.open(path, clock)
    row = await begun(store)
    for number in range(60):
        row = await committed(store, unit(row, message(f"m{number}"), position=b"x" * 2000))
    await store.close()
    with path.open("r+b") as file:
        file.seek(4096 * 30)
        file.write(bytes(2000))
    try:
        assert findings(path) != []
    except Exception as error:  # noqa: BLE001 - or it cannot be read at all
        assert "malformed" in str(error) or "not available" in str(error)  # noqa: PT017
    FileLock(path).close()
