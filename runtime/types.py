"""Types of the flow language as the runtime and the compiler see them: frozen, hashable, part of the bundle.

`flowc.runtime.values` says which Python value each type has and how it crosses JSON.
"""

from typing import Literal

from msgspec import Struct

__all__ = [
    "Basic",
    "BasicName",
    "Choice",
    "Field",
    "Integer",
    "ListOf",
    "Marked",
    "Number",
    "Optional",
    "Record",
    "Text",
    "Type",
]

BasicName = Literal["boolean", "date", "time", "datetime", "duration", "money", "email", "phone", "url"]


class Basic(Struct, frozen=True, tag="basic"):
    """A built-in type without parameters."""

    name: BasicName


class Text(Struct, frozen=True, tag="text"):
    """`text`, or `text matching /pattern/` (the whole text must match, RE2 syntax)."""

    pattern: str | None = None


class Choice(Struct, frozen=True, tag="choice"):
    """One of these texts, in the order of the declaration."""

    values: tuple[str, ...]


class Integer(Struct, frozen=True, tag="integer"):
    """`integer`, or `integer in low..high`, both ends included."""

    low: int | None = None
    high: int | None = None


class Number(Struct, frozen=True, tag="number"):
    """`number`, or `number in low..high`, both ends included; the bounds are decimal texts."""

    low: str | None = None
    high: str | None = None


class Optional(Struct, frozen=True, tag="optional"):
    """`T?`."""

    inner: "Type"


class ListOf(Struct, frozen=True, tag="list"):
    item: "Type"


class Record(Struct, frozen=True, tag="record"):
    """A declared record; its fields are in the program's `records` under this name (so records may be recursive)."""

    name: str


class Marked(Struct, frozen=True, tag="marked"):
    """`pii T`, `secret T`."""

    mark: Literal["pii", "secret"]
    inner: "Type"


Type = Basic | Text | Choice | Integer | Number | Optional | ListOf | Record | Marked


class Field(Struct, frozen=True):
    """A named type: a field of a record, a parameter, a result."""

    name: str
    type: Type
