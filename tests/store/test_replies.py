"""Replies leave in the order of their commits, from one server at a time."""

from store.making import ANNA, A, B, ManualClock, begun, committed, message, outcome, unit

from flowc.runtime.store.port import ALL_SHARDS, Store
from flowc.runtime.store.rows import Committed, Outgoing, Row, Sent


async def pushed(store: Store, row: Row, name: str, replies: int = 1) -> Row:
    return await committed(store, unit(row, message(name), pushes=True, replies=replies))


async def unsent(store: Store) -> list[tuple[list[int], int]]:
    claims = await store.claim("replies", ALL_SHARDS, 9, B)
    return [([turn.turn for turn in one.turns], one.skip) for one in claims.replies]


async def test_replies_are_read_after_a_turn(store: Store) -> None:
    row = await begun(store)
    row = await committed(store, unit(row, message("silent"), replies=0))
    row = await committed(store, unit(row, message("third"), replies=2))
    assert [(one.turn, one.replies, one.count) for one in await store.replies(ANNA)] == [
        (1, b"replies 1", 1),
        (3, b"replies 3", 2),
    ]
    assert [one.turn for one in await store.replies(ANNA, (1, 1))] == [3]
    assert [one.turn for one in await store.replies(ANNA, limit=1)] == [1]
    assert await store.replies(ANNA, (1, 3)) == ()


async def test_the_committing_server_sends_and_nobody_else(store: Store, clock: ManualClock) -> None:
    row = await begun(store)
    first = await outcome(store, unit(row, message("second"), pushes=True))
    assert isinstance(first, Committed)
    assert first.sends
    other = await outcome(store, unit(first.row, message("third"), pushes=True, holder=B))
    assert isinstance(other, Committed)
    assert not other.sends
    assert await unsent(store) == []
    clock.at_ms += A.lease_ms
    assert await unsent(store) == [([2, 3], 0)]


async def test_a_server_that_still_holds_the_lease_sends_the_next_too(store: Store, clock: ManualClock) -> None:
    row = await pushed(store, await begun(store), "second")
    clock.at_ms += A.lease_ms - 1
    again = await outcome(store, unit(row, message("third"), pushes=True))
    assert isinstance(again, Committed)
    assert again.sends
    clock.at_ms += A.lease_ms
    late = await outcome(store, unit(again.row, message("fourth"), pushes=True))
    assert isinstance(late, Committed)
    assert not late.sends, "older ones have to leave first"


async def test_the_cursor_moves_on_reply_by_reply(store: Store, clock: ManualClock) -> None:
    row = await pushed(store, await begun(store), "second", replies=3)
    await pushed(store, row, "third")
    clock.at_ms += A.lease_ms
    assert await unsent(store) == [([2, 3], 0)]
    await store.sent([Sent(ANNA, 1, 2, 1, B.server)])
    clock.at_ms += B.lease_ms
    assert await unsent(store) == [([2, 3], 2)]
    await store.sent([Sent(ANNA, 1, 2, 0, B.server)])
    await store.sent([Sent(ANNA, 1, 3, 0, A.server)])
    clock.at_ms += B.lease_ms
    assert await unsent(store) == [([2, 3], 2)], "neither a step back nor another server's word moves it"
    await store.sent([Sent(ANNA, 1, 2, 2, B.server)])
    clock.at_ms += B.lease_ms
    assert await unsent(store) == [([3], 0)]
    await store.sent([Sent(ANNA, 1, 3, 0, B.server)])
    clock.at_ms += B.lease_ms
    assert await unsent(store) == []


async def test_what_is_all_sent_begins_anew_with_the_next_turn(store: Store, clock: ManualClock) -> None:
    row = await pushed(store, await begun(store), "second")
    await store.sent([Sent(ANNA, 1, 2, 0, A.server)])
    await pushed(store, row, "third")
    clock.at_ms += A.lease_ms
    claims = await store.claim("replies", ALL_SHARDS, 9, B)
    assert claims.replies == (Outgoing(ANNA, tuple(await store.replies(ANNA, (1, 2))), 0),)
