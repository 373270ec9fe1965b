"""Grammar to nodes: states, statements, arms, `anywhere` and `migrate`."""

from dataclasses import dataclass
from typing import Final, cast

from flowc.dsl import literals
from flowc.dsl.build_expressions import Arguments, ExpressionRules, name_of, wait_of
from flowc.dsl.mistakes import duplicate, misplaced, unknown_choice
from flowc.dsl.nodes import (
    AnywhereDeclaration,
    Arm,
    Ask,
    BooleanLiteral,
    Branch,
    Call,
    ChangePattern,
    Choose,
    Clear,
    Defer,
    Do,
    DonePattern,
    Duration,
    ElsePattern,
    End,
    Expression,
    Goto,
    Handoff,
    If,
    IntegerLiteral,
    Link,
    Listen,
    LiteralPattern,
    Mark,
    Match,
    MigrateDeclaration,
    MoveState,
    Name,
    NamePattern,
    NoneLiteral,
    NumberLiteral,
    Pattern,
    PriorityClass,
    PriorityLine,
    Reject,
    Resume,
    Say,
    Set,
    SilencePattern,
    StateDeclaration,
    Statement,
    Text,
)
from flowc.dsl.source import Span
from flowc.dsl.tokens import Token

__all__ = ["StatementRules"]

PRIORITIES: Final = ("urgent", "high", "normal", "low", "bulk")

Block = tuple[Statement, ...]
Arms = tuple[Arm, ...]


@dataclass(frozen=True, slots=True)
class Buttons:
    texts: tuple[Text, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Image:
    url: Text
    span: Span


@dataclass(frozen=True, slots=True)
class Show:
    label: Text
    span: Span


@dataclass(frozen=True, slots=True)
class DeferOption:
    value: PriorityClass | Duration
    word: str
    span: Span


SayLine = Buttons | Image | Link


def last_span(head: Span, block: tuple[Statement, ...] | tuple[Arm, ...] | None) -> Span:
    return head.to(block[-1].span) if block else head


@dataclass(slots=True)
class StatementRules(ExpressionRules):
    """What stands in a state."""

    def state(self, word: Token, name: Token, *lines: Statement | PriorityLine | None) -> StateDeclaration:
        priority: PriorityLine | None = None
        body: list[Statement] = []
        for line in lines:
            if not isinstance(line, PriorityLine):
                if line is not None:
                    body.append(line)
            elif priority is not None:
                self.report(duplicate("priority", line.span, priority.span))
            elif body:
                self.report(misplaced("priority", line.span, "it is the first line of its state"))
                priority = line
            else:
                priority = line
        last = next((line for line in reversed(lines) if line is not None), None)
        head = word.span.to(name.span)
        return StateDeclaration(name_of(name), priority, tuple(body), head.to(last.span) if last else head)

    def priority(self, word: Token, name: Token, _when: Token | None, condition: Expression | None) -> PriorityLine:
        end = condition.span if condition is not None else name.span
        return PriorityLine(self.priority_class(name), condition, word.span.to(end))

    def priority_class(self, name: Token) -> PriorityClass:
        if name.text not in PRIORITIES:
            self.report(unknown_choice("a priority", name.text, PRIORITIES, name.span))
            return "normal"
        return cast(PriorityClass, name.text)

    def lines(self, *parts: object) -> tuple[object, ...]:
        return tuple(part for part in parts if part is not None)

    def lost(self, token: Token) -> None:
        self.lost_at.append(token.span.start)

    def block(self, *parts: Statement | None) -> Block:
        return tuple(part for part in parts if part is not None)

    def goto(self, arrow: Token, name: Token) -> Goto:
        return Goto(name_of(name), arrow.span.to(name.span))

    # ------------------------------------------------------------------------------------------------------------ say

    def say(self, word: Token, text: Text, lines: tuple[SayLine, ...] | None) -> Say:
        return self.said(word.span, (text,), lines or ())

    def say_one_of(self, word: Token, _one: Token, _of: Token, *parts: Text | SayLine | None) -> Say:
        texts = tuple(part for part in parts if isinstance(part, Text))
        lines = tuple(part for part in parts if part is not None and not isinstance(part, Text))
        said = self.said(word.span, texts, lines)
        last = next((part for part in reversed(parts) if part is not None), word)
        return Say(said.texts, said.buttons, said.images, said.links, word.span.to(last.span))

    def said(self, start: Span, texts: tuple[Text, ...], lines: tuple[SayLine, ...]) -> Say:
        buttons: Buttons | None = None
        images: list[Text] = []
        links: list[Link] = []
        for line in lines:
            match line:
                case Buttons():
                    if buttons:
                        self.report(duplicate("buttons", line.span, buttons.span))
                    buttons = buttons or line
                case Image():
                    images.append(line.url)
                case Link():
                    links.append(line)
        last = lines[-1].span if lines else texts[-1].span if texts else start
        return Say(texts, buttons.texts if buttons else (), tuple(images), tuple(links), start.to(last))

    def buttons(self, word: Token, texts: tuple[Text, ...]) -> Buttons:
        return Buttons(texts, word.span.to(texts[-1].span))

    def image(self, word: Token, url: Text) -> Image:
        return Image(url, word.span.to(url.span))

    def link(self, word: Token, label: Text, url: Text) -> Link:
        return Link(label, url, word.span.to(url.span))

    # ---------------------------------------------------------------------------------------------------------- waits

    def ask(self, word: Token, slots: tuple[Name, ...], question: Text | None, arms: Arms | None) -> Ask:
        head = word.span.to(question.span if question else slots[-1].span)
        if question and len(slots) > 1:
            self.report(misplaced("a question of one's own", question.span, "it stands after one slot only"))
        return Ask(slots, question, arms or (), last_span(head, arms))

    def reject(self, word: Token, slot: Token, text: Text) -> Reject:
        return Reject(name_of(slot), text, word.span.to(text.span))

    def choose(
        self,
        word: Token,
        name: Token,
        _from: Token,
        items: Expression,
        question: Text,
        lines: tuple[Arm | Show, ...] | None,
    ) -> Choose:
        show: Show | None = None
        arms: list[Arm] = []
        for line in lines or ():
            if isinstance(line, Arm):
                arms.append(line)
            elif show:
                self.report(duplicate("show", line.span, show.span))
            else:
                if arms:
                    self.report(misplaced("show", line.span, "it is the first line under its `choose`"))
                show = line
        span = word.span.to(lines[-1].span if lines else question.span)
        return Choose(name_of(name), items, question, show.label if show else None, tuple(arms), span)

    def show(self, word: Token, label: Text) -> Show:
        return Show(label, word.span.to(label.span))

    def listen(self, word: Token, arms: Arms) -> Listen:
        return Listen(arms, last_span(word.span, arms))

    # ---------------------------------------------------------------------------------------------------------- calls

    def target(self, name: Token, _sign: Token) -> Name:
        return name_of(name)

    def call(
        self,
        word: Token,
        target: Name | None,
        service: Token,
        _dot: Token,
        operation: Token,
        arguments: Arguments,
        arms: Arms | None,
    ) -> Call:
        head = word.span.to(arguments.span)
        names = name_of(service), name_of(operation)
        return Call(target, *names, arguments.fields, arms or (), head, last_span(head, arms))

    def defer(
        self,
        word: Token,
        service: Token,
        _dot: Token,
        operation: Token,
        arguments: Arguments,
        *rest: DeferOption | Arms | None,
    ) -> Defer:
        found: dict[str, DeferOption] = {}
        arms: Arms = ()
        head = word.span.to(arguments.span)
        for part in rest:
            if isinstance(part, tuple):
                arms = part
            elif part is not None:
                head = head.to(part.span)
                if part.word in found:
                    self.report(duplicate(part.word, part.span, found[part.word].span))
                found.setdefault(part.word, part)
        priority = found["priority"].value if "priority" in found else None
        within = found["within"].value if "within" in found else None
        return Defer(
            name_of(service),
            name_of(operation),
            arguments.fields,
            None if isinstance(priority, Duration) else priority,
            within if isinstance(within, Duration) else None,
            arms,
            head,
            last_span(head, arms),
        )

    def defer_priority(self, word: Token, name: Token) -> DeferOption:
        return DeferOption(self.priority_class(name), "priority", word.span.to(name.span))

    def defer_within(self, word: Token, wait: Token) -> DeferOption:
        return DeferOption(wait_of(wait), "within", word.span.to(wait.span))

    def do(self, word: Token, target: Name | None, flow: Token, arguments: Arguments, arms: Arms | None) -> Do:
        head = word.span.to(arguments.span)
        return Do(target, name_of(flow), arguments.fields, arms or (), head, last_span(head, arms))

    # -------------------------------------------------------------------------------------------------------- choices

    def if_(self, word: Token, condition: Expression, body: Block | Goto, *rest: Branch | None) -> If:
        first = Branch(condition, as_block(body), branch_span(word.span.to(condition.span), body))
        branches = (first, *(branch for branch in rest if branch is not None))
        return If(branches, word.span.to(branches[-1].span))

    def else_if(self, word: Token, _if: Token, condition: Expression, body: Block | Goto) -> Branch:
        return Branch(condition, as_block(body), branch_span(word.span.to(condition.span), body))

    def else_(self, word: Token, body: Block | Goto) -> Branch:
        return Branch(None, as_block(body), branch_span(word.span, body))

    def match(self, word: Token, subject: Expression, arms: Arms) -> Match:
        return Match(subject, arms, last_span(word.span.to(subject.span), arms))

    # ---------------------------------------------------------------------------------------------------- one-liners

    def set(self, word: Token, name: Token, _sign: Token, value: Expression) -> Set:
        return Set(name_of(name), value, word.span.to(value.span))

    def clear(self, word: Token, names: tuple[Name, ...]) -> Clear:
        return Clear(names, word.span.to(names[-1].span))

    def resume(
        self, word: Token, _up: Token | None, _to: Token | None, times: Token | None, *rest: Token | None
    ) -> Resume:
        state = rest[-1]
        if times is None or state is None:
            return Resume(None, None, word.span)
        return Resume(self.count(times), name_of(state), word.span.to(state.span))

    def handoff(self, word: Token, queue: Text, arms: Arms | None) -> Handoff:
        return Handoff(queue, arms or (), last_span(word.span.to(queue.span), arms))

    def end(self, word: Token, outcome: Token | None) -> End:
        return End(name_of(outcome) if outcome else None, word.span.to(outcome.span) if outcome else word.span)

    def mark(self, word: Token, milestone: Text) -> Mark:
        return Mark(milestone, word.span.to(milestone.span))

    # ----------------------------------------------------------------------------------------------------------- arms

    def on_arm(
        self,
        word: Token,
        patterns: tuple[Pattern, ...],
        _when: Token | None,
        condition: Expression | None,
        body: Block | Goto,
    ) -> Arm:
        head = word.span.to(condition.span if condition is not None else patterns[-1].span)
        return Arm(patterns, condition, as_block(body), head, branch_span(head, body))

    def else_arm(self, word: Token, body: Block | Goto) -> Arm:
        return Arm((ElsePattern(word.span),), None, as_block(body), word.span, branch_span(word.span, body))

    def patterns(self, *parts: Pattern | Token) -> tuple[Pattern, ...]:
        return tuple(part for part in parts if not isinstance(part, Token))

    def change_pattern(self, word: Token, slots: tuple[Name, ...]) -> tuple[Pattern, ...]:
        return (ChangePattern(slots, word.span.to(slots[-1].span)),)

    def name_pattern(self, name: Token) -> NamePattern:
        return NamePattern(name_of(name), name.span)

    def silence_pattern(self, word: Token, wait: Token) -> SilencePattern:
        return SilencePattern(wait_of(wait), word.span.to(wait.span))

    def done_pattern(self, word: Token, name: Token | None) -> DonePattern:
        return DonePattern(name_of(name) if name else None, word.span.to(name.span) if name else word.span)

    def literal_pattern(
        self, value: Text | IntegerLiteral | NumberLiteral | BooleanLiteral | NoneLiteral
    ) -> LiteralPattern:
        return LiteralPattern(value, value.span)

    def literal(self, value: Text) -> Text:
        return value

    def number_literal(self, sign: Token | None, number: Token) -> IntegerLiteral | NumberLiteral:
        span = sign.span.to(number.span) if sign else number.span
        if number.type == "INTEGER":
            value = literals.integer_value(number.text)
            return IntegerLiteral(-value if sign else value, span)
        exact = literals.number_value(number.text)
        return NumberLiteral(-exact if sign else exact, span)

    # ----------------------------------------------------------------------------------------- anywhere and migrate

    def anywhere(self, word: Token, arms: Arms) -> AnywhereDeclaration:
        return AnywhereDeclaration(arms, last_span(word.span, arms))

    def migrate(self, word: Token, _from: Token, version: Token, *lines: MoveState | Set | None) -> MigrateDeclaration:
        major, _, minor = version.text.partition(".")
        kept = tuple(line for line in lines if line is not None)
        return MigrateDeclaration(
            literals.integer_value(major),
            literals.integer_value(minor) if minor else None,
            tuple(line for line in kept if isinstance(line, MoveState)),
            tuple(line for line in kept if isinstance(line, Set)),
            word.span.to(kept[-1].span if kept else version.span),
        )

    def move_state(self, word: Token, old: Token, _arrow: Token, new: Token) -> MoveState:
        return MoveState(name_of(old), name_of(new), word.span.to(new.span))


def as_block(body: Block | Goto) -> Block:
    return (body,) if isinstance(body, Goto) else body


def branch_span(head: Span, body: Block | Goto) -> Span:
    return head.to(body.span) if isinstance(body, Goto) else last_span(head, body)
