"""The next server on a file need not wait for the leases of the one before: nobody but it has the file."""

from pathlib import Path

from store.making import ANNA, BEN, A, B, ManualClock, begun, command, event

from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.store.port import ALL_SHARDS
from flowc.runtime.store.rows import SilenceTimer, Start
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


async def test_a_timer_that_a_server_had_claimed_is_due_for_the_next(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "flowc.db"
    first = SqliteStore.open(path, clock)
    await begun(first, timers=(SilenceTimer(1, 1000, clock.at_ms + 1000),))
    clock.at_ms += 1000
    assert len((await first.claim("timers", ALL_SHARDS, 9, A)).timers) == 1
    await first.close()
    second = SqliteStore.open(path, clock)
    assert len((await second.claim("timers", ALL_SHARDS, 9, B)).timers) == 1
    await second.close()


async def test_a_turn_that_must_follow_is_due_at_once_for_the_next_server(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "flowc.db"
    first = SqliteStore.open(path, clock)
    await begun(first, timers=(SilenceTimer(1, 0, clock.at_ms + 30_000),))
    await begun(first, BEN, timers=(SilenceTimer(1, 60_000, clock.at_ms + 60_000),))
    await first.close()
    second = SqliteStore.open(path, clock)
    assert [due.address for due in (await second.claim("timers", ALL_SHARDS, 9, B)).timers] == [ANNA]
    await second.close()
