"""`flowc dead`, as an operator uses it: on a store that nobody serves, and by the server that has it."""

import json
from pathlib import Path

import anyio
import pytest
from command import Ran, flowc
from end_to_end.bot import Bot

from flowc.runtime.engine.quarantine import NOBODY
from flowc.runtime.engine.stored import MessageBody, ResultBody, body_bytes
from flowc.runtime.kernel.events import CommandKey, Succeeded
from flowc.runtime.store.rows import Address, Continuing, Dead, Entry, EventKind, Unit, Wanted
from flowc.runtime.store.sqlite import sqlite_store

TEXT = "my number is 0170 5551234"


@pytest.fixture
def project(alone: Bot) -> Path:
    """The order bot, in whose conversation `c` three events were set aside."""
    assert flowc("chat", "--project", alone.project, "--say", "hello", "--conversation", "c").code == 0
    bodies: tuple[tuple[EventKind, bytes], ...] = (
        ("message", body_bytes(MessageBody(TEXT))),
        ("result", body_bytes(ResultBody(CommandKey("k1"), Succeeded("AB123456")))),
        ("event", b"\xc1"),
    )
    for kind, body in bodies:
        anyio.run(set_aside, alone.project, Dead(kind, body, "RuntimeError at step.py:7", 3))
    return alone.project


async def set_aside(project: Path, dead: Dead) -> None:
    async with sqlite_store(project / ".flowc" / "dev.db") as store:
        [loaded] = await store.load([Wanted(Address("c"))])
        row = loaded.row
        entry = Entry(b"", store.clock.now_ms(), 1, b"", b"", 0, b"")
        unit = Unit(row, Continuing(), entry, row.position, row.wait, row.deployment, NOBODY, dead=dead)
        await store.commit([unit])


def dead(project: Path, *words: str) -> Ran:
    ran = flowc("dead", *words, "--project", project)
    assert TEXT not in ran.out + ran.err
    assert "Traceback" not in ran.err
    return ran


def listed(project: Path) -> list[tuple[str, str]]:
    found = [json.loads(line) for line in dead(project, "list", "--json").out.splitlines()]
    return [(event["turn"], event["kind"]) for event in found]


def test_they_are_listed_and_shown_without_a_text(project: Path) -> None:
    assert listed(project) == [("1.2", "message"), ("1.3", "result"), ("1.4", "event")]
    lines = dead(project).out.splitlines()
    assert lines[0].startswith("c 1.2  20")
    assert lines[0].endswith("Z  message, 3 tries: RuntimeError at step.py:7")
    assert len(dead(project, "--limit", "2").out.splitlines()) == 2
    assert f"event: a message of {len(TEXT)} characters" in dead(project, "show", "c", "1.2").out
    assert "the result of the command k1" in dead(project, "show", "c", "1.3").out
    assert "cannot be read" in json.loads(dead(project, "show", "c", "1.4", "--json").out)["event"]


def test_one_that_is_tried_again_is_a_new_event(project: Path, alone: Bot) -> None:
    assert dead(project, "retry", "c", "1.2", "--dry-run").out == "c 1.2 would be tried again\n"
    assert len(listed(project)) == 3
    alone.serve()
    alone.say("other", "m1", "hello")
    assert dead(project, "retry", "c", "1.2").out == "c 1.2 is tried again\n"
    assert listed(project) == [("1.3", "result"), ("1.4", "event")]
    assert [text for _, text in alone.said("c", 2)][-1].startswith("Sorry, I did not get that")
    assert dead(project, "retry", "c", "1.2").code == 1


def test_one_that_is_tried_again_where_no_server_runs_is_taken_by_the_next(project: Path, alone: Bot) -> None:
    assert dead(project, "retry", "c", "1.2").code == 0
    alone.serve()
    alone.say("other", "m1", "hello")
    assert [text for _, text in alone.said("c", 2)][-1].startswith("Sorry, I did not get that")


def test_what_cannot_be_tried_again_is_told(project: Path) -> None:
    result, unread = dead(project, "retry", "c", "1.3"), dead(project, "retry", "c", "1.4")
    assert (result.code, "has left the wait" in result.err) == (1, True)
    assert (unread.code, "flowc dead skip" in unread.err) == (1, True)
    assert len(listed(project)) == 3


def test_one_is_let_go_of(project: Path) -> None:
    assert dead(project, "skip", "c", "1.3", "--dry-run").code == 0
    assert dead(project, "skip", "c", "1.3").out == "c 1.3 is gone\n"
    assert listed(project) == [("1.2", "message"), ("1.4", "event")]
    again = dead(project, "skip", "c", "1.3")
    assert (again.code, again.err) == (1, "error: nothing was set aside by turn 1.3 of c\n")


@pytest.mark.parametrize("turn", ["7", "1.", "one.two", "1.2.3", ""])
def test_what_is_no_turn_is_told(project: Path, turn: str) -> None:
    ran = dead(project, "show", "c", turn)
    assert (ran.code, "is no turn" in ran.err) == (2, True)


def test_none_were_set_aside(alone: Bot) -> None:
    assert flowc("chat", "--project", alone.project, "--say", "hello").code == 0
    assert dead(alone.project) == Ran(0, "", "nothing was set aside\n")
    assert dead(alone.project, "--json") == Ran(0, "", "")
