"""The type of a compiled expression over the variables of a flow, as far as it shows: for the `set` lines of a
`migrate`, which the compiler could only check in part, for they read the variables of another version."""

from collections.abc import Mapping

from flowc.runtime.kernel.evaluate import constant_value
from flowc.runtime.moving.widening import Records, fits_type
from flowc.runtime.program import Apply, Constant, Expression, Get, Render, Variable
from flowc.runtime.types import Basic, Field, Integer, Marked, Number, Optional, Record, Text, Type
from flowc.runtime.values import Shapes, fits, is_optional, plain_type

__all__ = ["gives", "type_of"]

BOOLEANS = frozenset(
    [
        *("and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "in", "not_in", "is_none", "is_not_none"),
        *("contains", "starts_with", "ends_with"),
    ]
)
INTEGERS = frozenset(("len", "days", "hours", "minutes"))
TEXTS = frozenset(("lower", "upper", "trim", "text"))


def gives(
    expression: Expression, wanted: Type, variables: Mapping[str, Type], records: tuple[Records, Records]
) -> bool:
    """Whether `expression`, over `variables` of the old version, gives what is `wanted` in the new one. What cannot be
    told counts as yes: the value is looked at when a conversation moves."""
    if isinstance(expression, Constant):
        return fits(wanted, constant_value(expression), Shapes(records[1]))
    found = type_of(expression, variables, records[0])
    return found is None or fits_type(found, wanted, records)


def type_of(expression: Expression, variables: Mapping[str, Type], records: Records) -> Type | None:
    """The type of `expression`; None where it does not show."""
    match expression:
        case Variable(name):
            return variables.get(name)
        case Get(target, field):
            return _field(type_of(target, variables, records), field, records)
        case Render():
            return Text()
        case Apply("number"):
            return Optional(Number())
        case Apply(function) if function in BOOLEANS:
            return Basic("boolean")
        case Apply(function) if function in INTEGERS:
            return Integer()
        case Apply(function) if function in TEXTS:
            return Text()
        case _:
            return None


def _field(of: Type | None, name: str, records: Records) -> Type | None:
    """The type of a field; it may be none where its record may be, and has the mark of its record."""
    if of is None:
        return None
    record = plain_type(of)
    fields: tuple[Field, ...] = records.get(record.name, ()) if isinstance(record, Record) else ()
    found = next((field.type for field in fields if field.name == name), None)
    inner = of.inner if isinstance(of, Optional) else of
    if found is not None and isinstance(inner, Marked):
        plain = plain_type(found)
        marked = Marked(inner.mark, plain)
        found = Optional(marked) if is_optional(found) else marked
    if found is None or is_optional(found):
        return found
    return Optional(found) if isinstance(of, Optional) else found
