"""`flowc db`, as an operator uses it, beside a server and without one; and a bot that goes on from a backup."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from command import Ran, flowc
from end_to_end.bot import Bot


def db(alone: Bot, *words: str | Path) -> Ran:
    ran = flowc("db", *words, "--project", alone.project)
    assert "Traceback" not in ran.err
    assert "bug" not in ran.err
    return ran


@pytest.fixture
def store(alone: Bot) -> Path:
    """A store with a conversation that nobody serves."""
    assert flowc("chat", "--project", alone.project, "--say", "hello", "--conversation", "c").code == 0
    return alone.project / ".flowc" / "dev.db"


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection, connection:
        yield connection


@pytest.mark.timeout(90)
def test_a_bot_goes_on_from_a_backup_that_was_made_beside_its_server(alone: Bot, tmp_path: Path) -> None:
    alone.serve()
    alone.say("c", "m0", "hello")
    alone.say("c", "m1", "cancel my order")
    assert db(alone, "check") == Ran(0, "", "checked 1 conversations, took 1 again: no findings\n")
    copy = tmp_path / "copy.db"
    assert db(alone, "backup", copy).out.startswith(f"{copy}: ")
    alone.say("c", "m2", "AB123457")
    alone.stop()
    path = alone.project / ".flowc" / "dev.db"
    for name in ("dev.db", "dev.db-wal", "dev.db-shm"):
        path.with_name(name).unlink(missing_ok=True)
    shutil.copy(copy, path)
    alone.serve()
    told = alone.say("c", "m2", "AB123457")
    assert "duplicate" not in told
    assert [reply["text"] for reply in told["replies"]] == ["Shall I cancel AB123457?"]
    assert alone.say("c", "m1", "cancel my order")["duplicate"]


def test_the_doctor_lists_what_is_in_doubt_after_a_backup(alone: Bot, store: Path, tmp_path: Path) -> None:
    with opened(store) as connection:
        connection.execute(
            "INSERT INTO command (shard, address, key, incarnation, home, priority, wait_ms, started, attempt, "
            "deferred, created_ms, until_ms, spot, service, operation, body) SELECT (place >> 56) + 128, address, "
            "'k1', 1, place, 2, 1, 0, 0, 1, 1, 1, 'x', 'orders', 'cancel', x'' FROM conversation"
        )
    copy = tmp_path / "copy.db"
    assert db(alone, "backup", copy).code == 0
    assert "in doubt" not in flowc("doctor", "--project", alone.project).out
    store.unlink()
    shutil.copy(copy, store)
    flowc("doctor", "--project", alone.project)  # opens it
    told = flowc("doctor", "--project", alone.project)
    assert "1 effects are in doubt" in told.out
    assert "in doubt: orders.cancel of c, key k1: no result yet" in told.out


def test_a_damaged_store_is_a_finding(alone: Bot, store: Path) -> None:
    with opened(store) as connection:
        connection.execute("UPDATE conversation SET position = x'c1'")
    ran = db(alone, "check")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "the state of conversation c is not the one that its newest turn left",
        "the state of conversation c cannot be read (DecodeError)",
    ]
    assert [json.loads(line) for line in db(alone, "check", "--json", "--limit", "1").out.splitlines()] == [
        {"finding": "the state of conversation c is not the one that its newest turn left"}
    ]


def test_a_turn_that_gives_another_state_is_a_finding(alone: Bot, store: Path) -> None:
    with opened(store) as connection:
        connection.execute("UPDATE journal SET state_hash = x'00'")
    ran = db(alone, "check")
    assert (ran.code, "conversation c cannot be taken again: turn 1 gives another state" in ran.out) == (1, True)


def test_a_backup_needs_a_place_that_is_free(alone: Bot, store: Path, tmp_path: Path) -> None:
    assert "is there already" in db(alone, "backup", store).err
    gone = db(alone, "backup", tmp_path / "no" / "copy.db")
    assert (gone.code, "there is no folder" in gone.err) == (2, True)
    dry = db(alone, "backup", tmp_path / "copy.db", "--dry-run")
    assert (dry.code, "would be copied" in dry.out, (tmp_path / "copy.db").exists()) == (0, True, False)


def test_a_store_of_an_older_flowc_is_migrated(alone: Bot, store: Path) -> None:
    newest = int(db(alone, "migrate").out.split("schema ")[1].split(":")[0])
    old = f"DROP INDEX look_server; DROP TABLE epoch; DROP TABLE doubt; PRAGMA user_version = {newest - 1};"
    if newest != 3:
        pytest.skip("the last migration is another one")
    with closing(sqlite3.connect(store)) as connection:
        connection.executescript(old)
    refused = db(alone, "check")
    assert (refused.code, "schema 2" in refused.err) == (2, True)
    assert f"from schema 2 to {newest}" in db(alone, "migrate", "--dry-run").out
    assert f"has schema {newest} now; it had 2" in db(alone, "migrate").out
    assert db(alone, "check").code == 0


def test_a_store_of_a_newer_flowc_is_left_alone(alone: Bot, store: Path) -> None:
    with opened(store) as connection:
        connection.execute("PRAGMA user_version = 99")
    for words in (("check",), ("migrate",), ("migrate", "--dry-run"), ("backup", store.with_name("copy.db"))):
        ran = db(alone, *words)
        assert (ran.code, "use a newer flowc" in ran.err) == (2, True), words


@pytest.mark.timeout(60)
def test_a_store_that_is_served_is_not_migrated(alone: Bot) -> None:
    alone.serve()
    alone.say("c", "m0", "hello")
    ran = db(alone, "migrate")
    assert (ran.code, "in use by process" in ran.err) == (2, True)


def test_without_a_store_there_is_nothing_to_do(alone: Bot, tmp_path: Path) -> None:
    for words in (("check",), ("migrate",), ("backup", tmp_path / "copy.db")):
        ran = db(alone, *words)
        assert (ran.code, "there is no store" in ran.err) == (2, True), words
