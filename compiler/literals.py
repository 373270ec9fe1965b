"""Whether a literal, where it stands in a flow, is a value of a type: the check that the runtime makes on values from
outside."""

from decimal import Decimal
from functools import lru_cache

import re2

from flowc.compiler.types import FlowType, plain
from flowc.dsl.nodes import Expression, IntegerLiteral, NumberLiteral, Text, Unary
from flowc.runtime.types import Basic, Choice, Integer, Number
from flowc.runtime.types import Text as TextType

__all__ = ["is_literal_for", "number_of", "text_fits"]


def is_literal_for(expression: Expression, wanted: FlowType) -> bool | None:
    """True or False where `expression` is a literal whose value decides whether it fits `wanted`; else None."""
    of = plain(wanted)
    match expression, of:
        case Text(), (Choice() | TextType() | Basic("email" | "phone" | "url")):
            return None if expression.plain is None else text_fits(expression.plain, of)
        case _, (Integer(low, high) | Number(low, high)):
            number = number_of(expression)
            if number is None or (isinstance(of, Integer) and number != int(number)):
                return None
            return (low is None or number >= Decimal(low)) and (high is None or number <= Decimal(high))
        case _:
            return None


def number_of(expression: Expression) -> Decimal | None:
    """The value of a number literal, with its sign; None for anything else."""
    match expression:
        case IntegerLiteral(value):
            return Decimal(value)
        case NumberLiteral(value):
            return value
        case Unary("-", operand):
            inner = number_of(operand)
            return None if inner is None else -inner
        case _:
            return None


def text_fits(text: str, wanted: FlowType) -> bool:
    """Whether `text` is a value of the text type `wanted`."""
    match wanted:
        case TextType(None):
            return True
        case TextType(pattern) if pattern is not None:
            compiled = _compiled(pattern)
            return compiled is None or compiled.fullmatch(text) is not None
        case Choice(values):
            return text in values
        case Basic("email"):
            return "@" in text
        case Basic("url"):
            return "://" in text
        case Basic("phone"):
            return any(character.isdigit() for character in text)
        case _:
            return False


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> "re2._Regexp[str] | None":
    try:
        return re2.compile(pattern)
    except re2.error:
        return None
