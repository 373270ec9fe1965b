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
from flowc.runtime.services.port import LoopClock
from flowc.runtime.understanding.chain import Chain
from flowc.runtime.understanding.http import HttpProvider
from flowc.runtime.understanding.port import Asking, Heard, Undecided
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


class Slow(Fake):
    async def understand(self, heard: Heard, asking: Asking) -> Understood:
        await anyio.sleep(3_600)
        raise AssertionError


def chain(*others: Fake | HttpProvider) -> Chain:
    return Chain(Rules(PROGRAM), others, LoopClock())


def sure(name: str, confidence: float, *found: Found) -> Understood:
    return Understood((RankedIntent(name, confidence),), found, "fake")


async def test_rules_come_first_and_when_they_are_sure_nobody_else_is_asked() -> None:
    other = Fake(sure("book", 0.9))
    got = await chain(other).understand(Heard("where is my order", NOW), asking())
    assert (got.provider, got.intents[0].name, other.asked) == ("rules", "track", [])


async def test_what_the_rules_do_not_know_the_next_is_asked() -> None:
    got = await chain(Fake(sure("track", 0.8))).understand(UNKNOWN, asking())
    assert got == sure("track", 0.8)


async def test_a_provider_that_is_late_or_cannot_answer_costs_no_turn() -> None:
    got = await chain(Slow(), Fake(), Fake(sure("track", 0.8))).understand(UNKNOWN, asking())
    assert got.intents == (RankedIntent("track", 0.8),)
    assert (await chain(Slow(), Fake()).understand(UNKNOWN, asking())).intents == ()


async def test_the_surest_wins_and_values_of_the_rules_stay() -> None:
    book = Found("CD123456", "order_id", ("order_id",))
    first, second = Fake(sure("track", 0.4)), Fake(sure("book", 0.3, book, Found(4, "guests", ("guests",))))
    got = await chain(first, second).understand(Heard("hm AB123456 hm", NOW), asking())
    assert got.intents == (RankedIntent("track", 0.4),)
    assert [each.value for each in got.found] == ["AB123456", 4]


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
