"""The chain of providers, and the `http` provider against a real server."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest
from services.backend import Backend, Behaviour, answers, drops, hangs, running
from understanding.bots import INTENTS, NOW, SLOTS, asking, program

from flowc.runtime.kernel.events import Found, RankedIntent, Understood
from flowc.runtime.services.endpoint import Endpoint
from flowc.runtime.services.port import Clock, LoopClock
from flowc.runtime.simulate.clock import SimulatedClock
from flowc.runtime.understanding.chain import Chain
from flowc.runtime.understanding.http import HttpProvider
from flowc.runtime.understanding.open import ClassifierSettings, ProviderUnknown, open_understanding
from flowc.runtime.understanding.port import Asking, Heard, Provider, Undecided
from flowc.runtime.understanding.rules import Rules

pytestmark = pytest.mark.anyio

PROGRAM = program(SLOTS, INTENTS)
UNKNOWN = Heard("what about the thing i bought", NOW)


@dataclass
class Fake:
    """A provider that says what a test wants."""

    says: Understood | None = None
    within_s: float = 0.05
    name: str = "fake"
    asked: list[str] = field(default_factory=list)

    async def understand(self, heard: Heard, asking: Asking) -> Understood:
        self.asked.append(heard.text)
        if self.says is None:
            raise Undecided("no answer")
        return self.says


@dataclass
class Slow(Fake):
    """Answers after an hour."""

    clock: Clock = field(default_factory=LoopClock)

    async def understand(self, heard: Heard, asking: Asking) -> Understood:
        self.asked.append(heard.text)
        await self.clock.sleep(3_600)
        return sure("late", 1.0)


def chain(*others: Provider, clock: Clock | None = None) -> Chain:
    return Chain(Rules(PROGRAM), others, clock or LoopClock())


def sure(name: str, confidence: float, *found: Found) -> Understood:
    return Understood((RankedIntent(name, confidence),), found, "fake")


async def test_rules_come_first_and_when_they_are_sure_nobody_else_is_asked() -> None:
    other = Fake(sure("book", 0.9))
    got = await chain(other).understand(Heard("where is my order", NOW), asking())
    assert (got.provider, got.intents[0].name, other.asked) == ("rules", "track", [])


async def test_providers_are_asked_in_their_order_until_one_is_sure() -> None:
    unsure, decided, never = Fake(sure("track", 0.5)), Fake(sure("book", 0.6)), Fake(sure("track", 0.9))
    got = await chain(unsure, decided, never).understand(UNKNOWN, asking())
    assert got == sure("book", 0.6)
    assert (unsure.asked, decided.asked, never.asked) == ([UNKNOWN.text], [UNKNOWN.text], [])


async def test_where_nobody_is_sure_the_surest_wins_and_of_equals_the_first() -> None:
    first, second, third = Fake(sure("track", 0.4)), Fake(sure("book", 0.3)), Fake(sure("rename", 0.4))
    assert await chain(first, second, third).understand(UNKNOWN, asking()) == sure("track", 0.4)


async def test_a_provider_that_cannot_answer_is_passed_over() -> None:
    assert await chain(Fake(), Fake(sure("track", 0.8))).understand(UNKNOWN, asking()) == sure("track", 0.8)
    assert (await chain(Fake()).understand(UNKNOWN, asking())).intents == ()


async def test_a_provider_that_is_late_costs_what_it_is_given_and_no_more() -> None:
    clock, got = SimulatedClock(0), []
    slow, other = Slow(within_s=0.5, clock=clock), Fake(sure("track", 0.8))

    async def understand() -> None:
        got.append(await chain(slow, other, clock=clock).understand(UNKNOWN, asking()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(understand)
        await anyio.wait_all_tasks_blocked()
        clock.pass_to(499)
        await anyio.wait_all_tasks_blocked()
        assert (slow.asked, other.asked, got) == ([UNKNOWN.text], [], [])
        clock.pass_to(500)
    assert (other.asked, got) == ([UNKNOWN.text], [sure("track", 0.8)])


async def test_values_of_all_are_kept_and_of_two_for_one_slot_the_first() -> None:
    another = Found("CD123456", "order_id", ("order_id",))
    first, second = Fake(sure("track", 0.4)), Fake(sure("book", 0.3, another, Found(4, "guests", ("guests",))))
    got = await chain(first, second).understand(Heard("hm AB123456 hm", NOW), asking())
    assert got.intents == (RankedIntent("track", 0.4),)
    assert [each.value for each in got.found] == ["AB123456", 4]


@pytest.mark.parametrize(
    ("asked", "text", "is_answer"),
    [("order_id", "it is AB123456", True), ("guests", "it is AB123456", False), ("name", "Ann", False)],
)
async def test_a_question_that_is_answered_needs_nobody_else(asked: str, text: str, is_answer: bool) -> None:
    other = Fake(sure("track", 0.8))
    await chain(other).understand(Heard(text, NOW), asking(asked))
    assert other.asked == ([] if is_answer else [text])


async def test_a_provider_that_nobody_offers_is_named_in_one_sentence() -> None:
    with pytest.raises(ProviderUnknown) as raised:
        async with open_understanding(PROGRAM, ("rules", "oracle"), LoopClock()):
            pass
    assert str(raised.value) == (
        "there is no provider of understanding `oracle`: [understanding] chain may name `rules`, `http`"
    )
    assert (raised.value.name, raised.value.fault) == ("oracle", "caller")


@pytest.mark.parametrize("names", [(), ("rules",)])
async def test_the_rules_are_always_there(names: tuple[str, ...]) -> None:
    async with open_understanding(PROGRAM, names, LoopClock()) as opened:
        understood = await opened.understand(Heard("where is my order", NOW), asking())
    assert understood.intents == (RankedIntent("track", 1.0),)


async def test_a_classifier_without_an_address_is_named_in_one_sentence() -> None:
    with pytest.raises(ProviderUnknown, match=r"add \[understanding.http\] with its url"):
        async with open_understanding(PROGRAM, ("rules", "http"), LoopClock()):
            pass


async def test_the_classifier_of_the_settings_is_asked_after_the_rules() -> None:
    body = {"intents": [{"name": "track", "confidence": 0.9}]}
    async with running(answers(body=body)) as backend:
        settings = ClassifierSettings(f"{backend.url}/understand", bearer="t")
        async with open_understanding(PROGRAM, ("rules", "http"), LoopClock(), settings) as opened:
            understood = await opened.understand(UNKNOWN, asking())
    assert understood.intents == (RankedIntent("track", 0.9),)
    assert understood.provider == "http"


@asynccontextmanager
async def endpoint(behave: Behaviour) -> AsyncIterator[tuple[HttpProvider, Backend]]:
    async with running(behave) as backend:
        to = Endpoint(backend.url + "/understand", headers={"authorization": "Bearer t"})
        async with to.opened():
            yield HttpProvider(PROGRAM, to), backend


async def test_http_asks_with_candidates_and_slots_and_takes_what_fits() -> None:
    body = {
        "intents": [
            {"name": "book", "confidence": 0.3},
            {"name": "track", "confidence": 7},
            {"name": "x", "confidence": 1},
        ],
        "values": {"order_id": "AB123456", "guests": 99, "day": "2026-12-24", "nobody": 1, "size": None},
        "model": "m-1",
    }
    async with endpoint(answers(body=body)) as (provider, backend):
        got = await provider.understand(UNKNOWN, asking("order_id"))
    assert got.intents == (RankedIntent("track", 1.0), RankedIntent("book", 0.3))
    assert {each.slot: str(each.value) for each in got.found} == {"order_id": "AB123456", "day": "2026-12-24"}
    (request,) = backend.received
    sent = json.loads(request.body)
    assert (sent["text"], sent["locale"], sent["asked"]) == (UNKNOWN.text, "en", "order_id")
    assert {"name": "rename", "examples": ["my name is {name}", "call me {name} please"]} in sent["intents"]
    assert "a {size: big} table" in str(sent["intents"])
    assert (request.target, request.headers["authorization"]) == ("/understand", "Bearer t")


@pytest.mark.parametrize(
    "behave",
    [
        answers(500, {"intents": []}),
        answers(302, headers={"location": "http://elsewhere"}),
        answers(200, b"<html>"),
        answers(200, [1, 2]),
        answers(200, {"intents": [{"name": 1}]}),
        answers(200, b"[" * 100_000),
        drops,
    ],
    ids=["500", "redirect", "not JSON", "a list", "wrong types", "deep", "drops"],
)
async def test_http_without_a_proper_answer_is_undecided(behave: Behaviour) -> None:
    async with endpoint(behave) as (provider, _):
        with pytest.raises(Undecided):
            await provider.understand(UNKNOWN, asking())


async def test_http_that_hangs_costs_its_within() -> None:
    async with endpoint(hangs) as (provider, backend):
        provider.within_s = 0.05
        got = await chain(provider).understand(UNKNOWN, asking())
        assert got.intents == ()
        assert len(backend.received) == 1
