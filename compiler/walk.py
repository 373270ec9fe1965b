"""What stands inside a statement: its blocks, its arms, its own expressions, and the names that an expression reads.

The one place that knows how statements nest, for `lower`, the graph and the rules.
"""

from collections.abc import Iterator
from typing import assert_never

from flowc.dsl.nodes import (
    Arm,
    Ask,
    Binary,
    BooleanLiteral,
    Call,
    Choose,
    Chunk,
    Clear,
    DateLiteral,
    DatetimeLiteral,
    Defer,
    Do,
    DurationLiteral,
    End,
    Expression,
    FieldAccess,
    FunctionCall,
    Goto,
    Handoff,
    If,
    IntegerLiteral,
    Interpolation,
    IsNone,
    Listen,
    ListLiteral,
    Mark,
    Match,
    NoneLiteral,
    NumberLiteral,
    RecordLiteral,
    Reference,
    Reject,
    Resume,
    Say,
    Set,
    Statement,
    Text,
    TextFor,
    TextIf,
    TextPart,
    TimeLiteral,
    Unary,
)

__all__ = [
    "Block",
    "arms_of",
    "blocks_of",
    "expressions_of",
    "leaves",
    "names_set",
    "references",
    "statements_in",
    "subexpressions",
    "texts_in",
]

Block = tuple[Statement, ...]


def arms_of(statement: Statement) -> tuple[Arm, ...]:
    """The arms of `statement`, in source order."""
    match statement:
        case (
            Ask(arms=arms)
            | Choose(arms=arms)
            | Listen(arms=arms)
            | Call(arms=arms)
            | Defer(arms=arms)
            | Do(arms=arms)
            | Match(arms=arms)
            | Handoff(arms=arms)
        ):
            return arms
        case Say() | Reject() | If() | Set() | Clear() | Goto() | Resume() | End() | Mark():
            return ()
        case _:
            assert_never(statement)


def blocks_of(statement: Statement) -> tuple[Block, ...]:
    """The blocks directly inside `statement`, in source order."""
    if isinstance(statement, If):
        return tuple(branch.body for branch in statement.branches)
    return tuple(arm.body for arm in arms_of(statement))


def statements_in(body: Block) -> Iterator[Statement]:
    """Every statement of `body` and of the blocks inside it, in source order."""
    pending = list(reversed(body))
    while pending:
        statement = pending.pop()
        yield statement
        for block in reversed(blocks_of(statement)):
            pending.extend(reversed(block))


def leaves(body: Block) -> bool:
    """Whether control never comes out at the end of `body`."""
    return any(_leaves(statement) for statement in body)


def _leaves(statement: Statement) -> bool:
    match statement:
        case Goto() | Resume() | End() | Reject():
            return True
        case Handoff(arms=arms) | Listen(arms=arms) | Match(arms=arms):
            return all(leaves(arm.body) for arm in arms)
        case If(branches):
            return branches[-1].condition is None and all(leaves(branch.body) for branch in branches)
        case Say() | Ask() | Choose() | Call() | Defer() | Do() | Set() | Clear() | Mark():
            return False
        case _:
            assert_never(statement)


def names_set(statement: Statement) -> tuple[str, ...]:
    """The slots and variables that `statement` itself gives another value, or none."""
    match statement:
        case Set(name=name) | Choose(name=name):
            return (name.text,)
        case Clear(names):
            return tuple(name.text for name in names)
        case Ask(slots=slots):
            return tuple(slot.text for slot in slots)
        case Reject(slot=slot):
            return (slot.text,)
        case Call(target=target) | Do(target=target):
            return () if target is None else (target.text,)
        case Say() | Listen() | Defer() | If() | Match() | Goto() | Resume() | Handoff() | End() | Mark():
            return ()
        case _:
            assert_never(statement)


def expressions_of(statement: Statement) -> tuple[Expression, ...]:
    """What `statement` itself evaluates, texts included; not what the blocks inside it do."""
    match statement:
        case Say(texts, buttons, images, links):
            return (*texts, *buttons, *images, *(text for link in links for text in (link.label, link.url)))
        case Ask(question=question, arms=arms):
            return (*_given(question), *_guards(arms))
        case Choose(items=items, question=question, show=show, arms=arms):
            return (items, question, *_given(show), *_guards(arms))
        case Listen(arms=arms):
            return _guards(arms)
        case Call(arguments=arguments) | Defer(arguments=arguments) | Do(arguments=arguments):
            return tuple(argument.value for argument in arguments)
        case If(branches):
            return tuple(branch.condition for branch in branches if branch.condition is not None)
        case Match(subject=subject):
            return (subject,)
        case Set(value=value):
            return (value,)
        case Reject(text=text):
            return (text,)
        case Handoff(queue=queue):
            return (queue,)
        case Mark(milestone=milestone):
            return (milestone,)
        case Clear() | Goto() | Resume() | End():
            return ()
        case _:
            assert_never(statement)


def _given(text: Text | None) -> tuple[Text, ...]:
    return () if text is None else (text,)


def _guards(arms: tuple[Arm, ...]) -> tuple[Expression, ...]:
    return tuple(arm.when for arm in arms if arm.when is not None)


def subexpressions(*roots: Expression) -> Iterator[Expression]:
    """`roots` and every expression inside them, templates included, outermost first, in source order."""
    pending = list(reversed(roots))
    while pending:
        expression = pending.pop()
        yield expression
        pending.extend(reversed(_parts(expression)))


def _parts(expression: Expression) -> tuple[Expression, ...]:
    match expression:
        case Binary(left=left, right=right):
            return (left, right)
        case Unary(operand=operand) | IsNone(operand=operand):
            return (operand,)
        case FieldAccess(target=target):
            return (target,)
        case FunctionCall(arguments=arguments):
            return arguments
        case ListLiteral(items):
            return items
        case RecordLiteral(fields):
            return tuple(field.value for field in fields)
        case Text(parts):
            return tuple(_text_parts(parts))
        case (
            IntegerLiteral()
            | NumberLiteral()
            | BooleanLiteral()
            | NoneLiteral()
            | DurationLiteral()
            | DateLiteral()
            | TimeLiteral()
            | DatetimeLiteral()
            | Reference()
        ):
            return ()
        case _:
            assert_never(expression)


def _text_parts(parts: tuple[TextPart, ...]) -> Iterator[Expression]:
    for part in parts:
        match part:
            case Chunk():
                pass
            case Interpolation(value, filters):
                yield value
                for each in filters:
                    yield from each.arguments
            case TextIf(branches):
                for branch in branches:
                    if branch.condition is not None:
                        yield branch.condition
                    yield from _text_parts(branch.parts)
            case TextFor(items=items, parts=inner):
                yield items
                yield from _text_parts(inner)
            case _:
                assert_never(part)


def references(*roots: Expression) -> Iterator[Reference]:
    """Every bare name inside `roots`, in source order."""
    return (each for each in subexpressions(*roots) if isinstance(each, Reference))


def texts_in(*roots: Expression) -> Iterator[Text]:
    """Every text inside `roots`, in source order."""
    return (each for each in subexpressions(*roots) if isinstance(each, Text))
