"""A timer belongs to one wait: it is found when due, once, and is gone when the wait was left."""

from store.making import ANNA, START_MS, A, B, ManualClock, begun, committed, message, row_of, unit

from flowc.runtime.store.port import ALL_SHARDS, Store
from flowc.runtime.store.rows import DueTimer, SilenceTimer

SECOND = 1000


def after(seconds: int, generation: int = 1) -> SilenceTimer:
    return SilenceTimer(generation, seconds * SECOND, START_MS + seconds * SECOND)


async def due(store: Store) -> list[tuple[int, int]]:
    claims = await store.claim("timers", ALL_SHARDS, 9, A)
    return [(due.timer.generation, due.timer.after_ms) for due in claims.timers]


async def test_a_timer_is_claimed_when_due_and_never_early(store: Store, clock: ManualClock) -> None:
    await begun(store, timers=(after(60), after(30)), priority="high")
    clock.at_ms += 30 * SECOND - 1
    assert await due(store) == []
    clock.at_ms += 1
    claims = await store.claim("timers", ALL_SHARDS, 9, A)
    assert claims.timers == (DueTimer(ANNA, 1, after(30), "high"),)


async def test_a_claimed_timer_is_claimed_again_only_after_the_lease(store: Store, clock: ManualClock) -> None:
    await begun(store, timers=(after(1),))
    clock.at_ms += SECOND
    assert await due(store) == [(1, SECOND)]
    assert not (await store.claim("timers", ALL_SHARDS, 9, B)).timers
    clock.at_ms += A.lease_ms
    assert (await store.claim("timers", ALL_SHARDS, 9, B)).timers


async def test_leaving_the_wait_deletes_its_timers(store: Store, clock: ManualClock) -> None:
    row = await begun(store, timers=(after(1),))
    await committed(store, unit(row, message("m")))
    clock.at_ms += 100 * SECOND
    assert await due(store) == []


async def test_the_next_wait_has_its_own_timers(store: Store, clock: ManualClock) -> None:
    row = await begun(store, timers=(after(10),))
    row = await committed(store, unit(row, message("later"), timers=(after(20, 2),)))
    clock.at_ms += 10 * SECOND
    assert await due(store) == []
    clock.at_ms += 10 * SECOND
    assert await due(store) == [(2, 20 * SECOND)]
    row = await committed(store, unit(row, message("sooner"), timers=(after(25, 3),)))
    clock.at_ms += 5 * SECOND
    assert await due(store) == [(3, 25 * SECOND)]


async def test_a_shorter_timer_is_not_missed_for_a_longer_one_before_it(store: Store, clock: ManualClock) -> None:
    row = await begun(store, timers=(after(100),))
    await committed(store, unit(row, message("m"), timers=(after(5, 2),)))
    clock.at_ms += 5 * SECOND
    assert await due(store) == [(2, 5 * SECOND)]
    clock.at_ms += 95 * SECOND
    assert await due(store) == [(2, 5 * SECOND)]


async def test_after_a_stop_an_overdue_silence_is_due_after_the_shorter_of_itself_and_a_minute(
    store: Store, clock: ManualClock
) -> None:
    await begun(store, timers=(after(10), after(600), after(100_000)))
    clock.at_ms += 3600 * SECOND
    assert await store.delay_overdue(ALL_SHARDS) == 1
    assert await due(store) == []
    now = clock.at_ms
    assert (await row_of(store)).timers == (
        SilenceTimer(1, 10 * SECOND, now + 10 * SECOND),
        SilenceTimer(1, 600 * SECOND, now + 60 * SECOND),
        after(100_000),
    )
    clock.at_ms += 10 * SECOND
    assert await due(store) == [(1, 10 * SECOND)]


async def test_an_older_incarnation_keeps_its_timers_beside_the_new_one(store: Store, clock: ManualClock) -> None:
    ended = await begun(store, ended=True, jobs=1, timers=(after(5),))
    await committed(store, unit(ended, message("again"), timers=(after(7, 2),)))
    clock.at_ms += 7 * SECOND
    claims = await store.claim("timers", ALL_SHARDS, 9, A)
    assert {(one.incarnation, one.timer.generation) for one in claims.timers} == {(1, 1), (2, 2)}


async def test_tries_of_a_timer_are_counted_in_its_row_until_its_wait_is_left(store: Store, clock: ManualClock) -> None:
    row = await begun(store, timers=(after(10), after(60)))
    assert await store.tried_timer(ANNA, 1, 1, 10 * SECOND) == 1
    assert await store.tried_timer(ANNA, 1, 1, 10 * SECOND) == 2
    assert [timer.tries for timer in (await row_of(store)).timers] == [2, 0]
    clock.at_ms += 3600 * SECOND
    await store.delay_overdue(ALL_SHARDS)
    assert [timer.tries for timer in (await row_of(store)).timers] == [2, 0]
    for generation, length, incarnation in ((2, 10, 1), (1, 11, 1), (1, 10, 2)):
        assert await store.tried_timer(ANNA, incarnation, generation, length * SECOND) is None
    await committed(store, unit(row, message("m"), timers=(after(10, 2),)))
    assert await store.tried_timer(ANNA, 1, 1, 10 * SECOND) is None
    assert await store.tried_timer(ANNA, 1, 2, 10 * SECOND) == 1
