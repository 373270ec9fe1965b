"""Where a program's secrets may stand in a row: answers to which slots, arguments and results of which operations."""

from collections.abc import Mapping
from dataclasses import dataclass

from flowc.runtime.program import Program
from flowc.runtime.types import Basic, Choice, Field, Integer, ListOf, Marked, Number, Optional, Record, Text, Type


@dataclass(frozen=True, slots=True)
class Secrets:
    """`slots` by flow and name; `arguments` and `results` by service and operation."""

    slots: frozenset[tuple[str, str]] = frozenset()
    arguments: frozenset[tuple[str, str]] = frozenset()
    results: frozenset[tuple[str, str]] = frozenset()


def secrets_of(program: Program) -> Secrets:
    records = program.records
    operations = [(service.name, each) for service in program.services.values() for each in service.operations.values()]
    return Secrets(
        frozenset(
            (flow.name, slot.name)
            for flow in program.flows.values()
            for slot in flow.slots.values()
            if is_secret(slot.type, records)
        ),
        frozenset(
            (service, each.name)
            for service, each in operations
            if any(is_secret(parameter.type, records) for parameter in each.parameters)
        ),
        frozenset(
            (service, each.name)
            for service, each in operations
            if each.result is not None and is_secret(each.result, records)
        ),
    )


def is_secret(kind: Type, records: Mapping[str, tuple[Field, ...]], seen: frozenset[str] = frozenset()) -> bool:
    """Whether a value of this type has a secret in it."""
    match kind:
        case Marked(mark="secret"):
            return True
        case Marked(inner=inner) | Optional(inner=inner) | ListOf(item=inner):
            return is_secret(inner, records, seen)
        case Record(name=name):
            return name not in seen and any(is_secret(field.type, records, seen | {name}) for field in records[name])
        case Basic() | Text() | Choice() | Integer() | Number():
            return False
