"""The next server on a file need not wait for the leases of the one before: nobody but it has the file."""

from pathlib import Path

from store.making import ANNA, A, B, ManualClock, begun, command, event

from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.store.port import ALL_SHARDS
from flowc.runtime.store.rows import Start
from flowc.runtime.store.sqlite import SqliteStore


async def test_what_a_server_worked_on_is_taken_at_once_by_the_next(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "flowc.db"
    first = SqliteStore.open(path, clock)
    await begun(first, commands=(command("held", holder=A), command("due"), command("later", due_ms=clock.at_ms + 5)))
    await first.start([Start(ANNA, CommandKey("due"), 0, A)])
    await first.receive([event("waiting")], A)
    assert not (await first.claim("commands", ALL_SHARDS, 9, B)).commands
    assert not (await first.claim("inbox", ALL_SHARDS, 9, B)).inbox
    await first.close()
    second = SqliteStore.open(path, clock)
    taken = (await second.claim("commands", ALL_SHARDS, 9, B)).commands
    assert {(one.key, one.state, one.attempt) for one in taken} == {("held", "started", 1), ("due", "started", 1)}
    assert len((await second.claim("inbox", ALL_SHARDS, 9, B)).inbox) == 1
    await second.close()
