"""What `/metrics` says after conversations, as Prometheus itself reads it."""

import asyncio
import re
from pathlib import Path

from channels.serving import Desk, serving, until
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from flowc.runtime.channels.tokens import Token, hashed
from flowc.runtime.services.scripted import Fails, Gives
from flowc.runtime.telemetry.metrics import Metrics

OPERATING = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
DOCUMENTED = set(re.findall(r"^\| `(flowc_\w+)`", OPERATING, re.MULTILINE))
TOKENS = (Token("web", hashed("w")), Token("prometheus", hashed("p"), "reader"))


async def scraped(served: Desk, token: str | None = None) -> dict[str, Metric]:
    answer = await served.get("/metrics", token=token)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(families: dict[str, Metric], name: str, **labels: str) -> float | None:
    """The sum of the samples `name` that have these labels; None where there is none."""
    found = [
        sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return sum(found) if found else None


async def test_every_name_is_documented_and_every_documented_name_is_there(desk: Desk) -> None:
    names = {family.name for family in Metrics().families()}
    assert names == DOCUMENTED
    exposed = {name for name in await scraped(desk) if name.startswith("flowc_")}
    assert exposed == {name.removesuffix("_total") for name in names}


def test_names_are_those_of_prometheus_conventions() -> None:
    for family in Metrics().families():
        assert re.fullmatch(r"flowc(_[a-z]+)+", family.name)
        assert family.help.endswith(".")


async def test_a_conversation_is_counted_from_its_beginning_to_its_end(desk: Desk) -> None:
    await desk.say("find it")
    await desk.say("gibberish")
    await desk.say("no")
    seen = await scraped(desk)
    assert value(seen, "flowc_turn_duration_seconds_count", kind="message") == 3
    assert value(seen, "flowc_reply_latency_seconds_count", **{"class": "normal"}) == 3
    assert value(seen, "flowc_conversations_begun_total", version="1.2.0") == 1
    assert value(seen, "flowc_states_entered_total", flow="desk", state="find") == 1
    assert value(seen, "flowc_states_left_total", flow="desk", state="find") == 1
    assert value(seen, "flowc_fallbacks_total", flow="desk", state="more") == 1
    ended = {"flow": "desk", "state": "goodbye", "outcome": "", "cause": "done"}
    assert value(seen, "flowc_conversations_ended_total", **ended) == 1
    assert value(seen, "flowc_intent_confidence_ratio_count", intent="find", provider="rules", outcome="intent") == 1
    assert value(seen, "flowc_intent_confidence_ratio_count", outcome="fallback") == 1
    assert value(seen, "flowc_call_attempt_duration_seconds_count", operation="find", outcome="ok") == 1


async def test_attempts_and_retries_are_counted_by_how_they_ended(desk: Desk) -> None:
    desk.script("find", Fails("unavailable"), Gives("a hat"))
    answer = asyncio.create_task(desk.say("find it"))
    await until(lambda: bool(desk.shop.attempts))
    desk.clock.pass_to(desk.clock.now_ms() + 1_000)  # the wait before the retry
    await answer
    seen = await scraped(desk)
    attempts = "flowc_call_attempt_duration_seconds_count"
    assert value(seen, attempts, operation="find", outcome="unavailable") == 1
    assert value(seen, attempts, operation="find", outcome="ok") == 1
    assert value(seen, "flowc_call_retries_total", service="shop", operation="find", reason="unavailable") == 1


async def test_what_the_store_knows_is_counted_when_somebody_looks(desk: Desk) -> None:
    desk.script("pay", Gives("r1", after_s=0.5))
    await desk.say("hello")
    await desk.say("later", "d")
    seen = await scraped(desk)
    assert value(seen, "flowc_conversations_live", version="1.2.0") == 2
    assert value(seen, "flowc_commands_outstanding", **{"class": "normal"}) == 1
    assert value(seen, "flowc_queue_wait_seconds_count", **{"class": "normal"}) == 3  # two messages and the job
    await desk.say("no")
    assert value(await scraped(desk), "flowc_conversations_live", version="1.2.0") == 2  # a moment old
    desk.clock.pass_to(desk.clock.now_ms() + 11_000)
    assert value(await scraped(desk), "flowc_conversations_live", version="1.2.0") == 1


async def test_a_write_of_which_nobody_knows_is_counted(desk: Desk) -> None:
    desk.script("pay", Fails("unknown"))
    answer = asyncio.create_task(desk.say("pay"))
    while not answer.done():
        desk.clock.pass_to(desk.clock.now_ms() + 100)
        await asyncio.sleep(0.001)
    seen = await scraped(desk)
    assert value(seen, "flowc_effects_in_doubt_total", service="shop", operation="pay") == 1


async def test_refusals_are_counted_by_reason(desk: Desk) -> None:
    await desk.say("hello", id="m1")
    assert (await desk.post("messages", {"text": "other", "id": "m1"})).status_code == 422
    assert (await desk.post("messages", b"{")).status_code == 422
    seen = await scraped(desk)
    assert value(seen, "flowc_refusals_total", reason="conflict") == 1
    assert value(seen, "flowc_refusals_total", reason="malformed") == 1


async def test_metrics_are_for_readers() -> None:
    async with serving(*TOKENS) as served:
        assert (await served.get("/metrics")).status_code == 401
        assert (await served.get("/metrics", token="w")).status_code == 403
        assert value(await scraped(served, "p"), "flowc_build_info", bot="desk") == 1
