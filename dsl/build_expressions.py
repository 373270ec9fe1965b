"""Grammar to nodes: values, expressions, texts and types. Each method is named after its rule and takes its parts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, cast

from flowc.dsl import literals
from flowc.dsl.diagnostic import Diagnostic
from flowc.dsl.nodes import (
    Argument,
    Binary,
    BinaryOperator,
    BooleanLiteral,
    ChoiceType,
    DateLiteral,
    DatetimeLiteral,
    Duration,
    DurationLiteral,
    Expression,
    FieldAccess,
    Filter,
    FunctionCall,
    IntegerLiteral,
    IsNone,
    ListLiteral,
    ListType,
    MarkedType,
    Name,
    NamedType,
    NoneLiteral,
    NumberLiteral,
    OptionalType,
    PatternType,
    RangeType,
    RecordLiteral,
    Reference,
    Text,
    TimeLiteral,
    TypedName,
    TypeNode,
    Unary,
    UnaryOperator,
)
from flowc.dsl.source import SourceFile, Span
from flowc.dsl.texts import ParsePart, plain_text, read_text
from flowc.dsl.tokens import Token

__all__ = ["Arguments", "Bound", "ExpressionRules", "Template", "name_of", "wait_of"]

MAX_ITEMS = 1_000


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a range."""

    value: Decimal
    span: Span


@dataclass(frozen=True, slots=True)
class Arguments:
    """What stands in the brackets of a call."""

    fields: tuple[Argument, ...]
    span: Span  # of the closing bracket


@dataclass(frozen=True, slots=True)
class Template:
    """What stands in `{{ }}`."""

    value: Expression
    filters: tuple[Filter, ...]


def name_of(token: Token) -> Name:
    return Name(token.text, token.span)


def wait_of(token: Token) -> Duration:
    return Duration(literals.duration_ms(token.text), token.span)


@dataclass(slots=True)
class ExpressionRules:
    """`report` takes what the grammar cannot say; `parse_part` reads what stands in `{{ }}`; without `templates` texts
    are plain, as in `.chat` files."""

    source: SourceFile
    report: Callable[[Diagnostic], None]
    parse_part: ParsePart
    templates: bool = True
    lost_at: list[int] = field(default_factory=list)  # where the lines began that are not in the tree

    # ---------------------------------------------------------------------------------------------------------- names

    def names(self, *parts: Token) -> tuple[Name, ...]:
        return tuple(name_of(part) for part in parts[::2])

    def typed_name(self, name: Token, _colon: Token, type_: TypeNode) -> TypedName:
        return TypedName(name_of(name), type_, name.span.to(type_.span))

    def typed_names(self, *parts: TypedName | Token | None) -> tuple[TypedName, ...]:
        return tuple(part for part in parts if isinstance(part, TypedName))

    def parameters(self, _open: Token, fields: tuple[TypedName, ...] | None, _close: Token) -> tuple[TypedName, ...]:
        return fields or ()

    # ---------------------------------------------------------------------------------------------------------- types

    def marked_type(self, mark: Token, inner: TypeNode) -> MarkedType:
        return MarkedType(cast(Literal["pii", "secret"], mark.text), inner, mark.span.to(inner.span))

    def optional_type(self, inner: TypeNode, sign: Token) -> OptionalType:
        return OptionalType(inner, inner.span.to(sign.span))

    def named_type(self, name: Token) -> NamedType:
        return NamedType(name.text, name.span)

    def list_type(self, word: Token, _of: Token, item: Token) -> ListType:
        return ListType(NamedType(item.text, item.span), word.span.to(item.span))

    def choice_type(self, *parts: Text | Token) -> ChoiceType:
        values = tuple(part for part in parts if isinstance(part, Text))
        return ChoiceType(values, values[0].span.to(values[-1].span))

    def pattern_type(self, base: Token, _matching: Token, pattern: Token) -> PatternType:
        self.expect_base(base, ("text",), "matching")
        inner = pattern.text[1:].removesuffix("/").replace("\\/", "/")
        return PatternType(inner, pattern.span, base.span.to(pattern.span))

    def range_type(self, base: Token, _in: Token, low: Bound, _to: Token, high: Bound) -> RangeType:
        self.expect_base(base, ("integer", "number"), "in")
        kind: Literal["integer", "number"] = "number" if base.text == "number" else "integer"
        if low.value > high.value:
            span = low.span.to(high.span)
            self.report(literals.out_of_range(f"{low.value}..{high.value}", span, "the smaller one first"))
        for bound in (low, high):
            if kind == "integer" and bound.value != bound.value.to_integral_value():
                self.report(literals.out_of_range(str(bound.value), bound.span, "a whole number, or `number in`"))
        return RangeType(kind, low.value, high.value, base.span.to(high.span))

    def expect_base(self, base: Token, wanted: tuple[str, ...], word: str) -> None:
        if base.text not in wanted:
            self.report(literals.wrong_base(base.text, wanted, word, base.span))

    def bound(self, sign: Token | None, number: Token) -> Bound:
        value = literals.number_value(number.text)
        return Bound(-value, sign.span.to(number.span)) if sign else Bound(value, number.span)

    def count(self, token: Token, least: int = 1, most: int = 1_000_000) -> int:
        """A whole number that counts something."""
        value = literals.integer_value(token.text)
        if not least <= value <= most:
            self.report(literals.out_of_range(token.text, token.span, f"a number from {least:,} to {most:,}"))
            return min(max(value, least), most)
        return value

    # ---------------------------------------------------------------------------------------------------- expressions

    def binary(self, left: Expression, operator: Token, right: Expression) -> Binary:
        word = operator.type.lower()  # of a misspelled word the type says which it was taken for
        kind = cast(BinaryOperator, word if word in ("or", "and", "in") else operator.text)
        return Binary(kind, left, right, operator.span, left.span.to(right.span))

    def not_in(self, left: Expression, negation: Token, inside: Token, right: Expression) -> Binary:
        return Binary("not in", left, right, negation.span.to(inside.span), left.span.to(right.span))

    def is_none(self, operand: Expression, _is: Token, none: Token) -> IsNone:
        return IsNone(operand, False, operand.span.to(none.span))

    def is_not_none(self, operand: Expression, _is: Token, _not: Token, none: Token) -> IsNone:
        return IsNone(operand, True, operand.span.to(none.span))

    def unary(self, operator: Token, operand: Expression) -> Unary:
        return Unary(cast(UnaryOperator, operator.text), operand, operator.span.to(operand.span))

    def field_access(self, target: Expression, _dot: Token, name: Token) -> FieldAccess:
        return FieldAccess(target, name_of(name), target.span.to(name.span))

    def reference(self, name: Token) -> Reference:
        return Reference(name.text, name.span)

    def function_call(
        self, name: Token, _open: Token, items: tuple[Expression, ...] | None, close: Token
    ) -> FunctionCall:
        return FunctionCall(name_of(name), items or (), name.span.to(close.span))

    def group(self, _open: Token, inner: Expression, _close: Token) -> Expression:
        return inner

    def list_literal(self, opened: Token, items: tuple[Expression, ...] | None, close: Token) -> ListLiteral:
        if items and len(items) > MAX_ITEMS:
            self.report(literals.too_many_items(len(items), MAX_ITEMS, items[MAX_ITEMS].span))
        return ListLiteral(items or (), opened.span.to(close.span))

    def record_literal(self, opened: Token, fields: tuple[Argument, ...] | None, close: Token) -> RecordLiteral:
        return RecordLiteral(fields or (), opened.span.to(close.span))

    def integer(self, token: Token) -> IntegerLiteral:
        return IntegerLiteral(literals.integer_value(token.text), token.span)

    def number(self, token: Token) -> NumberLiteral:
        return NumberLiteral(literals.number_value(token.text), token.span)

    def boolean(self, token: Token) -> BooleanLiteral:
        return BooleanLiteral(token.text == "true", token.span)

    def none(self, token: Token) -> NoneLiteral:
        return NoneLiteral(token.span)

    def duration(self, token: Token) -> DurationLiteral:
        return DurationLiteral(literals.duration_ms(token.text), token.span)

    def date(self, token: Token) -> DateLiteral:
        return DateLiteral(literals.date_value(token.text), token.span)

    def time(self, token: Token) -> TimeLiteral:
        return TimeLiteral(literals.time_value(token.text), token.span)

    def datetime(self, token: Token) -> DatetimeLiteral:
        return DatetimeLiteral(literals.datetime_value(token.text), token.span)

    def items(self, *parts: Expression | Token | None) -> tuple[Expression, ...]:
        return tuple(part for part in parts if part is not None and not isinstance(part, Token))

    def fields(self, *parts: Argument | Token | None) -> tuple[Argument, ...]:
        return tuple(part for part in parts if isinstance(part, Argument))

    def arguments(self, _open: Token, fields: tuple[Argument, ...] | None, close: Token) -> Arguments:
        return Arguments(fields or (), close.span)

    def argument(self, name: Token, _colon: Token, value: Expression) -> Argument:
        return Argument(name_of(name), value, name.span.to(value.span))

    # ---------------------------------------------------------------------------------------------------------- texts

    def text(self, token: Token) -> Text:
        if not self.templates:
            return self.plain(token)
        return read_text(self.source, token, self.report, self.parse_part)

    def plain(self, token: Token) -> Text:
        return plain_text(self.source, token, self.report)

    def texts(self, *parts: Text | Token) -> tuple[Text, ...]:
        return tuple(part for part in parts if isinstance(part, Text))

    def plains(self, *parts: Text | Token) -> tuple[Text, ...]:
        return tuple(part for part in parts if isinstance(part, Text))

    # ------------------------------------------------------------------------------------------------------ templates

    def template(self, value: Expression, *parts: Token | Filter) -> Template:
        return Template(value, tuple(part for part in parts if isinstance(part, Filter)))

    def filter(
        self, name: Token, _open: Token | None, items: tuple[Expression, ...] | None, close: Token | None
    ) -> Filter:
        return Filter(name_of(name), items or (), name.span.to(close.span) if close else name.span)
