"""Accepted events are numbered, known by their id, and found again when nobody works on them."""

from msgspec.structs import replace
from store.making import ANNA, BEN, START_MS, A, B, ManualClock, begun, event, row_of

from flowc.runtime.store.port import ALL_SHARDS, Store
from flowc.runtime.store.rows import Gone, InboxFull, Known, Received, Wanted, shard_of


async def test_events_get_the_next_numbers_in_the_order_of_acceptance(store: Store) -> None:
    assert await store.receive([event("one"), event("two"), event("x", BEN)], A) == (
        Received(1, True),
        Received(2, False),
        Received(1, True),
    )
    (loaded,) = await store.load([Wanted(ANNA)])
    assert [(held.number, held.event.body) for held in loaded.inbox] == [(1, b"one"), (2, b"two")]


async def test_at_most_twenty_messages_wait_and_results_and_timers_always_fit(store: Store) -> None:
    receipts = await store.receive([event(f"m{n}") for n in range(22)], A)
    assert receipts[19:] == (Received(20, False), InboxFull(), InboxFull())
    kinds = [event("r", kind="result"), event("t", kind="timer"), event("e", kind="event")]
    assert await store.receive(kinds, A) == (Received(21, False), Received(22, False), InboxFull())


async def test_a_waiting_id_is_known(store: Store) -> None:
    await store.receive([event("one")], A)
    assert await store.receive([event("one"), event("one", body=b"other")], A) == (Known(True, 1), Known(False, 1))
    (loaded,) = await store.load([Wanted(ANNA, event=event("one").hash)])
    assert loaded.repetition is not None
    assert (loaded.repetition.number, loaded.repetition.digest) == (1, b"one")


async def test_the_first_try_is_counted_with_the_receipt_only_where_nothing_is_before(store: Store) -> None:
    await store.receive([event("one", trying=True), event("two", trying=True)], A)
    (loaded,) = await store.load([Wanted(ANNA)])
    assert [held.tries for held in loaded.inbox] == [1, 0]


async def test_tries_are_counted_before_the_try(store: Store) -> None:
    await store.receive([event("one")], A)
    assert [await store.tried(ANNA, 1, A) for _ in range(2)] == [1, 2]
    assert await store.tried(ANNA, 2, A) is None


async def test_an_inbox_nobody_works_on_is_claimed_once_its_lease_lapses(store: Store, clock: ManualClock) -> None:
    await store.receive([event("one"), event("two")], A)
    assert not (await store.claim("inbox", ALL_SHARDS, 9, B)).inbox
    clock.at_ms += A.lease_ms
    (orphan,) = (await store.claim("inbox", ALL_SHARDS, 9, B)).inbox
    assert (orphan.address, orphan.first.number, orphan.first.tries) == (ANNA, 1, 0)
    assert not (await store.claim("inbox", ALL_SHARDS, 9, A)).inbox
    clock.at_ms += B.lease_ms
    assert (await store.claim("inbox", ALL_SHARDS, 9, A)).inbox == (orphan,)


async def test_a_try_renews_the_lease_and_who_waits_behind_is_no_orphan(store: Store, clock: ManualClock) -> None:
    await store.receive([event("one"), event("two")], A)
    clock.at_ms += A.lease_ms - 1
    await store.tried(ANNA, 1, A)
    clock.at_ms += 1
    assert not (await store.claim("inbox", ALL_SHARDS, 9, B)).inbox


async def test_claims_keep_to_shards_classes_and_limit(store: Store, clock: ManualClock) -> None:
    low = replace(event("x", BEN), priority="low")
    await store.receive([low, event("one")], A)
    clock.at_ms += A.lease_ms
    assert not (await store.claim("inbox", {(shard_of(ANNA) + 1) % 256} - {shard_of(BEN)}, 9, B)).inbox
    assert not (await store.claim("inbox", ALL_SHARDS, 9, B, ("urgent",))).inbox
    (first,) = (await store.claim("inbox", ALL_SHARDS, 1, B)).inbox
    (second,) = (await store.claim("inbox", ALL_SHARDS, 1, B)).inbox
    assert (first.address, second.address) == (ANNA, BEN)


async def test_discarding_takes_an_event_out_for_good(store: Store) -> None:
    await begun(store)
    await store.receive([event("t", kind="timer")], A)
    assert await store.discard(ANNA, 1)
    assert not await store.discard(ANNA, 1)
    assert await store.receive([event("next")], A) == (Received(2, True),)


async def test_nothing_is_accepted_at_an_erased_address(store: Store) -> None:
    await store.receive([event("one")], A)
    assert await store.erase(ANNA) is not None
    assert await store.receive([event("two")], A) == (Gone(),)
    assert (await row_of(store)).erased


async def test_the_time_of_receipt_is_kept(store: Store, clock: ManualClock) -> None:
    clock.at_ms += 5
    await store.receive([event("one"), replace(event("two"), at_ms=0)], A)
    (loaded,) = await store.load([Wanted(ANNA)])
    assert [held.event.at_ms for held in loaded.inbox] == [START_MS, START_MS + 5]
