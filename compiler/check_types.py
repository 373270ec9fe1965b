"""The types of a flow, and what is certain at each of its points.

One walk does both, because the type of a slot depends on what is certain where it is read. Each state, each arm of
`anywhere` and the arms of each job are a region with entry facts. Regions are walked quietly until their entry facts
no longer change (they only shrink, so this ends), then once more to keep types and report. A wait takes back the
facts that a handler which resumes there may undo; arms of `anywhere` begin with what every wait has.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from flowc.compiler.agenda import Agenda
from flowc.compiler.arms import check_arms, check_match
from flowc.compiler.expressions import Expressions
from flowc.compiler.facts import NOWHERE, Facts, path_of
from flowc.compiler.literals import is_literal_for
from flowc.compiler.model import AskFacts, OperationModel
from flowc.compiler.resolve import FlowNames, Locals, Resolved
from flowc.compiler.resolved import Interface
from flowc.compiler.sight import At, Region
from flowc.compiler.types import UNKNOWN, FlowType, NoneType, Unknown, fits, is_optional, required
from flowc.compiler.undoing import Undone, undone
from flowc.compiler.value_mistakes import constant_condition, gives_nothing, value_refused, wrong_result
from flowc.compiler.values_used import check_arguments, check_choice, check_do_arguments, check_say
from flowc.dsl.diagnostic import Diagnostic
from flowc.dsl.nodes import (
    Arm,
    Ask,
    BooleanLiteral,
    Call,
    ChangePattern,
    Choose,
    Clear,
    Defer,
    Do,
    ElsePattern,
    End,
    Expression,
    Goto,
    Handoff,
    If,
    IsNone,
    Listen,
    LiteralPattern,
    Mark,
    Match,
    Name,
    NamePattern,
    NoneLiteral,
    Reject,
    Resume,
    Say,
    Set,
    Statement,
)
from flowc.dsl.source import Span
from flowc.runtime.types import ListOf, Record

__all__ = ["Interface", "NotGiven", "Walk"]

Wait = Ask | Choose | Listen | Do | Handoff


@dataclass(frozen=True, slots=True)
class NotGiven:
    """A plain `end` where the result `name` may have no value."""

    name: str
    span: Span
    region: Region


@dataclass(slots=True)
class Walk:
    """Walks one flow. `edges` are the facts that each jump brings to its target; `final` when types are kept."""

    names: FlowNames
    interface: Interface
    interfaces: Mapping[str, Interface]
    resolved: Resolved
    expressions: Expressions
    facts: Facts
    tell: Callable[[Diagnostic], None]
    entry: dict[Region, int] = field(default_factory=dict)
    edges: dict[Region, dict[tuple[Region, Goto | Resume], int]] = field(default_factory=dict)
    asks: dict[Ask, AskFacts] = field(default_factory=dict)
    not_given: list[NotGiven] = field(default_factory=list)
    asked_at: dict[str, int] = field(default_factory=dict)
    optional: set[str] = field(default_factory=set)
    final: bool = False
    waits: int = NOWHERE
    failures: int = NOWHERE
    _back: dict[Statement, int] = field(default_factory=dict)
    _agenda: Agenda = field(default_factory=lambda: Agenda(()))
    _region: Region = ""
    _resumes: list[Wait | None] = field(default_factory=list)
    _asks_before: dict[str, Ask] = field(default_factory=dict)
    _locals: dict[Defer, Locals] = field(default_factory=dict)
    _undone: tuple[Undone, ...] = ()
    _mask: tuple[int, int] = (-1, 0)

    def walk(self, start: str) -> None:
        """The whole flow, from its state `start`."""
        self._agenda = Agenda(self.names.states)
        initial = 0
        for name, of in self.interface.parameters.items():
            initial = self.facts.assigned(initial, name, may_be_none=is_optional(of))
        self.expressions.quiet = True
        arms = self.names.scope.own.arms
        self._undone = tuple(undone(arms, self.names.assignments, self.resolved, self.expressions.type_of))
        for arm in arms:
            self.entry[arm] = NOWHERE
            self._agenda.add(arm)
        if start in self.names.states:
            self._reach(start, initial)
        while (region := self._agenda.take()) is not None:
            self._walk_region(region)
        self.expressions.quiet = False
        self.final = True
        for state in self.names.states:
            self._walk_region(state)
        for handler in self._handlers():  # with the jobs of states that nothing reaches
            self._walk_region(handler)

    # ---------------------------------------------------------------------------------------------------- regions

    def _handlers(self) -> list[Arm | Defer]:
        """Arms of `anywhere`, and jobs met so far."""
        return [*self.names.scope.own.arms, *self._locals]

    def _reach(self, region: Region, facts: int) -> None:
        before = self.entry.get(region, NOWHERE)
        after = before & facts
        if after != before or region not in self.entry:
            self.entry[region] = after
            self._agenda.add(region)

    def _walk_region(self, region: Region) -> None:
        self._region = region
        self._asks_before = {}
        self.expressions.region = region
        self.expressions.assumed = 0
        facts = self.entry.get(region, NOWHERE)
        match region:
            case str():
                if facts != NOWHERE or self.final:
                    state = self.names.states[region]
                    if self.final and state.priority is not None and state.priority.when is not None:
                        self.expressions.condition(state.priority.when, At(facts, {}))
                    self._body(state.body, facts, {})
            case Arm():
                self._resumes.append(None)
                self._arm(region, self._interrupted(region), {})
                self._resumes.pop()
            case Defer(arms=arms):
                self._resumes.append(None)
                for arm in arms:
                    self._arm(arm, facts, self._locals[region])
                self._resumes.pop()
            case _:
                assert_never(region)

    def _interrupted(self, arm: Arm) -> int:
        """What an arm of `anywhere` begins with: what every wait has, or for failures what every call has that may
        fail."""
        kinds = {self.resolved.patterns.get(each) for each in arm.patterns if isinstance(each, NamePattern)}
        return self.failures & self.waits if kinds & {"any_failure", "kind"} else self.waits

    def _wait(self, facts: int) -> int:
        """`facts` at a wait: without what a handler that resumes there may undo, and what another message changes."""
        if facts == NOWHERE:
            return facts
        known = len(self.facts._bits)
        if self._mask[0] != known:
            self._mask = (known, self._undoing())
        facts &= ~self._mask[1]
        self._lower(waits=facts)
        return facts

    def _lower(self, *, waits: int = NOWHERE, failures: int = NOWHERE) -> None:
        if self.waits & waits != self.waits or self.failures & failures != self.failures:
            self.waits &= waits
            self.failures &= failures
            for handler in self._handlers():
                self._agenda.add(handler)

    def _undoing(self) -> int:
        facts = self.facts
        mask = facts.about("message") | facts.about("user") | facts.empties
        for each in self._undone:
            about = facts.about(each.name)
            if not each.cleared:
                about &= ~facts.has(each.name)
                if not each.may_be_none:
                    about &= ~facts.is_not_none((each.name,))
            mask |= about
        return mask

    # ------------------------------------------------------------------------------------------------- statements

    def _body(self, statements: Iterable[Statement], facts: int, local: Locals) -> int:
        for statement in statements:
            facts = self._statement(statement, facts, local)
        return facts

    def _statement(self, statement: Statement, facts: int, local: Locals) -> int:
        """What is certain after `statement`; NOWHERE where it leaves."""
        match statement:
            case Say():
                if self.final:
                    check_say(statement, At(facts, local), self.expressions)
                return facts
            case Goto(state):
                return self._goto(state, statement, facts)
            case If():
                return self._if(statement, facts, local)
            case Set():
                return self._set(statement, facts, local)
            case Call():
                return self._call(statement, facts, local)
            case Listen(arms):
                at = self._wait(self._joined(statement, facts))
                return self._arms(statement, arms, at, local)
            case Ask():
                return self._ask(statement, facts, local)
            case Match():
                return self._match(statement, facts, local)
            case Clear(names):
                for name in names:
                    facts = self.facts.forgotten(facts, name.text)
                return facts
            case Reject():
                return self._reject(statement, facts, local)
            case Choose():
                return self._choose(statement, facts, local)
            case Defer():
                return self._defer(statement, facts, local)
            case Do():
                return self._do(statement, facts, local)
            case Resume():
                return self._resume(statement, facts)
            case Handoff(queue, arms):
                if self.final:
                    self.expressions.say(queue, At(facts, local))
                at = self._wait(self._joined(statement, facts))
                return self._arms(statement, arms, at, local)
            case End(outcome):
                if outcome is None and self.final:
                    self._end(statement, facts)
                return NOWHERE
            case Mark(milestone):
                if self.final:
                    self.expressions.say(milestone, At(facts, local))
                return facts
            case _:
                assert_never(statement)

    def _goto(self, state: Name, by: Goto | Resume, facts: int) -> int:
        target = self.names.state_meant(state.text)
        if facts != NOWHERE and target is not None:
            if isinstance(self._region, Defer):
                facts &= self.waits
            self.edges.setdefault(target, {})[self._region, by] = facts
            self._reach(target, facts)
        return NOWHERE

    def _resume(self, resume: Resume, facts: int) -> int:
        wait = self._resumes[-1] if self._resumes else None
        if wait is not None:
            self._again(wait, facts)
        if resume.then is not None:
            self._goto(resume.then, resume, facts)
        return NOWHERE

    def _joined(self, wait: Statement, facts: int) -> int:
        return facts & self._back.get(wait, NOWHERE)

    def _again(self, wait: Statement, facts: int) -> None:
        """Control comes back to `wait` with `facts`."""
        before = self._back.get(wait, NOWHERE)
        if before & facts != before:
            self._back[wait] = before & facts
            self._agenda.add(self._region)

    def _if(self, statement: If, facts: int, local: Locals) -> int:
        after, reached = NOWHERE, facts
        for branch in statement.branches:
            yes, no = 0, 0
            if branch.condition is not None:
                if self.final:
                    self._condition(branch.condition, At(reached, local))
                yes, no = self.facts.shown(branch.condition)
            after &= self._body(branch.body, reached | yes, local)
            reached |= no
        return after if statement.branches[-1].condition is None else after & reached

    def _condition(self, condition: Expression, at: At) -> None:
        self.expressions.condition(condition, at)
        match condition:
            case BooleanLiteral(value):
                self.tell(constant_condition(condition.span, value=value))
            case IsNone(operand, negated) if at.facts != NOWHERE:
                of = self.expressions.types.get(operand, UNKNOWN)
                if not is_optional(of) and not isinstance(of, Unknown):
                    self.tell(constant_condition(condition.span, value=negated))
            case _:
                pass

    def _set(self, statement: Set, facts: int, local: Locals) -> int:
        name, value = statement.name.text, statement.value
        wanted = self._declared(name)
        if isinstance(value, NoneLiteral) and not self.final:
            found: FlowType = NoneType()
        elif wanted is None:
            found = self.expressions.type_of(value, At(facts, local))
        elif self.final and name in self.names.slots and is_literal_for(value, wanted) is False:
            found = wanted
            self.tell(value_refused(value, name, wanted))
        else:
            found = self.expressions.need(value, wanted, At(facts, local))
        return self._assigned(facts, name, found)

    def _declared(self, name: str) -> FlowType | None:
        """The type that a slot, parameter or result is declared with."""
        slot = self.names.slots.get(name)
        if slot is not None:
            return slot.type
        return self.interface.parameters.get(name) or self.interface.results.get(name)

    def _assigned(self, facts: int, name: str, of: FlowType) -> int:
        wanted = self._declared(name)
        may_be_none = is_optional(of) and (wanted is None or is_optional(wanted))
        if may_be_none and facts != NOWHERE:
            self.optional.add(name)
        return self.facts.assigned(facts, name, may_be_none=may_be_none)

    def _target(self, target: Name | None, of: FlowType | None, facts: int) -> int:
        """`facts` after a call or `do` gave a value of type `of` to `target`."""
        if target is None:
            return facts
        wanted = self._declared(target.text)
        if self.final and of is None:
            self.tell(gives_nothing(target))
        elif self.final and wanted is not None and of is not None and not fits(of, wanted):
            self.tell(wrong_result(target, of, wanted))
        return self._assigned(facts, target.text, of if of is not None else UNKNOWN)

    # ---------------------------------------------------------------------------------------- waits and their arms

    def _arms(self, statement: Statement, arms: Iterable[Arm], facts: int, local: Locals) -> int:
        """What is certain after the arms of `statement` that go on."""
        arms = tuple(arms)
        if self.final:
            check_arms(arms, self.tell)
        after = NOWHERE
        self._resumes.append(statement if isinstance(statement, Wait) else (self._resumes or [None])[-1])
        for arm in arms:
            after &= self._arm(arm, facts, local)
        self._resumes.pop()
        return after

    def _arm(self, arm: Arm, facts: int, local: Locals) -> int:
        inner = self.resolved.locals.get(arm)
        if inner is not None:
            facts = self.facts.without(facts, *(name for name in inner if name not in local))
            local = inner
        match arm.patterns:
            case (ChangePattern((slot,)),) if slot.text in self.names.slots and facts != NOWHERE:
                facts = self._filled(facts, slot.text)
        if arm.when is not None:
            if self.final:
                self.expressions.condition(arm.when, At(facts, local))
            facts |= self.facts.shown(arm.when)[0]
        return self._body(arm.body, facts, local)

    def _filled(self, facts: int, slot: str) -> int:
        of = self.names.slots[slot].type
        gained = self.facts.has(slot) | (0 if is_optional(of) else self.facts.is_not_none((slot,)))
        return facts if facts == NOWHERE else facts & ~self.facts.is_empty(slot) | gained

    def _ask(self, ask: Ask, facts: int, local: Locals) -> int:
        at = self._joined(ask, facts)
        waiting = self._wait(at)
        slots = [name.text for name in ask.slots if name.text in self.names.slots]
        for slot in slots:
            self._asks_before[slot] = ask
            self.asked_at[slot] = self.asked_at.get(slot, NOWHERE) & waiting
        if self.final:
            self.asks[ask] = self._ask_facts(slots, at)
            if ask.question is not None:
                self.expressions.say(ask.question, At(waiting, local))
        self._again(ask, self._arms(ask, ask.arms, waiting, local))
        for slot in slots:
            waiting = self._filled(waiting, slot)
        return waiting

    def _ask_facts(self, slots: Iterable[str], facts: int) -> AskFacts:
        if facts == NOWHERE:
            return AskFacts(frozenset(), frozenset())
        filled = frozenset(slot for slot in slots if facts & self.facts.has(slot))
        return AskFacts(filled, frozenset(slot for slot in slots if facts & self.facts.is_empty(slot)))

    def _reject(self, reject: Reject, facts: int, local: Locals) -> int:
        if self.final:
            self.expressions.say(reject.text, At(facts, local))
        ask = self._asks_before.get(reject.slot.text)
        if ask is not None:
            self._again(ask, self.facts.forgotten(facts, reject.slot.text))
        return NOWHERE

    def _choose(self, choose: Choose, facts: int, local: Locals) -> int:
        at = self._joined(choose, facts)
        item: FlowType = UNKNOWN
        if self.final or choose.name.text in self.names.slots:
            items = self.expressions.there(choose.items, At(at, local))
            item = items.item if isinstance(items, ListOf) else UNKNOWN
            if self.final:
                check_choice(choose, items, item, At(at, local), self.expressions)
        waiting = self._wait(at)
        self._again(choose, self._arms(choose, choose.arms, waiting, local))
        return self._target(choose.name, required(item), waiting)

    # ------------------------------------------------------------------------------------------------------ calls

    def _call(self, call: Call, facts: int, local: Locals) -> int:
        operation = self.resolved.operations.get(call)
        if self.final:
            check_arguments(call, operation, At(facts, local), self.expressions)
        if not self._all_handled(call, operation):
            self._lower(failures=facts)
        failed = self._arms(call, call.arms, facts, local)
        return self._target(call.target, UNKNOWN if operation is None else operation.result, facts) & failed

    def _all_handled(self, call: Call, operation: OperationModel | None) -> bool:
        patterns = [pattern for arm in call.arms for pattern in arm.patterns]
        named = {pattern.name.text for pattern in patterns if isinstance(pattern, NamePattern)}
        if any(isinstance(pattern, ElsePattern) for pattern in patterns):
            return operation is None or operation.kind == "read" or "unknown" in named
        return operation is not None and named.issuperset(operation.outcomes)

    def _defer(self, defer: Defer, facts: int, local: Locals) -> int:
        if self.final:
            check_arguments(defer, self.resolved.operations.get(defer), At(facts, local), self.expressions)
            check_arms(defer.arms, self.tell)
        if facts != NOWHERE or defer in self.entry:
            self._locals[defer] = local
            self._reach(defer, self.facts.without(facts, "message", "user"))
        elif self.final:
            self._locals[defer] = local
        self._lower(failures=facts)
        return facts

    def _do(self, do: Do, facts: int, local: Locals) -> int:
        callee = self.resolved.called.get(do)
        if self.final:
            check_do_arguments(do, self.interfaces.get(callee or ""), At(facts, local), self.expressions)
        waiting = self._wait(self._joined(do, facts))
        others = self._arms(do, do.arms, waiting, local)
        of = UNKNOWN if callee is None else Record(f"{callee}.gives")
        return self._target(do.target, of, waiting) & others

    def _match(self, match: Match, facts: int, local: Locals) -> int:
        of: FlowType = UNKNOWN
        if self.final:
            of = self.expressions.type_of(match.subject, At(facts, local))
            check_match(match, of, self.tell)
        path = path_of(match.subject)
        there = self.facts.is_not_none(path) if path is not None else 0
        after, none_is_gone = NOWHERE, False
        for arm in match.arms:
            literals = [pattern.value for pattern in arm.patterns if isinstance(pattern, LiteralPattern)]
            has_none = any(isinstance(literal, NoneLiteral) for literal in literals)
            shown = there if (literals and not has_none) or (not literals and none_is_gone) else 0
            none_is_gone |= has_none
            after &= self._arm(arm, facts | shown, local)
        return after

    def _end(self, end: End, facts: int) -> None:
        for name, of in self.interface.results.items():
            needed = self.facts.has(name) | (0 if is_optional(of) else self.facts.is_not_none((name,)))
            if (facts | self.expressions.assumed) & needed != needed:
                self.not_given.append(NotGiven(name, end.span, self._region))
