"""The type of every expression where it stands, and the mistakes inside it.

The theory: an expression is read under the facts of its place (`flowc.compiler.facts`), so a slot or a `T?` is a `T`
where something has shown that it has a value. Reading one that may have none is noted as a `Doubt`; the walk over
the flow, which knows the paths, words it. After a doubt the value counts as there, so that one cause is reported
once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, assert_never

from flowc.compiler.facts import NOWHERE, Facts, Path, path_of
from flowc.compiler.functions import (
    FUNCTIONS,
    Signature,
    arithmetic,
    is_number,
    is_ordered,
    listed,
)
from flowc.compiler.literals import is_literal_for, number_of
from flowc.compiler.model import NameKind
from flowc.compiler.sight import BUILT_IN, At, Doubt, Names, Region
from flowc.compiler.texts import type_of_text
from flowc.compiler.type_mistakes import (
    TYPE_MISMATCH,
    mismatch,
    missing_arguments,
    never_equal,
    no_such,
    none_here,
    not_a_condition,
    not_comparable,
    repeated_argument,
    unknown_argument,
    unknown_field,
    unknown_name,
    wrong_count,
)
from flowc.compiler.types import (
    BOOLEAN,
    DATE,
    DATETIME,
    DURATION,
    EMPTY_LIST,
    INTEGER,
    MONEY,
    NONE,
    NUMBER,
    TIME,
    UNKNOWN,
    FlowType,
    NoneType,
    Unknown,
    fits,
    is_optional,
    marked_like,
    merged,
    optional,
    plain,
    required,
    spelled,
)
from flowc.dsl.diagnostic import Diagnostic, Label
from flowc.dsl.nodes import (
    Argument,
    Binary,
    BooleanLiteral,
    DateLiteral,
    DatetimeLiteral,
    DurationLiteral,
    Expression,
    FieldAccess,
    FunctionCall,
    IntegerLiteral,
    IsNone,
    ListLiteral,
    Name,
    NoneLiteral,
    NumberLiteral,
    RecordLiteral,
    Reference,
    Text,
    TimeLiteral,
    Unary,
)
from flowc.dsl.source import Span
from flowc.runtime.types import Choice, Field, Integer, ListOf, Optional, Record

__all__ = ["Expressions"]


@dataclass(slots=True)
class Expressions:
    """Types expressions of one flow. `quiet`: answers only, keeps and reports nothing."""

    names: Names
    facts: Facts
    records: dict[str, tuple[Field, ...]]
    types: dict[Expression, FlowType]
    kinds: dict[Reference, NameKind]
    unknown: set[object]
    tell: Callable[[Diagnostic], None]
    read: set[str] = field(default_factory=set)
    doubts: list[Doubt] = field(default_factory=list)
    region: Region = ""
    assumed: int = 0
    quiet: bool = False
    pending: bool = False

    # ---------------------------------------------------------------------------------------------------- expected

    def need(self, expression: Expression, wanted: FlowType, at: At) -> FlowType:
        """The type of `expression`, which has to fit `wanted`; what does not is reported."""
        match expression, plain(wanted):
            case ListLiteral(items), ListOf(item):
                for each in items:
                    self.need(each, item, at)
                return self._keep(expression, wanted)
            case RecordLiteral(), Record(name):
                return self._record_for(expression, name, at)
            case _:
                return self._need(expression, wanted, at)

    def _need(self, expression: Expression, wanted: FlowType, at: At) -> FlowType:
        found = self.type_of(expression, at)
        literal = is_literal_for(expression, wanted)
        if literal or (literal is None and fits(found, wanted)) or self.quiet:
            return found
        inner = required(found)
        if is_optional(found) and not isinstance(found, NoneType) and fits(inner, wanted):
            self.doubt(expression, wanted)
        else:
            self.tell(mismatch(expression, found, wanted))
        return found

    def condition(self, expression: Expression, at: At) -> None:
        """Types `expression`, which has to be yes or no."""
        found = self.type_of(expression, at)
        if fits(found, BOOLEAN):
            return
        if isinstance(found, Optional) and fits(found.inner, BOOLEAN):
            self.doubt(expression, BOOLEAN)
        elif not self.quiet:
            self.tell(not_a_condition(expression, found))

    def there(self, expression: Expression, at: At) -> FlowType:
        """The type of `expression` without `?` and mark; reports where it may be none."""
        found = self.type_of(expression, at)
        if isinstance(found, Optional):
            self.doubt(expression, found.inner)
        elif isinstance(found, NoneType):
            if not self.quiet:
                self.tell(none_here(expression))
            return UNKNOWN
        return plain(found)

    def doubt(self, expression: Expression, wanted: FlowType) -> None:
        """Notes that `expression` may be none where a `wanted` is needed; from here on it counts as there."""
        if self.quiet:
            return
        path = path_of(expression)
        if path is not None:
            self.assumed |= self.facts.is_not_none(path)
        self.doubts.append(Doubt("none", path, expression.span, wanted, self.region))

    def _keep(self, expression: Expression, of: FlowType) -> FlowType:
        self.types[expression] = of
        return of

    # ----------------------------------------------------------------------------------------------------- natural

    def type_of(self, expression: Expression, at: At) -> FlowType:
        """The type of `expression` at `at`; Unknown where it was reported."""
        of = self.types[expression] = self._type_of(expression, at)
        return of

    def _type_of(self, expression: Expression, at: At) -> FlowType:
        match expression:
            case Text():
                return type_of_text(expression, at, self)
            case Reference():
                return self._reference(expression, at, tested=False)
            case FieldAccess():
                return self._field(expression, at)
            case Binary():
                return self._binary(expression, at)
            case IntegerLiteral():
                return INTEGER
            case IsNone(operand):
                self._tested(operand, at)
                return BOOLEAN
            case FunctionCall():
                return self._function(expression, at)
            case Unary(operator, operand):
                return self._unary(operator, operand, at)
            case BooleanLiteral():
                return BOOLEAN
            case NoneLiteral():
                return NONE
            case NumberLiteral():
                return NUMBER
            case DurationLiteral():
                return DURATION
            case DateLiteral():
                return DATE
            case TimeLiteral():
                return TIME
            case DatetimeLiteral():
                return DATETIME
            case ListLiteral(items):
                return self._list(expression, items, at)
            case RecordLiteral(fields):
                return self._record(fields, at)
            case _:
                assert_never(expression)

    def _tested(self, operand: Expression, at: At) -> None:
        if isinstance(operand, Reference):
            self._keep(operand, self._reference(operand, at, tested=True))
        else:
            self.type_of(operand, at)

    def _reference(self, reference: Reference, at: At, *, tested: bool) -> FlowType:
        name = reference.name
        if name in at.locals:
            return self._narrowed(reference, "local", at.locals[name], at)
        if self.names.old and name not in BUILT_IN:
            return self._narrowed(reference, "variable", UNKNOWN, at)
        slot = self.names.slots.get(name)
        if slot is not None:
            self.read.add(name)
            return self._narrowed(reference, "slot", optional(slot), at)
        of = self.names.variables.get(name)
        if of is not None:
            self.read.add(name)
            kind: NameKind = "parameter" if name in self.names.parameters else "variable"
            if not tested and not self._is_set(name, at.facts):
                self._unset(reference)
                self._narrowed(reference, kind, of, at)
                return required(of)
            return self._narrowed(reference, kind, optional(of), at)
        built_in = BUILT_IN.get(name)
        if built_in is not None:
            return self._narrowed(reference, "builtin", built_in, at)
        return self._missing(reference, at)

    def _narrowed(self, reference: Reference, kind: NameKind, of: FlowType, at: At) -> FlowType:
        if not self.quiet:
            self.kinds[reference] = kind
        if isinstance(of, Optional) and self._is_there((reference.name,), at.facts):
            return of.inner
        return of

    def _is_set(self, name: str, facts: int) -> bool:
        return bool((facts | self.assumed) & self.facts.has(name))

    def _is_there(self, path: Path, facts: int) -> bool:
        return facts == NOWHERE or bool((facts | self.assumed) & self.facts.is_not_none(path))

    def _unset(self, reference: Reference) -> None:
        if not self.quiet:
            self.assumed |= self.facts.has(reference.name) | self.facts.is_not_none((reference.name,))
            self.doubts.append(Doubt("unset", (reference.name,), reference.span, None, self.region))

    def _missing(self, reference: Reference, at: At) -> FlowType:
        self.pending = True
        if self.quiet:
            return UNKNOWN
        self.unknown.add(reference)
        if reference.name not in self.names.lost:
            self.tell(unknown_name(reference, [*at.locals, *self.names.slots, *self.names.variables, *BUILT_IN]))
        return UNKNOWN

    def _field(self, access: FieldAccess, at: At) -> FlowType:
        whole = self.type_of(access.target, at)
        if isinstance(whole, Optional):
            self.doubt(access.target, whole.inner)
        elif isinstance(whole, NoneType):
            return UNKNOWN
        owner = plain(whole)
        each = isinstance(owner, ListOf)
        record = plain(owner.item) if isinstance(owner, ListOf) else owner
        if isinstance(record, Unknown):
            return UNKNOWN
        found = self._field_of(record, access)
        if found is None:
            return UNKNOWN
        found = marked_like(found, whole)
        if each:
            return ListOf(found)  # type: ignore[arg-type]  # of an unknown field it is a list of unknown
        if isinstance(found, Optional):
            path = path_of(access)
            if path is not None and self._is_there(path, at.facts):
                return found.inner
        return found

    def _field_of(self, record: FlowType, access: FieldAccess) -> FlowType | None:
        name = access.name.text
        fields = self.records.get(record.name, ()) if isinstance(record, Record) else ()
        for each in fields:
            if each.name == name:
                return each.type
        if not self.quiet:
            self.unknown.add(access)
            self.tell(unknown_field(access.name, record, [each.name for each in fields]))
        return None

    def _list(self, expression: Expression, items: Sequence[Expression], at: At) -> FlowType:
        of: FlowType | None = None
        for item in items:
            found = self.type_of(item, at)
            both = found if of is None else merged(of, found)
            if both is None and not self.quiet:
                self.tell(mismatch(item, found, of or UNKNOWN, why="the items before are"))
            of = UNKNOWN if both is None else both
        if not items:
            return EMPTY_LIST
        return UNKNOWN if of is None or isinstance(of, Unknown | NoneType) else ListOf(of)

    def _record(self, fields: Sequence[Argument], at: At) -> FlowType:
        types = ((each.name.text, self.type_of(each.value, at)) for each in fields)
        made = tuple(Field(name, of) for name, of in types)  # type: ignore[arg-type]  # may be unknown
        name = "{" + ", ".join(f"{each.name}: {spelled(each.type)}" for each in made) + "}"
        self.records.setdefault(name, made)
        return Record(name)

    def _record_for(self, expression: RecordLiteral, name: str, at: At) -> FlowType:
        wanted = {each.name: each.type for each in self.records.get(name, ())}
        self.arguments(expression.fields, wanted, frozenset(wanted), f"the record `{name}`", expression.span, at)
        return self._keep(expression, Record(name))

    def arguments(
        self,
        given: Sequence[Argument],
        wanted: Mapping[str, FlowType],
        needed: frozenset[str],
        what: str,
        span: Span,
        at: At,
    ) -> None:
        """Checks `given` against `wanted`; those of `needed` that are not `T?` must be there."""
        seen: dict[str, Argument] = {}
        for argument in given:
            name = argument.name.text
            of = wanted.get(name)
            if of is None:
                self.type_of(argument.value, at)
                self.tell(unknown_argument(argument.name, what, [*wanted]))
                continue
            if name in seen:
                self.tell(repeated_argument(argument.name, seen[name].name))
            seen[name] = argument
            self.need(argument.value, of, at)
        unknown = [argument for argument in given if argument.name.text not in wanted]
        missing = [name for name in wanted if name in needed and name not in seen and not is_optional(wanted[name])]
        if missing and not unknown:  # a misspelled argument is one mistake, not two
            self.tell(missing_arguments(missing, wanted, what, span))

    # -------------------------------------------------------------------------------------------------- operators

    def _unary(self, operator: Literal["not", "-"], operand: Expression, at: At) -> FlowType:
        if operator == "not":
            self.condition(operand, at)
            return BOOLEAN
        of = self.there(operand, at)
        if is_number(of) or of in (DURATION, MONEY):
            return (
                NUMBER if not isinstance(of, Integer) and is_number(of) and not isinstance(of, Unknown) else _loose(of)
            )
        return self.refused(operand.span, f"`-` of `{spelled(of)}`", "takes a number, a duration or money")

    def _binary(self, expression: Binary, at: At) -> FlowType:
        operator, left, right = expression.operator, expression.left, expression.right
        match operator:
            case "and" | "or":
                yes, no = self.facts.shown(left)
                self.condition(left, at)
                facts = at.facts if at.facts == NOWHERE else at.facts | (yes if operator == "and" else no)
                self.condition(right, At(facts, at.locals))
                return BOOLEAN
            case "==" | "!=":
                self._equality(expression, at)
                return BOOLEAN
            case "<" | "<=" | ">" | ">=":
                self._ordering(expression, at)
                return BOOLEAN
            case "in" | "not in":
                self._membership(expression, at)
                return BOOLEAN
            case "+" | "-" | "*" | "/":
                one, other = self.there(left, at), self.there(right, at)
                of = arithmetic(operator, one, other)
                if of is None:
                    said = f"`{operator}` of `{spelled(one)}` and `{spelled(other)}`"
                    return self.refused(expression.operator_span, said, "these two do not go together")
                if operator == "/" and not number_of(right) and not isinstance(of, Unknown):
                    of = optional(of)
                return self._marked(of, expression)
            case _:
                assert_never(operator)

    def _marked(self, of: FlowType, expression: Binary) -> FlowType:
        return marked_like(of, self.types[expression.left], self.types[expression.right])

    def _equality(self, expression: Binary, at: At) -> None:
        left, right = expression.left, expression.right
        one, other = self.type_of(left, at), self.type_of(right, at)
        if self.quiet:
            return
        if merged(one, other) is None:
            self.tell(not_comparable(expression, one, other))
            return
        for of, literal in ((one, right), (other, left)):
            self._choice_value(of, literal)

    def _choice_value(self, of: FlowType, literal: Expression) -> None:
        if isinstance(plain(of), Choice) and is_literal_for(literal, of) is False:
            self.tell(never_equal(literal, of))

    def _ordering(self, expression: Binary, at: At) -> None:
        one, other = self.there(expression.left, at), self.there(expression.right, at)
        both = merged(one, other)
        if both is not None and (is_ordered(both) or isinstance(both, Unknown)):
            return
        self.refused(
            expression.operator_span,
            f"`{spelled(one)}` and `{spelled(other)}` cannot be compared with `{expression.operator}`",
            "needs two values that have an order, of the same kind",
        )

    def _membership(self, expression: Binary, at: At) -> None:
        of, items = self.type_of(expression.left, at), self.there(expression.right, at)
        if isinstance(items, Unknown) or self.quiet:
            return
        if not isinstance(items, ListOf):
            self.tell(mismatch(expression.right, items, None, why="expected a list"))
        elif merged(of, items.item) is None:
            self.tell(mismatch(expression.left, of, items.item, why="the items of the list are"))
        elif isinstance(expression.right, ListLiteral):
            for item in expression.right.items:
                self._choice_value(of, item)

    def refused(self, span: Span, message: str, label: str) -> FlowType:
        """Reports that types do not go together; the result is Unknown."""
        if not self.quiet:
            self.tell(Diagnostic(TYPE_MISMATCH, message, (Label(span, label),)))
        return UNKNOWN

    # -------------------------------------------------------------------------------------------------- functions

    def _function(self, call: FunctionCall, at: At) -> FlowType:
        name = call.function.text
        signature = FUNCTIONS.get(name)
        if signature is None:
            for argument in call.arguments:
                self.type_of(argument, at)
            if not self.quiet:
                self.unknown.add(call)
                self.tell(no_such(call.function, "function", FUNCTIONS))
            return UNKNOWN
        found = [self.there(argument, at) for argument in call.arguments]
        of = self.applied(call.function, signature, found, 0, call.span)
        return marked_like(of, *(self.types[argument] for argument in call.arguments))

    def applied(self, name: Name, signature: Signature, found: Sequence[FlowType], before: int, span: Span) -> FlowType:
        """What `signature` makes of `found`; the first `before` of them are not written as arguments."""
        if not signature.least <= len(found) <= signature.most:
            if not self.quiet:
                self.tell(wrong_count(name, signature, len(found) - before, before, span))
            return UNKNOWN
        of = UNKNOWN if any(isinstance(each, Unknown) for each in found) else signature.result(found)
        if of is None:
            self.refused(name.span, f"`{name.text}` of {listed(found)}", f"takes {signature.spelled}")
            return UNKNOWN
        return of

    # ------------------------------------------------------------------------------------------------------ texts

    def say(self, text: Text, at: At) -> None:
        """Types a text that is no expression."""
        self._keep(text, type_of_text(text, at, self))


def _loose(of: FlowType) -> FlowType:
    return INTEGER if isinstance(of, Integer) else of
