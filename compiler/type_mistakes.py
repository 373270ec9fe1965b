"""What is said about values of a wrong type, names that do not exist in an expression, and arguments. Wording only."""

from collections.abc import Mapping, Sequence
from typing import Final

from flowc.compiler.functions import Signature
from flowc.compiler.signatures import UNKNOWN_NAME
from flowc.compiler.suggest import nearest
from flowc.compiler.types import FlowType, plain, spelled
from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity
from flowc.dsl.nodes import Binary, Expression, Name, Reference, Text
from flowc.dsl.source import Span
from flowc.runtime.types import Choice, Integer, ListOf
from flowc.runtime.types import Text as TextType

TYPE_MISMATCH: Final = Code("FLW301", "type-mismatch", Severity.ERROR)
NOT_A_CONDITION: Final = Code("FLW302", "not-a-condition", Severity.ERROR)
WRONG_ARGUMENTS: Final = Code("FLW303", "wrong-arguments", Severity.ERROR)


def mismatch(expression: Expression, found: FlowType, wanted: FlowType | None, *, why: str = "expected") -> Diagnostic:
    literal = expression.plain if isinstance(expression, Text) else None
    shown = f'"{literal}"' if literal is not None else spelled(found)
    expected = f"{why} `{spelled(wanted)}`" if wanted is not None else why
    inner = plain(wanted) if wanted is not None else None
    near = nearest(literal, inner.values) if literal is not None and isinstance(inner, Choice) else None
    return Diagnostic(
        TYPE_MISMATCH,
        f"{expected}, found `{shown}`",
        (Label(expression.span, expected),),
        help=f'did you mean "{near}"?' if near else None,
        edits=(Edit(expression.span, f'"{near}"'),) if near else (),
    )


def never_equal(literal: Expression, of: FlowType) -> Diagnostic:
    words = literal.plain if isinstance(literal, Text) else None
    choice = plain(of)
    near = nearest(words or "", choice.values if isinstance(choice, Choice) else ())
    return Diagnostic(
        TYPE_MISMATCH,
        f'the value is never "{words}"',
        (Label(literal.span, f"it is one of {spelled(choice)}"),),
        help=f'did you mean "{near}"?' if near else None,
        edits=(Edit(literal.span, f'"{near}"'),) if near else (),
    )


def not_comparable(expression: Binary, left: FlowType, right: FlowType) -> Diagnostic:
    return Diagnostic(
        TYPE_MISMATCH,
        f"`{spelled(left)}` and `{spelled(right)}` are never equal",
        (Label(expression.operator_span, f"always {'true' if expression.operator == '!=' else 'false'}"),),
    )


def none_here(expression: Expression) -> Diagnostic:
    return Diagnostic(TYPE_MISMATCH, "`none` is no value to use here", (Label(expression.span, "this is none"),))


def not_a_condition(expression: Expression, found: FlowType) -> Diagnostic:
    advice = {
        TextType: 'compare it, as in `x == "…"`',
        Choice: 'compare it, as in `x == "…"`',
        Integer: "compare it, as in `x > 0`",
        ListOf: "say what about it, as in `len(x) > 0`",
    }.get(type(plain(found)))
    return Diagnostic(
        NOT_A_CONDITION,
        f"a condition is yes or no, found `{spelled(found)}`",
        (Label(expression.span, "neither true nor false"),),
        help=advice or "a condition compares, or tests `is none`",
    )


def unknown_name(reference: Reference, known: Sequence[str]) -> Diagnostic:
    near = nearest(reference.name, known)
    return Diagnostic(
        UNKNOWN_NAME,
        f"no slot, variable or parameter named `{reference.name}`",
        (Label(reference.span, "nothing sets it in this flow"),),
        help=f"did you mean `{near}`?" if near else None,
        edits=(Edit(reference.span, near),) if near else (),
    )


def unknown_field(name: Name, owner: FlowType, known: Sequence[str]) -> Diagnostic:
    near = nearest(name.text, known)
    listing = ", ".join(f"`{each}`" for each in known)
    return Diagnostic(
        UNKNOWN_NAME,
        f"`{spelled(owner)}` has no field `{name.text}`",
        (Label(name.span, "no such field"),),
        help=f"did you mean `{near}`?" if near else (f"it has {listing}" if known else "only records have fields"),
        edits=(Edit(name.span, near),) if near else (),
    )


def no_such(name: Name, what: str, known: Sequence[str] | Mapping[str, object]) -> Diagnostic:
    near = nearest(name.text, known)
    listing = ", ".join(f"`{each}`" for each in sorted(known))
    return Diagnostic(
        UNKNOWN_NAME,
        f"no {what} named `{name.text}`",
        (Label(name.span, "the language has none"),),
        help=f"did you mean `{near}`?" if near else f"there are {listing}",
        edits=(Edit(name.span, near),) if near else (),
    )


def unknown_argument(name: Name, what: str, known: Sequence[str]) -> Diagnostic:
    near = nearest(name.text, known)
    listing = ", ".join(f"`{each}`" for each in known)
    return Diagnostic(
        WRONG_ARGUMENTS,
        f"{what} takes no `{name.text}`",
        (Label(name.span, "not taken"),),
        help=f"did you mean `{near}`?" if near else (f"it takes {listing}" if known else "it takes nothing"),
        edits=(Edit(name.span, near),) if near else (),
    )


def repeated_argument(name: Name, first: Name) -> Diagnostic:
    return Diagnostic(
        WRONG_ARGUMENTS,
        f"`{name.text}` is given twice",
        (Label(name.span, "given again"), Label(first.span, "first given here", secondary=True)),
        help="remove one of them",
    )


def missing_arguments(missing: Sequence[str], wanted: Mapping[str, FlowType], what: str, span: Span) -> Diagnostic:
    names = " and ".join(f"`{name}`" for name in missing)
    added = ", ".join(f"{name}: …" for name in missing)
    of = spelled(wanted[missing[0]])
    return Diagnostic(
        WRONG_ARGUMENTS,
        f"{what} needs {names}",
        (Label(span, f"a `{of}` is missing" if len(missing) == 1 else f"{len(missing)} arguments are missing"),),
        help=f"add `{added}`",
    )


def wrong_count(name: Name, signature: Signature, found: int, before: int, span: Span) -> Diagnostic:
    least, most = signature.least - before, signature.most - before
    wanted = str(least) if least == most else f"{least} or {most}"
    plural = "" if wanted == "1" else "s"
    return Diagnostic(
        WRONG_ARGUMENTS,
        f"`{name.text}` takes {wanted} argument{plural}, found {found}",
        (Label(span, f"takes {signature.spelled}" if before == 0 else "the value before the bar is not counted"),),
    )
