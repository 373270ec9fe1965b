"""Disk full and I/O errors are never a bad unit: it is unknown what became of it, and the file is opened again."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import apsw
import pytest
from msgspec.structs import replace
from store.failing import Disk, failing_disk
from store.making import ANNA, BEN, A, ManualClock, begun, command, committed, event, message, outcome, row_of, unit

from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.store import loads, writer
from flowc.runtime.store.rows import Address, Committed, Lost, Received, Row, Unfit, Unknown, Wanted
from flowc.runtime.store.sqlite import SqliteStore, sqlite_store


@pytest.fixture
def disk() -> Iterator[Disk]:
    with failing_disk("flowc-failing") as one:
        yield one


@pytest.fixture(params=["loop", "thread"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, disk: Disk) -> AsyncIterator[SqliteStore]:
    async with sqlite_store(tmp_path / "flowc.db", ManualClock(), vfs="flowc-failing") as one:
        if request.param == "thread":
            ticks = iter(range(1_000_000))
            one._writer.timer = lambda: next(ticks)  # each commit takes a second
            await begun(one, Address("somebody"))
            assert one._writer.is_threaded
        yield one


@pytest.mark.parametrize("fails", ["full", "io", "sync"])
async def test_each_unit_of_a_failed_group_is_unknown_and_the_file_is_opened_again(
    store: SqliteStore, disk: Disk, fails: str
) -> None:
    anna, ben = await begun(store, ANNA), await begun(store, BEN)
    reopened = store.figures.reopened
    disk.fails = fails
    group = [unit(anna, message("a")), unit(ben, message("b", BEN))]
    assert await store.commit(group) == (Unknown(), Unknown())
    assert disk.failures
    with pytest.raises(StoreUnavailable):
        await store.receive([event("refused", Address("new"))], A)
    disk.fails = None
    assert store.figures.reopened > reopened
    for address, made in zip((ANNA, BEN), group, strict=True):
        row = await row_of(store, address)
        if row.turn == 1:
            row = await committed(store, replace(made, base=row))
        assert row.turn == 2, "it was there, or it could be taken again"
    assert [turn.turn for turn in await store.journal(ANNA)] == [1, 2]


async def test_what_was_acknowledged_before_a_failure_is_there(store: SqliteStore, disk: Disk) -> None:
    row = await begun(store)
    for number in range(20):
        disk.fails, disk.after = ("io", 1) if number % 2 else (None, 0)
        answer = await outcome(store, unit(row, message(f"m{number}")))
        disk.fails = None
        now = await row_of(store)
        if isinstance(answer, Committed):
            assert now == answer.row
        else:
            assert answer == Unknown()
        row = now
    assert [turn.turn for turn in await store.journal(ANNA)] == list(range(1, row.turn + 1))


async def test_a_failed_read_is_unavailable_and_the_next_one_works(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(store)
    with monkeypatch.context() as patched:
        patched.setattr(loads, "load", _broken)
        with pytest.raises(StoreUnavailable):
            await row_of(store)
    assert (await row_of(store)).turn == 1


def _broken(connection: apsw.Connection, wanted: Wanted) -> None:
    raise apsw.IOError("the disk is gone")


async def test_a_bad_unit_does_not_hurt_its_group(store: SqliteStore) -> None:
    twice = (command(), command())  # one key for two commands
    rows = [Row(Address(name)) for name in "abc"]
    first, bad, last = await store.commit(
        [
            unit(rows[0], message("m", rows[0].address)),
            unit(rows[1], message("m", rows[1].address), commands=twice),
            unit(rows[2], message("m", rows[2].address)),
        ]
    )
    assert isinstance(first, Committed)
    assert isinstance(bad, Unfit)
    assert isinstance(last, Committed)
    assert (await row_of(store, rows[1].address)) == rows[1]
    assert not store._writer.reader().in_transaction
    assert (await row_of(store, rows[0].address), await row_of(store, rows[2].address)) == (first.row, last.row)


async def test_an_error_that_took_the_transaction_back_by_itself_commits_nothing_row_by_row(
    store: SqliteStore,
) -> None:
    """A trigger takes the whole transaction back in the middle of the group, as SQLite may do on its own."""
    await begun(store)
    for row in ("x", "y"):
        await begun(store, Address(row))

    def poison(connection: apsw.Connection) -> None:
        connection.execute(
            "CREATE TRIGGER poison BEFORE INSERT ON command WHEN new.key = 'poison' "
            "BEGIN SELECT RAISE(ROLLBACK, 'taken back'); END"
        )

    await store._one(poison)
    x, anna, y = [await row_of(store, Address(name)) for name in ("x", "anna", "y")]
    before, bad, after = await store.commit(
        [
            unit(x, message("m", x.address)),
            unit(anna, message("m"), commands=(command("fine"), command("poison"))),
            unit(y, message("m", y.address)),
        ]
    )
    assert isinstance(before, Committed)
    assert isinstance(bad, Unfit)
    assert isinstance(after, Committed)
    assert (await row_of(store), await store.commands(ANNA)) == (anna, ())


async def test_many_callers_share_a_group_and_one_conversation_has_one_unit_in_it(store: SqliteStore) -> None:
    rows = [await begun(store, Address(f"c{number}")) for number in range(30)]
    groups = store.figures.groups
    outcomes: list[object] = []

    async def one(row: Row, name: str) -> None:
        outcomes.append(await outcome(store, unit(row, message(name, row.address))))

    async with anyio.create_task_group() as tasks:
        for row in rows:
            for name in ("a", "b"):
                tasks.start_soon(one, row, name)
    assert sum(isinstance(answer, Committed) for answer in outcomes) == 30
    assert sum(answer == Lost("turn") for answer in outcomes) == 30
    assert 2 <= store.figures.groups - groups <= 4


async def test_who_comes_a_few_rounds_of_the_loop_later_is_in_the_same_group(store: SqliteStore) -> None:
    rows = [await begun(store, Address(f"c{number}")) for number in range(3)]
    groups = store.figures.groups

    async def one(row: Row, rounds: int) -> None:
        for _ in range(rounds):
            await anyio.lowlevel.checkpoint()
        assert isinstance(await outcome(store, unit(row, message("a", row.address))), Committed)

    async with anyio.create_task_group() as tasks:
        for rounds, row in enumerate(rows):
            tasks.start_soon(one, row, rounds)
    assert store.figures.groups - groups == 1


async def test_who_does_not_wait_learns_what_became_of_a_unit(store: SqliteStore) -> None:
    row = await begun(store)
    learned: list[object] = []
    good, again = unit(row, message("a")), unit(row, message("b"))
    for each in (good, again, unit(row, message("c"), opens=True)):
        store.submit(each, learned.append)
        await committed(store, unit(await begun(store, Address(f"other{len(learned)}"))))
    assert isinstance(learned[0], Committed)
    assert learned[1] == Lost("turn")
    assert isinstance(learned[2], ValueError)


async def test_a_store_that_is_closed_tells_who_does_not_wait(tmp_path: Path) -> None:
    async with sqlite_store(tmp_path / "closed.db", ManualClock()) as store:
        row = await begun(store)
    learned: list[object] = []
    store.submit(unit(row, message("a")), learned.append)
    assert learned == [Unknown()]


async def test_a_caller_that_goes_away_cancels_nothing(store: SqliteStore) -> None:
    row = await begun(store)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await store.commit([unit(row, message("m"))])
    await store.receive([event("x", BEN)], A)
    assert (await row_of(store)).turn == 2


async def test_closing_waits_for_what_was_asked_and_then_refuses(store: SqliteStore) -> None:
    row = await begun(store)
    answers: list[object] = []

    async def one() -> None:
        answers.append(await outcome(store, unit(row, message("m"))))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one)
        await anyio.lowlevel.checkpoint()
        await store._writer.close()
    assert isinstance(answers[0], Committed)
    with pytest.raises(StoreUnavailable):
        await store.receive([event("late")], A)


@pytest.mark.parametrize("commits", ["loop", "thread"])
async def test_the_log_is_copied_and_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commits: str) -> None:
    monkeypatch.setattr(writer, "LOG_PAGES", 2000)
    monkeypatch.setattr(writer, "SLOW_S", 0.0 if commits == "thread" else 1000.0)
    async with sqlite_store(tmp_path / "flowc.db") as store:
        row = Row(ANNA)
        number = 0
        while store.figures.checkpoints < 5:  # each lets the log begin anew
            row = await committed(store, replace(unit(row, message(f"{number}")), position=b"x" * 200_000))
            number += 1
        assert (tmp_path / "flowc.db-wal").stat().st_size < number * 200_000
        assert store._writer.is_threaded == (commits == "thread")
        assert await store.receive([event("next")], A) == (Received(1, True),)


async def test_two_addresses_with_one_hash_are_kept_apart(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowc.runtime.store.places.first_place", lambda address: (1 << 63) - 1)
    anna, ben = await begun(store, ANNA), await begun(store, BEN)
    ben = await committed(store, unit(ben, message("second", BEN)))
    assert (await row_of(store, ANNA), await row_of(store, BEN)) == (anna, ben)
    assert await store.erase(ANNA) is not None
    assert await row_of(store, BEN) == ben
