"""Arms of one statement: none for the same thing twice, and a `match` that covers its type."""

from collections.abc import Callable, Iterable
from typing import Final

from flowc.compiler.literals import is_literal_for
from flowc.compiler.suggest import nearest
from flowc.compiler.type_mistakes import mismatch
from flowc.compiler.types import FlowType, NoneType, Unknown, fits, is_optional, plain
from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity
from flowc.dsl.nodes import (
    Arm,
    BooleanLiteral,
    ChangePattern,
    DonePattern,
    ElsePattern,
    IntegerLiteral,
    LiteralPattern,
    Match,
    NamePattern,
    NoneLiteral,
    NumberLiteral,
    Pattern,
    SilencePattern,
    Text,
)
from flowc.dsl.source import Span
from flowc.runtime.types import Basic, Choice

__all__ = ["check_arms", "check_match"]

Tell = Callable[[Diagnostic], None]


def check_arms(arms: Iterable[Arm], tell: Tell) -> None:
    """Reports an arm for what an earlier one without `when` takes."""
    taken: dict[tuple[str, object], Span] = {}
    for arm in arms:
        for pattern in arm.patterns:
            thing = what(pattern)
            first = taken.get(thing)
            if first is not None:
                tell(repeated_arm(pattern.span, first, spelled_pattern(pattern)))
            elif arm.when is None:
                taken[thing] = pattern.span


def what(pattern: Pattern) -> tuple[str, object]:
    """What `pattern` takes, so that two for the same are equal."""
    match pattern:
        case NamePattern(name):
            return "name", name.text
        case ChangePattern(slots):
            return "change", frozenset(slot.text for slot in slots)
        case SilencePattern(after):
            return "silence", after.ms
        case DonePattern():
            return "done", None
        case ElsePattern():
            return "else", None
        case LiteralPattern(Text() as text):
            return "text", text.plain
        case LiteralPattern(NoneLiteral()):
            return "none", None
        case LiteralPattern(BooleanLiteral(value)):
            return "boolean", value
        case LiteralPattern(IntegerLiteral(value) | NumberLiteral(value)):
            return "number", value
        case _:
            raise AssertionError(pattern)


def spelled_pattern(pattern: Pattern) -> str:
    kind, value = what(pattern)
    match kind:
        case "text":
            return f'"{value}"'
        case "boolean":
            return "true" if value else "false"
        case "name" | "number":
            return str(value)
        case "change":
            return "this change"
        case "silence":
            return "this silence"
        case _:
            return kind


def check_match(match: Match, of: FlowType, tell: Tell) -> None:
    """Reports arms of `match` that can never hold, repeated ones, and values of the type that no arm covers."""
    check_arms(match.arms, tell)
    if isinstance(of, Unknown | NoneType):
        return
    for arm in match.arms:
        for pattern in arm.patterns:
            if isinstance(pattern, LiteralPattern):
                _possible(pattern, of, tell)
    missing = uncovered(match, of)
    if missing:
        tell(not_exhaustive(match, missing))


def _possible(pattern: LiteralPattern, of: FlowType, tell: Tell) -> None:
    match pattern.value:
        case NoneLiteral():
            if not is_optional(of):
                tell(never_matches(pattern, "it is never none"))
        case Text() as text:
            choice = plain(of)
            if is_literal_for(text, of) is False:
                tell(
                    never_matches(pattern, "no value of the type", choice.values if isinstance(choice, Choice) else ())
                )
            elif is_literal_for(text, of) is None and not isinstance(choice, Unknown):
                tell(mismatch(text, plain_type(text), choice))
        case BooleanLiteral() | IntegerLiteral() | NumberLiteral() as literal:
            if is_literal_for(literal, of) is False:
                tell(never_matches(pattern, "no value of the type"))
            elif is_literal_for(literal, of) is None and not fits(plain_type(literal), plain(of)):
                tell(mismatch(literal, plain_type(literal), plain(of)))


def plain_type(literal: Text | BooleanLiteral | IntegerLiteral | NumberLiteral) -> FlowType:
    from flowc.compiler.types import BOOLEAN, INTEGER, NUMBER, TEXT

    match literal:
        case Text():
            return TEXT
        case BooleanLiteral():
            return BOOLEAN
        case IntegerLiteral():
            return INTEGER
        case NumberLiteral():
            return NUMBER


def uncovered(match: Match, of: FlowType) -> tuple[str, ...]:
    """Values of the type that no arm of `match` takes, as written after `on`; `else` for all others."""
    patterns = [pattern for arm in match.arms if arm.when is None for pattern in arm.patterns]
    if any(isinstance(pattern, ElsePattern) for pattern in patterns):
        return ()
    taken = {what(pattern) for pattern in patterns}
    missing: list[str] = []
    match plain(of):
        case Unknown():
            return ()
        case Choice(values):
            meant = {nearest(str(value), values) for kind, value in taken if kind == "text" and value not in values}
            missing = [f'"{value}"' for value in values if ("text", value) not in taken and value not in meant]
        case Basic("boolean"):
            missing = [word for word, value in (("true", True), ("false", False)) if ("boolean", value) not in taken]
        case _:
            missing = ["else"]
    if is_optional(of) and ("none", None) not in taken and missing != ["else"]:
        missing.append("none")
    return tuple(missing)


# ------------------------------------------------------------------------------------------------------- diagnostics

NOT_EXHAUSTIVE: Final = Code("FLW306", "not-exhaustive", Severity.ERROR)
REPEATED_ARM: Final = Code("FLW307", "repeated-arm", Severity.ERROR)


def not_exhaustive(match: Match, missing: tuple[str, ...]) -> Diagnostic:
    if missing == ("else",):
        message, help_text = "this `match` has no `else`", "add `else`: no list of values is complete here"
    else:
        values = ", ".join(f"`{value}`" for value in missing)
        message, help_text = f"this `match` does not cover {values}", "add an arm for each, or `else`"
    return Diagnostic(NOT_EXHAUSTIVE, message, (Label(match.subject.span, "may be something else"),), help=help_text)


def repeated_arm(span: Span, first: Span, name: str) -> Diagnostic:
    return Diagnostic(
        REPEATED_ARM,
        f"there is already an arm for `{name}`",
        (Label(span, "never reached"), Label(first, "this one takes it", secondary=True)),
        help="remove one, or give the earlier one a condition with `when`",
    )


def never_matches(pattern: LiteralPattern, why: str, values: tuple[str, ...] = ()) -> Diagnostic:
    words = pattern.value.plain if isinstance(pattern.value, Text) else None
    near = nearest(words, values) if words is not None else None
    listing = ", ".join(f'"{value}"' for value in values)
    return Diagnostic(
        REPEATED_ARM,
        "this arm can never match",
        (Label(pattern.span, why),),
        help=f'did you mean "{near}"?' if near else (f"the values are {listing}" if values else "remove it"),
        edits=(Edit(pattern.span, f'"{near}"'),) if near else (),
    )
