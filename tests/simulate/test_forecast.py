"""Forecasts of the shop, and what must hold for any of them."""

import asyncio
import json
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest
from command import ROOT, flowc
from golden import compare
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from flowc.runtime.program import Operation, Policy, Retry
from flowc.runtime.services.port import AttemptRequest, LoopClock
from flowc.runtime.simulate.loop import simulated
from flowc.runtime.simulate.plot import Curve, Panel, Span, plot
from flowc.runtime.simulate.profile import Delay, Operating
from flowc.runtime.simulate.queueing import QueueingBackend
from flowc.runtime.values import Shapes

FORECASTS = Path(__file__).parent / "forecasts"
BOT = ("simulate", "--project", "benchmarks/shop", "--profile")
SHOP = (*BOT, (FORECASTS / "busy.toml").relative_to(ROOT))


def test_a_calm_day_as_a_table(snapshot: SnapshotAssertion) -> None:
    ran = flowc(*BOT, (FORECASTS / "calm.toml").relative_to(ROOT), "--users", "8")
    assert ran.code == 0, ran.err
    compare(FORECASTS / "calm.txt", ran.out, snapshot)


def test_the_same_seed_is_the_same_forecast_and_another_is_not(tmp_path: Path) -> None:
    runs = []
    for number, seed in enumerate(("7", "7", "8")):
        path = tmp_path / f"{number}.svg"
        ran = flowc(*SHOP, "--users", "60", "--seed", seed, "--json", "-o", path)
        assert ran.code == 0, ran.err
        runs.append((ran.out, path.read_text()))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    ElementTree.fromstring(runs[0][1])


def test_more_users_wait_longer_for_the_same_places() -> None:
    few, many = (json.loads(flowc(*SHOP, "--users", users, "--seed", "3", "--json").out) for users in ("30", "300"))
    assert few["services"][1]["busiest"] < many["services"][1]["busiest"] <= 1
    assert few["most_jobs"] < many["most_jobs"]
    assert sum(many["services"][1]["failures"].values()) > sum(few["services"][1]["failures"].values())
    by_class = {each["priority"]: each for each in many["classes"]}
    assert by_class["urgent"]["p95_s"] < by_class["normal"]["p95_s"]
    assert many["jobs_left"] == 0


def test_who_is_in_the_middle_of_something_important_is_not_refused() -> None:
    rush = (FORECASTS / "rush.toml").relative_to(ROOT)
    figures = json.loads(flowc(*BOT, rush, "--users", "600", "--json").out)
    refused = {each["priority"]: each["refused"] for each in figures["classes"]}
    assert refused["normal"] > 0
    assert refused["urgent"] == 0
    assert figures["server_busiest"] > 0.3


def test_without_a_profile_users_say_what_the_chats_say() -> None:
    ran = flowc("simulate", "--project", "flows/order_support", "--users", "40", "--json")
    figures = json.loads(ran.out)
    assert figures["users"] == 40
    assert figures["messages"] > 40
    assert {each["service"]: each["calls"] > 0 for each in figures["services"]}["orders"]


def test_wrong_usage() -> None:
    assert "no flow `nowhere`" in flowc("simulate", "nowhere", "--project", "flows/order_support").err
    ran = flowc("simulate", "--project", "flows/order_support", "--users", "2", "-o", "nowhere/plot.svg")
    assert (ran.code, ran.err) == (2, "error: `nowhere/plot.svg` cannot be written: No such file or directory\n")
    assert flowc("simulate", "--users", "0").code == 2


# ---------------------------------------------------------------------------------------------------------- the backend


@given(
    places=st.integers(1, 4),
    arrivals=st.lists(st.integers(0, 200), min_size=1, max_size=30, unique=True).map(
        lambda tenths: [each / 10 for each in sorted(tenths)]
    ),
    seed=st.integers(0, 1000),
)
def test_a_backend_serves_in_order_at_its_places(places: int, arrivals: list[float], seed: int) -> None:
    """The times at which calls end are those of a queue that is served one by one."""
    latency = Delay(1.0, 3.0)

    async def played() -> list[float]:
        clock = LoopClock()
        backend = QueueingBackend({"op": Operating(latency)}, places, Shapes({}), clock, Random(seed))

        async def call(at: float) -> float:
            await clock.sleep(at)
            await backend.attempt(request)
            return clock.now()

        return await asyncio.gather(*(call(at) for at in arrivals))

    policy = Policy(1_000, 1_000, Retry(0, 0, 0))
    request = AttemptRequest(Operation("op", "write", (), None, policy, None, (), ()), {}, 1e9)
    ended = simulated(played())
    rng = Random(seed)
    free = [0.0] * places
    for at, end in zip(arrivals, ended, strict=True):
        begins = max(at, heappop(free))
        expected = begins + latency.drawn(rng)
        rng.random()
        heappush(free, expected)
        assert end == pytest.approx(expected)


# -------------------------------------------------------------------------------------------------------------- curves


def test_curves(snapshot: SnapshotAssertion) -> None:
    panels = [
        Panel("waits < 1 s & more", [Curve("a", [(0, 0.1), (1, 10.0), (2, None), (3, 1.0)])], logarithmic=True),
        Panel("nothing", [Curve("b", [])]),
    ]
    text = plot("A & B", panels, [Span(1, 2, "peak")])
    ElementTree.fromstring(text)
    compare(FORECASTS / "curves.svg", text, snapshot)
