"""Rules where they have to be exact: what is no mistake, and how many mistakes there are."""

import pytest

from flowc.compiler.compile import compile_project
from flowc.compiler.project import Project

HEAD = """flow sample 1.0.0
  "A flow."
  use yes, no from "std/basics.flow"

service orders via http
  timeout 500ms
  within 2s
  read get(id: text) -> text
    GET "/orders/{id}"
    fails not_found on 404

  read place(id: text) -> text
    GET "/places/{id}"

slot code: text matching /[0-9]{6}/
  ask "Which code?"

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


def codes(states: str, foot: str = FOOT) -> list[str]:
    """The codes found in a flow with these states, but for what it declares and does not use."""
    outcome = compile_project(Project.of_texts({"sample.flow": HEAD + states + foot}))
    return [each.code.id for each in outcome.diagnostics if each.code.id != "FLW210"]


CLEARED = """state find
  ask code
  call place = orders.get(id: code)
    on not_found
      say "I do not know {{ code }}."
      clear code
      -> find
  say "It is in {{ place }}."
  end
"""

COUNTED = """state start
  set tries = 0
  -> find

state find
  ask code
  call place = orders.get(id: code)
    on not_found
      set tries = tries + 1
      if tries < 3
        -> find
      say "I do not know {{ code }}."
      -> goodbye
  say "It is in {{ place }}."
  end
"""

UNGUARDED = COUNTED.replace("tries < 3", 'code == "123456"')
RESET = COUNTED.replace("      if tries < 3", "      if tries > 9\n        set tries = 0\n      if tries < 3")

GROUPED = """state find
  ask code
  call first_place = orders.get(id: code)
    on not_found -> goodbye
  call second_place = orders.place(id: code)
  say "{{ first_place }}, {{ second_place }}"
  end
"""

CHAINED = GROUPED.replace("orders.place(id: code)", "orders.place(id: first_place)")

SPOKEN_BY_QUESTION = """state start
  say "Another?"
  listen
    on yes
      clear code
      -> find
    on no -> goodbye

state find
  ask code
  set last = code
  -> wait

state wait
  say "{{ last }}"
  listen
    on yes -> start
    on no -> goodbye
"""

SILENT_BEHIND_ASK = """state start
  say "Another?"
  listen
    on yes -> find
    on no -> goodbye

state find
  ask code
  -> wait

state wait
  listen
    on yes
      say "{{ code }}"
      -> start
    on no -> goodbye
"""


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param(CLEARED, [], id="a loop that clears what it asks for"),
        pytest.param(CLEARED.replace("      clear code\n", ""), ["FLW405"], id="a loop that does not"),
        pytest.param(COUNTED, [], id="a loop that counts"),
        pytest.param(UNGUARDED, ["FLW405"], id="a loop that counts and does not look"),
        pytest.param(RESET, ["FLW405"], id="a loop that begins to count again"),
        pytest.param(SPOKEN_BY_QUESTION, [], id="a question that is surely asked is an answer"),
        pytest.param(SILENT_BEHIND_ASK, ["FLW504"], id="a question that may be gone through is none"),
    ],
)
def test_paths_are_exact(states: str, expected: list[str]) -> None:
    assert codes(states) == expected


@pytest.mark.parametrize(("states", "expected"), [(GROUPED, []), (CHAINED, ["FLW606"])], ids=["together", "in turn"])
def test_reads_at_the_same_time_are_waited_for_once(states: str, expected: list[str]) -> None:
    header = HEAD.replace("  use yes", "  reply within 3s\n  use yes")
    outcome = compile_project(Project.of_texts({"sample.flow": header + states + FOOT}))
    assert [each.code.id for each in outcome.diagnostics if each.code.id != "FLW210"] == expected


def test_each_mistake_is_found_once() -> None:
    states = """state start
  say "Shall we?"
    buttons "Yes", "Perhaps"
  listen
    on yes -> find
    on no -> goodby

state find
  ask code
  call place = orders.get(id: code)
    on gone
      say "It is gone."
      -> goodbye
  say "It is in {{ plaec }}."
  resume

state lost
  say "Nobody comes here."
  -> stranded

state stranded
  say "Nor here."
  -> goodbye
"""
    foot = FOOT.replace("    resume up to 2 -> goodbye\n", "    resume\n").replace(
        '    say "That does not work just now."\n    -> goodbye\n',
        '    call place = orders.place(id: "1")\n    say "{{ place }}"\n    -> goodbye\n',
    )
    assert sorted(codes(states, foot)) == sorted(
        ["FLW505", "FLW201", "FLW603", "FLW203", "FLW408", "FLW401", "FLW407", "FLW604"]
    )


def test_a_large_flow_is_clean_and_whole() -> None:
    """Two thousand states behind each other in one turn: no walk is deeper than the stack."""
    count = 2000
    begin = 'state start\n  say "Shall we?"\n  listen\n    on yes -> s0\n    on no -> goodbye\n'
    chain = "\n".join(f'state s{number}\n  mark "passed"\n  -> s{number + 1}\n' for number in range(count))
    assert codes(f"{begin}\n{chain}\nstate s{count}\n  -> goodbye\n") == []


def test_a_long_turn_adds_up_all_its_calls() -> None:
    count = 300
    begin = 'state start\n  ask code\n  say "Well."\n  listen\n    on yes -> s0\n    on no -> goodbye\n'
    chain = "\n".join(
        f'state s{number}\n  call x = orders.get(id: code)\n    on not_found -> goodbye\n  mark "{{{{ x }}}}"\n'
        f"  -> s{number + 1}\n"
        for number in range(count)
    )
    states = f"{begin}\n{chain}\nstate s{count}\n  -> goodbye\n"
    outcome = compile_project(Project.of_texts({"sample.flow": HEAD + states + FOOT}))
    (over,) = [each for each in outcome.diagnostics if each.code.id == "FLW606"]
    assert over.notes[-1] == "together 600s"
    assert len(over.notes) <= 10
