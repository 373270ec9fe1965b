"""Values by the marks of their types, and texts without the marked values that are known."""

from datetime import date, timedelta
from decimal import Decimal
from functools import cache

import pytest
from history.ward import CLINIC
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flowc.compiler.compile import compile_project
from flowc.compiler.project import open_project
from flowc.runtime.history.masks import LONGEST, MASK, Masks
from flowc.runtime.program import Program
from flowc.runtime.types import Basic, Field, ListOf, Marked, Number, Optional, Record, Text, Type
from flowc.runtime.values import Money, Value

PII = Marked("pii", Text())
PATIENT = {"name": "Ada", "born": date(1815, 12, 10), "ward": "a"}


@cache
def clinic() -> Program:
    program = compile_project(open_project(CLINIC)).program
    assert program is not None
    return program


@pytest.mark.parametrize(
    ("type", "value", "shown"),
    [
        (Text(), "plain", '"plain"'),
        (PII, "Ada", MASK),
        (Optional(PII), "Ada", MASK),
        (Optional(PII), None, "none"),
        (Marked("secret", Text()), "7391", MASK),
        (ListOf(PII), ("a", "b"), f"[{MASK}, {MASK}]"),
        (Marked("pii", ListOf(Text())), ("a", "b"), MASK),
        (Record("Patient"), PATIENT, f'{{name: {MASK}, born: {MASK}, ward: "a"}}'),
        (Record("Patient"), {"name": "Ada", "gone": "x"}, f"{{name: {MASK}, gone: {MASK}}}"),
        (Number(), Decimal("1.50"), "1.50"),
        (Basic("money"), Money(Decimal("12.5"), "EUR"), "12.5 EUR"),
        (Basic("duration"), timedelta(minutes=10), "10m"),
        (Basic("date"), date(2026, 12, 1), "2026-12-01"),
        (None, "who knows", MASK),
        (None, True, "true"),
        (None, None, "none"),
        (Text(), "x" * 500, '"' + "x" * (LONGEST - 2) + "…"),
    ],
    ids=str,
)
def test_a_value_is_shown_by_its_type(type: Type | None, value: Value, shown: str) -> None:
    assert Masks(clinic()).shown(type, value) == shown


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("I am Ada Lovelace.", f"I am {MASK}."),
        ("ADA   LOVELACE", f"ADA   {MASK}"),
        ("Mrs Lovelace it is", f"Mrs {MASK} it is"),
        ("Adaptation", "Adaptation"),
        ("born 1815-12-10", f"born {MASK}"),
        ("nothing of it", "nothing of it"),
    ],
)
def test_a_text_is_shown_without_what_is_marked(said: str, shown: str) -> None:
    masks = Masks(clinic())
    masks.learn(Record("Patient"), {**PATIENT, "name": "Ada Lovelace"})
    assert masks.text(said) == shown


@given(st.text(min_size=2), st.text(), st.text())
def test_a_marked_text_is_found_wherever_it_stands_alone(secret: str, before: str, after: str) -> None:
    masks = Masks(clinic())
    masks.learn(PII, secret)
    kept = secret.strip()
    if len(kept) >= 2:
        assert kept.lower() not in masks.text(f"{before} {kept} {after}".replace(MASK, "")).replace(
            MASK, ""
        ).lower() or (kept.lower() in f"{before}  {after}".lower())
    masks.learn(None, after)
    assert masks.text("") == ""


def test_a_text_that_shows_a_marked_value_is_the_flows_own_words() -> None:
    masks, flow = Masks(clinic()), clinic().flows["clinic"]
    said = "Welcome back to ward b, Bob, born 1 May 1980."
    assert masks.reply(said, flow, "who") == f"Welcome back to ward b, {MASK}, born {MASK}."
    assert masks.reply(said, flow, "goodbye") == said, "no text of that state shows a marked value"
    assert masks.reply("Badge 7 is known.", flow, "on arrived") == f"Badge {MASK} is known."


def test_records_are_those_of_the_version_that_runs() -> None:
    masks, older = Masks(clinic()), replace(clinic(), records={"Visitor": (Field("name", PII),)})
    masks.under(older)
    masks.learn(Record("Visitor"), {"name": "Grace Hopper"})
    assert masks.shown(Record("Visitor"), {"name": "Grace Hopper"}) == f"{{name: {MASK}}}"
    masks.under(clinic())
    assert masks.shown(Record("Patient"), PATIENT) == f'{{name: {MASK}, born: {MASK}, ward: "a"}}'
    assert masks.text("by Grace Hopper") == f"by {MASK}", "what is known stays known"
