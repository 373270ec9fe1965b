"""Commands stand in queues by class, service and tenant, and are claimed as who claims says."""

from store.making import (
    ANNA,
    BEN,
    START_MS,
    A,
    B,
    ManualClock,
    begun,
    command,
    committed,
    event,
    message,
    row_of,
    unit,
)

from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.policy.dispatch import Dispatch
from flowc.runtime.policy.lanes import SPACING_MS, Queue
from flowc.runtime.policy.places import Places
from flowc.runtime.program import PriorityClass
from flowc.runtime.store.overview import Pause
from flowc.runtime.store.port import ALL_SHARDS, Store
from flowc.runtime.store.queues import Queues
from flowc.runtime.store.rows import Address, Holder, Postponed, Start, StoredCommand

K = CommandKey("k")
LOW: tuple[PriorityClass, ...] = ("low", "bulk")


async def all_of(store: Store, holder: Holder = A) -> dict[Queue, list[tuple[str, int]]]:
    """What is due, by queue, and nothing of it claimed."""
    seen: dict[Queue, list[tuple[str, int]]] = {}

    def look(queues: Queues) -> list[StoredCommand]:
        seen.update({queue: [(each.key, ready) for ready, each in found] for queue, found in queues.items()})
        return []

    assert (await store.claim("commands", ALL_SHARDS, 1, holder, pick=look)).commands == ()
    return {queue: found for queue, found in seen.items() if found}


async def test_a_queue_is_of_one_class_tenant_and_service_in_order(store: Store, clock: ManualClock) -> None:
    await begun(store, owner="web", commands=(command("b", due_ms=START_MS + 2), command("a", due_ms=START_MS + 1)))
    await begun(store, BEN, owner="app", commands=(command("c"), command("low", priority="low")))
    await begun(store, Address("cid"), owner="app", commands=(command("soon", due_ms=START_MS + 9),))
    clock.at_ms += 5
    assert await all_of(store) == {
        Queue("normal", "web", "orders"): [("a", START_MS + 1), ("b", START_MS + 2)],
        Queue("normal", "app", "orders"): [("c", START_MS)],
        Queue("low", "app", "orders"): [("low", START_MS)],
    }


async def test_only_what_is_picked_is_claimed(store: Store) -> None:
    await begun(store, commands=(command("a"), command("b"), command("c")))

    def second(queues: Queues) -> list[StoredCommand]:
        [queue] = queues.values()
        return [[each for _, each in queue][1]]

    claims = await store.claim("commands", ALL_SHARDS, 1, A, pick=second)
    assert [one.key for one in claims.commands] == ["b"]
    assert [key for found in (await all_of(store, B)).values() for key, _ in found] == ["a", "c"]


async def test_the_tenant_is_the_owner_of_the_conversation(store: Store) -> None:
    row = await begun(store, owner="web")
    await committed(store, unit(row, message("second"), owner="other", commands=(command(),)))
    (one,) = await store.commands(ANNA)
    assert one.tenant == "web"


async def test_each_job_of_a_conversation_stands_a_little_later_than_the_one_before(store: Store) -> None:
    jobs = tuple(command(key, deferred=True) for key in "ab")
    row = await begun(store, commands=(*jobs, command("write")))
    await committed(store, unit(row, message("second"), commands=(command("c", deferred=True),)))
    found = {one.key: one.ready_ms - START_MS for one in await store.commands(ANNA)}
    assert found == {"a": 0, "b": SPACING_MS, "c": 2 * SPACING_MS, "write": 0}
    assert [key for found in (await all_of(store)).values() for key, _ in found] == ["a", "write", "b", "c"]


async def test_a_job_that_never_left_keeps_its_place_and_a_retry_begins_at_its_due_time(
    store: Store, clock: ManualClock
) -> None:
    await begun(store, commands=(command(deferred=True),))
    await store.start([Start(ANNA, K, 0, A)])
    await store.postpone([Postponed(ANNA, K, 1, A.server, START_MS + 500, unsent=True)])
    assert await all_of(store) == {}
    clock.at_ms += 500
    assert await all_of(store) == {Queue("normal", "", "orders"): [("k", START_MS)]}
    await store.start([Start(ANNA, K, 0, A)])
    await store.postpone([Postponed(ANNA, K, 1, A.server, START_MS + 900)])
    clock.at_ms += 500
    assert await all_of(store) == {Queue("normal", "", "orders"): [("k", START_MS + 900)]}


async def test_what_a_turn_waits_for_stands_where_its_lease_ends(store: Store, clock: ManualClock) -> None:
    await begun(store, commands=(command(holder=A),))
    clock.at_ms += A.lease_ms
    assert await all_of(store) == {Queue("normal", "", "orders"): [("k", START_MS + A.lease_ms)]}
    await store.claim("commands", ALL_SHARDS, 9, B)
    clock.at_ms += B.lease_ms
    assert await all_of(store) == {Queue("normal", "", "orders"): [("k", START_MS + A.lease_ms + B.lease_ms)]}


async def test_a_message_lends_its_class_to_the_write_it_waits_for_and_to_no_job(store: Store) -> None:
    await begun(store, commands=(command("write", priority="low"), command("job", priority="low", deferred=True)))
    await store.receive([event("hurry", priority="high")], A)
    await store.receive([event("no hurry", priority="bulk"), event("e", kind="event", priority="urgent")], A)
    assert {one.key: one.priority for one in await store.commands(ANNA)} == {"write": "high", "job": "low"}


async def test_the_time_of_jobs_stands_still_while_their_service_is_paused(store: Store, clock: ManualClock) -> None:
    row = await begun(store, commands=(command("early", deferred=True), command("write")))
    clock.at_ms += 1_000
    await store.pause(Pause("orders", "me", clock.at_ms))
    clock.at_ms += 2_000
    await store.pause(Pause("orders", "you", clock.at_ms))  # it is paused
    await committed(store, unit(await row_of(store), message("second"), commands=(command("late", deferred=True),)))
    clock.at_ms += 3_000
    assert await store.resume("orders")
    later = {one.key: one.until_ms - START_MS - 60_000 for one in await store.commands(ANNA)}
    assert later == {"early": 5_000, "write": 0, "late": 3_000}
    assert row.turn == 1


async def test_with_a_rate_the_pause_ends_and_is_not_counted_twice(store: Store, clock: ManualClock) -> None:
    await begun(store, commands=(command(deferred=True),))
    await store.pause(Pause("orders", "me", clock.at_ms))
    clock.at_ms += 2_000
    await store.pause(Pause("orders", "me", clock.at_ms, 20))
    clock.at_ms += 2_000
    assert await store.resume("orders")
    (one,) = await store.commands(ANNA)
    assert one.until_ms == START_MS + 62_000


async def test_behind_an_hour_of_low_and_bulk_work_an_urgent_command_is_next(store: Store, clock: ManualClock) -> None:
    """One place, which each command holds for a moment."""
    dispatch = Dispatch(Places(1), {"orders": 1})
    for number in range(40):
        jobs = tuple(command(f"{number}.{name}", deferred=True, priority=name) for name in LOW)
        await begun(store, Address(f"c{number}"), commands=jobs)
        clock.at_ms += 90_000

    async def next_one() -> str:
        copy = dispatch.copied()
        claims = await store.claim("commands", ALL_SHARDS, 9, A, pick=lambda queues: copy.copied().pick(queues, 0.0))
        [claimed] = claims.commands
        return claimed.key

    for number in range(5):
        assert await next_one() != "urgent"
        hurry = command("urgent", due_ms=clock.at_ms, priority="urgent")
        row = await begun(store, Address(f"urgent{number}"), commands=(hurry,))
        assert await next_one() == "urgent"
        await committed(store, unit(row, message("done", row.address), settles=CommandKey("urgent")))
