"""The syntax tree: every construct of the language a frozen struct with its exact span.

Nodes compare and hash by identity, so that a later pass keeps what it learns in side tables keyed by node. Order of
fields is order in the text. Nothing here is filled in by a later pass. `shape` gives a comparable form without spans.

The file is long because it is the list of the constructs: the grammar's other half, read side by side with it.
"""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Literal, dataclass_transform

from msgspec import Struct

from flowc.dsl.source import Span


@dataclass_transform(frozen_default=True, eq_default=False)
class Node(Struct, frozen=True, eq=False):
    """What all constructs are. A struct, not a dataclass: a hundred of those take longer to define than a flow to
    check, and a node of them longer to make."""


# --------------------------------------------------------------------------------------------------- names and values


class Name(Node):
    text: str
    span: Span


class Version(Node):
    major: int
    minor: int
    patch: int
    span: Span


class Duration(Node):
    """A length of time such as `800ms`, in milliseconds."""

    ms: int
    span: Span


class Rate(Node):
    """`count` per `per_s` seconds: `200/s`, `30/m`, `1000/h`."""

    count: int
    per_s: int
    span: Span


# ------------------------------------------------------------------------------------------------------- expressions


class IntegerLiteral(Node):
    value: int
    span: Span


class NumberLiteral(Node):
    value: Decimal
    span: Span


class BooleanLiteral(Node):
    value: bool
    span: Span


class NoneLiteral(Node):
    span: Span


class DurationLiteral(Node):
    ms: int
    span: Span


class DateLiteral(Node):
    value: date
    span: Span


class TimeLiteral(Node):
    value: time
    span: Span


class DatetimeLiteral(Node):
    """Only in `.chat` files: `at 2026-11-22T10:00`."""

    value: datetime
    span: Span


class ListLiteral(Node):
    items: tuple["Expression", ...]
    span: Span


class RecordLiteral(Node):
    fields: tuple["Argument", ...]
    span: Span


class Reference(Node):
    """A bare name in an expression: slot, variable, parameter, or built in."""

    name: str
    span: Span


class FieldAccess(Node):
    target: "Expression"
    name: Name
    span: Span


class FunctionCall(Node):
    function: Name
    arguments: tuple["Expression", ...]
    span: Span


UnaryOperator = Literal["not", "-"]
BinaryOperator = Literal["or", "and", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "+", "-", "*", "/"]


class Unary(Node):
    operator: UnaryOperator
    operand: "Expression"
    span: Span


class Binary(Node):
    operator: BinaryOperator
    left: "Expression"
    right: "Expression"
    operator_span: Span
    span: Span


class IsNone(Node):
    """`x is none`, or `x is not none` when `negated`."""

    operand: "Expression"
    negated: bool
    span: Span


class Argument(Node):
    """`name: value` of a call or of a record literal."""

    name: Name
    value: "Expression"
    span: Span


# --------------------------------------------------------------------------------------------------- text with
# templates


class Chunk(Node):
    """Plain characters of a text, escapes resolved."""

    text: str
    span: Span


class Filter(Node):
    """`| name` or `| name(arguments)`."""

    name: Name
    arguments: tuple["Expression", ...]
    span: Span


class Interpolation(Node):
    """`{{ value | filters }}`; the span covers the braces."""

    value: "Expression"
    filters: tuple[Filter, ...]
    span: Span


class TextBranch(Node):
    """`if`/`elif` with its condition, `else` without one."""

    condition: "Expression | None"
    parts: tuple["TextPart", ...]
    span: Span


class TextIf(Node):
    """`{% if … %} … {% elif … %} … {% else %} … {% endif %}`."""

    branches: tuple[TextBranch, ...]
    span: Span


class TextFor(Node):
    """`{% for x in LIST %} … {% endfor %}`."""

    variable: Name
    items: "Expression"
    parts: tuple["TextPart", ...]
    span: Span


TextPart = Chunk | Interpolation | TextIf | TextFor


class Text(Node):
    """A quoted text, one line or block. Neighbouring chunks are joined. Also an expression of type text."""

    parts: tuple[TextPart, ...]
    span: Span

    @property
    def plain(self) -> str | None:
        """The characters, where the text has no template part."""
        if not self.parts:
            return ""
        match self.parts:
            case (Chunk(text),):
                return text
            case _:
                return None


Expression = (
    IntegerLiteral
    | NumberLiteral
    | BooleanLiteral
    | NoneLiteral
    | DurationLiteral
    | DateLiteral
    | TimeLiteral
    | DatetimeLiteral
    | ListLiteral
    | RecordLiteral
    | Reference
    | FieldAccess
    | FunctionCall
    | Unary
    | Binary
    | IsNone
    | Text
)

# -------------------------------------------------------------------------------------------------------------- types


class NamedType(Node):
    """A built-in type (`text`) or a declared one (`OrderId`)."""

    name: str
    span: Span


class OptionalType(Node):
    inner: "TypeNode"
    span: Span


class ListType(Node):
    item: NamedType
    span: Span


class ChoiceType(Node):
    values: tuple[Text, ...]
    span: Span


class PatternType(Node):
    """`text matching /pattern/`; the slashes are not part of `pattern`."""

    pattern: str
    pattern_span: Span
    span: Span


class RangeType(Node):
    """`integer in 1..10`, `number in 0..1`; both ends belong to it."""

    base: Literal["integer", "number"]
    low: Decimal
    high: Decimal
    span: Span


class MarkedType(Node):
    mark: Literal["pii", "secret"]
    inner: "TypeNode"
    span: Span


TypeNode = NamedType | OptionalType | ListType | ChoiceType | PatternType | RangeType | MarkedType


class TypedName(Node):
    """`name: Type`: a parameter, a field, a result."""

    name: Name
    type: TypeNode
    span: Span


# ------------------------------------------------------------------------------------------------------------- policy


class Retry(Node):
    """`retry 2 from 100ms to 1s`."""

    attempts: int
    base: Duration
    cap: Duration
    span: Span


class Breaker(Node):
    """`breaker 50% of 20 for 30s`."""

    percent: int
    calls: int
    open_for: Duration
    span: Span


class Limit(Node):
    """`limit 200/s`, or per user where `limit per user 5/m` says so."""

    rate: Rate
    span: Span


class Concurrency(Node):
    """`at most 32 at once`."""

    places: int
    span: Span


class PolicyLines(Node):
    """What one service or operation says about waiting; what it leaves out is None."""

    timeout: Duration | None = None
    within: Duration | None = None
    retry: Retry | None = None
    breaker: Breaker | None = None
    limit: Limit | None = None
    limit_per_user: Limit | None = None
    concurrency: Concurrency | None = None
    cache: Duration | None = None


# ------------------------------------------------------------------------------------------------------- declarations


class TypeDeclaration(Node):
    """An alias (`alias`) or a record (`fields`); one of them is None."""

    name: Name
    alias: TypeNode | None
    fields: tuple[TypedName, ...] | None
    span: Span


class KeyLine(Node):
    """`key auto`, `key header "X-Request-Id"`, `key field request_id`, then `for D` and `keeps refusals`."""

    carrier: Literal["auto", "header", "field"]
    name: str | None
    remembered: Duration | None
    keeps_refusals: bool
    span: Span


class Request(Node):
    """`GET "/orders/{id}"`."""

    method: str
    path: Text
    span: Span


class HeaderLine(Node):
    """`header "Name" EXPR` of an http operation."""

    name: Text
    value: Expression
    span: Span


class Path(Node):
    """A way into JSON: `data.items`, `data."odd key"`."""

    steps: tuple[str, ...]
    span: Span


class FailureName(Node):
    """A business failure, with what the error's body tells."""

    name: Name
    fields: tuple[TypedName, ...]
    span: Span


class FailsLine(Node):
    """`fails a, b(field: T) on 409 when error.code == "late"`; `status` None for adapters without one."""

    failures: tuple[FailureName, ...]
    status: int | None
    when_path: Path | None
    when_equals: str | None
    span: Span


class AdapterLine(Node):
    """`WORD value`: a line that only the adapter understands."""

    word: Name
    value: Expression
    span: Span


class Operation(Node):
    """`read name(parameters) -> result` or `write …` and the lines under it. `result` None when the signature has
    no `->`."""

    kind: Literal["read", "write"]
    name: Name
    parameters: tuple[TypedName, ...]
    result: TypeNode | None
    policy: PolicyLines
    key: KeyLine | None
    request: Request | None
    headers: tuple[HeaderLine, ...]
    body: Expression | None
    answer: Path | None
    fails: tuple[FailsLine, ...]
    adapter_lines: tuple[AdapterLine, ...]
    signature_span: Span
    span: Span


class ServiceDeclaration(Node):
    name: Name
    adapter: Name
    policy: PolicyLines
    adapter_lines: tuple[AdapterLine, ...]
    operations: tuple[Operation, ...]
    span: Span


class ExampleSlot(Node):
    """`{order_id}` or `{order_id: AB123456}` in an example."""

    name: Name
    value: str | None
    span: Span


class Example(Node):
    """A quoted example of an intent: its words and the places of slots, in order."""

    parts: tuple["str | ExampleSlot", ...]
    span: Span


class IntentDeclaration(Node):
    name: Name
    examples: tuple[Example, ...]
    example_files: tuple[Text, ...]
    span: Span


class EventDeclaration(Node):
    name: Name
    fields: tuple[TypedName, ...]
    span: Span


class SlotCheck(Node):
    """`check EXPR else "text"`."""

    condition: Expression
    text: Text
    span: Span


class ChoiceWords(Node):
    """`"value" also "word", …`."""

    value: Text
    words: tuple[Text, ...]
    span: Span


class SlotDeclaration(Node):
    name: Name
    type: TypeNode
    ask: Text | None
    reask: Text | None
    tries: int | None
    checks: tuple[SlotCheck, ...]
    words: tuple[ChoiceWords, ...]
    span: Span


PriorityClass = Literal["urgent", "high", "normal", "low", "bulk"]


class PriorityLine(Node):
    """`priority CLASS [when EXPR]`."""

    priority: PriorityClass
    when: Expression | None
    span: Span


class StateDeclaration(Node):
    name: Name
    priority: PriorityLine | None
    body: tuple["Statement", ...]
    span: Span


class AnywhereDeclaration(Node):
    arms: tuple["Arm", ...]
    span: Span


class MoveState(Node):
    """`state OLD -> NEW` of a `migrate`."""

    old: Name
    new: Name
    span: Span


class MigrateDeclaration(Node):
    """`migrate from MAJOR[.MINOR]` with its moves and `set` lines."""

    major: int
    minor: int | None
    moves: tuple[MoveState, ...]
    sets: tuple["Set", ...]
    span: Span


Declaration = (
    TypeDeclaration
    | ServiceDeclaration
    | IntentDeclaration
    | EventDeclaration
    | SlotDeclaration
    | StateDeclaration
    | AnywhereDeclaration
    | MigrateDeclaration
)

# --------------------------------------------------------------------------------------------------------- statements


class Link(Node):
    label: Text
    url: Text
    span: Span


class Say(Node):
    """`say "text"`, or `say one of` with several `texts`."""

    texts: tuple[Text, ...]
    buttons: tuple[Text, ...]
    images: tuple[Text, ...]
    links: tuple[Link, ...]
    span: Span


class Ask(Node):
    """`ask a, b` or `ask a "question"` (`question` only with one slot)."""

    slots: tuple[Name, ...]
    question: Text | None
    arms: tuple["Arm", ...]
    span: Span


class Reject(Node):
    slot: Name
    text: Text
    span: Span


class Choose(Node):
    """`choose NAME from LIST "question"`; `show` is over NAME, None for a list of text."""

    name: Name
    items: Expression
    question: Text
    show: Text | None
    arms: tuple["Arm", ...]
    span: Span


class Listen(Node):
    arms: tuple["Arm", ...]
    span: Span


class Call(Node):
    """`call [target =] service.operation(arguments)`."""

    target: Name | None
    service: Name
    operation: Name
    arguments: tuple[Argument, ...]
    arms: tuple["Arm", ...]
    head_span: Span  # the line itself, without its arms
    span: Span


class Defer(Node):
    service: Name
    operation: Name
    arguments: tuple[Argument, ...]
    priority: PriorityClass | None
    within: Duration | None
    arms: tuple["Arm", ...]
    head_span: Span
    span: Span


class Do(Node):
    target: Name | None
    flow: Name
    arguments: tuple[Argument, ...]
    arms: tuple["Arm", ...]
    head_span: Span
    span: Span


class Branch(Node):
    """One `if`, `else if` or `else` (without a condition) with its block."""

    condition: Expression | None
    body: tuple["Statement", ...]
    span: Span


class If(Node):
    branches: tuple[Branch, ...]
    span: Span


class Match(Node):
    """Arms are `LiteralPattern`s and `ElsePattern`."""

    subject: Expression
    arms: tuple["Arm", ...]
    span: Span


class Set(Node):
    name: Name
    value: Expression
    span: Span


class Clear(Node):
    names: tuple[Name, ...]
    span: Span


class Goto(Node):
    """`-> STATE`."""

    state: Name
    span: Span


class Resume(Node):
    """`resume`, or `resume up to N -> STATE` (both or neither)."""

    up_to: int | None
    then: Name | None
    span: Span


class Handoff(Node):
    queue: Text
    arms: tuple["Arm", ...]
    span: Span


class End(Node):
    outcome: Name | None
    span: Span


class Mark(Node):
    milestone: Text
    span: Span


Statement = (
    Say
    | Ask
    | Reject
    | Choose
    | Listen
    | Call
    | Defer
    | Do
    | If
    | Match
    | Set
    | Clear
    | Goto
    | Resume
    | Handoff
    | End
    | Mark
)

# --------------------------------------------------------------------------------------------------------------- arms


class NamePattern(Node):
    """`on NAME`: an intent, event, failure or outcome by where it stands; also `failure`, `unknown`, `failed`,
    `returned`, `unavailable`, `empty` and the outcome kinds, which are reserved after `on`."""

    name: Name
    span: Span


class ChangePattern(Node):
    """`on change a, b`."""

    slots: tuple[Name, ...]
    span: Span


class SilencePattern(Node):
    """`on silence 10m`."""

    after: Duration
    span: Span


class DonePattern(Node):
    """`on done [x]` of a `defer`."""

    name: Name | None
    span: Span


class LiteralPattern(Node):
    """`on "shipped"` of a `match`: text, number, boolean or none."""

    value: Text | IntegerLiteral | NumberLiteral | BooleanLiteral | NoneLiteral
    span: Span


class ElsePattern(Node):
    span: Span


Pattern = NamePattern | ChangePattern | SilencePattern | DonePattern | LiteralPattern | ElsePattern


class Arm(Node):
    """`on PATTERN, … [when EXPR]` and a block; `-> STATE` on the line is a block of one Goto."""

    patterns: tuple[Pattern, ...]
    when: Expression | None
    body: tuple[Statement, ...]
    head_span: Span
    span: Span


# -------------------------------------------------------------------------------------------------------------- files


class ReplyWithin(Node):
    """`reply within 3s else "One moment, please."`."""

    within: Duration
    text: Text | None
    span: Span


class Use(Node):
    """`use a, b from "PATH"`."""

    names: tuple[Name, ...]
    path: Text
    span: Span


class WhileBusy(Node):
    """`while busy queue` (`merge_within` None) or `while busy merge within D`."""

    merge_within: Duration | None
    span: Span


class Confidence(Node):
    value: Decimal
    span: Span


class FlowHeader(Node):
    name: Name
    version: Version
    description: Text | None
    takes: tuple[TypedName, ...]
    gives: tuple[TypedName, ...]
    locale: Name | None
    reply_within: ReplyWithin | None
    confidence: Confidence | None
    priorities: tuple[PriorityLine, ...]
    uses: tuple[Use, ...]
    start: Name | None
    while_busy: WhileBusy | None
    span: Span


class LibraryHeader(Node):
    name: Name
    description: Text | None
    locale: Name | None
    uses: tuple[Use, ...]
    span: Span


class Comment(Node):
    """From `#` to the end of the line; `own_line` where nothing stands before it."""

    text: str
    own_line: bool
    span: Span


class FlowFile(Node):
    """One `.flow` file. Declarations are in source order; a header that could not be read is None."""

    path: str
    header: FlowHeader | LibraryHeader | None
    declarations: tuple[Declaration, ...]
    comments: tuple[Comment, ...]
    span: Span


# --------------------------------------------------------------------------------------------------------- .chat files


class ExpectReply(Node):
    """`bot "…"`, `bot contains "…"`, `bot one of "…", "…"`, `bot any`; `buttons` None where they are not asserted."""

    kind: Literal["is", "contains", "one of", "any"]
    texts: tuple[Text, ...]
    buttons: tuple[Text, ...] | None
    span: Span


class Understood(Node):
    """`as INTENT(slot: value)`, `as (slot: value)`, or `as none` (`intent` None and no values, `nothing` true)."""

    intent: Name | None
    values: tuple[Argument, ...]
    nothing: bool
    span: Span


class UserSays(Node):
    text: Text
    understood: Understood | None
    span: Span


class StubAnswer(Node):
    """`-> V [after D]`."""

    value: Expression
    after: Duration | None
    span: Span


class StubFailure(Node):
    """`fails KIND[(field: value)] [after D]`."""

    kind: Name
    fields: tuple[Argument, ...]
    after: Duration | None
    span: Span


class Given(Node):
    """`given service.operation …, then …`; the last outcome repeats."""

    service: Name
    operation: Name
    outcomes: tuple[StubAnswer | StubFailure, ...]
    span: Span


class GivenUser(Node):
    """`given user(name: "Ann", tier: "gold")`: what the channel knows about the user."""

    fields: tuple[Argument, ...]
    span: Span


class After(Node):
    duration: Duration
    span: Span


class At(Node):
    moment: DatetimeLiteral
    span: Span


class SendEvent(Node):
    name: Name
    fields: tuple[Argument, ...]
    span: Span


class HandoffAnswer(Node):
    """`handoff returned` or `handoff unavailable`."""

    answer: Literal["returned", "unavailable"]
    span: Span


class ExpectCall(Node):
    """`calls OP(arg: value, …)`, or `calls none` (service and operation None)."""

    service: Name | None
    operation: Name | None
    arguments: tuple[Argument, ...]
    span: Span


class ExpectState(Node):
    state: Name
    span: Span


class ExpectValue(Node):
    """`NAME == V`."""

    name: Name
    value: Expression
    span: Span


class ExpectEnd(Node):
    outcome: Name | None
    span: Span


ChatStep = (
    ExpectReply
    | UserSays
    | Given
    | GivenUser
    | After
    | At
    | SendEvent
    | HandoffAnswer
    | ExpectCall
    | ExpectState
    | ExpectValue
    | ExpectEnd
)


class Chat(Node):
    """`chat "title" of FLOW(arg: value)`."""

    title: Text
    flow: Name
    arguments: tuple[Argument, ...]
    steps: tuple[ChatStep, ...]
    span: Span


class ChatFile(Node):
    path: str
    chats: tuple[Chat, ...]
    comments: tuple[Comment, ...]
    span: Span


# ---------------------------------------------------------------------------------------------------------- comparing


def shape(node: object) -> object:
    """`node` as nested tuples without spans: two trees of equal shape mean the same. Linear in the size of the tree."""
    if isinstance(node, tuple):
        return tuple(shape(item) for item in node)
    if isinstance(node, Node):
        kept = ((name, getattr(node, name)) for name in node.__struct_fields__ if not name.endswith("span"))
        return (
            type(node).__name__,
            *((name, shape(value)) for name, value in kept if not (name == "path" and isinstance(value, str))),
        )
    return node
