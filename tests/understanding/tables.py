"""Tables of what the rules understand, one row a message. A table is of one slot alone, or of a whole program.

What is expected is written as `INTENT > INTENT; SLOT = VALUE`: the surest intent first, `?` behind one that is not
certain, values in the order of the message. In the table of a slot its values stand alone.
"""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from understanding.bots import INTENTS, NOW, SLOTS, asking, program

from flowc.runtime.kernel.events import Found, Understood
from flowc.runtime.understanding.port import Heard
from flowc.runtime.understanding.rules import Rules
from flowc.runtime.values import Value, to_json

TABLES = Path(__file__).parent / "tables"
KEYS = {"title", "slot", "locale", "zone", "now", "currency", "ask", "asked", "messages"}


@dataclass(frozen=True, slots=True)
class Row:
    """`only` is the one slot of the program, `ask` the slot of the question."""

    table: str
    only: str | None
    ask: str | None
    locale: str
    zone: str
    now: datetime
    currency: str | None
    message: str
    expected: str

    def __str__(self) -> str:
        return f"{self.table}: {self.message}"

    def understood(self, by: Rules | None = None) -> str:
        slots = tuple(slot for slot in SLOTS if self.only in (None, slot.name))
        intents = INTENTS if self.only is None else ()
        here = asking(self.ask, slots, intents, locale=self.locale, zone=self.zone)
        understood = (by or rules(self.only, self.currency)).hear(Heard(self.message, self.now), here)
        return written(understood, with_names=self.only is None)


@cache
def rules(only: str | None, currency: str | None) -> Rules:
    slots = tuple(slot for slot in SLOTS if only in (None, slot.name))
    return Rules(program(slots, INTENTS if only is None else (), currency=currency))


def rows() -> Iterator[Row]:
    for at in sorted(TABLES.glob("*.toml")):
        file = tomllib.loads(at.read_text(encoding="utf-8"))
        for table in file["table"]:
            yield from rows_of(at.stem, {"slot": file.get("slot"), **table})


def rows_of(name: str, table: dict[str, Any]) -> Iterator[Row]:
    assert table.keys() <= KEYS, table.keys() - KEYS
    only = table["slot"]
    for message, expected in table["messages"].items():
        yield Row(
            f"{name}, {table['title']}",
            only,
            only if table.get("asked") else table.get("ask"),
            table.get("locale", "en"),
            table.get("zone", "Europe/Berlin"),
            table.get("now", NOW),
            table.get("currency", "EUR") or None,
            message,
            expected,
        )


def written(understood: Understood, *, with_names: bool) -> str:
    found = sorted(understood.found, key=lambda each: each.start)
    if not with_names:
        return "; ".join(written_value(each.value) for each in found)
    intents = " > ".join(each.name + ("?" if each.confidence < 1 else "") for each in understood.intents)
    return "; ".join([intents, *map(written_found, found)])


def written_found(found: Found) -> str:
    return f"{found.slot or '|'.join(found.slots)} = {written_value(found.value)}"


def written_value(value: Value) -> str:
    match to_json(value):
        case str() as text:
            return text
        case {"amount": amount, "currency": currency}:
            return f"{amount} {currency}"
        case other:
            return json.dumps(other)
