"""Which variables a later instruction can still read: what a conversation stores at each of its waits.

The backward analysis of any compiler, over the flat code of one flow, with sets of variables as bits. Two things are
special. A `resume` goes back to a wait that only the run knows: in an arm of a wait it is that wait; in a handler it
is any, but a frame that is interrupted keeps what its own wait needs, so the handler need not. And a variable that a
text, a guard or a slot's check reads is read where the wait begins again.
"""

from collections.abc import Iterator, Mapping
from typing import assert_never

from flowc.compiler.lower_code import FlowCode
from flowc.runtime.program import (
    Anywhere,
    Apply,
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
    Reads,
    Reject,
    Render,
    Resume,
    Say,
    Show,
    Slot,
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

__all__ = ["stored", "waits"]


def waits(code: tuple[Instruction, ...], spoken: frozenset[int]) -> dict[str, Target]:
    """The instruction of each wait by the name that is stored. `spoken` are reads before which something may have been
    said."""
    found: dict[str, Target] = {}
    for at, instruction in enumerate(code):
        match instruction:
            case Ask(wait=wait, slots=slots):
                found.update({f"{wait}.{slot}": at for slot in slots})
            case Choose(wait=wait) | Listen(wait=wait) | Do(wait=wait) | Handoff(wait=wait):
                found[wait] = at
            case Write(call):
                found[call.place] = at
            case Reads(calls) if at in spoken:
                found[calls[0].place] = at
            case _:
                pass
    return found


def stored(
    flow: FlowCode, slots: Mapping[str, Slot], results: tuple[str, ...], places: Mapping[str, Target]
) -> dict[str, tuple[str, ...]]:
    """The variables that each wait of `places`, and each deferred job, has to keep, in the order of their names."""
    reading = _Reading(flow, slots, results)
    alone = reading.solve(0)
    user_waits = [at for at, each in enumerate(flow.code) if isinstance(each, Ask | Choose | Listen | Do | Handoff)]
    ordinary = [at for at in user_waits if at < flow.handlers and at not in flow.jobs]
    everything = 0
    for at in ordinary:
        everything |= reading.kept(at, alone)
    inside = reading.solve(everything)
    kept = {}
    for name, at in places.items():
        handler = at >= flow.handlers or at in flow.jobs
        kept[name] = reading.kept(at, inside if handler else alone)
    for instruction in flow.code:
        if isinstance(instruction, Defer):
            kept[instruction.call.place] = reading.job(instruction, alone)
    return {name: reading.names(kept[name]) for name in sorted(kept)}


class _Reading:
    """What each instruction of a flow reads and writes, as bits; guards nothing after it is made."""

    def __init__(self, flow: FlowCode, slots: Mapping[str, Slot], results: tuple[str, ...]) -> None:
        self._flow = flow
        self._code = flow.code
        self._bits: dict[str, int] = {}
        self._results = self._set(results)
        self._slots = slots
        self._targets = {
            call.place: call.target for each in flow.code if isinstance(each, Reads) for call in each.calls
        }
        self._edges = [tuple(self._next(at, each)) for at, each in enumerate(flow.code)]
        self._reads = [self._read(each) for each in flow.code]
        self._writes = [self._written(each) for each in flow.code]
        checks = (self._templates(check.text) | self._of(check.condition) for s in slots.values() for check in s.checks)
        self._checks = 0
        for each in checks:
            self._checks |= each

    def names(self, bits: int) -> tuple[str, ...]:
        return tuple(sorted(name for name, bit in self._bits.items() if bits & bit))

    def solve(self, resumed: int) -> list[int]:
        """What is live before each instruction, where a handler's `resume` needs `resumed`. Linear but for loops."""
        live = [0] * len(self._code)
        before: list[list[int]] = [[] for _ in self._code]
        for at, edges in enumerate(self._edges):
            for to, _ in edges:
                before[to].append(at)
        pending = list(range(len(self._code)))
        queued = [True] * len(self._code)
        while pending:
            at = pending.pop()
            queued[at] = False
            now = self._reads[at] | (self._after(at, live, resumed) & ~self._writes[at])
            if now != live[at]:
                live[at] = now
                for each in before[at]:
                    if not queued[each]:
                        queued[each] = True
                        pending.append(each)
        return live

    def _after(self, at: int, live: list[int], resumed: int) -> int:
        needed = resumed if isinstance(self._code[at], Resume) and at not in self._flow.resumes else 0
        for to, assigned in self._edges[at]:
            needed |= live[to] & ~assigned
        return needed

    def kept(self, at: int, live: list[int]) -> int:
        """What has to be there when the wait at `at` goes on. Arguments of a call that was made are not."""
        match self._code[at]:
            case Write() | Do() | Handoff():
                return self._after(at, live, 0) | self._interruptions(live) | self._checks
            case _:
                return live[at] | self._interruptions(live) | self._checks

    def _interruptions(self, live: list[int]) -> int:
        """What the handlers of the flow need, and the states that its jobs go to."""
        needed = 0
        for each in _anywhere_targets(self._flow.anywhere):
            needed |= live[each]
        for at in self._flow.jobs:
            needed |= live[at] if isinstance(self._code[at], Goto) else 0
        return needed

    def job(self, defer: Defer, live: list[int]) -> int:
        """What the arms of a job read; those of `anywhere` where it leaves one out."""
        needed = 0
        for arm in self._job_arms(defer):
            needed |= live[arm]
        return needed

    def _job_arms(self, defer: Defer) -> tuple[Target, ...]:
        general = self._flow.anywhere
        failed = general.failure if defer.failed is None else defer.failed
        unknown = general.unknown if defer.unknown is None else defer.unknown
        return (*_given(defer.done), *_given(failed), *_given(unknown))

    # ------------------------------------------------------------------------------------------------- control flow

    def _next(self, at: int, instruction: Instruction) -> Iterator[tuple[Target, int]]:
        """Where control goes from here, with what has another value on the way."""
        match instruction:
            case Failed(place=place, arms=arms):
                yield at + 1, self._set(_named(self._targets[place]))
                yield from _plainly(self._failures(arms))
            case Write(call=call, arms=arms):
                yield at + 1, self._set(_named(call.target))
                yield from _plainly(self._failures(arms))
            case Do(target=target, outcomes=outcomes, next=after):
                yield after, self._set(_named(target))
                yield from _plainly((*outcomes.values(), *_given(self._flow.anywhere.failure)))
            case Choose(name=name, arms=arms, empty=empty, next=after):
                yield after, self._set((name,))
                yield from _plainly((*_wait_targets(arms), empty))
            case _:
                yield from _plainly(self._plain_next(at, instruction))

    def _failures(self, arms: FailureArms) -> tuple[Target, ...]:
        """Where a call that failed goes: to its arms, or to those of `anywhere`."""
        general = () if arms.otherwise is not None else _given(self._flow.anywhere.failure)
        return (*arms.named.values(), *_given(arms.otherwise), *general, *_given(self._flow.anywhere.unknown))

    def _plain_next(self, at: int, instruction: Instruction) -> tuple[Target, ...]:
        match instruction:
            case Say() | Reads() | Assign() | Clear() | Mark():
                return (at + 1,)
            case Defer():
                return (at + 1, *self._job_arms(instruction))
            case Ask(arms=arms, next=after):
                return (*_wait_targets(arms), after)
            case Listen(arms=arms, say=said):
                return (*_wait_targets(arms), *_given(said))
            case Reject(ask=ask):
                return (ask,)
            case Jump(to):
                return (to,)
            case Branch(otherwise=otherwise):
                return (at + 1, otherwise)
            case Match(cases=cases, otherwise=otherwise):
                return (*(case.to for case in cases), *((otherwise,) if otherwise < len(self._code) else ()))
            case Goto(state):
                return (self._flow.entries[state],)
            case Resume(then=then):
                return (*_given(self._flow.resumes.get(at)), *(() if then is None else (self._flow.entries[then],)))
            case Handoff(returned=returned, unavailable=unavailable):
                return (*_given(returned), *_given(unavailable))
            case _:
                return ()

    # ------------------------------------------------------------------------------------------------- what is read

    def _read(self, instruction: Instruction) -> int:
        match instruction:
            case Say(texts, buttons, images, links):
                linked = (text for link in links for text in (link.label, link.url))
                return self._templates(*texts, *buttons, *images, *linked)
            case Ask(slots=slots, question=question, arms=arms):
                return self._set(slots) | self._questions(slots, question) | self._guards(arms)
            case Choose(items=items, question=question, show=show, arms=arms):
                return self._of(items) | self._templates(question, show) | self._guards(arms)
            case Listen(arms=arms):
                return self._guards(arms)
            case Reject(text=text):
                return self._templates(text)
            case Reads(calls):
                return self._arguments(*calls)
            case Write(call) | Defer(call):
                return self._arguments(call)
            case Do(arguments=arguments):
                return self._of(*(each.value for each in arguments))
            case Branch(condition=condition):
                return self._of(condition)
            case Match(subject=subject):
                return self._of(subject)
            case Assign(value=value):
                return self._of(value)
            case Handoff(queue=queue):
                return self._templates(queue)
            case Mark(milestone):
                return self._templates(milestone)
            case End(outcome):
                return self._results if outcome is None else 0
            case Failed() | Jump() | Clear() | Goto() | Resume():
                return 0
            case _:
                assert_never(instruction)

    def _written(self, instruction: Instruction) -> int:
        """What surely has another value afterwards, whichever way control goes."""
        match instruction:
            case Assign(name=name):
                return self._set((name,))
            case Clear(names):
                return self._set(names)
            case _:
                return 0

    def _set(self, names: tuple[str, ...]) -> int:
        bits = 0
        for name in names:
            bits |= self._bits.setdefault(name, 1 << len(self._bits))
        return bits

    def _questions(self, slots: tuple[str, ...], question: Template | None) -> int:
        asked = [self._slots[name] for name in slots]
        texts = [text for slot in asked for text in (slot.ask, slot.reask)]
        return self._templates(question, *texts)

    def _guards(self, arms: WaitArms) -> int:
        named = (each for table in (arms.intents, arms.events) for guarded in table.values() for each in guarded)
        conditions = [each.when for each in named]
        conditions += [each.when for each in arms.changes]
        conditions += [each.when for each in arms.silences]
        bits = self._of(*conditions)
        for change in arms.changes:
            bits |= self._set(change.slots)
        return bits

    def _arguments(self, *calls: Call) -> int:
        return self._of(*(each.value for call in calls for each in call.arguments))

    def _templates(self, *templates: Template | None) -> int:
        bits = 0
        for template in templates:
            if template is not None:
                bits |= self._of(*_shown(template.parts))
        return bits

    def _of(self, *expressions: Expression | None) -> int:
        bits = 0
        pending = [each for each in expressions if each is not None]
        while pending:
            match pending.pop():
                case Variable(name):
                    bits |= self._set((name,))
                case Get(target=target) | Each(target=target):
                    pending.append(target)
                case Apply(arguments=arguments):
                    pending.extend(arguments)
                case MakeList(items):
                    pending.extend(items)
                case MakeRecord(fields):
                    pending.extend(each.value for each in fields)
                case Render(template):
                    pending.extend(_shown(template.parts))
                case Constant() | Local() | Builtin():
                    pass
                case other:
                    assert_never(other)
        return bits


def _shown(parts: tuple[TemplatePart, ...]) -> Iterator[Expression]:
    for part in parts:
        match part:
            case Words():
                pass
            case Show(value, filters):
                yield value
                for each in filters:
                    yield from each.arguments
            case TextIf(branches):
                for branch in branches:
                    if branch.condition is not None:
                        yield branch.condition
                    yield from _shown(branch.parts)
            case TextFor(items=items, parts=inner):
                yield items
                yield from _shown(inner)
            case _:
                assert_never(part)


def _given(target: Target | None) -> tuple[Target, ...]:
    return () if target is None else (target,)


def _named(name: str | None) -> tuple[str, ...]:
    return () if name is None else (name,)


def _plainly(targets: tuple[Target, ...]) -> Iterator[tuple[Target, int]]:
    return ((target, 0) for target in targets)


def _wait_targets(arms: WaitArms) -> Iterator[Target]:
    for table in (arms.intents, arms.events):
        for guarded in table.values():
            yield from (each.to for each in guarded)
    yield from (each.to for each in arms.changes)
    yield from (each.to for each in arms.silences)
    yield from _given(arms.otherwise)


def _anywhere_targets(anywhere: Anywhere) -> tuple[Target, ...]:
    return (*_wait_targets(anywhere.arms), *_given(anywhere.failure), *_given(anywhere.unknown))
