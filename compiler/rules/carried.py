"""What goes into an expression: variables, and values that their declarations mark.

A value goes into what shows it, joins it or computes with it; what a condition learns from it (`==`, `is none`,
`{% if %}`) is not the value. Marks come from declarations only: what a variable without a declaration has, depends on
the path, and is followed by `motion`.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from flowc.compiler.model import FlowModel, Model
from flowc.compiler.types import BOOLEAN, FlowType, plain
from flowc.compiler.walk import subexpressions
from flowc.dsl.nodes import (
    Binary,
    Chunk,
    Expression,
    FieldAccess,
    FunctionCall,
    Interpolation,
    IsNone,
    ListLiteral,
    RecordLiteral,
    Reference,
    Text,
    TextFor,
    TextIf,
    TextPart,
    Unary,
)
from flowc.dsl.source import Span
from flowc.runtime.types import Field, ListOf, Marked, Optional, Record
from flowc.runtime.types import Text as TextType

__all__ = ["Held", "Shown", "Source", "carried", "declared_type", "holds_secret", "mark_in", "needed"]

ARITHMETIC: Final = frozenset(["+", "-", "*", "/"])


class Held(NamedTuple):
    """The variable `name` goes into the expression; `field`: only that one of it. `is_id`: as the name of something,
    which stays right."""

    name: str
    field: str | None
    is_id: bool
    span: Span


class Shown(NamedTuple):
    """A value that its declaration marks goes into the expression."""

    mark: str
    words: str
    span: Span


Source = Held | Shown
Bound = Mapping[str, tuple[Source, ...]]
NOTHING: Final[Bound] = {}


def mark_in(of: FlowType | None) -> str | None:
    """`pii`, `secret` or None: the mark of a value of the type, or of each item of a list."""
    match of:
        case Marked(mark):
            return mark
        case Optional(inner) | ListOf(inner):
            return mark_in(inner)
        case _:
            return None


def holds_secret(of: FlowType | None, records: Mapping[str, tuple[Field, ...]], depth: int = 4) -> bool:
    """Whether a value of the type is a secret, or has one in it."""
    match of:
        case Marked("secret", _):
            return True
        case Marked(inner=inner) | Optional(inner) | ListOf(inner):
            return holds_secret(inner, records, depth)
        case Record(name) if depth:
            return any(holds_secret(each.type, records, depth - 1) for each in records.get(name, ()))
        case _:
            return False


def carried(expression: Expression, flow: FlowModel, model: Model, bound: Bound = NOTHING) -> Iterator[Source]:
    """The variables and marked values that go into `expression`. `bound` says what its locals stand for."""
    match expression:
        case Reference():
            yield from _reference(expression, flow, model, bound)
        case FieldAccess():
            yield from _field(expression, flow, model, bound)
        case Text(parts):
            yield from _parts(parts, flow, model, bound)
        case Binary(operator, left, right) if operator in ARITHMETIC:
            yield from carried(left, flow, model, bound)
            yield from carried(right, flow, model, bound)
        case Unary("-", operand):
            yield from carried(operand, flow, model, bound)
        case FunctionCall(arguments=arguments) if plain(_type(expression, model)) != BOOLEAN:
            for each in arguments:
                yield from carried(each, flow, model, bound)
        case ListLiteral(items):
            for each in items:
                yield from carried(each, flow, model, bound)
        case RecordLiteral(fields):
            for argument in fields:
                yield from carried(argument.value, flow, model, bound)
        case _:
            return


def _type(expression: Expression, model: Model) -> FlowType:
    return model.types.get(expression, BOOLEAN)


def _reference(reference: Reference, flow: FlowModel, model: Model, bound: Bound) -> Iterator[Source]:
    name, span = reference.name, reference.span
    if name in bound:
        yield from (each._replace(span=span) for each in bound[name])
        return
    match model.names.get(reference):
        case "slot" | "parameter" | "variable":
            yield Held(name, None, _is_id(reference, model), span)
            mark = mark_in(declared_type(name, flow))
        case "local":
            mark = mark_in(model.types.get(reference))
        case _:
            return
    if mark is not None:
        yield Shown(mark, f"`{name}`", span)


def declared_type(name: str, flow: FlowModel) -> FlowType | None:
    """The type that `name` is declared with, as a slot, parameter or result; None for other variables."""
    slot = flow.slots.get(name)
    return slot.type if slot is not None else flow.parameters.get(name) or flow.results.get(name)


def _is_id(expression: Expression, model: Model) -> bool:
    of = plain(_type(expression, model))
    return isinstance(of, TextType) and of.pattern is not None


def _field(access: FieldAccess, flow: FlowModel, model: Model, bound: Bound) -> Iterator[Source]:
    name = access.name.text
    is_id = name == "id" or _is_id(access, model)
    for each in carried(access.target, flow, model, bound):
        match each:
            case Held(field=None) if isinstance(access.target, Reference) and access.target.name not in bound:
                yield each._replace(field=name, is_id=is_id, span=access.span)
            case Held():
                yield each._replace(is_id=each.is_id or is_id, span=access.span)
            case Shown():
                yield each._replace(span=access.span)
    mark = mark_in(_field_type(access, model))
    if mark is not None:
        yield Shown(mark, f"`{_spelled(access)}`", access.span)


def _field_type(access: FieldAccess, model: Model) -> FlowType | None:
    owner = plain(_type(access.target, model))
    record = plain(owner.item) if isinstance(owner, ListOf) else owner
    if not isinstance(record, Record):
        return None
    return next((each.type for each in model.records.get(record.name, ()) if each.name == access.name.text), None)


def _spelled(access: FieldAccess) -> str:
    match access.target:
        case Reference(name):
            return f"{name}.{access.name.text}"
        case FieldAccess() as inner:
            return f"{_spelled(inner)}.{access.name.text}"
        case _:
            return access.name.text


def _parts(parts: tuple[TextPart, ...], flow: FlowModel, model: Model, bound: Bound) -> Iterator[Source]:
    for part in parts:
        match part:
            case Chunk():
                pass
            case Interpolation(value, filters):
                for shown in (value, *(argument for each in filters for argument in each.arguments)):
                    yield from carried(shown, flow, model, bound)
            case TextIf(branches):
                for branch in branches:
                    yield from _parts(branch.parts, flow, model, bound)
            case TextFor(variable, items, inner):
                of = tuple(carried(items, flow, model, bound))
                yield from _parts(inner, flow, model, {**bound, variable.text: of})


def needed(*expressions: Expression) -> frozenset[str]:
    """Every name whose value is needed for `expressions`, conditions included; a test `is none` needs none."""
    tested = {each.operand for each in subexpressions(*expressions) if isinstance(each, IsNone)}
    return frozenset(
        each.name for each in subexpressions(*expressions) if isinstance(each, Reference) and each not in tested
    )
