"""What was erased is in no file any more: neither in the pages of the store nor in its log."""

from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace
from store.making import ANNA, BEN, START_MS, A, ManualClock, begun, command, committed, event, message, row_of, unit

from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.store.rows import Dead, Result, SilenceTimer
from flowc.runtime.store.sqlite import SqliteStore

WORD = b"Rumpelstilzchen"


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


async def told(store: SqliteStore, size: int) -> None:
    """A conversation with the word in everything that is kept of it."""
    text = WORD * (size // len(WORD) + 1)
    row = await begun(store, position=text, pushes=True, owner=WORD.decode())
    for number in range(4):
        made = unit(row, message(f"m{number}"), position=text + bytes([number]), dead=Dead("message", text, "why", 3))
        entry = replace(made.entry, event=text, replies=text, reads=text, notes=text)
        commands = (replace(command(f"k{number}", deferred=True), body=text),)
        row = await committed(store, replace(made, entry=entry, commands=commands, jobs=number + 1, ended=number == 3))
    late = Result(ANNA, CommandKey("gone"), text, event("gone", kind="result"))
    await store.settle([late], A)
    again = unit(await row_of(store), message("again"), position=text, timers=(SilenceTimer(1, 5, START_MS + 5),))
    await committed(store, again)
    await store.receive([event("waiting", body=text)], A)


@pytest.mark.parametrize("size", [40, 900, 9000])
async def test_the_bytes_of_an_erased_conversation_are_in_no_file(
    tmp_path: Path, clock: ManualClock, size: int
) -> None:
    store = SqliteStore.open(tmp_path / "flowc.db", clock)
    await told(store, size)
    await begun(store, BEN)
    assert bytes_of(tmp_path).count(WORD) > 10
    assert await store.erase(ANNA)
    await store.tried(BEN, 1, A)  # whatever comes next
    assert bytes_of(tmp_path).count(WORD) == 0
    await store.close()
    assert bytes_of(tmp_path).count(WORD) == 0


async def test_a_log_that_somebody_reads_is_emptied_afterwards(tmp_path: Path, clock: ManualClock) -> None:
    store = SqliteStore.open(tmp_path / "flowc.db", clock)
    await told(store, 900)
    reading = apsw.Connection(str(tmp_path / "flowc.db"), flags=apsw.SQLITE_OPEN_READONLY)
    rows = reading.execute("SELECT * FROM journal")
    next(rows)
    await store.erase(ANNA)
    await begun(store, BEN)
    assert bytes_of(tmp_path).count(WORD) > 0
    rows.close()
    reading.close()
    await store.tried(BEN, 1, A)
    await store.tried(BEN, 1, A)
    assert bytes_of(tmp_path).count(WORD) == 0
    await store.close()
