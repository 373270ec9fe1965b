"""The types in texts: what `{{ }}` shows, filters, and the blocks of a template."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

from flowc.compiler.functions import FILTERS, Signature, is_printable
from flowc.compiler.sight import At
from flowc.compiler.type_mistakes import mismatch, no_such, wrong_count
from flowc.compiler.types import (
    TEXT,
    UNKNOWN,
    FlowType,
    NoneType,
    Unknown,
    mark_of,
    marked_like,
    merged,
    plain,
    required,
    spelled,
)
from flowc.dsl.nodes import Chunk, Expression, Filter, Interpolation, Text, TextFor, TextIf, TextPart
from flowc.runtime.types import ListOf, Optional

if TYPE_CHECKING:
    from flowc.compiler.expressions import Expressions

__all__ = ["type_of_text"]


def type_of_text(text: Text, at: At, expressions: "Expressions") -> FlowType:
    """Types what stands in `text`: `text`, marked where something marked is shown in it."""
    match text.parts:
        case () | (Chunk(),):
            return TEXT
        case parts:
            shown = _parts(parts, at, expressions)
            return marked_like(TEXT, *shown) if shown else TEXT


def _parts(parts: Sequence[TextPart], at: At, expressions: "Expressions") -> list[FlowType]:
    shown: list[FlowType] = []
    for part in parts:
        match part:
            case Chunk():
                pass
            case Interpolation():
                shown.append(_interpolation(part, at, expressions))
            case TextIf(branches):
                facts = at.facts
                for branch in branches:
                    yes, no = 0, 0
                    if branch.condition is not None:
                        expressions.condition(branch.condition, At(facts, at.locals))
                        yes, no = expressions.facts.shown(branch.condition)
                    shown.extend(_parts(branch.parts, At(facts | yes, at.locals), expressions))
                    facts |= no
            case TextFor():
                shown.extend(_for(part, at, expressions))
            case _:
                assert_never(part)
    return shown


def _for(part: TextFor, at: At, expressions: "Expressions") -> list[FlowType]:
    items = expressions.there(part.items, at)
    name = part.variable.text
    item: FlowType = UNKNOWN
    if isinstance(items, ListOf):
        item = items.item
    elif not isinstance(items, Unknown) and not expressions.quiet:
        expressions.tell(mismatch(part.items, items, None, why="expected a list"))
    return _parts(part.parts, At(expressions.facts.without(at.facts, name), {**at.locals, name: item}), expressions)


def _interpolation(part: Interpolation, at: At, expressions: "Expressions") -> FlowType:
    whole = expressions.type_of(part.value, at)
    of = whole
    for each in part.filters:
        of = _filter(each, part.value, of, at, expressions)
    if isinstance(of, Optional):
        expressions.doubt(part.value, of.inner)
    elif isinstance(of, NoneType) or not is_printable(of):
        expressions.refused(
            part.value.span, f"a text cannot show `{spelled(of)}`", "shows one value, no list or record"
        )
    return whole if mark_of(whole) else of


def _filter(each: Filter, value: Expression, of: FlowType, at: At, expressions: "Expressions") -> FlowType:
    name = each.name.text
    if name == "default":
        return _default(each, of, at, expressions)
    signature = FILTERS.get(name)
    found = [expressions.there(argument, at) for argument in each.arguments]
    if signature is None:
        if not expressions.quiet:
            expressions.unknown.add(each)
            expressions.tell(no_such(each.name, "filter", [*FILTERS, "default"]))
        return UNKNOWN
    if isinstance(of, Optional):
        expressions.doubt(value, of.inner)
    return marked_like(expressions.applied(each.name, signature, [plain(of), *found], 1, each.span), of)


def _default(each: Filter, of: FlowType, at: At, expressions: "Expressions") -> FlowType:
    found = [expressions.type_of(argument, at) for argument in each.arguments]
    if len(found) != 1:
        if not expressions.quiet:
            expressions.tell(
                wrong_count(each.name, Signature(2, 2, "a value", lambda _: None), len(found), 1, each.span)
            )
        return UNKNOWN
    if isinstance(of, NoneType):
        return found[0]
    both = merged(required(of), found[0])
    return both if both is not None else (TEXT if is_printable(of) and is_printable(found[0]) else found[0])
