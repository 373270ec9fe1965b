"""Commands that write: by the server that has the store, without a token typed, else by themselves under its lock."""

import json
import signal
from pathlib import Path

import pytest
from command import Ran, flowc
from end_to_end.bot import Bot

from flowc.runtime.store.file import FileLock


def erase(alone: Bot, conversation: str, *more: str) -> Ran:
    return flowc("erase", conversation, *more, "--project", alone.project)


def place(alone: Bot) -> Path:
    return alone.project / ".flowc" / "dev.db.server"


@pytest.mark.timeout(90)
def test_a_command_asks_the_server_that_has_the_store_and_does_it_itself_where_none_has(alone: Bot) -> None:
    alone.serve()
    for conversation in ("a", "b", "c"):
        alone.say(conversation, "m1", "hello")
    assert place(alone).stat().st_mode & 0o077 == 0, "others on this machine must not read the token"
    assert erase(alone, "a").out == "a is erased: 1 turns, 0 commands that were not done\n"
    with pytest.raises(AssertionError, match="410"):
        alone.send("a", "m2", "hello")
    alone.stop()  # killed: its announcement is left behind
    assert place(alone).exists()
    assert erase(alone, "b").code == 0
    alone.serve()
    alone.say("c", "m2", "hello")
    with pytest.raises(AssertionError, match="410"):
        alone.send("b", "m2", "hello")
    alone.stop(signal.SIGTERM)
    assert not place(alone).exists()
    gone = erase(alone, "nobody")
    assert (gone.code, gone.err) == (1, "error: there is no conversation nobody\n")


@pytest.mark.timeout(60)
def test_a_server_that_only_just_starts_is_waited_for(alone: Bot) -> None:
    alone.serve()
    alone.say("c", "m1", "hello")
    alone.replace()
    assert erase(alone, "c").code == 0
    with pytest.raises(AssertionError, match="410"):
        alone.say("c", "m2", "hello")


def test_a_store_that_something_else_has(alone: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    assert flowc("chat", "--project", alone.project, "--say", "hello", "--conversation", "c").code == 0
    monkeypatch.setattr("flowc.cli.operate.PATIENCE_S", 0)
    held = FileLock(alone.project / ".flowc" / "dev.db")
    ran = erase(alone, "c")
    held.close()
    assert ran.code == 2
    assert "in use by process" in ran.err
    assert "Traceback" not in ran.err


def test_a_store_that_is_not_there_is_not_made(alone: Bot) -> None:
    ran = erase(alone, "c")
    assert (ran.code, "there is no store" in ran.err) == (2, True)
    assert not (alone.project / ".flowc").exists()


def test_a_store_in_memory_lives_in_its_server_only(alone: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWC_STORE", "memory:")
    ran = erase(alone, "c")
    assert (ran.code, "lives in its server only" in ran.err) == (2, True)


def test_an_announcement_that_is_none_does_no_harm(alone: Bot) -> None:
    assert flowc("chat", "--project", alone.project, "--say", "hello", "--conversation", "c").code == 0
    for written in ("", "{", json.dumps({"host": "127.0.0.1", "port": 9, "token": "x", "pid": 1})):
        place(alone).write_text(written)
        assert erase(alone, "c", "--dry-run").out == "c would be erased: 1 turns, 0 commands that were not done\n"
