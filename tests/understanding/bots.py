"""A program with slots of every type, and what is asked of its understanding."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from flowc.runtime.kernel.answer import Asking, Candidate
from flowc.runtime.program import Anywhere, ChoiceWords, ExampleSlot, Flow, Intent, Program, Slot
from flowc.runtime.types import Basic, Choice, Integer, Marked, Number, Optional, Text, Type

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)  # a Wednesday


def slot(name: str, type: Type, words: dict[str, tuple[str, ...]] | None = None) -> Slot:
    others = tuple(ChoiceWords(value, said) for value, said in (words or {}).items())
    return Slot(name, type, None, None, 3, (), others)


def intent(name: str, *examples: str) -> Intent:
    """Examples as they are written in a flow."""
    return Intent(
        name, tuple(tuple(_part(part) for part in re.split(r"(\{[^}]*\})", each) if part) for each in examples)
    )


def _part(part: str) -> str | ExampleSlot:
    if not part.startswith("{"):
        return part
    name, _, value = part[1:-1].partition(":")
    return ExampleSlot(name, value.strip() or None)


def program(slots: Sequence[Slot], intents: Sequence[Intent], *, currency: str | None = "EUR") -> Program:
    named_slots, named_intents = {each.name: each for each in slots}, {each.name: each for each in intents}
    flow = Flow(
        *("main", "1.0.0", (), (), "en", None, None, None, (), "start", None, {}),
        named_slots,
        named_intents,
        *({}, {}, Anywhere(), (), {}, {}),
    )
    return Program("bot", "main", "1.0.0", {"main": flow}, {}, {}, (), ("en",), "Europe/Berlin", currency)


SLOTS = (
    slot("order_id", Marked("pii", Text("[A-Z]{2}[0-9]{6}"))),
    slot("guests", Optional(Integer(1, 20))),
    slot("weight", Number("100", "2000")),
    slot("day", Basic("date")),
    slot("at", Basic("time")),
    slot("begin", Basic("datetime")),
    slot("length", Basic("duration")),
    slot("price", Basic("money")),
    slot("mail", Basic("email")),
    slot("tel", Basic("phone")),
    slot("site", Basic("url")),
    slot("sure", Basic("boolean")),
    slot("size", Choice(("small", "large")), {"large": ("big", "extra large"), "small": ("xs",)}),
    slot("nick", Text("[a-z]+")),
    slot("name", Text()),
)
INTENTS = (
    intent("track", "where is my order", "don't you know it", "track {order_id}", "where is {order_id}?", "{order_id}"),
    intent("rename", "my name is {name}", "call me {name} please"),
    intent("book", "a table for {guests} on {day}", "book a {size: big} table", "from {day} to {day}"),
    intent("yes", "yes", "👍", "❤", "sure thing"),
    intent("agree", "yes", "👍"),
    intent("cafe", "zum café", "STRASSE"),
)


def asking(
    asked: str | None = None,
    slots: Sequence[Slot] = SLOTS,
    intents: Sequence[Intent] = INTENTS,
    *,
    locale: str = "en",
    zone: str = "Europe/Berlin",
) -> Asking:
    slot_asked = next((each for each in slots if each.name == asked), None)
    candidates = tuple(Candidate("main", each, distance) for distance, each in enumerate(intents))
    return Asking("main", "w", 0.5, candidates, tuple(slots), slot_asked, (), locale, zone)
