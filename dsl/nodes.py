"""The syntax tree: every construct of the language a frozen dataclass with its exact span.

Nodes compare and hash by identity, so that a later pass keeps what it learns in side tables keyed by node. Order of
fields is order in the text. Nothing here is filled in by a later pass. `shape` gives a comparable form without spans.
"""

from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Literal

from flowc.dsl.source import Span

# --------------------------------------------------------------------------------------------------- names and values


@dataclass(frozen=True, slots=True, eq=False)
class Name:
    text: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    major: int
    minor: int
    patch: int
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Duration:
    """A length of time such as `800ms`, in milliseconds."""

    ms: int
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Rate:
    """`count` per `per_s` seconds: `200/s`, `30/m`, `1000/h`."""

    count: int
    per_s: int
    span: Span


# ------------------------------------------------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True, eq=False)
class IntegerLiteral:
    value: int
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class NumberLiteral:
    value: Decimal
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class BooleanLiteral:
    value: bool
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class NoneLiteral:
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class DurationLiteral:
    ms: int
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class DateLiteral:
    value: date
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class TimeLiteral:
    value: time
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class DatetimeLiteral:
    """Only in `.chat` files: `at 2026-11-22T10:00`."""

    value: datetime
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ListLiteral:
    items: tuple["Expression", ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class RecordLiteral:
    fields: tuple["Argument", ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A bare name in an expression: slot, variable, parameter, or built in."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class FieldAccess:
    target: "Expression"
    name: Name
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class FunctionCall:
    function: Name
    arguments: tuple["Expression", ...]
    span: Span


UnaryOperator = Literal["not", "-"]
BinaryOperator = Literal["or", "and", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "+", "-", "*", "/"]


@dataclass(frozen=True, slots=True, eq=False)
class Unary:
    operator: UnaryOperator
    operand: "Expression"
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Binary:
    operator: BinaryOperator
    left: "Expression"
    right: "Expression"
    operator_span: Span
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class IsNone:
    """`x is none`, or `x is not none` when `negated`."""

    operand: "Expression"
    negated: bool
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Argument:
    """`name: value` of a call or of a record literal."""

    name: Name
    value: "Expression"
    span: Span


# --------------------------------------------------------------------------------------------------- text with
# templates


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Plain characters of a text, escapes resolved."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """`| name` or `| name(arguments)`."""

    name: Name
    arguments: tuple["Expression", ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Interpolation:
    """`{{ value | filters }}`; the span covers the braces."""

    value: "Expression"
    filters: tuple[Filter, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class TextBranch:
    """`if`/`elif` with its condition, `else` without one."""

    condition: "Expression | None"
    parts: tuple["TextPart", ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class TextIf:
    """`{% if … %} … {% elif … %} … {% else %} … {% endif %}`."""

    branches: tuple[TextBranch, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class TextFor:
    """`{% for x in LIST %} … {% endfor %}`."""

    variable: Name
    items: "Expression"
    parts: tuple["TextPart", ...]
    span: Span


TextPart = Chunk | Interpolation | TextIf | TextFor


@dataclass(frozen=True, slots=True, eq=False)
class Text:
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


@dataclass(frozen=True, slots=True, eq=False)
class NamedType:
    """A built-in type (`text`) or a declared one (`OrderId`)."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class OptionalType:
    inner: "TypeNode"
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ListType:
    item: NamedType
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceType:
    values: tuple[Text, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class PatternType:
    """`text matching /pattern/`; the slashes are not part of `pattern`."""

    pattern: str
    pattern_span: Span
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class RangeType:
    """`integer in 1..10`, `number in 0..1`; both ends belong to it."""

    base: Literal["integer", "number"]
    low: Decimal
    high: Decimal
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class MarkedType:
    mark: Literal["pii", "secret"]
    inner: "TypeNode"
    span: Span


TypeNode = NamedType | OptionalType | ListType | ChoiceType | PatternType | RangeType | MarkedType


@dataclass(frozen=True, slots=True, eq=False)
class TypedName:
    """`name: Type`: a parameter, a field, a result."""

    name: Name
    type: TypeNode
    span: Span


# ------------------------------------------------------------------------------------------------------------- policy


@dataclass(frozen=True, slots=True, eq=False)
class Retry:
    """`retry 2 from 100ms to 1s`."""

    attempts: int
    base: Duration
    cap: Duration
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Breaker:
    """`breaker 50% of 20 for 30s`."""

    percent: int
    calls: int
    open_for: Duration
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """`limit 200/s`, or per user where `limit per user 5/m` says so."""

    rate: Rate
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Concurrency:
    """`at most 32 at once`."""

    places: int
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class PolicyLines:
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


@dataclass(frozen=True, slots=True, eq=False)
class TypeDeclaration:
    """An alias (`alias`) or a record (`fields`); one of them is None."""

    name: Name
    alias: TypeNode | None
    fields: tuple[TypedName, ...] | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class KeyLine:
    """`key auto`, `key header "X-Request-Id"`, `key field request_id`, then `for D` and `keeps refusals`."""

    carrier: Literal["auto", "header", "field"]
    name: str | None
    remembered: Duration | None
    keeps_refusals: bool
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """`GET "/orders/{id}"`."""

    method: str
    path: Text
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class HeaderLine:
    """`header "Name" EXPR` of an http operation."""

    name: Text
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A way into JSON: `data.items`, `data."odd key"`."""

    steps: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class FailureName:
    """A business failure, with what the error's body tells."""

    name: Name
    fields: tuple[TypedName, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class FailsLine:
    """`fails a, b(field: T) on 409 when error.code == "late"`; `status` None for adapters without one."""

    failures: tuple[FailureName, ...]
    status: int | None
    when_path: Path | None
    when_equals: str | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class AdapterLine:
    """`WORD value`: a line that only the adapter understands."""

    word: Name
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
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


@dataclass(frozen=True, slots=True, eq=False)
class ServiceDeclaration:
    name: Name
    adapter: Name
    policy: PolicyLines
    adapter_lines: tuple[AdapterLine, ...]
    operations: tuple[Operation, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ExampleSlot:
    """`{order_id}` or `{order_id: AB123456}` in an example."""

    name: Name
    value: str | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A quoted example of an intent: its words and the places of slots, in order."""

    parts: tuple["str | ExampleSlot", ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class IntentDeclaration:
    name: Name
    examples: tuple[Example, ...]
    example_files: tuple[Text, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class EventDeclaration:
    name: Name
    fields: tuple[TypedName, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class SlotCheck:
    """`check EXPR else "text"`."""

    condition: Expression
    text: Text
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceWords:
    """`"value" also "word", …`."""

    value: Text
    words: tuple[Text, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class SlotDeclaration:
    name: Name
    type: TypeNode
    ask: Text | None
    reask: Text | None
    tries: int | None
    checks: tuple[SlotCheck, ...]
    words: tuple[ChoiceWords, ...]
    span: Span


PriorityClass = Literal["urgent", "high", "normal", "low", "bulk"]


@dataclass(frozen=True, slots=True, eq=False)
class PriorityLine:
    """`priority CLASS [when EXPR]`."""

    priority: PriorityClass
    when: Expression | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class StateDeclaration:
    name: Name
    priority: PriorityLine | None
    body: tuple["Statement", ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class AnywhereDeclaration:
    arms: tuple["Arm", ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class MoveState:
    """`state OLD -> NEW` of a `migrate`."""

    old: Name
    new: Name
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class MigrateDeclaration:
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


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    label: Text
    url: Text
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Say:
    """`say "text"`, or `say one of` with several `texts`."""

    texts: tuple[Text, ...]
    buttons: tuple[Text, ...]
    images: tuple[Text, ...]
    links: tuple[Link, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """`ask a, b` or `ask a "question"` (`question` only with one slot)."""

    slots: tuple[Name, ...]
    question: Text | None
    arms: tuple["Arm", ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Reject:
    slot: Name
    text: Text
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Choose:
    """`choose NAME from LIST "question"`; `show` is over NAME, None for a list of text."""

    name: Name
    items: Expression
    question: Text
    show: Text | None
    arms: tuple["Arm", ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Listen:
    arms: tuple["Arm", ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """`call [target =] service.operation(arguments)`."""

    target: Name | None
    service: Name
    operation: Name
    arguments: tuple[Argument, ...]
    arms: tuple["Arm", ...]
    head_span: Span  # the line itself, without its arms
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Defer:
    service: Name
    operation: Name
    arguments: tuple[Argument, ...]
    priority: PriorityClass | None
    within: Duration | None
    arms: tuple["Arm", ...]
    head_span: Span
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Do:
    target: Name | None
    flow: Name
    arguments: tuple[Argument, ...]
    arms: tuple["Arm", ...]
    head_span: Span
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """One `if`, `else if` or `else` (without a condition) with its block."""

    condition: Expression | None
    body: tuple["Statement", ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class If:
    branches: tuple[Branch, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """Arms are `LiteralPattern`s and `ElsePattern`."""

    subject: Expression
    arms: tuple["Arm", ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Set:
    name: Name
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Clear:
    names: tuple[Name, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Goto:
    """`-> STATE`."""

    state: Name
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Resume:
    """`resume`, or `resume up to N -> STATE` (both or neither)."""

    up_to: int | None
    then: Name | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Handoff:
    queue: Text
    arms: tuple["Arm", ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class End:
    outcome: Name | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
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


@dataclass(frozen=True, slots=True, eq=False)
class NamePattern:
    """`on NAME`: an intent, event, failure or outcome by where it stands; also `failure`, `unknown`, `failed`,
    `returned`, `unavailable`, `empty` and the outcome kinds, which are reserved after `on`."""

    name: Name
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ChangePattern:
    """`on change a, b`."""

    slots: tuple[Name, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class SilencePattern:
    """`on silence 10m`."""

    after: Duration
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class DonePattern:
    """`on done [x]` of a `defer`."""

    name: Name | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class LiteralPattern:
    """`on "shipped"` of a `match`: text, number, boolean or none."""

    value: Text | IntegerLiteral | NumberLiteral | BooleanLiteral | NoneLiteral
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ElsePattern:
    span: Span


Pattern = NamePattern | ChangePattern | SilencePattern | DonePattern | LiteralPattern | ElsePattern


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """`on PATTERN, … [when EXPR]` and a block; `-> STATE` on the line is a block of one Goto."""

    patterns: tuple[Pattern, ...]
    when: Expression | None
    body: tuple[Statement, ...]
    head_span: Span
    span: Span


# -------------------------------------------------------------------------------------------------------------- files


@dataclass(frozen=True, slots=True, eq=False)
class ReplyWithin:
    """`reply within 3s else "One moment, please."`."""

    within: Duration
    text: Text | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """`use a, b from "PATH"`."""

    names: tuple[Name, ...]
    path: Text
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class WhileBusy:
    """`while busy queue` (`merge_within` None) or `while busy merge within D`."""

    merge_within: Duration | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Confidence:
    value: Decimal
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class FlowHeader:
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


@dataclass(frozen=True, slots=True, eq=False)
class LibraryHeader:
    name: Name
    description: Text | None
    locale: Name | None
    uses: tuple[Use, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Comment:
    """From `#` to the end of the line; `own_line` where nothing stands before it."""

    text: str
    own_line: bool
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class FlowFile:
    """One `.flow` file. Declarations are in source order; a header that could not be read is None."""

    path: str
    header: FlowHeader | LibraryHeader | None
    declarations: tuple[Declaration, ...]
    comments: tuple[Comment, ...]
    span: Span


# --------------------------------------------------------------------------------------------------------- .chat files


@dataclass(frozen=True, slots=True, eq=False)
class ExpectReply:
    """`bot "…"`, `bot contains "…"`, `bot one of "…", "…"`, `bot any`; `buttons` None where they are not asserted."""

    kind: Literal["is", "contains", "one of", "any"]
    texts: tuple[Text, ...]
    buttons: tuple[Text, ...] | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Understood:
    """`as INTENT(slot: value)`, `as (slot: value)`, or `as none` (`intent` None and no values, `nothing` true)."""

    intent: Name | None
    values: tuple[Argument, ...]
    nothing: bool
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class UserSays:
    text: Text
    understood: Understood | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class StubAnswer:
    """`-> V [after D]`."""

    value: Expression
    after: Duration | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class StubFailure:
    """`fails KIND[(field: value)] [after D]`."""

    kind: Name
    fields: tuple[Argument, ...]
    after: Duration | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """`given service.operation …, then …`; the last outcome repeats."""

    service: Name
    operation: Name
    outcomes: tuple[StubAnswer | StubFailure, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class GivenUser:
    """`given user(name: "Ann", tier: "gold")`: what the channel knows about the user."""

    fields: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class After:
    duration: Duration
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class At:
    moment: DatetimeLiteral
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class SendEvent:
    name: Name
    fields: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class HandoffAnswer:
    """`handoff returned` or `handoff unavailable`."""

    answer: Literal["returned", "unavailable"]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ExpectCall:
    """`calls OP(arg: value, …)`, or `calls none` (service and operation None)."""

    service: Name | None
    operation: Name | None
    arguments: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ExpectState:
    state: Name
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ExpectValue:
    """`NAME == V`."""

    name: Name
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ExpectEnd:
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


@dataclass(frozen=True, slots=True, eq=False)
class Chat:
    """`chat "title" of FLOW(arg: value)`."""

    title: Text
    flow: Name
    arguments: tuple[Argument, ...]
    steps: tuple[ChatStep, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class ChatFile:
    path: str
    chats: tuple[Chat, ...]
    comments: tuple[Comment, ...]
    span: Span


# ---------------------------------------------------------------------------------------------------------- comparing


def shape(node: object) -> object:
    """`node` as nested tuples without spans: two trees of equal shape mean the same. Linear in the size of the tree."""
    if isinstance(node, tuple):
        return tuple(shape(item) for item in node)
    if is_dataclass(node) and not isinstance(node, type | Span):
        kept = ((field.name, getattr(node, field.name)) for field in fields(node) if not field.name.endswith("span"))
        return (
            type(node).__name__,
            *((name, shape(value)) for name, value in kept if not (name == "path" and isinstance(value, str))),
        )
    return node
