"""A turn is one unit: whole or not at all, and only where nobody was faster."""

import hashlib

import pytest
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
from flowc.runtime.store.overview import NewDeployment
from flowc.runtime.store.port import ALL_SHARDS, Store
from flowc.runtime.store.recent import KEPT_S, event_hash
from flowc.runtime.store.rows import (
    Behind,
    Claims,
    Committed,
    Dead,
    Digest,
    Direct,
    FromInbox,
    InboxFull,
    Known,
    Lost,
    Received,
    Row,
    SilenceTimer,
    Wanted,
    shard_of,
)


async def test_an_address_nobody_was_at_has_an_empty_row(store: Store) -> None:
    assert await row_of(store) == Row(ANNA)


async def test_what_was_committed_is_loaded(store: Store) -> None:
    timers = (SilenceTimer(3, 60_000, START_MS + 60_000),)
    row = await begun(store, timers=timers, owner="token", jobs=1, priority="high", commands=(command(),))
    assert (row.incarnation, row.turn, row.timers, row.owner) == (1, 1, timers, "token")
    (loaded,) = await store.load([Wanted(ANNA)])
    assert loaded.row == row
    assert [(one.key, one.state, one.cause) for one in loaded.commands] == [("k", "ready", event_hash("test", "first"))]


async def test_turns_are_numbered_without_a_gap(store: Store) -> None:
    row = await begun(store)
    for name in ("second", "third"):
        row = await committed(store, unit(row, message(name)))
    assert [turn.turn for turn in await store.journal(ANNA)] == [1, 2, 3]


async def test_of_two_units_from_one_row_the_second_is_lost_with_all_that_it_brings(store: Store) -> None:
    row = await begun(store)
    slower = unit(row, message("slower"), commands=(command(),), timers=(SilenceTimer(1, 5, START_MS),), pushes=True)
    first, second = await store.commit([unit(row, message("faster")), slower])
    assert isinstance(first, Committed)
    assert second == Lost("turn")
    (loaded,) = await store.load([Wanted(ANNA, event=event_hash("test", "slower"))])
    assert (loaded.row, loaded.commands, loaded.repetition) == (first.row, (), None)
    assert len(await store.journal(ANNA)) == 2
    assert not (await store.claim("replies", ALL_SHARDS, 9, replace(A, lease_ms=1))).replies


async def test_a_lost_unit_takes_nothing_from_the_others_of_its_group(store: Store) -> None:
    row = await begun(store)
    await committed(store, unit(row, message("second")))
    ben = unit(await row_of(store, BEN), message("hello", BEN))
    lost, kept = await store.commit([unit(row, message("third")), ben])
    assert lost == Lost("turn")
    assert isinstance(kept, Committed)
    assert (await row_of(store, BEN)).turn == 1


async def test_an_event_is_consumed_once(store: Store) -> None:
    row = await begun(store)
    assert await outcome(store, unit(row, message("first"))) == Lost("known")
    row = await committed(store, unit(row, Direct(event("ship", kind="event"))))
    assert await outcome(store, unit(row, Direct(event("ship", kind="event")))) == Lost("known")


async def test_a_known_id_answers_with_the_replies_of_all_turns_it_caused(store: Store) -> None:
    row = await begun(store)
    cause = event_hash("test", "second")
    row = await committed(store, unit(row, message("second")))
    row = await committed(store, unit(row, cause=cause))
    row = await committed(store, unit(row, message("third")))
    row = await committed(store, unit(row, cause=cause, replies=2))
    (loaded,) = await store.load([Wanted(ANNA, event=cause)])
    assert loaded.repetition is not None
    assert [(one.turn, one.count) for one in loaded.repetition.turns] == [(2, 1), (3, 1), (5, 2)]
    assert loaded.repetition.digest == b"second"


async def test_an_id_is_known_for_seven_days_and_past_the_end(store: Store, clock: ManualClock) -> None:
    row = await begun(store, ended=True)
    clock.at_ms += KEPT_S * 1000
    row = await committed(store, unit(row, message("next")))
    assert row.incarnation == 2
    assert row.recent.find(event_hash("test", "first")) is not None
    assert await store.receive([event("first")], A) == (Known(True, None, 1, 1),)
    clock.at_ms += 2000
    row = await committed(store, unit(row, message("later")))
    assert row.recent.find(event_hash("test", "first")) is None
    assert row.recent.find(event_hash("test", "next")) is not None


async def test_the_same_id_with_another_body_is_told(store: Store) -> None:
    await begun(store)
    assert await store.receive([event("first", body=b"other")], A) == (Known(False, None, 1, 1),)


async def test_a_turn_not_from_the_inbox_commits_only_where_it_is_empty(store: Store) -> None:
    row = await begun(store)
    await store.receive([event("waiting")], A)
    assert await outcome(store, unit(row, message("direct"))) == Behind(2)
    assert (await row_of(store)).turn == 1
    (loaded,) = await store.load([Wanted(ANNA)])
    assert [held.event.body for held in loaded.inbox] == [b"waiting", b"direct"]
    assert await outcome(store, unit(row, message("direct"))) == Behind(2)


async def test_a_first_turn_commits_only_where_nothing_waits_and_nobody_was(store: Store) -> None:
    await store.receive([event("waiting")], A)
    first = unit(Row(ANNA), message("direct"), opens=True)
    assert await outcome(store, first) == Behind(2)
    assert (await row_of(store)).turn == 0
    await committed(store, unit(Row(ANNA), FromInbox(1), opens=True))
    assert await outcome(store, first) in (Lost("turn"), Lost("known"), Behind(2))
    assert [row.turn for row in await store.journal(ANNA)] == [1]


async def test_a_direct_event_finds_no_place_behind_twenty(store: Store) -> None:
    row = await begun(store)
    await store.receive([event(f"m{n}") for n in range(20)], A)
    assert await outcome(store, unit(row, message("direct"))) == InboxFull()
    assert isinstance(await outcome(store, unit(row, Direct(event("timer", kind="timer")))), Behind)


async def test_an_awaited_result_and_a_continuing_turn_pass_the_inbox(store: Store) -> None:
    row = await begun(store)
    await store.receive([event("waiting")], A)
    row = await committed(store, unit(row))
    row = await committed(store, unit(row, Direct(event("result", kind="result"), awaited=True)))
    assert row.turn == 3


async def test_a_unit_consumes_its_inbox_event_and_shows_the_next(store: Store) -> None:
    row = await begun(store)
    await store.receive([event("one"), event("two")], A)
    first = await outcome(store, unit(row, FromInbox(1)))
    assert isinstance(first, Committed)
    assert first.next is not None
    assert (first.next.number, first.next.event.body, first.next.tries) == (2, b"two", 0)
    assert await outcome(store, unit(first.row, FromInbox(1))) == Lost("inbox")
    last = await outcome(store, unit(first.row, FromInbox(2)))
    assert isinstance(last, Committed)
    assert last.next is None
    assert await store.receive([event("three")], A) == (Received(3, True),)


async def test_taking_the_next_event_counts_its_try_in_the_same_transaction(store: Store) -> None:
    row = await begun(store)
    await store.receive([event("one"), event("two")], A)
    one = await outcome(store, unit(row, FromInbox(1), takes_next=True))
    assert isinstance(one, Committed)
    assert one.next is not None
    assert one.next.tries == 1
    (loaded,) = await store.load([Wanted(ANNA)])
    assert loaded.inbox == (one.next,)


async def test_a_unit_takes_several_messages_whole_or_not_at_all(store: Store) -> None:
    row = await begun(store)
    await store.receive([event("one"), event("two"), event("hot"), event("odd", body=b"other")], A)
    assert await outcome(store, unit(row, FromInbox(1, (3,)))) == Lost("inbox")
    assert await outcome(store, unit(row, FromInbox(1, (2, 9)))) == Lost("inbox")
    cause = event("one").hash
    taken = await outcome(store, unit(row, FromInbox(1, (2, 3)), cause=cause))
    assert isinstance(taken, Committed)
    assert taken.next is not None
    assert taken.next.number == 4
    last = await committed(store, unit(taken.row, cause=cause))
    for name in ("one", "two", "hot"):
        assert await outcome(store, unit(last, message(name))) == Lost("known")
        [known] = await store.receive([event(name)], A)
        assert known == Known(True, None, 1, 2)
        [known] = await store.receive([event(name, body=b"another")], A)
        assert known == Known(False, None, 1, 2)
        [loaded] = await store.load([Wanted(ANNA, event=event(name).hash)])
        assert loaded.repetition is not None
        assert [turn.turn for turn in loaded.repetition.turns] == [2, 3]
        assert loaded.repetition.digest == name.encode()
    [received] = await store.receive([event("new")], A)
    assert received == Received(5, False)


async def test_a_result_between_messages_stays_when_they_are_taken_together(store: Store) -> None:
    row = await begun(store)
    await store.receive([event("one"), event("done", kind="result"), event("two")], A)
    taken = await outcome(store, unit(row, FromInbox(1, (3,))))
    assert isinstance(taken, Committed)
    assert taken.next is not None
    assert taken.next.number == 2


async def test_a_message_does_not_overtake_a_message_and_a_result_may(store: Store) -> None:
    row = await begun(store)
    await store.receive([event("one"), event("two"), event("done", kind="result")], A)
    assert await outcome(store, unit(row, FromInbox(2))) == Lost("inbox")
    row = await committed(store, unit(row, FromInbox(3)))
    await committed(store, unit(row, FromInbox(1)))


async def test_a_unit_settles_its_command_or_is_lost(store: Store) -> None:
    row = await begun(store, commands=(command(),))
    result = Direct(event("done", kind="result"), awaited=True)
    settles = {"settles": CommandKey("k")}
    row = await committed(store, unit(row, result, **settles))
    assert await store.commands(ANNA) == ()
    assert await outcome(store, unit(row, result, **settles)) == Lost("settled")


async def test_time_never_goes_back_in_a_conversation(store: Store) -> None:
    row = await begun(store)
    made = unit(row, message("early"))
    row = await committed(store, replace(made, entry=replace(made.entry, now_ms=START_MS - 5000)))
    assert row.at_ms == START_MS


async def test_a_message_after_the_end_begins_the_next_incarnation(store: Store) -> None:
    row = await begun(store, ended=True)
    assert row.position == b""
    row = await committed(store, unit(row, message("again")))
    assert (row.incarnation, row.turn) == (2, 1)
    assert [turn.incarnation for turn in await store.journal(ANNA, 1)] == [1]


async def test_an_ended_row_stays_until_its_last_job_has_a_result(store: Store) -> None:
    ended = await begun(store, ended=True, jobs=1, commands=(command(deferred=True),))
    assert ended.position == b"position 1"
    current = await committed(store, unit(ended, message("again")))
    kept = await row_of(store, ANNA, 1)
    assert (kept.position, kept.jobs, kept.ended) == (b"position 1", 1, True)
    (loaded,) = await store.load([Wanted(ANNA, 1)])
    assert [one.key for one in loaded.commands] == ["k"]
    result = Direct(event("done", kind="result", incarnation=1))
    made = replace(unit(kept, result, settles=CommandKey("k"), ended=True, jobs=0), opens=False)
    late = await committed(store, replace(made, base=kept))
    assert (late.incarnation, late.turn) == (1, 2)
    assert (await row_of(store, ANNA, 1)) == Row(ANNA)
    now = await row_of(store)
    assert (now.incarnation, now.turn, now.position) == (2, 1, current.position)
    assert [(one.incarnation, one.turn) for one in await store.replies(ANNA)] == [(1, 1), (2, 1), (1, 2)]


async def test_a_moving_unit_tests_that_its_deployment_is_live(store: Store) -> None:
    for number in range(3):
        bundle = b"bundle %d" % number
        digest = Digest(hashlib.sha256(bundle).hexdigest())
        await store.prepare(digest, bundle)
        assert await store.activate(NewDeployment("bot", "1.0.0", digest, "deploy", "me"), number) is not None
    row = await begun(store, deployment=2)
    assert await outcome(store, unit(row, message("m"), deployment=1)) == Lost("deployment")
    assert await outcome(store, unit(row, message("m"), deployment=4)) == Lost("deployment")
    row = await committed(store, unit(row, message("stays on a past one")))
    row = await committed(store, unit(row, message("m"), deployment=3))
    assert row.deployment == 3


async def test_a_unit_that_contradicts_itself_is_refused(store: Store) -> None:
    row = await begun(store)
    with pytest.raises(ValueError, match="open"):
        await store.commit([unit(row, message("m"), opens=True)])
    with pytest.raises(ValueError, match="first turn"):
        await store.commit([unit(Row(BEN), message("m"), opens=False)])


async def test_the_journal_has_all_to_take_a_turn_again(store: Store) -> None:
    made = unit(await row_of(store), message("first"))
    entry = replace(made.entry, seed=(1 << 128) - 1, notes=b"notes")
    await committed(store, replace(made, entry=entry))
    (kept,) = await store.journal(ANNA)
    assert kept.entry == entry
    assert (kept.address, kept.incarnation, kept.turn, kept.cause) == (ANNA, 1, 1, event_hash("test", "first"))
    assert (await store.scan())[0] == (kept,)


async def test_a_fault_turn_sets_its_event_aside(store: Store) -> None:
    row = await begun(store)
    await store.receive([event("poison")], A)
    await committed(store, unit(row, FromInbox(1), dead=Dead("message", b"poison", "it broke", 3)))
    (dead,) = await store.dead()
    assert (dead.address, dead.turn, dead.dead.body, dead.dead.tries) == (ANNA, 2, b"poison", 3)
    assert await store.bury(ANNA, 1, 2)
    assert not await store.bury(ANNA, 1, 2)


async def test_erasing_leaves_a_tombstone_and_a_turn_in_flight_loses(store: Store) -> None:
    row = await begun(store, commands=(command(),), timers=(SilenceTimer(1, 5, START_MS),), pushes=True, owner="token")
    await store.receive([event("waiting")], A)
    tombstone = await store.erase(ANNA)
    assert tombstone == Row(ANNA, 1, 1, ended=True, erased=True)
    assert await outcome(store, unit(row, message("in flight"))) == Lost("erased")
    (loaded,) = await store.load([Wanted(ANNA, event=event_hash("test", "first"))])
    assert (loaded.row, loaded.inbox, loaded.commands, loaded.repetition) == (tombstone, (), (), None)
    assert (await store.journal(ANNA), await store.scan(), await store.commands(ANNA)) == ((), ((), ""), ())
    for what in ("commands", "timers", "replies", "inbox"):
        claims = await store.claim(what, ALL_SHARDS, 9, A)
        assert claims == Claims()
    assert await store.erase(ANNA) == tombstone
    assert await store.erase(BEN) is None


def test_a_shard_is_the_first_byte_of_blake2b() -> None:
    assert shard_of(ANNA) == hashlib.blake2b(b"anna").digest()[0]


async def test_a_turn_that_was_not_taken_leaves_nothing_in_the_journal(store: Store) -> None:
    row = await committed(store, unit(await begun(store), message("second")))
    late = unit(row, message("late"))
    await store.receive([event("first in the inbox")], A)
    assert isinstance(await outcome(store, late), Behind)
    assert isinstance(await outcome(store, unit(replace(row, turn=1), message("older"))), Lost)
    assert await outcome(store, unit(row, message("second"))) == Lost("known")
    await committed(store, unit(row, FromInbox(1)))
    everything, _ = await store.scan()
    assert [(turn.turn, turn.address) for turn in everything] == [(1, ANNA), (2, ANNA), (3, ANNA)]


async def test_a_timer_that_was_looked_at_meanwhile_wakes_its_conversation_all_the_same(
    store: Store, clock: ManualClock
) -> None:
    row = await begun(store, timers=(SilenceTimer(1, 60_000, START_MS + 60_000),))
    row = await committed(store, unit(row, message("m"), timers=(SilenceTimer(2, 90_000, START_MS + 90_000),)))
    clock.at_ms = START_MS + 60_000
    assert not (await store.claim("timers", ALL_SHARDS, 10, A)).timers  # it looks for the second then
    await committed(store, unit(row, message("n"), timers=(SilenceTimer(3, 70_000, START_MS + 70_000),)))
    clock.at_ms = START_MS + 70_000
    assert [due.timer.generation for due in (await store.claim("timers", ALL_SHARDS, 10, A)).timers] == [3]
