"""Independent mistakes: k of them are k reports, each on its line, wherever they stand together."""

import random
from pathlib import Path

import pytest

from flowc.dsl.parse import parse
from flowc.dsl.source import SourceFile

FLOW = (Path(__file__).parent.parent / "programs" / "order_support.flow").read_text(encoding="utf-8")

# A line of the flow, what a mistake makes of it, and the code of its report.
MISTAKES = (
    ('  "Track an order, or cancel it."', '  "Track an order, or cancel it.', "FLW107"),
    ("  reply within 3s", "  reply within 3 seconds", "FLW109"),
    ("type OrderId = text matching /[A-Z]{2}[0-9]{6}/", "type OrderId : text matching /[A-Z]{2}[0-9]{6}/", "FLW104"),
    ("  eta: date?", "  eta date?", "FLW104"),
    ("  retry 2 from 100ms to 1s", "  retry 2 from 100ms", "FLW104"),
    ("  at most 32 at once", "  at most 32", "FLW104"),
    ("  read get(id: OrderId) -> Order", "  read get(id: OrderId -> Order", "FLW107"),
    ("    fails too_late on 409", "    fials too_late on 409", "FLW105"),
    ("service crm via http", "service crm http", "FLW104"),
    ("intent track_order", "intnet track_order", "FLW105"),
    ('  "where is {order_id}"', "  \u201cwhere is {order_id}\u201d", "FLW110"),
    ("  tries 3", "  tries 3.5", "FLW109"),
    ('    buttons "Track an order", "Cancel an order"', '    buttons "Track an order" "Cancel an order"', "FLW104"),
    ("    on silence 10m -> goodbye", "    on silence 10 -> goodbye", "FLW109"),
    ("  match order.status", "  mtach order.status", "FLW105"),
    ('        say "It is on its way."', '        say "It is {{ on its way."', "FLW108"),
    ("      set customer = none", "      set customer none", "FLW104"),
    ("  priority high", "  priority hihg", "FLW104"),
    ("    on change order_id -> cancel", "    on change -> cancel", "FLW104"),
    ("  call done = orders.cancel(id: order_id, reason: \"customer\")",
     "  call done = orders.cancel(id: order_id reason: \"customer\")", "FLW104"),
    ("      clear order_id", "\tclear order_id", "FLW101"),
    ('  handoff "orders"', "  handoff orders", "FLW104"),
    ("  say one of", "  say one", "FLW104"),
    ("  end", "  set end 3", "FLW104"),
    ("  on agent -> human", "  on agent => human", "FLW104"),
    ("    resume up to 2 -> human", "    resume up 2 -> human", "FLW104"),
    ("  state ask_number -> track", "  state ask_number track", "FLW104"),
)  # fmt: skip


def found(planted: list[tuple[str, str, str]]) -> tuple[list[tuple[int, str]], list[tuple[int, str]], str]:
    """The lines and codes of the planted mistakes and of the reports, and the reports in words."""
    lines = FLOW.split("\n")
    wanted = []
    for good, bad, code in planted:
        at = lines.index(good)
        lines[at] = bad
        wanted.append((at + 1, code))
    source = SourceFile("a.flow", "\n".join(lines))
    reports = parse(source).diagnostics
    said = [(source.place(each.span.start).line, each.code.id) for each in reports]
    return sorted(wanted), said, "\n".join(each.message for each in reports)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake[1].strip()[:40])
def test_one_mistake_is_one_report(mistake: tuple[str, str, str]) -> None:
    wanted, said, words = found([mistake])
    assert said == wanted, words


def test_all_mistakes_together() -> None:
    wanted, said, words = found(list(MISTAKES))
    assert said == wanted, words


@pytest.mark.parametrize("seed", range(60))
def test_some_mistakes_together(seed: int) -> None:
    choose = random.Random(seed)
    wanted, said, words = found(choose.sample(MISTAKES, choose.randint(2, 9)))
    assert said == wanted, words
