"""Grammar to nodes: headers, types, intents, slots, events and services."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, cast

from flowc.dsl import literals
from flowc.dsl.build_expressions import name_of, wait_of
from flowc.dsl.build_statements import StatementRules
from flowc.dsl.examples import read_example
from flowc.dsl.mistakes import duplicate, misplaced
from flowc.dsl.nodes import (
    AdapterLine,
    Breaker,
    ChoiceWords,
    Concurrency,
    Confidence,
    Duration,
    EventDeclaration,
    Example,
    Expression,
    FailsLine,
    FailureName,
    FlowHeader,
    HeaderLine,
    IntentDeclaration,
    KeyLine,
    LibraryHeader,
    Limit,
    Name,
    Operation,
    Path,
    PolicyLines,
    PriorityLine,
    Rate,
    ReplyWithin,
    Request,
    Retry,
    ServiceDeclaration,
    SlotCheck,
    SlotDeclaration,
    Text,
    TypeDeclaration,
    TypedName,
    TypeNode,
    Use,
    Version,
    WhileBusy,
)
from flowc.dsl.source import Span
from flowc.dsl.texts import plain_text
from flowc.dsl.tokens import Token

__all__ = ["DeclarationRules"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Property:
    """A line `word value` that may be given once."""

    word: str
    value: object
    span: Span


@dataclass(frozen=True, slots=True)
class FailsOn:
    """`on STATUS when PATH == "code"` of a `fails` line."""

    status: int
    path: Path | None
    equals: str | None
    span: Span


HeaderPart = Property | Use | PriorityLine
Policy = Property
OperationPart = Property | HeaderLine | FailsLine | AdapterLine
LIBRARY_LINES: Final = frozenset(("description", "locale"))


@dataclass(slots=True)
class DeclarationRules(StatementRules):
    """What stands at the left margin, but for states."""

    def once(self, parts: Iterable[object]) -> dict[str, Property]:
        """The properties by word; a second one is reported."""
        found: dict[str, Property] = {}
        for part in parts:
            if isinstance(part, Property):
                if part.word in found:
                    self.report(duplicate(part.word, part.span, found[part.word].span))
                found.setdefault(part.word, part)
        return found

    # --------------------------------------------------------------------------------------------------------- header

    def flow_header(self, word: Token, name: Token, version: Token, lines: tuple[HeaderPart, ...] | None) -> FlowHeader:
        parts = lines or ()
        found = self.once(parts)
        return FlowHeader(
            name_of(name),
            Version(*literals.version_value(version.text), version.span),
            value_of(found, "description", Text),
            typed_names_of(found, "takes"),
            typed_names_of(found, "gives"),
            value_of(found, "locale", Name),
            value_of(found, "reply", ReplyWithin),
            value_of(found, "confidence", Confidence),
            tuple(part for part in parts if isinstance(part, PriorityLine)),
            tuple(part for part in parts if isinstance(part, Use)),
            value_of(found, "start", Name),
            value_of(found, "while", WhileBusy),
            word.span.to(parts[-1].span if parts else version.span),
        )

    def library_header(self, word: Token, name: Token, lines: tuple[HeaderPart, ...] | None) -> LibraryHeader:
        parts = lines or ()
        found = self.once(parts)
        for part in parts:
            line = "priority" if isinstance(part, PriorityLine) else part.word if isinstance(part, Property) else ""
            if line and line not in LIBRARY_LINES:
                self.report(misplaced(line, part.span, "it belongs in the header of a flow; a library only shares"))
        uses = tuple(part for part in parts if isinstance(part, Use))
        span = word.span.to(parts[-1].span if parts else name.span)
        return LibraryHeader(
            name_of(name), value_of(found, "description", Text), value_of(found, "locale", Name), uses, span
        )

    def description(self, text: Text) -> Property:
        return Property("description", text, text.span)

    def takes(self, word: Token, names: tuple[TypedName, ...]) -> Property:
        return Property("takes", names, word.span.to(names[-1].span))

    def gives(self, word: Token, names: tuple[TypedName, ...]) -> Property:
        return Property("gives", names, word.span.to(names[-1].span))

    def locale(self, word: Token, language: Token, sign: Token | None, region: Token | None) -> Property:
        text = language.text + (sign.text + region.text if sign and region else "")
        span = language.span.to(region.span) if region else language.span
        return Property("locale", Name(text, span), word.span.to(span))

    def locale_part(self, token: Token) -> Token:
        return token

    def reply_within(
        self, word: Token, _within: Token, wait: Token, _else: Token | None, text: Text | None
    ) -> Property:
        span = word.span.to(text.span if text else wait.span)
        return Property("reply", ReplyWithin(wait_of(wait), text, span), span)

    def confidence(self, word: Token, number: Token) -> Property:
        span = word.span.to(number.span)
        value = literals.number_value(number.text)
        if value > 1:
            self.report(literals.out_of_range(number.text, number.span, "a number from 0 to 1"))
        return Property("confidence", Confidence(value, span), span)

    def use(self, word: Token, names: tuple[Name, ...], _from: Token, path: Text) -> Use:
        return Use(names, path, word.span.to(path.span))

    def start(self, word: Token, name: Token) -> Property:
        return Property("start", name_of(name), word.span.to(name.span))

    def busy_queue(self, word: Token, _busy: Token, queue: Token) -> Property:
        span = word.span.to(queue.span)
        return Property("while", WhileBusy(None, span), span)

    def busy_merge(self, word: Token, _busy: Token, _merge: Token, _within: Token, wait: Token) -> Property:
        span = word.span.to(wait.span)
        return Property("while", WhileBusy(wait_of(wait), span), span)

    # ---------------------------------------------------------------------------------------------------------- types

    def type_alias(self, word: Token, name: Token, _sign: Token, type_: TypeNode) -> TypeDeclaration:
        return TypeDeclaration(name_of(name), type_, None, word.span.to(type_.span))

    def type_record(self, word: Token, name: Token, *fields: TypedName | None) -> TypeDeclaration:
        kept = tuple(field for field in fields if field is not None)
        return TypeDeclaration(name_of(name), None, kept, word.span.to(kept[-1].span if kept else name.span))

    # ---------------------------------------------------------------------------------------- intents, slots and events

    def intent(self, word: Token, name: Token, lines: tuple[Example | Property, ...] | None) -> IntentDeclaration:
        parts = lines or ()
        return IntentDeclaration(
            name_of(name),
            tuple(part for part in parts if isinstance(part, Example)),
            tuple(cast(Text, part.value) for part in parts if isinstance(part, Property)),
            word.span.to(parts[-1].span if parts else name.span),
        )

    def example(self, token: Token) -> Example:
        return read_example(plain_text(self.source, token, self.report), token, self.report)

    def example_file(self, word: Token, _from: Token, path: Text) -> Property:
        return Property("examples", path, word.span.to(path.span))

    def slot(
        self,
        word: Token,
        name: Token,
        _colon: Token,
        type_: TypeNode,
        lines: tuple[Property | SlotCheck | ChoiceWords, ...] | None,
    ) -> SlotDeclaration:
        parts = lines or ()
        found = self.once(parts)
        return SlotDeclaration(
            name_of(name),
            type_,
            value_of(found, "ask", Text),
            value_of(found, "reask", Text),
            value_of(found, "tries", int),
            tuple(part for part in parts if isinstance(part, SlotCheck)),
            tuple(part for part in parts if isinstance(part, ChoiceWords)),
            word.span.to(parts[-1].span if parts else type_.span),
        )

    def slot_ask(self, word: Token, text: Text) -> Property:
        return Property("ask", text, word.span.to(text.span))

    def slot_reask(self, word: Token, text: Text) -> Property:
        return Property("reask", text, word.span.to(text.span))

    def slot_tries(self, word: Token, count: Token) -> Property:
        return Property("tries", self.count(count), word.span.to(count.span))

    def slot_check(self, word: Token, condition: Expression, _else: Token, text: Text) -> SlotCheck:
        return SlotCheck(condition, text, word.span.to(text.span))

    def slot_words(self, value: Text, _also: Token, others: tuple[Text, ...]) -> ChoiceWords:
        return ChoiceWords(value, others, value.span.to(others[-1].span))

    def event(self, word: Token, name: Token, fields: tuple[TypedName, ...] | None) -> EventDeclaration:
        end = fields[-1].span if fields else name.span
        return EventDeclaration(name_of(name), fields or (), word.span.to(end))

    # ------------------------------------------------------------------------------------------------------- services

    def service(
        self,
        word: Token,
        name: Token,
        _via: Token,
        adapter: Token,
        lines: tuple[Policy | Operation | AdapterLine, ...] | None,
    ) -> ServiceDeclaration:
        parts = lines or ()
        return ServiceDeclaration(
            name_of(name),
            name_of(adapter),
            policy_lines(self.once(parts)),
            tuple(part for part in parts if isinstance(part, AdapterLine)),
            tuple(part for part in parts if isinstance(part, Operation)),
            word.span.to(parts[-1].span if parts else adapter.span),
        )

    def operation(
        self,
        word: Token,
        name: Token,
        parameters: tuple[TypedName, ...],
        result: TypeNode | None,
        lines: tuple[OperationPart, ...] | None,
    ) -> Operation:
        parts = lines or ()
        found = self.once(parts)
        ends = [name.span, *(parameter.span for parameter in parameters[-1:]), *([result.span] if result else [])]
        signature = word.span.to(ends[-1])
        return Operation(
            cast(Literal["read", "write"], word.text),
            name_of(name),
            parameters,
            result,
            policy_lines(found),
            value_of(found, "key", KeyLine),
            value_of(found, "request", Request),
            tuple(part for part in parts if isinstance(part, HeaderLine)),
            cast(Expression, found["body"].value) if "body" in found else None,
            value_of(found, "answer", Path),
            tuple(part for part in parts if isinstance(part, FailsLine)),
            tuple(part for part in parts if isinstance(part, AdapterLine)),
            signature,
            signature.to(parts[-1].span if parts else signature),
        )

    def result(self, _arrow: Token, type_: TypeNode) -> TypeNode:
        return type_

    def timeout(self, word: Token, wait: Token) -> Policy:
        return Property("timeout", wait_of(wait), word.span.to(wait.span))

    def within(self, word: Token, wait: Token) -> Policy:
        return Property("within", wait_of(wait), word.span.to(wait.span))

    def cache(self, word: Token, wait: Token) -> Policy:
        return Property("cache", wait_of(wait), word.span.to(wait.span))

    def retry(self, word: Token, count: Token, _from: Token, base: Token, _to: Token, cap: Token) -> Policy:
        span = word.span.to(cap.span)
        return Property("retry", Retry(self.count(count, least=0, most=100), wait_of(base), wait_of(cap), span), span)

    def breaker(self, word: Token, share: Token, _of: Token, calls: Token, _for: Token, wait: Token) -> Policy:
        span = word.span.to(wait.span)
        percent = literals.integer_value(share.text.removesuffix("%"))
        value = Breaker(percent, self.count(calls), wait_of(wait), span)
        return Property("breaker", value, span)

    def limit(self, word: Token, rate: Token) -> Policy:
        span = word.span.to(rate.span)
        return Property("limit", Limit(Rate(*literals.rate_value(rate.text), rate.span), span), span)

    def limit_per_user(self, word: Token, _per: Token, _user: Token, rate: Token) -> Policy:
        span = word.span.to(rate.span)
        return Property("limit per user", Limit(Rate(*literals.rate_value(rate.text), rate.span), span), span)

    def concurrency(self, word: Token, _most: Token, places: Token, _at: Token, once: Token) -> Policy:
        span = word.span.to(once.span)
        return Property("at most", Concurrency(self.count(places), span), span)

    def key(self, word: Token, carrier: Property, *options: Property) -> Property:
        found = self.once(options)
        kind = cast(Literal["auto", "header", "field"], carrier.word)
        name = cast(str | None, carrier.value)
        span = word.span.to(options[-1].span if options else carrier.span)
        line = KeyLine(kind, name, value_of(found, "for", Duration), "keeps" in found, span)
        return Property("key", line, span)

    def key_auto(self, word: Token) -> Property:
        return Property("auto", None, word.span)

    def key_header(self, word: Token, name: Text) -> Property:
        return Property("header", name.plain or "", word.span.to(name.span))

    def key_field(self, word: Token, name: Token) -> Property:
        return Property("field", name.text, word.span.to(name.span))

    def key_for(self, word: Token, wait: Token) -> Property:
        return Property("for", wait_of(wait), word.span.to(wait.span))

    def key_keeps(self, word: Token, refusals: Token) -> Property:
        return Property("keeps", True, word.span.to(refusals.span))

    def request(self, method: Token, path: Text) -> Property:
        span = method.span.to(path.span)
        return Property("request", Request(method.text, path, span), span)

    def header_value(self, word: Token, name: Text, value: Expression) -> HeaderLine:
        return HeaderLine(name, value, word.span.to(value.span))

    def body_value(self, word: Token, value: Expression) -> Property:
        return Property("body", value, word.span.to(value.span))

    def answer(self, word: Token, path: Path) -> Property:
        return Property("answer", path, word.span.to(path.span))

    def fails(self, word: Token, *parts: FailureName | Token | FailsOn | None) -> FailsLine:
        failures = tuple(part for part in parts if isinstance(part, FailureName))
        on = parts[-1]
        if isinstance(on, FailsOn):
            return FailsLine(failures, on.status, on.path, on.equals, word.span.to(on.span))
        return FailsLine(failures, None, None, None, word.span.to(failures[-1].span))

    def fails_on(self, word: Token, status: Token, when: FailsOn | None) -> FailsOn:
        code = self.count(status, least=100, most=599)
        if when is None:
            return FailsOn(code, None, None, word.span.to(status.span))
        return FailsOn(code, when.path, when.equals, word.span.to(when.span))

    def fails_when(self, word: Token, path: Path, _sign: Token, code: Text) -> FailsOn:
        return FailsOn(0, path, code.plain or "", word.span.to(code.span))

    def failure(self, name: Token, fields: tuple[TypedName, ...] | None) -> FailureName:
        end = fields[-1].span if fields else name.span
        return FailureName(name_of(name), fields or (), name.span.to(end))

    def adapter_line(self, word: Token, value: Expression) -> AdapterLine:
        return AdapterLine(name_of(word), value, word.span.to(value.span))

    def path(self, *parts: Token) -> Path:
        steps = parts[::2]
        texts = (self.plain(step).plain or "" if step.type == "TEXT" else step.text for step in steps)
        return Path(tuple(texts), steps[0].span.to(steps[-1].span))

    def path_step(self, token: Token) -> Token:
        return token


def value_of(found: Mapping[str, Property], word: str, kind: type[T]) -> T | None:
    value = found[word].value if word in found else None
    return value if isinstance(value, kind) else None


def typed_names_of(found: Mapping[str, Property], word: str) -> tuple[TypedName, ...]:
    return cast(tuple[TypedName, ...], found[word].value) if word in found else ()


def policy_lines(found: Mapping[str, Property]) -> PolicyLines:
    return PolicyLines(
        value_of(found, "timeout", Duration),
        value_of(found, "within", Duration),
        value_of(found, "retry", Retry),
        value_of(found, "breaker", Breaker),
        value_of(found, "limit", Limit),
        value_of(found, "limit per user", Limit),
        value_of(found, "at most", Concurrency),
        value_of(found, "cache", Duration),
    )
