"""A `.chat` file against a compiled bot: every name and value checked, and the steps as runtime values.

What is wrong is reported here, before a test runs (FLW901, FLW902), so that a run only ever shows how the flow
behaves. Running is the command line's part: nothing here waits or talks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, assert_never
from zoneinfo import ZoneInfo

from flowc.compiler.suggest import nearest
from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity
from flowc.dsl.nodes import (
    After,
    Argument,
    At,
    BooleanLiteral,
    Chat,
    ChatFile,
    ChatStep,
    DateLiteral,
    DatetimeLiteral,
    DurationLiteral,
    ExpectCall,
    ExpectEnd,
    ExpectReply,
    ExpectState,
    ExpectValue,
    Expression,
    Given,
    GivenUser,
    HandoffAnswer,
    IntegerLiteral,
    ListLiteral,
    Name,
    NoneLiteral,
    NumberLiteral,
    RecordLiteral,
    SendEvent,
    StubAnswer,
    StubFailure,
    Text,
    TimeLiteral,
    Unary,
    Understood,
    UserSays,
)
from flowc.dsl.source import Span
from flowc.runtime.kernel.events import CallFailure, CallResult, Found, RankedIntent, Succeeded
from flowc.runtime.kernel.events import Understood as Meaning
from flowc.runtime.program import Flow, Operation, Program
from flowc.runtime.types import Field, Type
from flowc.runtime.types import Text as TextType
from flowc.runtime.values import Malformed, Shapes, Value, from_json

__all__ = [
    "CallsStep",
    "EndsStep",
    "EventStep",
    "KnowsStep",
    "PassStep",
    "PeopleStep",
    "ReplyStep",
    "SayStep",
    "Script",
    "ScriptStep",
    "StateStep",
    "StubStep",
    "UserStep",
    "script_chats",
]


# ---------------------------------------------------------------------------------------------------------------- steps


@dataclass(frozen=True, slots=True)
class ReplyStep:
    kind: Literal["is", "contains", "one of", "any"]
    texts: tuple[str, ...]
    buttons: tuple[str, ...] | None
    span: Span


@dataclass(frozen=True, slots=True)
class SayStep:
    """`meaning` None: the classifier is used."""

    text: str
    meaning: Meaning | None
    span: Span


@dataclass(frozen=True, slots=True)
class StubStep:
    """Results in order with their delay in milliseconds; the last one repeats."""

    service: str
    operation: str
    results: tuple[tuple[CallResult, int], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class UserStep:
    """What the channel knows about the user."""

    known: Mapping[str, str]
    declared: Mapping[str, Value]
    span: Span


@dataclass(frozen=True, slots=True)
class PassStep:
    """Time passes for `ms`, or until `at` (aware)."""

    ms: int
    at: datetime | None
    span: Span


@dataclass(frozen=True, slots=True)
class EventStep:
    name: str
    fields: Mapping[str, Value]
    span: Span


@dataclass(frozen=True, slots=True)
class PeopleStep:
    answer: Literal["returned", "unavailable"]
    span: Span


@dataclass(frozen=True, slots=True)
class CallsStep:
    """A write with at least these arguments since the last such step; `service` None: none at all."""

    service: str | None
    operation: str
    arguments: Mapping[str, Value]
    span: Span


@dataclass(frozen=True, slots=True)
class StateStep:
    state: str
    span: Span


@dataclass(frozen=True, slots=True)
class KnowsStep:
    name: str
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class EndsStep:
    outcome: str | None
    span: Span


ScriptStep = (
    ReplyStep
    | SayStep
    | StubStep
    | UserStep
    | PassStep
    | EventStep
    | PeopleStep
    | CallsStep
    | StateStep
    | KnowsStep
    | EndsStep
)


@dataclass(frozen=True, slots=True)
class Script:
    """One chat, ready to run."""

    title: str
    flow: str
    arguments: Mapping[str, Value]
    steps: tuple[ScriptStep, ...]
    span: Span


# ---------------------------------------------------------------------------------------------------------------
# checking


def script_chats(file: ChatFile, program: Program) -> tuple[tuple[Script, ...], tuple[Diagnostic, ...]]:
    """The chats of `file` that are sound, and what is wrong with the others."""
    scripts, problems = [], []
    for chat in file.chats:
        reading = Reading(program, Shapes(program.records, program.zone, program.currency))
        script = reading.chat(chat)
        problems += reading.problems
        if script is not None and not reading.problems:
            scripts.append(script)
    return tuple(scripts), tuple(problems)


USER_TEXTS: Final = ("id", "name", "locale", "zone", "channel")


@dataclass(slots=True)
class Reading:
    """Reads one chat; collects what is wrong with it."""

    program: Program
    shapes: Shapes
    problems: list[Diagnostic] = field(default_factory=list)

    def chat(self, chat: Chat) -> Script | None:
        flow = self.program.flows.get(chat.flow.text)
        if flow is None:
            self.unknown("flow", chat.flow, self.program.flows)
            return None
        slots = tuple(Field(name, slot.type) for name, slot in flow.slots.items())
        arguments = self.values(chat.arguments, (*flow.takes, *slots), f"flow `{flow.name}`")
        steps = tuple(step for node in chat.steps if (step := self.step(node, flow)) is not None)
        return Script(chat.title.plain or "", flow.name, arguments, steps, chat.title.span)

    def step(self, node: ChatStep, flow: Flow) -> ScriptStep | None:
        match node:
            case ExpectReply(kind, texts, buttons, span):
                return ReplyStep(kind, plain(texts), None if buttons is None else plain(buttons), span)
            case UserSays(text, understood, span):
                return SayStep(text.plain or "", self.meaning(understood, text) if understood else None, span)
            case Given():
                return self.stub(node)
            case GivenUser(fields, span):
                return self.user(fields, span)
            case After(duration, span):
                return PassStep(duration.ms, None, span)
            case At(moment, span):
                return PassStep(0, moment.value.replace(tzinfo=ZoneInfo(self.program.zone)), span)
            case SendEvent(name, fields, span):
                return self.event(name, fields, span)
            case HandoffAnswer(answer, span):
                return PeopleStep(answer, span)
            case ExpectCall():
                return self.calls(node)
            case ExpectState(state, span):
                known = [name for each in self.reachable(flow) for name in each.states]
                return StateStep(state.text, span) if self.known("state", state, known) else None
            case ExpectValue(name, value, span):
                return self.knows(name, value, span, flow)
            case ExpectEnd(outcome, span):
                return EndsStep(None if outcome is None else outcome.text, span)
            case _:
                assert_never(node)

    def reachable(self, flow: Flow) -> tuple[Flow, ...]:
        """`flow` and the others of the bot: a chat of it may wait in any that it calls."""
        return (flow, *(each for each in self.program.flows.values() if each.name != flow.name))

    def meaning(self, understood: Understood, text: Text) -> Meaning | None:
        """What `as …` says was understood. Values are looked for in every flow of the bot that has a slot of the
        name."""
        flows = self.program.flows.values()
        if understood.intent is not None:
            known = {name: intent for each in flows for name, intent in each.intents.items()}
            if not self.known("intent", understood.intent, known):
                return None
        slots = {name: Field(name, slot.type) for each in flows for name, slot in each.slots.items()}
        found = []
        for argument in understood.values:
            if self.known("slot", argument.name, slots):
                value = self.value(argument.value, slots[argument.name.text].type, f"slot `{argument.name.text}`")
                found.append(Found(value, slot=argument.name.text, end=len(text.plain or "")))
        intents = () if understood.intent is None else (RankedIntent(understood.intent.text, 1.0),)
        return Meaning(intents, tuple(found), "chat")

    def operation(self, service: Name, operation: Name) -> Operation | None:
        services = self.program.services
        if not self.known("service", service, services):
            return None
        operations = services[service.text].operations
        return operations[operation.text] if self.known("operation", operation, operations) else None

    def stub(self, node: Given) -> StubStep | None:
        operation = self.operation(node.service, node.operation)
        if operation is None:
            return None
        results: list[tuple[CallResult, int]] = []
        for outcome in node.outcomes:
            match outcome:
                case StubAnswer(value, after):
                    answered = self.answer(value, operation)
                    results.append((Succeeded(answered), after.ms if after else 0))
                case StubFailure(after=after):
                    results.append((self.failure(outcome, operation), after.ms if after else 0))
        return StubStep(node.service.text, operation.name, tuple(results), node.span)

    def answer(self, value: Expression, operation: Operation) -> Value:
        if operation.result is None:
            if not isinstance(value, NoneLiteral):
                self.problems.append(impossible(value.span, f"`{operation.name}` answers nothing", "write `-> none`"))
            return None
        return self.value(value, operation.result, f"`{operation.name}`")

    def failure(self, outcome: StubFailure, operation: Operation) -> CallFailure:
        kind = outcome.kind.text
        if kind not in operation.outcomes:
            can = ", ".join(f"`{each}`" for each in operation.outcomes)
            message = f"`{operation.name}` cannot fail as `{kind}`"
            near = nearest(kind, operation.outcomes)
            self.problems.append(impossible(outcome.kind.span, message, f"it can fail as {can}", near))
        declared = next((each.fields for each in operation.failures if each.name == kind), ())
        given = {argument.name.text for argument in outcome.fields}
        absent = [each.name for each in declared if each.name not in given and not optional(each.type)]
        if absent:
            help = f"add {', '.join(f'{name}: …' for name in absent)}"
            self.problems.append(impossible(outcome.kind.span, f"`{kind}` tells more than this", help))
        values = dict.fromkeys((each.name for each in declared), None)
        return CallFailure(kind, "stubbed", {**values, **self.values(outcome.fields, declared, f"failure `{kind}`")})

    def user(self, fields: tuple[Argument, ...], span: Span) -> UserStep:
        known = {field.name: field.type for field in self.program.user_fields}
        texts = dict.fromkeys(USER_TEXTS, TextType())
        values = self.values(fields, tuple(Field(name, type) for name, type in {**known, **texts}.items()), "`user`")
        said = {name: str(value) for name, value in values.items() if name in texts}
        return UserStep(said, {name: value for name, value in values.items() if name in known}, span)

    def event(self, name: Name, fields: tuple[Argument, ...], span: Span) -> EventStep | None:
        events = {key: event for flow in self.program.flows.values() for key, event in flow.events.items()}
        if not self.known("event", name, events):
            return None
        declared = events[name.text].fields
        given = {argument.name.text for argument in fields}
        absent = [each.name for each in declared if each.name not in given and not optional(each.type)]
        if absent:
            help = f"add {', '.join(f'{each}: …' for each in absent)}"
            self.problems.append(impossible(name.span, f"`{name.text}` has more fields than this", help))
        empty = dict.fromkeys((each.name for each in declared), None)
        return EventStep(name.text, {**empty, **self.values(fields, declared, f"event `{name.text}`")}, span)

    def calls(self, node: ExpectCall) -> CallsStep | None:
        if node.service is None or node.operation is None:
            return CallsStep(None, "", {}, node.span)
        operation = self.operation(node.service, node.operation)
        if operation is None:
            return None
        if operation.kind == "read":
            message = f"`{operation.name}` is a read; only writes are asserted"
            self.problems.append(unknown_in_test(node.operation.span, message, "not a write", None))
        arguments = self.values(node.arguments, operation.parameters, f"`{operation.name}`")
        return CallsStep(node.service.text, operation.name, arguments, node.span)

    def knows(self, name: Name, value: Expression, span: Span, flow: Flow) -> KnowsStep | None:
        types = {key: type for each in reversed(self.reachable(flow)) for key, type in each.variables.items()}
        if not self.known("variable", name, types):
            return None
        if isinstance(value, NoneLiteral):
            return KnowsStep(name.text, None, span)
        return KnowsStep(name.text, self.value(value, types[name.text], f"`{name.text}`"), span)

    # ------------------------------------------------------------------------------------------------- names and values

    def known(self, what: str, name: Name, names: Iterable[str]) -> bool:
        if name.text in names:
            return True
        self.unknown(what, name, names)
        return False

    def unknown(self, what: str, name: Name, names: Iterable[str]) -> None:
        near = nearest(name.text, names)
        message = f"no {what} named `{name.text}`"
        self.problems.append(unknown_in_test(name.span, message, "the bot has none", near))

    def values(self, arguments: tuple[Argument, ...], declared: tuple[Field, ...], of: str) -> dict[str, Value]:
        types = {field.name: field.type for field in declared}
        values: dict[str, Value] = {}
        for argument in arguments:
            name = argument.name
            if name.text not in types:
                near = nearest(name.text, types)
                message = f"{of} has no `{name.text}`"
                self.problems.append(unknown_in_test(name.span, message, "not one of its names", near))
            elif name.text in values:
                message = f"`{name.text}` is given twice"
                self.problems.append(unknown_in_test(name.span, message, "here again", None))
            else:
                values[name.text] = self.value(argument.value, types[name.text], f"`{name.text}`")
        return values

    def value(self, node: Expression, type: Type, of: str) -> Value:
        try:
            return from_json(type, as_json(node), self.shapes)
        except Malformed as error:
            self.problems.append(impossible(node.span, f"the value does not fit {of}: {error}", None))
        except NotLiteral as error:
            self.problems.append(impossible(error.span, "a test gives literal values", None))
        return None


class NotLiteral(Exception):  # noqa: N818  # a finding, not a fault
    """An expression that is no literal."""

    def __init__(self, span: Span) -> None:
        super().__init__(span)
        self.span = span


def as_json(node: Expression) -> object:
    """A literal as a decoded JSON document would have it. Raises NotLiteral."""
    match node:
        case IntegerLiteral(value) | NumberLiteral(value) | BooleanLiteral(value):
            return value
        case NoneLiteral():
            return None
        case Text() if node.plain is not None:
            return node.plain
        case DurationLiteral(ms):
            return Decimal(ms) / 1000
        case DateLiteral(value) | TimeLiteral(value):
            return value.isoformat()
        case DatetimeLiteral(value):
            return value.isoformat()
        case ListLiteral(items):
            return [as_json(item) for item in items]
        case RecordLiteral(fields):
            return {argument.name.text: as_json(argument.value) for argument in fields}
        case Unary("-", operand):
            number = as_json(operand)
            if isinstance(number, int | Decimal):
                return -number
            raise NotLiteral(node.span)
        case _:
            raise NotLiteral(node.span)


def plain(texts: tuple[Text, ...]) -> tuple[str, ...]:
    """The characters of texts of a chat, which have no templates."""
    return tuple(text.plain or "" for text in texts)


def optional(type: Type) -> bool:
    """Whether a value of `type` may be none."""
    from flowc.runtime.types import Marked, Optional

    match type:
        case Optional():
            return True
        case Marked(inner=inner):
            return optional(inner)
        case _:
            return False


# -----------------------------------------------------------------------------------------------------------
# diagnostics

UNKNOWN_IN_TEST: Final = Code("FLW901", "unknown-in-test", Severity.ERROR)
IMPOSSIBLE_STUB: Final = Code("FLW902", "impossible-stub", Severity.ERROR)


def unknown_in_test(span: Span, message: str, label: str, near: str | None) -> Diagnostic:
    return Diagnostic(
        UNKNOWN_IN_TEST,
        message,
        (Label(span, label),),
        help=f"did you mean `{near}`?" if near else None,
        edits=(Edit(span, near),) if near else (),
    )


def impossible(span: Span, message: str, help: str | None, near: str | None = None) -> Diagnostic:
    return Diagnostic(
        IMPOSSIBLE_STUB,
        message,
        (Label(span, "this cannot happen"),),
        help=help,
        edits=(Edit(span, near),) if near else (),
    )
