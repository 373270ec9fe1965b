"""Where traces are sent: the settings of flowc.toml, a collector that is there, and one that is not."""

import asyncio
import logging
from pathlib import Path

import pytest
from command import flowc
from services.backend import answers, running

from flowc.cli.environments import settings_of, tracing_of
from flowc.cli.projects import project_here
from flowc.cli.terminal import Stop
from flowc.runtime.telemetry.exporting import TracingSettings, said_in, tracing_to
from flowc.runtime.telemetry.log import silent

pytestmark = pytest.mark.anyio

TABLE = """
[environments.dev.tracing]
endpoint = "http://127.0.0.1:4318/v1/traces"
share = 0.25
service = "shop"
headers = { authorization = { env = "OTLP_TOKEN" }, x-team = "bots" }
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    assert flowc("init", tmp_path / "bot").code == 0
    with (tmp_path / "bot" / "flowc.toml").open("a") as settings:
        settings.write(TABLE)
    return tmp_path / "bot"


def test_the_settings_of_an_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(project_here(project), "dev")
    with pytest.raises(Stop, match="header `authorization` of tracing is not set"):
        tracing_of(settings, project)
    monkeypatch.setenv("OTLP_TOKEN", "s3cret")
    headers = {"authorization": "s3cret", "x-team": "bots"}
    assert tracing_of(settings, project) == TracingSettings("http://127.0.0.1:4318/v1/traces", headers, 0.25, "shop")


def test_a_share_is_at_most_all(project: Path) -> None:
    file = project / "flowc.toml"
    file.write_text(file.read_text().replace("share = 0.25", "share = 25"))
    ran = flowc("check", folder=project)
    assert ran.code == 1
    assert "the setting `environments.dev.tracing.share` cannot have this value" in ran.out


async def exported(share: float) -> list[tuple[str, str | None, bytes]]:
    """What a collector gets of one span: path, a header, body."""
    async with running(answers(body={})) as collector:
        settings = TracingSettings(f"{collector.url}/v1/traces", {"x-team": "bots"}, share, "shop")

        def work() -> None:
            with tracing_to(settings, "desk", silent, {}) as tracing:
                assert tracing is not None
                with tracing.part("a part"):
                    pass

        await asyncio.to_thread(work)
        return [(got.target, got.headers.get("x-team"), got.body) for got in collector.received]


async def test_what_is_left_at_the_end_is_sent() -> None:
    [(target, team, body)] = await exported(share=1.0)
    assert (target, team) == ("/v1/traces", "bots")
    assert b"shop" in body
    assert b"a part" in body


async def test_a_share_of_nothing_sends_nothing() -> None:
    assert await exported(share=0.0) == []


def test_what_the_sdk_complains_of_is_one_line_a_minute_without_its_words() -> None:
    told: list[tuple[str, str, dict[str, object]]] = []
    now = [0.0]
    with said_in(lambda severity, event, facts: told.append((severity, event, dict(facts))), lambda: now[0]):
        complaints = logging.getLogger("opentelemetry.sdk.trace.export")
        for now[0] in (0.0, 1.0, 59.0, 61.0):
            complaints.warning("cannot send %s", "a value")
    assert told == [("warning", "traces not sent", {"where": "export"})] * 2
