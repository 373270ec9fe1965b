"""`flowc test --coverage`: what counts, what is missing by name, and results for build servers."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from command import ROOT, flowc

BOTS = (
    "flows/order_support",
    "flows/table_booking",
    "flows/employee_helpdesk",
    "cli/templates/empty",
    "cli/templates/faq",
)


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    assert flowc("init", tmp_path / "bot", "--template", "empty").code == 0
    return tmp_path / "bot"


def without(bot: Path, title: str) -> list[str]:
    """What is missing when the chat with this title is not there."""
    file = next(bot.glob("*.chat"))
    chats = file.read_text().split("\n\n")
    kept = [each for each in chats if title not in each.splitlines()[0]]
    assert len(kept) == len(chats) - 1
    file.write_text("\n\n".join(kept))
    lines = flowc("test", "--coverage", "--color", "never", folder=bot).out.splitlines()
    return [line.strip() for line in lines if line.startswith("  no chat")]


@pytest.mark.parametrize("folder", BOTS)
def test_the_examples_are_covered_as_a_whole(folder: str) -> None:
    ran = flowc("test", folder, "--min", "100", folder=ROOT)
    assert ran.code == 0, ran.out


@pytest.mark.parametrize(
    ("title", "missing"),
    [
        ("it begins again", ["goes from my_bot.start to start", "takes `on yes` of start.listen in my_bot"]),
        ("silence ends it", ["takes `on silence 30m` of anywhere in my_bot"]),
        ("silence after the greeting", ["takes `on silence 10m` of start.listen in my_bot"]),
        ("people take over", ["is interrupted by `on agent` in my_bot"]),
        ("three messages", ["takes `else` of anywhere in my_bot"]),
        ("no name", ["goes from my_bot.start to human", "takes `else` of start.ask in my_bot"]),
    ],
)
def test_what_no_chat_does_is_named(bot: Path, title: str, missing: list[str]) -> None:
    assert without(bot, title) == [f"no chat {each}" for each in missing]


def test_outcomes_of_calls_are_named(tmp_path: Path) -> None:
    assert flowc("init", tmp_path / "bot", "--template", "order").code == 0
    (tmp_path / "bot" / "order_support.chat").write_text(
        'chat "hello" of order_support\n  bot any\n  user "track an order" as track_order\n  bot any\n'
    )
    ran = flowc("test", "--coverage", "--color", "never", folder=tmp_path / "bot")
    assert "  call outcomes  0 of 22\n" in ran.out
    assert "  no chat has not_found of track.orders.get in order_support\n" in ran.out
    assert "  no chat enters order_support.cancel\n" in ran.out


def test_results_as_junit(bot: Path) -> None:
    file = bot / "my_bot.chat"
    file.write_text(file.read_text().replace('bot "Hello Ann. Shall we begin again?" buttons "Yes", "No"', 'bot "Hi"'))
    ran = flowc("test", "--junit", "results.xml", folder=bot)
    assert ran.code == 1
    root = ElementTree.parse(bot / "results.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("7", "1")
    (failed,) = [case for case in root.iter("testcase") if case.find("failure") is not None]
    assert failed.get("name") == "it greets by name"
    failure = failed.find("failure")
    assert failure is not None
    assert failure.get("message", "").startswith("the bot said")
    assert (failure.text or "").startswith("my_bot.chat:4:3: the bot said")


def test_results_that_cannot_be_written(bot: Path) -> None:
    ran = flowc("test", "--junit", "nowhere/results.xml", folder=bot)
    assert ran.code == 2
    assert "`nowhere/results.xml` cannot be written" in ran.err
