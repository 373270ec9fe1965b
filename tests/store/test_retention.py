"""What is old is removed, in slices; what lives, waits or is remembered stays, and the store stops growing."""

from pathlib import Path

from msgspec.structs import replace
from store.making import (
    ANNA,
    BEN,
    START_MS,
    A,
    ManualClock,
    begun,
    command,
    committed,
    event,
    message,
    outcome,
    row_of,
    unit,
)

from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.store.overview import Pruned
from flowc.runtime.store.port import Store
from flowc.runtime.store.rows import (
    Address,
    Committed,
    Dead,
    Direct,
    Known,
    Late,
    Lost,
    Result,
    Row,
    SilenceTimer,
    Unit,
    Wanted,
)
from flowc.runtime.store.sqlite import SqliteStore

DAY = 24 * 3600 * 1000
LAST = Address("last")  # whose turn is the newest of all, which stays


async def pruned(store: Store, clock: ManualClock, days: int = 14, limit: int = 100) -> tuple[int, int, int]:
    """Turns, conversations and late results removed in one pass."""
    turns, conversations, late, cursor = 0, 0, 0, ""
    while True:
        slice = await store.prune(clock.at_ms - days * DAY, cursor, limit)
        turns, conversations, late = turns + slice.turns, conversations + slice.conversations, late + slice.late
        cursor = slice.cursor
        if slice.is_over:
            return turns, conversations, late


def at(clock: ManualClock, made: Unit) -> Unit:
    """The turn with the time of the clock."""
    return replace(made, entry=replace(made.entry, now_ms=clock.at_ms))


async def test_what_is_young_stays(store: Store, clock: ManualClock) -> None:
    await begun(store, ended=True)
    await begun(store, LAST)
    clock.at_ms += 14 * DAY
    assert await pruned(store, clock) == (0, 0, 0)
    assert len(await store.journal(ANNA)) == 1


async def test_a_conversation_that_is_over_is_forgotten_as_if_nobody_had_been_there(
    store: Store, clock: ManualClock
) -> None:
    row = await begun(store, pushes=True)
    await committed(store, unit(row, message("poison"), dead=Dead("message", b"x", "why", 3), ended=True))
    await begun(store, LAST)
    clock.at_ms += 15 * DAY
    assert await pruned(store, clock) == (2, 1, 0)
    assert (await row_of(store)).turn == 0
    assert [one.address for one in await store.summaries(ended=True)] == [LAST]
    assert await store.dead() == ()
    assert await store.replies(ANNA) == ()
    again = await begun(store)
    assert (again.incarnation, again.turn) == (1, 1)


async def test_a_conversation_that_lives_loses_its_old_turns_only(store: Store, clock: ManualClock) -> None:
    row = await begun(store, timers=(SilenceTimer(1, 90 * DAY, START_MS + 90 * DAY),))
    clock.at_ms += 10 * DAY
    row = await committed(store, at(clock, unit(row, message("second"))))
    await begun(store, LAST)
    clock.at_ms += 5 * DAY
    assert await pruned(store, clock) == (1, 0, 0)
    assert [turn.turn for turn in await store.journal(ANNA)] == [2]
    assert [each.turn for each in await store.replies(ANNA)] == [2]
    assert (await row_of(store)).turn == 2
    row = await committed(store, at(clock, unit(row, message("third"))))
    assert [turn.turn for turn in await store.journal(ANNA)] == [2, 3]


async def test_a_conversation_whose_turns_are_all_old_goes_on(store: Store, clock: ManualClock) -> None:
    row = await begun(store)
    await begun(store, LAST)
    clock.at_ms += 15 * DAY
    assert await pruned(store, clock) == (1, 0, 0)
    assert await store.journal(ANNA) == ()
    await committed(store, at(clock, unit(row, message("second"))))
    assert [turn.turn for turn in await store.journal(ANNA)] == [2]


async def test_an_id_whose_turn_is_gone_is_known_and_not_taken_again(store: Store, clock: ManualClock) -> None:
    row = await begun(store)
    await begun(store, LAST)
    clock.at_ms += 15 * DAY
    await pruned(store, clock)
    [loaded] = await store.load([Wanted(ANNA, event=event("first").hash)])
    assert loaded.repetition is None
    assert await store.receive([event("first")], A) == (Known(True, None, 1, 1),)
    assert await outcome(store, unit(row, message("first"))) == Lost("known")


async def test_what_waits_keeps_its_conversation(store: Store, clock: ManualClock) -> None:
    await begun(store, ended=True, jobs=1, commands=(command(deferred=True),))
    await begun(store, BEN, ended=True)
    await store.receive([event("waiting", BEN)], A)
    await begun(store, LAST)
    clock.at_ms += 100 * DAY
    assert await pruned(store, clock) == (2, 0, 0)
    assert len(await store.commands(ANNA)) == 1
    assert len((await store.load([Wanted(BEN)]))[0].inbox) == 1


async def test_a_tombstone_stays(store: Store, clock: ManualClock) -> None:
    row = await begun(store)
    await store.erase(ANNA)
    await begun(store, LAST)
    clock.at_ms += 100 * DAY
    await pruned(store, clock)
    assert await outcome(store, unit(row, message("second"))) == Lost("erased")


async def test_late_results_are_removed_and_go_on_being_counted(store: Store, clock: ManualClock) -> None:
    await begun(store, ended=False)
    late = Result(ANNA, CommandKey("gone"), b"late", event("gone", kind="result"))
    assert await store.settle([late], A) == (Late(1),)
    clock.at_ms += 10 * DAY
    assert await store.settle([late], A) == (Late(2),)
    clock.at_ms += 5 * DAY
    assert await pruned(store, clock) == (0, 0, 1)
    assert await store.settle([late], A) == (Late(3),)


async def test_slices_are_small_and_go_on_where_the_last_one_ended(store: Store, clock: ManualClock) -> None:
    row = await begun(store)
    for number in range(6):
        row = await committed(store, unit(row, message(f"m{number}")))
    clock.at_ms += 15 * DAY
    first = await store.prune(clock.at_ms - 14 * DAY, "", 4)
    assert first == Pruned(4, 0, 0, first.cursor, is_over=False)
    second = await store.prune(clock.at_ms - 14 * DAY, first.cursor, 4)
    assert (second.turns, second.is_over) == (2, False)
    assert (await store.prune(clock.at_ms - 14 * DAY, second.cursor, 4)).is_over
    assert [turn.turn for turn in await store.journal(ANNA)] == [7], "the newest of all"


async def test_the_file_stops_growing(tmp_path: Path, clock: ManualClock) -> None:
    """Ten weeks of 30 conversations a day, of which two weeks are kept."""
    store = SqliteStore.open(tmp_path / "flowc.db", clock)
    sizes = []
    for day in range(70):
        rows = [Row(Address(f"{day}-{number}")) for number in range(30)]
        for turn in range(3):
            units = [unit(row, Direct(event(f"m{turn}", row.address)), ended=turn == 2) for row in rows]
            done = await store.commit([at(clock, replace(made, position=b"x" * 500)) for made in units])
            rows = [one.row for one in done if isinstance(one, Committed)]
        clock.at_ms += DAY
        await pruned(store, clock)
        sizes.append(int(store._writer.reader().execute("PRAGMA page_count").get))
    living = len(await store.summaries(ended=True, limit=10_000))
    await store.close()
    assert living <= 16 * 30
    assert max(sizes[20:]) <= sizes[20] * 1.02, sizes


async def test_no_row_of_the_journal_is_ever_mistaken_for_another(tmp_path: Path, clock: ManualClock) -> None:
    """A conversation that names an old turn, of which all are gone, and a newest one that is erased."""
    store = SqliteStore.open(tmp_path / "flowc.db", clock)
    kept = await begun(store)
    await begun(store, BEN)
    clock.at_ms += 15 * DAY
    await pruned(store, clock)
    await store.erase(BEN)
    for number in range(3):
        await begun(store, Address(f"other {number}"))
    assert await store.replies(ANNA) == ()
    assert [row.address for row in (await store.scan())[0]] == [Address(f"other {number}") for number in range(3)]
    await committed(store, at(clock, unit(kept, message("second"))))
    assert [turn.turn for turn in await store.journal(ANNA)] == [2]
    await store.close()
