"""A turn as a trace, as the SDK's own exporter in memory sees it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from channels.serving import Desk, serving, until
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from flowc.runtime.services.scripted import Fails, Gives
from flowc.runtime.telemetry.exporting import TracingSettings, TracingUnusable, is_wanted, tracing_to
from flowc.runtime.telemetry.log import silent
from flowc.runtime.telemetry.tracing import Tracing, conversation_hash

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Seen:
    desk: Desk
    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> ReadableSpan:
        [span] = [span for span in self.spans if span.name == name]
        return span

    def parts_of(self, whole: ReadableSpan) -> list[str]:
        return [span.name for span in self.spans if span.parent is not None and span.parent == whole.context]


@pytest.fixture
async def seen() -> AsyncIterator[Seen]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    async with serving(tracing=Tracing(provider)) as desk:
        yield Seen(desk, exporter)


async def test_a_turn_is_one_trace_with_its_parts(seen: Seen) -> None:
    await seen.desk.say("hello")
    seen.exporter.clear()
    await seen.desk.say("find it")
    turn = seen.named("turn message")
    assert turn.parent is None
    assert seen.parts_of(turn) == ["understand", "step", "shop.find", "step", "commit"]
    assert {span.context.trace_id for span in seen.spans if span.context} == {turn.context.trace_id}
    assert turn.attributes is not None
    assert turn.attributes["flowc.conversation"] == conversation_hash("c")
    assert turn.attributes["flowc.to"] == "desk/more.listen"
    understood = seen.named("understand").attributes
    assert understood is not None
    assert (understood["flowc.provider"], understood["flowc.intent"]) == ("rules", "find")


async def test_the_trace_of_the_sender_goes_on(seen: Seen) -> None:
    await seen.desk.post("messages", {"text": "find it"}, traceparent=PARENT)
    turn = seen.named("turn message")
    assert turn.parent is not None
    assert f"{turn.parent.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{turn.parent.span_id:016x}" == PARENT.split("-")[2]
    await seen.desk.say("no")  # without one it is a trace of its own
    second = [span for span in seen.spans if span.name == "turn message"][-1]
    assert second.parent is None


async def test_the_turn_of_a_result_links_to_the_call_that_caused_it(seen: Seen) -> None:
    seen.desk.script("pay", Gives("r1"))
    await seen.desk.say("pay")
    asked, call, result = seen.named("turn message"), seen.named("call shop.pay"), seen.named("turn result")
    assert call.context.trace_id == asked.context.trace_id
    assert seen.parts_of(call) == ["shop.pay"]
    assert [link.context for link in result.links] == [call.context]
    assert result.context.trace_id != asked.context.trace_id


async def test_a_turn_that_follows_by_itself_links_to_the_one_before(seen: Seen) -> None:
    await seen.desk.say("find it")  # what is said before the call leaves first
    asked, following = seen.named("turn message"), seen.named("turn continued")
    assert "shop.find" in seen.parts_of(following)
    assert [link.context for link in following.links] == [asked.context]


async def test_the_call_of_a_job_links_to_the_turn_that_deferred_it(seen: Seen) -> None:
    seen.desk.script("pay", Gives("r1"))
    await seen.desk.say("later")
    await until(lambda: any(span.name == "turn result" for span in seen.spans))
    asked, call = seen.named("turn message"), seen.named("call shop.pay")
    assert call.parent is None
    assert [link.context for link in call.links] == [asked.context]


async def test_every_attempt_is_a_span_and_how_it_ended(seen: Seen) -> None:
    seen.desk.script("find", Fails("unavailable"), Gives("a hat"))
    answer = asyncio.create_task(seen.desk.say("find it"))
    await until(lambda: bool(seen.desk.shop.attempts))
    seen.desk.clock.pass_to(seen.desk.clock.now_ms() + 1_000)
    await answer
    first, second = [span for span in seen.spans if span.name == "shop.find"]
    assert not first.status.is_ok
    assert second.status.is_ok
    assert (first.attributes or {})["flowc.try"] == 1
    assert (second.attributes or {})["flowc.try"] == 2


async def test_a_call_that_was_not_sent_is_noted_in_its_turn(seen: Seen) -> None:
    for _ in range(2):
        seen.desk.script("find", Fails("unavailable"))
        answer = asyncio.create_task(seen.desk.say("find it"))
        while not answer.done():
            seen.desk.clock.pass_to(seen.desk.clock.now_ms() + 100)
            await asyncio.sleep(0.001)
    events = [event.name for span in seen.spans if span.name == "turn message" for event in span.events]
    assert "not sent" in events


# -------------------------------------------------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
    ],
)
def test_the_standard_variables_say_whether_traces_are_sent(variables: dict[str, str], wanted: bool) -> None:
    assert is_wanted(None, variables) is wanted


def test_settings_ask_for_traces_and_a_variable_stops_them() -> None:
    settings = TracingSettings("http://127.0.0.1:4318/v1/traces")
    assert is_wanted(settings, {})
    assert not is_wanted(settings, {"OTEL_SDK_DISABLED": "true"})


def test_an_exporter_that_is_not_ours_is_said() -> None:
    with pytest.raises(TracingUnusable, match="OTEL_TRACES_EXPORTER is `jaeger`: it may be otlp, console or none"):
        is_wanted(None, {"OTEL_TRACES_EXPORTER": "jaeger"})


def test_nothing_is_traced_where_nobody_asks() -> None:
    with tracing_to(None, "desk", silent, {}) as tracing:
        assert tracing is None
