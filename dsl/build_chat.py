"""Grammar to nodes: `.chat` files."""

from dataclasses import dataclass
from typing import Literal, cast

from flowc.dsl.build_declarations import DeclarationRules
from flowc.dsl.build_expressions import Arguments, name_of, wait_of
from flowc.dsl.mistakes import unknown_choice
from flowc.dsl.nodes import (
    After,
    Argument,
    At,
    Chat,
    ChatStep,
    Duration,
    ExpectCall,
    ExpectEnd,
    ExpectReply,
    ExpectState,
    ExpectValue,
    Expression,
    Given,
    GivenUser,
    HandoffAnswer,
    SendEvent,
    StubAnswer,
    StubFailure,
    Text,
    Understood,
    UserSays,
)
from flowc.dsl.source import Span
from flowc.dsl.tokens import Token

__all__ = ["ChatRules"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a `bot` line expects."""

    kind: Literal["is", "contains", "one of", "any"]
    texts: tuple[Text, ...]
    buttons: tuple[Text, ...] | None
    span: Span


def fields_of(arguments: Arguments | None) -> tuple[Argument, ...]:
    return arguments.fields if arguments else ()


@dataclass(slots=True)
class ChatRules(DeclarationRules):
    """What stands in a `.chat` file."""

    def chat(
        self, word: Token, title: Text, _of: Token, flow: Token, arguments: Arguments | None, *steps: ChatStep | None
    ) -> Chat:
        kept = tuple(step for step in steps if step is not None)
        end = kept[-1].span if kept else flow.span
        return Chat(title, name_of(flow), fields_of(arguments), kept, word.span.to(end))

    def bot(self, word: Token, reply: Reply) -> ExpectReply:
        return ExpectReply(reply.kind, reply.texts, reply.buttons, word.span.to(reply.span))

    def reply_is(self, text: Text, buttons: tuple[Text, ...] | None) -> Reply:
        return Reply("is", (text,), buttons, text.span.to((buttons or (text,))[-1].span))

    def reply_contains(self, word: Token, text: Text, buttons: tuple[Text, ...] | None) -> Reply:
        return Reply("contains", (text,), buttons, word.span.to((buttons or (text,))[-1].span))

    def reply_one_of(self, word: Token, _of: Token, texts: tuple[Text, ...], buttons: tuple[Text, ...] | None) -> Reply:
        return Reply("one of", texts, buttons, word.span.to((buttons or texts)[-1].span))

    def reply_any(self, word: Token, buttons: tuple[Text, ...] | None) -> Reply:
        return Reply("any", (), buttons, word.span.to(buttons[-1].span) if buttons else word.span)

    def reply_buttons(self, _word: Token, texts: tuple[Text, ...]) -> tuple[Text, ...]:
        return texts

    def user(self, word: Token, text: Text, understood: Understood | None) -> UserSays:
        return UserSays(text, understood, word.span.to(understood.span if understood else text.span))

    def understood(self, word: Token, intent: Token, arguments: Arguments | None) -> Understood:
        span = word.span.to(arguments.span if arguments else intent.span)
        return Understood(name_of(intent), fields_of(arguments), False, span)

    def understood_values(self, word: Token, arguments: Arguments) -> Understood:
        return Understood(None, arguments.fields, False, word.span.to(arguments.span))

    def understood_nothing(self, word: Token, none: Token) -> Understood:
        return Understood(None, (), True, word.span.to(none.span))

    def given(
        self, word: Token, service: Token, _dot: Token, operation: Token, *parts: StubAnswer | StubFailure | Token
    ) -> Given:
        outcomes = tuple(part for part in parts if not isinstance(part, Token))
        return Given(name_of(service), name_of(operation), outcomes, word.span.to(outcomes[-1].span))

    def stub_answer(self, arrow: Token, value: Expression, after: Duration | None) -> StubAnswer:
        return StubAnswer(value, after, arrow.span.to(after.span if after else value.span))

    def stub_failure(
        self, word: Token, kind: Token, arguments: Arguments | None, after: Duration | None
    ) -> StubFailure:
        end = after.span if after else arguments.span if arguments else kind.span
        return StubFailure(name_of(kind), fields_of(arguments), after, word.span.to(end))

    def outcome_after(self, _word: Token, wait: Token) -> Duration:
        return wait_of(wait)

    def given_user(self, word: Token, user: Token, arguments: Arguments) -> GivenUser:
        if user.text != "user":
            self.report(unknown_choice("something that can be given", user.text, ("user",), user.span))
        return GivenUser(arguments.fields, word.span.to(arguments.span))

    def after(self, word: Token, wait: Token) -> After:
        return After(wait_of(wait), word.span.to(wait.span))

    def at(self, word: Token, moment: Token) -> At:
        return At(self.datetime(moment), word.span.to(moment.span))

    def send_event(self, word: Token, name: Token, arguments: Arguments | None) -> SendEvent:
        end = arguments.span if arguments else name.span
        return SendEvent(name_of(name), fields_of(arguments), word.span.to(end))

    def handoff_answer(self, word: Token, answer: Token) -> HandoffAnswer:
        choices = ("returned", "unavailable")
        if answer.text not in choices:
            self.report(unknown_choice("an answer to a handoff", answer.text, choices, answer.span))
        kind = cast(Literal["returned", "unavailable"], answer.text if answer.text in choices else "returned")
        return HandoffAnswer(kind, word.span.to(answer.span))

    def expect_call(
        self, word: Token, service: Token, _dot: Token, operation: Token, arguments: Arguments
    ) -> ExpectCall:
        names = name_of(service), name_of(operation)
        return ExpectCall(*names, arguments.fields, word.span.to(arguments.span))

    def expect_no_call(self, word: Token, none: Token) -> ExpectCall:
        return ExpectCall(None, None, (), word.span.to(none.span))

    def expect_state(self, word: Token, name: Token) -> ExpectState:
        return ExpectState(name_of(name), word.span.to(name.span))

    def expect_value(self, name: Token, _sign: Token, value: Expression) -> ExpectValue:
        return ExpectValue(name_of(name), value, name.span.to(value.span))

    def expect_end(self, word: Token, outcome: Token | None) -> ExpectEnd:
        span = word.span.to(outcome.span) if outcome else word.span
        return ExpectEnd(name_of(outcome) if outcome else None, span)
