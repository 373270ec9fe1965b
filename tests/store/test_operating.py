"""Deployments are numbered and change in one transaction; counts come from columns alone."""

import hashlib

import pytest
from store.making import ANNA, BEN, START_MS, A, ManualClock, begun, command, committed, event, message, unit

from flowc.runtime.store.overview import Census, Deployment, DeploymentKind, NewDeployment, Pause, Report
from flowc.runtime.store.port import Store
from flowc.runtime.store.rows import INBOX_LIMIT, Dead, Digest, InboxFull, Received, ServerId, Wanted

BUNDLE = b"bundle"
DIGEST = Digest(hashlib.sha256(BUNDLE).hexdigest())


async def activated(store: Store, expects: int, kind: DeploymentKind = "deploy") -> Deployment | None:
    return await store.activate(NewDeployment("bot", "1.0.0", DIGEST, kind, "me", "abc", 10), expects)


async def states(store: Store) -> list[tuple[int, str]]:
    return [(one.number, one.state) for one in await store.deployments()]


async def test_a_bundle_is_kept_under_its_digest(store: Store) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        await store.prepare(DIGEST, b"other")
    assert await store.bundle(DIGEST) is None
    for _ in range(2):
        await store.prepare(DIGEST, BUNDLE)
    assert await store.bundle(DIGEST) == BUNDLE


async def test_activating_expects_the_highest_number_and_a_prepared_bundle(store: Store) -> None:
    assert await activated(store, 0) is None
    await store.prepare(DIGEST, BUNDLE)
    first = await activated(store, 0)
    assert first == Deployment(1, START_MS, NewDeployment("bot", "1.0.0", DIGEST, "deploy", "me", "abc", 10), "stable")
    assert await activated(store, 0) is None
    assert await store.deployments() == (first,)


async def test_a_canary_stands_beside_the_stable_one_until_the_next(store: Store) -> None:
    await store.prepare(DIGEST, BUNDLE)
    await activated(store, 0)
    await activated(store, 1, "canary")
    assert await states(store) == [(2, "canary"), (1, "stable")]
    assert await activated(store, 2, "canary") is None
    await activated(store, 2, "promote")
    assert await states(store) == [(3, "stable"), (2, "past"), (1, "past")]


async def test_servers_report_what_they_can_run(store: Store, clock: ManualClock) -> None:
    await store.report(ServerId("a"), DIGEST, "no address for `orders`")
    clock.at_ms += 5000
    await store.report(ServerId("b"), DIGEST)
    assert await store.reports(4000) == (Report(ServerId("b"), START_MS + 5000, DIGEST),)
    assert [one.problem for one in await store.reports(5000)] == ["no address for `orders`", None]


async def test_the_census_counts_waits_and_jobs_by_deployment(store: Store) -> None:
    await begun(store, jobs=1, commands=(command(deferred=True),))
    await begun(store, BEN)
    assert await store.census() == (
        Census("wait", 1, "main/ask", "normal", 2, START_MS),
        Census("job", 1, "main.orders.cancel", "normal", 1, START_MS),
    )


async def test_the_census_follows_an_ended_conversation_only_by_its_job(store: Store) -> None:
    ended = await begun(store, ended=True, jobs=1, commands=(command(deferred=True),))
    job = Census("job", 1, "main.orders.cancel", "normal", 1, START_MS)
    assert await store.census() == (job,)
    await committed(store, unit(ended, message("again"), deployment=2))
    assert await store.census() == (Census("wait", 2, "main/ask", "normal", 1, START_MS), job)


async def test_conversations_are_listed_page_by_page(store: Store) -> None:
    for address in (ANNA, BEN):
        await begun(store, address)
    await store.receive([event("waiting")], A)
    (first,) = await store.summaries(limit=1)
    (second,) = await store.summaries(first.address)
    assert {(first.address, first.waiting), (second.address, second.waiting)} == {(ANNA, 1), (BEN, 0)}
    assert await store.summaries(second.address) == ()
    await store.erase(ANNA)
    assert [one.address for one in await store.summaries(ended=True)] == [BEN]


async def test_ended_conversations_are_listed_when_asked_for(store: Store) -> None:
    await begun(store, ended=True)
    assert await store.summaries() == ()
    assert [one.ended for one in await store.summaries(ended=True)] == [True]


async def test_a_pause_is_a_row(store: Store) -> None:
    await store.pause(Pause("orders", "me", START_MS))
    await store.pause(Pause("orders", "me", START_MS, 20))
    assert await store.pauses() == (Pause("orders", "me", START_MS, 20),)
    assert await store.resume("orders")
    assert not await store.resume("orders")


async def test_scanning_goes_on_from_its_cursor(store: Store) -> None:
    row = await begun(store)
    await committed(store, unit(row, message("second")))
    first, cursor = await store.scan(limit=1)
    second, cursor = await store.scan(cursor)
    assert [one.turn for one in (*first, *second)] == [1, 2]
    assert (await store.scan(cursor))[0] == ()


async def test_a_dead_event_is_put_into_its_inbox_again_once(store: Store) -> None:
    row = await begun(store)
    await committed(store, unit(row, message("poison"), dead=Dead("message", b"poison", "why", 3)))
    again = event("again")
    assert await store.revive(ANNA, 1, 3, again, A) is None
    assert await store.revive(ANNA, 1, 2, again, A) == Received(1, first=True)
    assert await store.dead() == ()
    assert await store.revive(ANNA, 1, 2, again, A) is None
    assert [held.event.body for held in (await store.load([Wanted(ANNA)]))[0].inbox] == [b"again"]


async def test_a_dead_event_stays_where_its_inbox_is_full(store: Store) -> None:
    row = await begun(store)
    await committed(store, unit(row, message("poison"), dead=Dead("message", b"poison", "why", 3)))
    await store.receive([event(str(number)) for number in range(INBOX_LIMIT)], A)
    assert await store.revive(ANNA, 1, 2, event("again"), A) == InboxFull()
    assert len(await store.dead()) == 1
