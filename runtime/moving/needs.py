"""Which variables must have a value for a conversation to go on at a place of a flow.

The backward analysis of `flowc.compiler.liveness` over the same flat code, with another question: not what can still
be read, but what is read as if it were there. A name counts as there behind the instruction that gives it a value, or
behind a condition that shows that it has one. The compiler has proved of each version that what its places need is
there; so what a place of the new version needs is there in the old one where the old one needs it too.

Variables of a type with `?` are never needed: without a value they read as `none`, which is one of theirs. The names
that an arm reads of its error, event or result are needed as `.NAME`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, assert_never

from flowc.runtime.program import (
    Apply,
    Argument,
    Ask,
    Assign,
    Branch,
    Builtin,
    Call,
    Choose,
    Clear,
    Constant,
    Defer,
    Do,
    Each,
    End,
    Expression,
    Failed,
    FailureArms,
    Flow,
    Get,
    Goto,
    Handoff,
    Instruction,
    Jump,
    Listen,
    Local,
    MakeList,
    MakeRecord,
    Mark,
    Match,
    Program,
    Reads,
    Reject,
    Render,
    Resume,
    Say,
    Show,
    Target,
    Template,
    TemplatePart,
    TextFor,
    TextIf,
    Variable,
    WaitArms,
    Words,
    Write,
)
from flowc.runtime.types import Field
from flowc.runtime.values import is_optional

__all__ = ["LOCAL", "Needs", "needs_of", "read_by"]

LOCAL: Final = "."  # begins the name of what belongs to an arm
NOTHING: Final[frozenset[str]] = frozenset()
Names = frozenset[str]
Needs = Mapping[str, Names]
Edge = tuple[Target, Iterable[str]]


def needs_of(program: Program, flow: Flow) -> Needs:
    """What each wait and each job of `flow` needs, by its stored name, and each state at its top, by its own."""
    return _Analysis(program, flow).needs()


class _Analysis:
    """One flow; guards what it has learnt about its code."""

    def __init__(self, program: Program, flow: Flow) -> None:
        self._program = program
        self._flow = flow
        self._code = flow.code
        self._wanted = frozenset(name for name, type in flow.variables.items() if not is_optional(type))
        self._targets = {
            call.place: call.target for each in flow.code if isinstance(each, Reads) for call in each.calls
        }
        self._beginnings = frozenset(self._arms_of_all())
        self._resumed = self._waits_of_resumes()
        self._before = self._solve()

    def needs(self) -> Needs:
        general = self._joined(self._interruptions())
        found = {name: self._at_wait(at) | general for name, at in self._flow.waits.items()}
        found.update({name: self._before[state.entry] | general for name, state in self._flow.states.items()})
        for each in self._code:
            if isinstance(each, Defer):
                found[each.call.place] = self._joined(self._job_arms(each))
        return found

    def _solve(self) -> list[Names]:
        """What each instruction needs. Linear but for loops."""
        before = [NOTHING] * len(self._code)
        edges = [tuple(self._edges(at, each)) for at, each in enumerate(self._code)]
        reads = [self._kept(self._read(each)) for each in self._code]
        sources: list[list[int]] = [[] for _ in self._code]
        for at, targets in enumerate(edges):
            for to, _ in targets:
                sources[to].append(at)
        pending = list(range(len(self._code)))
        while pending:
            at = pending.pop()
            now = reads[at].union(*(before[to].difference(given) for to, given in edges[at]))
            if at in self._beginnings:  # what an arm is told begins with it
                now = _without_locals(now)
            if now != before[at]:
                before[at] = now
                pending.extend(sources[at])
        return before

    def _kept(self, names: Names) -> Names:
        return frozenset(name for name in names if name in self._wanted or name.startswith(LOCAL))

    def _joined(self, targets: Iterable[Target]) -> Names:
        return NOTHING.union(*(self._before[to] for to in targets))

    def _at_wait(self, at: Target) -> Names:
        """What must be there while the conversation waits; arguments of what was called need not."""
        match self._code[at]:
            case Write() | Do() | Handoff() as each:
                return NOTHING.union(*(self._before[to].difference(given) for to, given in self._edges(at, each)))
            case _:
                return self._before[at]

    # ------------------------------------------------------------------------------------------------ control flow

    def _edges(self, at: Target, instruction: Instruction) -> Iterator[Edge]:
        """Where control goes from here, with what surely has a value on that way."""
        return (edge for edge in self._all_edges(at, instruction) if edge[0] < len(self._code))

    def _all_edges(self, at: Target, instruction: Instruction) -> Iterator[Edge]:
        match instruction:
            case Ask(slots=slots, arms=arms, next=after):
                yield after, slots
                yield from _arms(arms)
            case Choose(name=name, arms=arms, empty=empty, next=after):
                yield after, (name,)
                yield empty, ()
                yield from _arms(arms)
            case Listen(arms=arms):
                yield from _arms(arms)
            case Failed(place=place, arms=arms):
                yield at + 1, _named(self._targets[place])
                yield from _plainly(self._failures(arms))
            case Write(call=call, arms=arms):
                yield at + 1, _named(call.target)
                yield from _plainly(self._failures(arms))
            case Do(target=target, outcomes=outcomes, next=after):
                yield after, _named(target)
                yield from _plainly(outcomes.values())
            case Defer():
                yield at + 1, ()
                yield from _plainly(self._job_arms(instruction))
            case Branch(condition=condition, otherwise=otherwise):
                yield at + 1, shown_by(condition, holds=True)
                yield otherwise, shown_by(condition, holds=False)
            case Match(subject=subject, cases=cases, otherwise=otherwise):
                shown = _variable(subject)
                for case in cases:
                    yield case.to, NOTHING if case.value.kind == "none" else shown
                yield otherwise, shown if any(case.value.kind == "none" for case in cases) else NOTHING
            case Clear(names):
                yield at + 1, names
            case Assign(name=name):
                yield at + 1, (name,)
            case _:
                yield from _plainly(self._plain_next(at, instruction))

    def _plain_next(self, at: Target, instruction: Instruction) -> Iterable[Target]:
        match instruction:
            case Say() | Reads() | Mark():
                return (at + 1,)
            case Reject(ask=ask):
                return (ask,)
            case Jump(to):
                return (to,)
            case Goto(state):
                return (self._flow.states[state].entry,)
            case Resume(then=then):
                entry = () if then is None else (self._flow.states[then].entry,)
                return (*self._resumed.get(at, ()), *entry)
            case Handoff(returned=returned, unavailable=unavailable):
                return (*_given(returned), *_given(unavailable))
            case _:
                return ()

    def _failures(self, arms: FailureArms) -> Iterable[Target]:
        """Where a call that failed goes: to its arms, or to those of `anywhere`."""
        general = self._flow.anywhere
        failure = () if arms.otherwise is not None else _given(general.failure)
        return (*arms.named.values(), *_given(arms.otherwise), *failure, *_given(general.unknown))

    def _job_arms(self, defer: Defer) -> Iterable[Target]:
        general = self._flow.anywhere
        failed = general.failure if defer.failed is None else defer.failed
        unknown = general.unknown if defer.unknown is None else defer.unknown
        return (*_given(defer.done), *_given(failed), *_given(unknown))

    def _interruptions(self) -> Iterator[Target]:
        """What may run on top of any wait of the flow: the arms of `anywhere`, and the states that its jobs go to."""
        general = self._flow.anywhere
        yield from (to for to, _ in _arms(general.arms))
        yield from (*_given(general.failure), *_given(general.unknown))
        for each in self._code:
            if isinstance(each, Defer):
                jobs = self._reached((*_given(each.done), *_given(each.failed), *_given(each.unknown)))
                states = [self._code[at] for at in jobs]
                yield from (self._flow.states[goto.state].entry for goto in states if isinstance(goto, Goto))

    def _arms_of_all(self) -> Iterator[Target]:
        """Where an arm begins that is told something: a failure, an event, a result."""
        general = self._flow.anywhere
        yield from (to for to, _ in _arms(general.arms))
        yield from (*_given(general.failure), *_given(general.unknown))
        for each in self._code:
            match each:
                case Ask(arms=arms) | Choose(arms=arms) | Listen(arms=arms):
                    yield from (to for to, _ in _arms(arms))
                case Failed(arms=failures) | Write(arms=failures):
                    yield from self._failures(failures)
                case Defer():
                    yield from self._job_arms(each)
                case _:
                    pass
        yield from (state.entry for state in self._flow.states.values())

    def _waits_of_resumes(self) -> dict[Target, list[Target]]:
        """The waits in whose arms each `resume` stands."""
        found: dict[Target, list[Target]] = {}
        for at, each in enumerate(self._code):
            match each:
                case Ask(arms=arms) | Choose(arms=arms) | Listen(arms=arms):
                    for place in self._reached(to for to, _ in _arms(arms)):
                        if isinstance(self._code[place], Resume):
                            found.setdefault(place, []).append(at)
                case _:
                    pass
        return found

    def _reached(self, starts: Iterable[Target]) -> set[Target]:
        """The instructions of the arms that begin at `starts`, as far as they run without another wait for the user."""
        seen: set[Target] = set()
        pending = list(starts)
        while pending:
            at = pending.pop()
            if at in seen or at >= len(self._code):
                continue
            seen.add(at)
            each = self._code[at]
            match each:
                case Ask() | Choose() | Listen() | Goto() | Resume() | End():
                    pass
                case _:
                    pending.extend(to for to, _ in self._edges(at, each))
        return seen

    # ------------------------------------------------------------------------------------------------ what is read

    def _read(self, instruction: Instruction) -> Names:
        match instruction:
            case Say(texts, buttons, images, links):
                linked = (text for link in links for text in (link.label, link.url))
                return _texts(*texts, *buttons, *images, *linked)
            case Ask(slots=slots, question=question, arms=arms):
                return _guards(arms) | self._questions(slots, question)
            case Choose(name=name, items=items, question=question, show=show, arms=arms):
                labels = _texts(show) - {LOCAL + name}
                return read_by(items) | _texts(question) | labels | _guards(arms)
            case Listen(arms=arms, say=said):
                return _guards(arms) | (NOTHING if said is None else self._read(self._code[said]))
            case Reject(text=text):
                return _texts(text)
            case Reads(calls):
                return NOTHING.union(*(self._called(call) for call in calls))
            case Write(call) | Defer(call):
                return self._called(call)
            case Do(flow=flow, arguments=arguments):
                return _given_to(arguments, self._program.flows[flow].takes)
            case Branch(condition=condition):
                return read_by(condition)
            case Match(subject=subject, cases=cases):
                return read_by(subject, may_be_none=any(case.value.kind == "none" for case in cases))
            case Assign(name=name, value=value):
                return read_by(value, may_be_none=name not in self._wanted)
            case Handoff(queue=queue):
                return _texts(queue)
            case Mark(milestone):
                return _texts(milestone)
            case End(outcome):
                results = (field.name for field in self._flow.gives if not is_optional(field.type))
                return frozenset(results) if outcome is None else NOTHING
            case Failed() | Jump() | Clear() | Goto() | Resume():
                return NOTHING
            case _:
                assert_never(instruction)

    def _called(self, call: Call) -> Names:
        return _given_to(call.arguments, self._program.services[call.service].operations[call.operation].parameters)

    def _questions(self, slots: Iterable[str], question: Template | None) -> Names:
        """What the questions read; a check reads its own slot as a name of its own."""
        found = _texts(question)
        for slot in (self._flow.slots[name] for name in slots):
            own = {LOCAL + slot.name}
            found |= _texts(slot.ask, slot.reask)
            for check in slot.checks:
                found |= (read_by(check.condition) | _texts(check.text)) - own
        return found


# --------------------------------------------------------------------------------------------------------- expressions


def read_by(expression: Expression, *, may_be_none: bool = False) -> Names:
    """The variables that `expression` reads as if they had a value; `may_be_none` where none would do as well."""
    match expression:
        case Variable(name):
            return NOTHING if may_be_none else frozenset((name,))
        case Local(name):
            return frozenset((LOCAL + name,))
        case Get(target=target) | Each(target=target):
            return read_by(target)
        case Apply("and" | "or" as function, (left, right)):
            return read_by(left) | (read_by(right) - shown_by(left, holds=function == "and"))
        case Apply("is_none" | "is_not_none" | "eq" | "ne" | "in" | "not_in", arguments):
            return NOTHING.union(*(read_by(each, may_be_none=True) for each in arguments))
        case Apply(arguments=arguments):
            return NOTHING.union(*(read_by(each) for each in arguments))
        case MakeList(items):
            return NOTHING.union(*(read_by(each) for each in items))
        case MakeRecord(fields):
            return NOTHING.union(*(read_by(each.value, may_be_none=True) for each in fields))
        case Render(template):
            return _texts(template)
        case Constant() | Builtin():
            return NOTHING
        case _:
            assert_never(expression)


def shown_by(condition: Expression, *, holds: bool) -> Names:
    """The variables of which is known that they have a value where `condition` holds, or does not."""
    match condition:
        case Apply("not", (inner,)):
            return shown_by(inner, holds=not holds)
        case Apply("is_not_none", (inner,)):
            return _variable(inner) if holds else NOTHING
        case Apply("is_none", (inner,)):
            return NOTHING if holds else _variable(inner)
        case Apply("eq", (left, right)):
            return _equal(left, right) if holds else NOTHING
        case Apply("ne", (left, right)):
            return NOTHING if holds else _equal(left, right)
        case Apply("in", (left, _)):
            return _variable(left) if holds else NOTHING
        case Apply("and", (left, right)) if holds:
            return shown_by(left, holds=True) | shown_by(right, holds=True)
        case Apply("or", (left, right)) if not holds:
            return shown_by(left, holds=False) | shown_by(right, holds=False)
        case _:
            return NOTHING


def _equal(left: Expression, right: Expression) -> Names:
    """What equals a literal is there."""
    match left, right:
        case (Constant(kind), other) | (other, Constant(kind)) if kind != "none":
            return _variable(other)
        case _:
            return NOTHING


def _variable(expression: Expression) -> Names:
    """The variable that `expression` is, or is a field of."""
    match expression:
        case Variable(name):
            return frozenset((name,))
        case Get(target=target):
            return _variable(target)
        case _:
            return NOTHING


def _given_to(arguments: Iterable[Argument], fields: Iterable[Field]) -> Names:
    """What arguments read; one for a type with `?` may be none. So may one for a slot, which is asked for then."""
    wanted = {field.name for field in fields if not is_optional(field.type)}
    return NOTHING.union(*(read_by(each.value, may_be_none=each.name not in wanted) for each in arguments))


def _texts(*templates: Template | None) -> Names:
    return NOTHING.union(*(_parts(each.parts) for each in templates if each is not None))


def _parts(parts: Iterable[TemplatePart]) -> Names:
    found = NOTHING
    for part in parts:
        match part:
            case Words():
                pass
            case Show(value, filters):
                replaced = any(each.name == "default" for each in filters)
                found |= read_by(value, may_be_none=replaced)
                found = found.union(*(read_by(argument) for each in filters for argument in each.arguments))
            case TextIf(branches):
                shown = NOTHING
                for branch in branches:
                    here = shown
                    if branch.condition is not None:
                        found |= read_by(branch.condition) - shown
                        here = shown | shown_by(branch.condition, holds=True)
                        shown |= shown_by(branch.condition, holds=False)
                    found |= _parts(branch.parts) - here
            case TextFor(variable, items, inner):
                found |= read_by(items) | (_parts(inner) - {LOCAL + variable})
            case _:
                assert_never(part)
    return found


def _guards(arms: WaitArms) -> Names:
    named = (each.when for table in (arms.intents, arms.events) for guarded in table.values() for each in guarded)
    others = (*(each.when for each in arms.changes), *(each.when for each in arms.silences))
    found = NOTHING.union(*(read_by(each) for each in (*named, *others) if each is not None))
    return _without_locals(found)


# ---------------------------------------------------------------------------------------------------------- and so on


def _arms(arms: WaitArms) -> Iterator[Edge]:
    """Where the arms begin. A change of one slot gives it a value."""
    for table in (arms.intents, arms.events):
        yield from ((each.to, ()) for guarded in table.values() for each in guarded)
    for change in arms.changes:
        yield change.to, change.slots if len(change.slots) == 1 else ()
    yield from ((each.to, ()) for each in arms.silences)
    yield from _plainly(_given(arms.otherwise))


def _plainly(targets: Iterable[Target]) -> Iterator[Edge]:
    return ((to, ()) for to in targets)


def _without_locals(names: Names) -> Names:
    return frozenset(name for name in names if not name.startswith(LOCAL))


def _given(target: Target | None) -> tuple[Target, ...]:
    return () if target is None else (target,)


def _named(name: str | None) -> tuple[str, ...]:
    return () if name is None else (name,)
