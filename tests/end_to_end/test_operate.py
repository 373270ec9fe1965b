"""Commands that write: by the server that has the store, without a token typed, else by themselves under its lock."""

import json
import signal
from pathlib import Path

import pytest
from command import Ran, flowc
from end_to_end.bot import Bot

from flowc.runtime.store.file import FileLock


def erase(bot: Bot, conversation: str, *more: str) -> Ran:
    return flowc("erase", conversation, *more, "--project", bot.project)


def place(bot: Bot) -> Path:
    return bot.project / ".flowc" / "dev.db.server"


@pytest.mark.timeout(90)
def test_a_command_asks_the_server_that_has_the_store_and_does_it_itself_where_none_has(bot: Bot) -> None:
    bot.serve()
    for conversation in ("a", "b", "c"):
        bot.say(conversation, "m1", "hello")
    assert place(bot).stat().st_mode & 0o077 == 0, "others on this machine must not read the token"
    assert erase(bot, "a").out == "a is erased: 1 turns, 0 commands that were not done\n"
    with pytest.raises(AssertionError, match="410"):
        bot.send("a", "m2", "hello")
    bot.stop()  # killed: its announcement is left behind
    assert place(bot).exists()
    assert erase(bot, "b").code == 0
    bot.serve()
    bot.say("c", "m2", "hello")
    with pytest.raises(AssertionError, match="410"):
        bot.send("b", "m2", "hello")
    bot.stop(signal.SIGTERM)
    assert not place(bot).exists()
    gone = erase(bot, "nobody")
    assert (gone.code, gone.err) == (1, "error: there is no conversation nobody\n")


@pytest.mark.timeout(60)
def test_a_server_that_only_just_starts_is_waited_for(bot: Bot) -> None:
    bot.serve()
    bot.say("c", "m1", "hello")
    bot.replace()
    assert erase(bot, "c").code == 0
    with pytest.raises(AssertionError, match="410"):
        bot.say("c", "m2", "hello")


def test_a_store_that_something_else_has(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    assert flowc("chat", "--project", bot.project, "--say", "hello", "--conversation", "c").code == 0
    monkeypatch.setattr("flowc.cli.operate.PATIENCE_S", 0)
    held = FileLock(bot.project / ".flowc" / "dev.db")
    ran = erase(bot, "c")
    held.close()
    assert ran.code == 2
    assert "in use by process" in ran.err
    assert "Traceback" not in ran.err


def test_a_store_that_is_not_there_is_not_made(bot: Bot) -> None:
    ran = erase(bot, "c")
    assert (ran.code, "there is no store" in ran.err) == (2, True)
    assert not (bot.project / ".flowc").exists()


def test_a_store_in_memory_lives_in_its_server_only(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWC_STORE", "memory:")
    ran = erase(bot, "c")
    assert (ran.code, "lives in its server only" in ran.err) == (2, True)


def test_an_announcement_that_is_none_does_no_harm(bot: Bot) -> None:
    assert flowc("chat", "--project", bot.project, "--say", "hello", "--conversation", "c").code == 0
    for written in ("", "{", json.dumps({"host": "127.0.0.1", "port": 9, "token": "x", "pid": 1})):
        place(bot).write_text(written)
        assert erase(bot, "c", "--dry-run").out == "c would be erased: 1 turns, 0 commands that were not done\n"
