"""What `flowc conversations`, `why` and `funnel` say of a clinic that was talked to: tests/history/expected has the
pages, as written to a terminal or to a program."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import apsw
import pytest
from command import Ran, flowc
from golden import compare
from history.ward import START_MS, Ward, ward
from syrupy.assertion import SnapshotAssertion

from flowc.runtime.policy.verdict import Answered, Declared, NotSent
from flowc.runtime.simulate.clock import SimulatedClock
from flowc.runtime.store.sqlite import SqliteStore

EXPECTED = Path(__file__).parent / "expected"
PAGES = {
    "conversations": ("conversations",),
    "conversations-ended": ("conversations", "--ended", "--json"),
    "conversations-stuck": ("conversations", "--stuck", "30m"),
    "show": ("conversations", "show", "asks"),
    "show-ended": ("conversations", "show", "refused"),
    "why-condition": ("why", "asks", "4"),
    "why-first": ("why", "asks", "1"),
    "why-guard": ("why", "event", "1.2"),
    "why-refused": ("why", "refused"),
    "why-result": ("why", "booked", "1.6.0"),
    "why-silence": ("why", "silent"),
    "why-colour": ("why", "refused", "--color", "always"),
    "why-json": ("why", "asks", "4", "--json"),
    "funnel": ("funnel",),
    "funnel-json": ("funnel", "clinic", "--version", "1.0.0", "--json"),
}


async def said(clinic: Ward, conversation: str, *texts: str) -> None:
    for text in texts:
        await clinic.say(text, conversation)


@pytest.fixture
async def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ward]:
    """Conversations of all kinds. The server still runs while it is looked at."""
    clock = SimulatedClock(START_MS)
    patient = {"name": "Ada Lovelace", "born": date(1815, 12, 10), "ward": "b"}
    known = ("book a visit", "Ada Lovelace", "December 10, 1815")
    async with ward(tmp_path, clock) as made:
        await said(made, "silent", "hello")
        clock.pass_to(clock.now_ms() + 3_600_000)
        made.engine.sweep()
        while (await made.engine.conversation("silent")).state != "ended":  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.001)
        made.records.script("find", Declared("not_found", {"hint": "x"}))
        await said(made, "refused", *known)
        made.records.script("find", Answered(patient))
        await said(made, "asks", "hello", *known)
        made.records.script("book", Answered("r1"))
        await said(made, "booked", "hello", *known, "+49 30 98765432")
        await said(made, "event", "hello")
        await made.event({"badge": "b1", "door": 2}, "event")
        monkeypatch.setattr("flowc.cli.conversations.now_ms", lambda: clock.now_ms() + 2_400_000)
        monkeypatch.setattr("flowc.cli.funnel.now_ms", lambda: clock.now_ms() + 2_400_000)
        yield made


async def run(clinic: Ward, *arguments: str) -> Ran:
    return await asyncio.to_thread(flowc, *arguments, "--project", clinic.project)


@pytest.mark.timeout(60)
async def test_pages(clinic: Ward, snapshot: SnapshotAssertion) -> None:
    for name, arguments in PAGES.items():
        ran = await run(clinic, *arguments)
        assert ran.code == 0, ran
        compare(EXPECTED / f"{name}.txt", ran.out, snapshot)


def test_every_expected_page_is_one_of_these() -> None:
    assert {path.stem for path in EXPECTED.iterdir()} == set(PAGES)


MISSING = (
    (("conversations", "show", "nobody"), 1, "there is no conversation nobody"),
    (("why", "nobody"), 1, "there is no conversation nobody"),
    (("why", "asks", "99"), 1, "asks has no turn 1.99"),
    (("why", "asks", "7.1"), 1, "no turn of incarnation 7 of asks is kept"),
    (("why", "asks", "first"), 2, "`first` is no turn"),
    (("conversations", "--stuck", "long"), 2, "`long` is no length of time for --stuck"),
    (("conversations", "--state", "nope"), 2, "there is no state `nope`"),
    (("conversations", "--flow", "nope"), 2, "there is no flow `nope`"),
    (("funnel", "nope"), 2, "there is no flow `nope`"),
    (("funnel", "--version", "9.9.9"), 2, "version 9.9.9 was never deployed"),
    (("funnel", "--since", "1y"), 2, "`1y` is no length of time for --since"),
)


@pytest.mark.timeout(60)
async def test_what_is_not_there_is_said(clinic: Ward) -> None:
    for arguments, code, said in MISSING:
        ran = await run(clinic, *arguments)
        assert (ran.code, ran.out) == (code, ""), ran
        assert re.match(rf"error: {re.escape(said)}\n  help: .+\n\Z", ran.err), ran.err


async def test_an_erased_conversation_is_gone(clinic: Ward) -> None:
    await clinic.engine.erase("refused")
    for arguments in (("why", "refused"), ("conversations", "show", "refused")):
        ran = await run(clinic, *arguments)
        assert (ran.code, ran.err) == (1, "error: refused was erased\n")
    funnel = json.loads((await run(clinic, "funnel", "--json")).out)
    assert funnel["begun"] == 4


async def test_a_project_that_changed_since_has_no_lines(clinic: Ward) -> None:
    flow = clinic.project / "clinic.flow"
    flow.write_text(flow.read_text().replace("Bye.", "Goodbye."))
    told = (await run(clinic, "why", "asks", "4")).out
    assert "clinic.flow" not in told
    assert 'if (patient.name == name) and (patient.ward == "b")' in told


@pytest.mark.timeout(60)
async def test_attempts_that_were_not_sent_say_why(tmp_path: Path) -> None:
    async with ward(tmp_path) as made:
        made.records.script("find", NotSent("no connection"))
        for conversation in ("a", "b"):
            await said(made, conversation, "hello", "book a visit", "Ada Lovelace", "December 10, 1815")
        told = json.loads((await run(made, "why", "b", "--json")).out)
    tried = [attempt for call in told["calls"] for attempt in call["tried"]]
    assert [attempt["outcome"] for attempt in tried if not attempt["sent"]] == ["unavailable"]
    assert tried[-1]["why"] == "the breaker is open"


@pytest.mark.timeout(60)
async def test_a_command_without_a_result_says_what_was_tried(tmp_path: Path) -> None:
    async with ward(tmp_path) as made:
        made.records.script("note", NotSent("no connection"))
        await said(made, "c", "hello", "remind me")
        commands: list[dict[str, object]] = [{"tried": []}]
        while not commands[0]["tried"]:
            commands = json.loads((await run(made, "conversations", "show", "c", "--json")).out)["commands"]
        page = (await run(made, "conversations", "show", "c")).out
    [command] = commands
    assert (command["service"], command["operation"], command["in_doubt"]) == ("records", "note", False)
    assert re.search(r"^  commands records\.note started, next .+, for (1h|59m \d+s) more$", page, re.MULTILINE), page
    assert re.search(r"^             attempt 1 unavailable in \d+ ms$", page, re.MULTILINE), page


def test_a_folder_without_a_store_is_said(tmp_path: Path) -> None:
    assert flowc("init", tmp_path / "bot").code == 0
    for arguments in (("conversations",), ("why", "c"), ("funnel",)):
        ran = flowc(*arguments, folder=tmp_path / "bot")
        assert ran.code == 2
        assert re.match(r"error: there is no store at .+ yet\n  help: flowc serve makes it", ran.err)


async def test_a_store_of_an_older_flowc_is_said(tmp_path: Path) -> None:
    assert flowc("init", tmp_path / "bot").code == 0
    file = tmp_path / "bot" / ".flowc" / "dev.db"
    await SqliteStore.open(file).close()
    connection = apsw.Connection(str(file))
    connection.pragma("user_version", 0)
    connection.close()
    ran = flowc("conversations", folder=tmp_path / "bot")
    assert ran.code == 2
    assert re.search(r"has schema 0, this flowc reads schema \d+: start its server once\n\Z", ran.err), ran.err


def test_a_file_that_is_no_store_is_said(tmp_path: Path) -> None:
    assert flowc("init", tmp_path / "bot").code == 0
    (tmp_path / "bot" / ".flowc").mkdir()
    (tmp_path / "bot" / ".flowc" / "dev.db").write_text("not a database at all, but long enough to look like one" * 40)
    ran = flowc("conversations", folder=tmp_path / "bot")
    assert ran.code == 2
    assert "is not a flowc store" in ran.err
