"""The numbers and names of the model that later passes rely on."""

import pytest

from flowc.compiler.compile import compile_project, model_of
from flowc.compiler.project import Project
from flowc.dsl.nodes import Ask, Reference
from flowc.runtime.program import Policy, Retry

SERVICE = """library shop

service shop via http
{lines}
  {kind} op(id: text) -> text
    POST "/x"
{own}
"""


def policy(lines: str = "", kind: str = "read", own: str = "") -> Policy:
    text = SERVICE.format(lines=lines, kind=kind, own=own)
    return model_of(Project.of_texts({"shop.flow": text})).services["shop"].operations["op"].policy


@pytest.mark.parametrize(
    ("lines", "kind", "own", "expected"),
    [
        # attempts × timeout + the longest waits: 3 × 2 s + 100 ms + 200 ms
        ("", "read", "", Policy(2000, 6300, Retry(2, 100, 1000))),
        ("", "write", "    key auto", Policy(2000, 6300, Retry(2, 100, 1000))),
        ("", "write", "", Policy(2000, 2000, Retry(0, 100, 1000))),
        ("  timeout 500ms", "read", "    timeout 1s", Policy(1000, 3300, Retry(2, 100, 1000))),
        ("  retry 5 from 400ms to 1s", "read", "", Policy(2000, 6 * 2000 + 400 + 800 + 3000, Retry(5, 400, 1000))),
        ("  retry 5 from 400ms to 1s", "write", "", Policy(2000, 2000, Retry(0, 100, 1000))),
        ("  within 3s", "read", "    retry 1 from 1s to 1s", Policy(2000, 3000, Retry(1, 1000, 1000))),
        ("  cache 1m", "read", "", Policy(2000, 6300, Retry(2, 100, 1000), 60000)),
    ],
)
def test_effective_policy(lines: str, kind: str, own: str, expected: Policy) -> None:
    assert policy(lines, kind, own) == expected


def test_outcomes_are_a_closed_set() -> None:
    text = SERVICE.format(lines="", kind="read", own="    fails gone, shut on 410\n    fails gone on 404")
    text += '  write put(id: text) -> text\n    PUT "/x"\n    fails late on 409\n'
    operations = model_of(Project.of_texts({"shop.flow": text})).services["shop"].operations
    kinds = ("timeout", "unavailable", "overloaded", "rejected", "malformed")
    assert operations["op"].outcomes == ("gone", "shut", *kinds)
    assert operations["put"].outcomes == ("late", "unavailable", "overloaded", "rejected", "unknown")


FLOW = """flow shop 1.0.0
  takes note: pii text
  use yes from "std/basics.flow"

slot city: text
  ask "Which city?"

state start
  set greeting = "Hello " + note
  set count = 1
  set count = none
  ask city
  say "{{ greeting }} {{ city }}"
  clear city
  -> again

state again
  ask city
  -> start
"""


def test_types_of_variables() -> None:
    model = model_of(Project.of_texts({"shop.flow": FLOW}))
    variables = {name: repr(of) for name, of in model.flows["shop"].variables.items()}
    assert variables == {
        "city": "Text(pattern=None)",
        "note": "Marked(mark='pii', inner=Text(pattern=None))",
        "greeting": "Marked(mark='pii', inner=Text(pattern=None))",
        "count": "Optional(inner=Integer(low=None, high=None))",
    }


def test_what_is_certain_where_an_ask_begins() -> None:
    model = model_of(Project.of_texts({"shop.flow": FLOW}))
    found = {ask: facts for ask, facts in model.asks.items() if isinstance(ask, Ask)}
    in_order = [found[ask] for ask in sorted(found, key=lambda ask: ask.span.start)]
    # From `again` the first one comes with a value, from the beginning without; the second one was just cleared.
    assert [(set(facts.filled), set(facts.empty)) for facts in in_order] == [(set(), set()), (set(), {"city"})]


def test_every_reference_has_a_kind_and_a_type() -> None:
    model = model_of(Project.of_texts({"shop.flow": FLOW}))
    kinds = {reference.name: kind for reference, kind in model.names.items() if isinstance(reference, Reference)}
    assert kinds == {"note": "parameter", "greeting": "variable", "city": "slot"}
    assert all(reference in model.types for reference in model.names)


def test_records_of_one_name_in_two_files_are_two() -> None:
    library = "library {name}\n\ntype Item\n  {field}: text\n"
    flow = (
        'flow shop 1.0.0\n  takes item: Item\n  use Item from "a.flow"\n\nstate start\n  say "{{ item.one }}"\n  end\n'
    )
    texts = {
        "a.flow": library.format(name="a", field="one"),
        "b.flow": library.format(name="b", field="two"),
        "shop.flow": flow,
    }
    model = model_of(Project.of_texts(texts))
    fields = sorted(record[0].name for name, record in model.records.items() if name.startswith("Item"))
    assert fields == ["one", "two"]
    assert [each.code.id for each in compile_project(Project.of_texts(texts)).diagnostics] == ["FLW210"]


def test_a_bot_is_the_main_flow_and_what_it_reaches() -> None:
    hello = 'flow {name} 1.0.0\n{uses}\nstate start\n{body}  say "Hello!"\n  end\n'
    texts = {
        "flowc.toml": '[bot]\nname = "a"\nmain = "a.flow"\n',
        "a.flow": hello.format(name="a", uses='  use b from "b.flow"\n', body="  do b()\n"),
        "b.flow": hello.format(name="b", uses='  use c from "c.flow"\n', body="  do c()\n"),
        "c.flow": hello.format(name="c", uses="", body=""),
        "d.flow": hello.format(name="d", uses="", body=""),
    }
    model = model_of(Project.of_texts(texts))
    assert (model.main, model.bot, sorted(model.flows)) == ("a", ("a", "b", "c"), ["a", "b", "c", "d"])


def test_a_flow_that_calls_one_that_hands_off_may_end_so_too() -> None:
    caller = 'flow a 1.0.0\n  use b from "b.flow"\n\nstate start\n  do b()\n{arm}  say "Hi."\n  end other\n'
    called = 'flow b 1.0.0\n\nstate start\n  handoff "people"\n'
    outcomes = [
        model_of(Project.of_texts({"a.flow": caller.format(arm=arm), "b.flow": called})).flows["a"].outcomes
        for arm in ("", "    on handoff -> start\n")
    ]
    assert outcomes == [("other", "handoff"), ("other",)]
