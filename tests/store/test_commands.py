"""A command is started by one server at a time and done once."""

from store.making import ANNA, BEN, START_MS, A, B, ManualClock, begun, command, committed, event, message, unit

from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.store.port import ALL_SHARDS, Store
from flowc.runtime.store.rows import Address, Gone, Holder, Late, Postponed, Result, Settled, Start, Wanted

K = CommandKey("k")


def start(attempt: int, holder: Holder, address: Address = ANNA) -> Start:
    return Start(address, K, attempt, holder)


def done(name: str = "done") -> Result:
    return Result(ANNA, K, b"result", event(name, kind="result", incarnation=1))


async def test_ready_to_started_is_a_compare_and_swap(store: Store) -> None:
    await begun(store, commands=(command(),))
    assert await store.start([start(0, A), start(0, B), start(1, B)]) == (1, None, None)
    (one,) = await store.commands(ANNA)
    assert (one.state, one.attempt, one.server, one.wait_ms) == ("started", 1, "a", START_MS + A.lease_ms)


async def test_recovery_is_the_same_swap_on_a_lapsed_lease(store: Store, clock: ManualClock) -> None:
    await begun(store, commands=(command(),))
    await store.start([start(0, A)])
    assert not (await store.claim("commands", ALL_SHARDS, 9, B)).commands
    clock.at_ms += A.lease_ms
    (lapsed,) = (await store.claim("commands", ALL_SHARDS, 9, B)).commands
    assert (lapsed.state, lapsed.attempt) == ("started", 1)
    assert await store.start([start(1, A), start(1, B)]) == (None, 2)


async def test_a_command_may_be_started_by_its_commit(store: Store, clock: ManualClock) -> None:
    await begun(store, commands=(command(holder=A),))
    (one,) = await store.commands(ANNA)
    assert (one.state, one.attempt, one.server) == ("started", 1, "a")
    assert await store.start([start(1, B)]) == (None,)
    clock.at_ms += A.lease_ms
    assert await store.start([start(1, B)]) == (2,)


async def test_commands_are_claimed_when_due_by_class_then_age(store: Store, clock: ManualClock) -> None:
    late, early = command("late", due_ms=START_MS + 5), command("early")
    await begun(store, commands=(late, early, command("low", priority="low"), command("soon", due_ms=START_MS + 1000)))
    await begun(store, BEN, commands=(command("urgent", priority="urgent"),))
    clock.at_ms += 5
    claims = await store.claim("commands", ALL_SHARDS, 3, A)
    assert [one.key for one in claims.commands] == ["urgent", "early", "late"]
    assert [one.key for one in (await store.claim("commands", ALL_SHARDS, 3, B)).commands] == ["low"]
    clock.at_ms += 1000
    assert [one.key for one in (await store.claim("commands", ALL_SHARDS, 9, B, ("normal",))).commands] == ["soon"]


async def test_who_claimed_a_command_may_start_it_and_nobody_else(store: Store) -> None:
    await begun(store, commands=(command(),))
    await store.claim("commands", ALL_SHARDS, 9, A)
    assert await store.start([start(0, B), start(0, A)]) == (None, 1)


async def test_a_command_not_due_cannot_be_started(store: Store) -> None:
    await begun(store, commands=(command(due_ms=START_MS + 1),))
    assert await store.start([start(0, A)]) == (None,)


async def test_a_postponed_command_waits_for_its_time(store: Store, clock: ManualClock) -> None:
    await begun(store, commands=(command(),))
    await store.start([start(0, A)])
    await store.postpone([Postponed(ANNA, K, 1, A.server, START_MS + 500, body=b"retry")])
    assert await store.start([start(1, A)]) == (None,)
    clock.at_ms += 500
    (due,) = (await store.claim("commands", ALL_SHARDS, 9, B)).commands
    assert (due.state, due.attempt, due.body) == ("started", 1, b"retry")


async def test_an_attempt_that_never_left_is_taken_back(store: Store) -> None:
    await begun(store, commands=(command(),))
    await store.start([start(0, A)])
    await store.postpone([Postponed(ANNA, K, 1, A.server, START_MS, unsent=True)])
    (one,) = await store.commands(ANNA)
    assert (one.state, one.attempt, one.server) == ("ready", 0, None)
    await store.start([start(0, A)])
    await store.postpone([Postponed(ANNA, K, 1, A.server, START_MS)])
    await store.start([start(1, A)])
    await store.postpone([Postponed(ANNA, K, 2, A.server, START_MS, unsent=True)])
    (one,) = await store.commands(ANNA)
    assert (one.state, one.attempt) == ("started", 1)


async def test_a_claim_given_back_leaves_the_command_as_it_was(store: Store) -> None:
    await begun(store, commands=(command(),))
    await store.claim("commands", ALL_SHARDS, 9, A)
    await store.postpone([Postponed(ANNA, K, 0, A.server, START_MS, unsent=True)])
    (one,) = await store.commands(ANNA)
    assert (one.state, one.attempt, one.server) == ("ready", 0, None)


async def test_nobody_postpones_what_another_server_has(store: Store, clock: ManualClock) -> None:
    await begun(store, commands=(command(),))
    await store.start([start(0, A)])
    clock.at_ms += A.lease_ms
    await store.start([start(1, B)])
    await store.postpone([Postponed(ANNA, K, 1, A.server, START_MS), Postponed(ANNA, K, 2, A.server, START_MS)])
    (one,) = await store.commands(ANNA)
    assert (one.server, one.attempt) == ("b", 2)


async def test_a_result_is_settled_once_and_a_later_one_is_counted(store: Store) -> None:
    await begun(store, commands=(command(),))
    assert await store.settle([done()], A) == (Settled(1, True),)
    assert await store.settle([done(), done("again")], A) == (Late(1), Late(2))
    (loaded,) = await store.load([Wanted(ANNA)])
    assert [held.event for held in loaded.inbox] == [done().event]
    assert (loaded.commands, await store.late(ANNA)) == ((), ((K, 2),))


async def test_a_result_behind_twenty_messages_fits(store: Store) -> None:
    await begun(store, commands=(command(),))
    await store.receive([event(f"m{n}") for n in range(20)], A)
    assert await store.settle([done()], A) == (Settled(21, False),)


async def test_a_result_for_an_erased_address_is_gone(store: Store) -> None:
    await begun(store, commands=(command(),))
    await store.erase(ANNA)
    assert await store.settle([done()], A) == (Gone(),)


async def test_a_done_command_is_neither_claimed_nor_started(store: Store, clock: ManualClock) -> None:
    row = await begun(store, commands=(command(),))
    await store.settle([done()], A)
    clock.at_ms += 100_000
    assert not (await store.claim("commands", ALL_SHARDS, 9, A)).commands
    assert await store.start([start(0, A)]) == (None,)
    await store.discard(ANNA, 1)
    await committed(store, unit(row, message("goes on")))
