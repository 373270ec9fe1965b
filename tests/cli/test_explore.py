"""`flowc explore`: what it finds, shown as a chat that comes to it; and the chats that it writes."""

from pathlib import Path

import pytest
from command import ROOT, flowc

SETTINGS = '[bot]\nname = "bot"\nmain = "bot.flow"\n\n[check.severity]\nFLW504 = "info"\nFLW606 = "info"\n'
HEAD = """flow bot 1.0.0
  "A bot."
  reply within 3s
  use yes, no from "std/basics.flow"

service orders via http
  timeout 1s
  within 2s

  read get(id: text) -> text
    GET "/orders/{id}"

  read place(id: text) -> text
    GET "/places/{id}"

state start
  say "Shall we?"
  listen
    on yes -> find
    on no -> goodbye

"""
FOOT = """
state goodbye
  say "Goodbye!"
  end

anywhere
  on failure
    say "That does not work just now."
    -> goodbye
  on silence 10m -> goodbye
  else
    say "Pardon?"
    resume up to 2 -> goodbye
"""
LATE = """state find
  call order = orders.get(id: "1")
  call place = orders.place(id: order)
  say "It is in {{ place }}."
  -> goodbye
"""
SILENT = """state find
  call order = orders.get(id: "1")
  if order == "none"
    say "There is none."
  -> again

state again
  listen
    on yes -> start
    on no -> goodbye
"""
TOO_LONG = """state find
  set text = "ab"
  set rounds = 0
  -> double

state double
  set text = "{{ text }}{{ text }}"
  set rounds = rounds + 1
  if rounds < 40
    -> double
  say "{{ text }}"
  -> goodbye
"""


def bot(folder: Path, states: str) -> Path:
    (folder / "flowc.toml").write_text(SETTINGS)
    (folder / "bot.flow").write_text(HEAD + states + FOOT)
    return folder


@pytest.mark.parametrize(
    ("states", "kind", "words", "last"),
    [
        (LATE, "late", "the answer may take 4s, but 3s is promised", "ends"),
        (SILENT, "silent", "the message has no answer", "state again"),
        (TOO_LONG, "fault", "the flow failed", "# here: the flow failed"),
    ],
    ids=["late", "silent", "fault"],
)
def test_what_is_wrong_is_shown_as_a_chat(states: str, kind: str, words: str, last: str, tmp_path: Path) -> None:
    ran = flowc("explore", "--color", "never", "--depth", "4", folder=bot(tmp_path, states))
    assert ran.code == 1
    assert f"{kind}: {words}" in ran.out
    chat = ran.out[ran.out.index("chat ") :].partition("\n\n")[0]
    assert 'user "yes" as yes' in chat
    assert chat.splitlines()[-1].strip().startswith(last)
    (tmp_path / "bot.chat").write_text(chat + "\n")
    again = flowc("test", folder=tmp_path)
    assert again.code == (1 if kind == "fault" else 0), again.out
    assert ("the flow failed" in again.out) == (kind == "fault")


def test_a_way_without_faults_is_gone_to_its_end(tmp_path: Path) -> None:
    ran = flowc(
        "explore",
        "--color",
        "never",
        folder=bot(tmp_path, LATE.replace("orders.place(id: order)", 'orders.place(id: "2")')),
    )
    assert ran.code == 0, ran.out
    assert "all of it: nothing is wrong" in ran.out
    assert "the longest wait for an answer is 2s" in ran.out


@pytest.mark.parametrize("template", ["empty", "faq", "order"])
def test_written_chats_hold_and_cover_everything(template: str, tmp_path: Path) -> None:
    folder = tmp_path / "bot"
    assert flowc("init", folder, "--template", template).code == 0
    for chat in folder.glob("*.chat"):
        chat.unlink()
    ran = flowc("explore", "--write", "explored.chat", folder=folder)
    assert ran.code == 0, ran.out
    assert "wrote" in ran.err
    assert flowc("test", "--min", "100", folder=folder).code == 0
    assert flowc("fmt", "--check", folder=folder).code == 0
    assert flowc("check", folder=folder).out == ""


def test_only_what_is_missing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "bot"
    assert flowc("init", folder, "--template", "empty").code == 0
    ran = flowc("explore", "--write", "more.chat", folder=folder)
    assert "nothing was written" in ran.err
    file = folder / "my_bot.chat"
    file.write_text(file.read_text().partition('chat "people take over"')[0])
    ran = flowc("explore", "--write", "more.chat", folder=folder)
    assert ran.code == 0
    assert "on agent" in (folder / "more.chat").read_text()
    assert flowc("test", "--min", "100", folder=folder).code == 0
    assert "is there already" in flowc("explore", "--write", "more.chat", folder=folder).err


def test_the_same_seed_goes_the_same_ways() -> None:
    runs = [
        flowc("explore", "--turns", "300", "--seed", "7", "--project", "flows/table_booking", folder=ROOT) for _ in "ab"
    ]
    assert runs[0] == runs[1]


def test_a_called_flow_is_explored_by_itself() -> None:
    ran = flowc("explore", "verify_identity", "--project", "flows/employee_helpdesk", folder=ROOT)
    assert "verify_identity: " in ran.out
    unknown = flowc("explore", "nobody", "--project", "flows/employee_helpdesk", folder=ROOT)
    assert unknown.code == 2
    assert "it has: employee_helpdesk, verify_identity" in unknown.err
