"""A `Program` made ready to run, once, before any turn: each instruction a closure, each text and expression
compiled."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import assert_never

from flowc.runtime.durations import spelled_duration
from flowc.runtime.kernel.asking import ask, listen, reject
from flowc.runtime.kernel.calling import defer, failed, reads, write
from flowc.runtime.kernel.choosing import choose
from flowc.runtime.kernel.evaluate import Evaluate, constant_value
from flowc.runtime.kernel.heard import fold
from flowc.runtime.kernel.leaving import do, end, goto, handoff, resume
from flowc.runtime.kernel.loaded import (
    AskWait,
    ChooseWait,
    Code,
    DoWait,
    HandoffWait,
    ListenWait,
    LoadedArm,
    LoadedArms,
    LoadedCall,
    LoadedCheck,
    LoadedFailures,
    LoadedFlow,
    LoadedJob,
    LoadedPriority,
    LoadedProgram,
    LoadedSlot,
    ReadsWait,
    UserWait,
    Wait,
    WriteWait,
)
from flowc.runtime.kernel.statements import assign, branch, clear, jump, mark, match_values, say, say_with
from flowc.runtime.kernel.texts import TextOf, expression_of, text_of, texts_of
from flowc.runtime.program import (
    Anywhere,
    Argument,
    Ask,
    Assign,
    Branch,
    Call,
    Choose,
    Clear,
    Defer,
    Do,
    End,
    Expression,
    Failed,
    FailureArms,
    Flow,
    Goto,
    Guarded,
    Handoff,
    Instruction,
    Jump,
    Listen,
    Mark,
    Match,
    PriorityRule,
    Program,
    Reads,
    Reject,
    Resume,
    Say,
    Slot,
    Template,
    WaitArms,
    Write,
)
from flowc.runtime.types import Choice, Marked, Optional, Text, Type
from flowc.runtime.values import Shapes, Value, plain_type


def load(program: Program, *, main: str | None = None, arguments: Mapping[str, Value] | None = None) -> LoadedProgram:
    """The program as `advance` runs it. Immutable, shared by all conversations.

    With `main` conversations begin with another flow than the bot's, given `arguments`: a test of a called flow."""
    flows = {name: _flow(program, flow) for name, flow in program.flows.items()}
    shapes = Shapes(program.records, program.zone, program.currency)
    return LoadedProgram(program, flows, shapes, flows[main or program.main], arguments or {})


def _flow(program: Program, flow: Flow) -> LoadedFlow:
    slots = {name: _slot(slot) for name, slot in flow.slots.items()}
    calls = _calls(program, flow)
    waits: dict[str, Wait] = {}
    asks: dict[int, AskWait] = {}
    jobs: dict[str, LoadedJob] = {}
    for pc, instruction in enumerate(flow.code):
        wait = _wait(instruction, pc, slots, calls)
        match wait:
            case None:
                pass
            case AskWait():
                asks[pc] = wait
                waits.update(dict.fromkeys(wait.waits.values(), wait))
            case _:
                waits[wait.wait] = wait
        if isinstance(instruction, Defer):
            jobs[instruction.call.place] = _job(instruction, calls)
    by_pc: dict[int, Wait] = {wait.pc: wait for wait in waits.values()}
    anywhere = _anywhere(flow.anywhere)
    return LoadedFlow(
        flow=flow,
        name=flow.name,
        code=tuple([_code(step, pc, by_pc, jobs, calls) for pc, step in enumerate(flow.code)]),
        entries={name: state.entry for name, state in flow.states.items()},
        waits=waits,
        asks=asks,
        jobs=jobs,
        anywhere=anywhere,
        slots=slots,
        intent_slots={name: intent.slots for name, intent in flow.intents.items()},
        kept=_kept(flow, waits, jobs),
        silences={
            name: _times({*wait.arms.silences, *anywhere.silences})
            for name, wait in waits.items()
            if isinstance(wait, UserWait)
        },
        secrets=frozenset(name for name, type in flow.variables.items() if _is_secret(type)),
        state_priorities={
            name: _priority(state.priority) for name, state in flow.states.items() if state.priority is not None
        },
        priorities=tuple([_priority(rule) for rule in flow.priorities]),
        confidence=float(flow.confidence) if flow.confidence is not None else None,
        locale=flow.locale,
    )


def _times(silences: Iterable[int]) -> tuple[tuple[int, timedelta], ...]:
    return tuple([(after_ms, timedelta(milliseconds=after_ms)) for after_ms in sorted(silences)])


def _is_secret(type: Type) -> bool:
    match type:
        case Marked(mark="secret"):
            return True
        case Marked(inner=inner) | Optional(inner=inner):
            return _is_secret(inner)
        case _:
            return False


def _kept(flow: Flow, waits: Iterable[str], jobs: Iterable[str]) -> dict[str, frozenset[str]]:
    """The variables to store at each wait. An `ask` may be listed once for all of its slots."""
    kept = {}
    for name in (*waits, *jobs):
        stored = flow.stored.get(name)
        if stored is None:
            stored = flow.stored.get(name.rpartition(".")[0])
        if stored is not None:
            kept[name] = frozenset(stored)
    return kept


def _priority(rule: PriorityRule) -> LoadedPriority:
    return LoadedPriority(rule.priority, expression_of(rule.when) if rule.when is not None else None)


def _slot(slot: Slot) -> LoadedSlot:
    type = plain_type(slot.type)
    return LoadedSlot(
        slot=slot,
        name=slot.name,
        type=type,
        is_plain=isinstance(type, Text) and type.pattern is None,
        ask=text_of(slot.ask) if slot.ask is not None else None,
        reask=text_of(slot.reask) if slot.reask is not None else None,
        checks=tuple([LoadedCheck(expression_of(check.condition), text_of(check.text)) for check in slot.checks]),
        words=_choice_words(slot, type),
    )


def _choice_words(slot: Slot, type: Type) -> Mapping[str, str]:
    if not isinstance(type, Choice):
        return {}
    also = {fold(word): each.value for each in slot.words for word in each.words}
    return {**also, **{fold(value): value for value in type.values}}


# --------------------------------------------------------------------------------------------------------------- calls


def _calls(program: Program, flow: Flow) -> dict[str, LoadedCall]:
    """Every call of a flow by its place."""
    calls = {}
    for instruction in flow.code:
        match instruction:
            case Reads(calls=several):
                calls.update({call.place: _call(program, call) for call in several})
            case Write(call=call) | Defer(call=call):
                calls[call.place] = _call(program, call)
    return calls


def _call(program: Program, call: Call) -> LoadedCall:
    operation = program.services[call.service].operations[call.operation]
    return LoadedCall(
        place=call.place,
        service=call.service,
        operation=call.operation,
        arguments=_arguments(call.arguments),
        target=call.target,
        within_ms=operation.policy.within_ms,
    )


def _arguments(arguments: Iterable[Argument]) -> tuple[tuple[str, Evaluate], ...]:
    return tuple([(argument.name, expression_of(argument.value)) for argument in arguments])


def _failure_arms(arms: FailureArms) -> LoadedFailures:
    return LoadedFailures(arms.named, arms.otherwise)


def _job(instruction: Defer, calls: Mapping[str, LoadedCall]) -> LoadedJob:
    return LoadedJob(
        call=calls[instruction.call.place],
        within_ms=instruction.within_ms,
        priority=instruction.priority,
        done=instruction.done,
        done_name=instruction.done_name,
        failed=instruction.failed,
        unknown=instruction.unknown,
    )


# ---------------------------------------------------------------------------------------------------------------- arms


def _arms(arms: WaitArms) -> LoadedArms:
    return LoadedArms(
        intents={name: _guarded(f"on {name}", several) for name, several in arms.intents.items()},
        events={name: _guarded(f"on {name}", several) for name, several in arms.events.items()},
        changes=tuple(
            [
                (arm.slots, LoadedArm("on change " + ", ".join(arm.slots), arm.to, _when(arm.when)))
                for arm in arms.changes
            ]
        ),
        silences=_silences(arms),
        otherwise=LoadedArm("else", arms.otherwise) if arms.otherwise is not None else None,
    )


def _guarded(name: str, arms: Iterable[Guarded]) -> tuple[LoadedArm, ...]:
    """Several arms for one intent or event are told apart by a number."""
    return tuple(
        [
            LoadedArm(name if number == 1 else f"{name} {number}", arm.to, _when(arm.when))
            for number, arm in enumerate(arms, 1)
        ]
    )


def _when(condition: Expression | None) -> Evaluate | None:
    return expression_of(condition) if condition is not None else None


def _silences(arms: WaitArms) -> dict[int, tuple[LoadedArm, ...]]:
    silences: dict[int, tuple[LoadedArm, ...]] = {}
    for arm in arms.silences:
        loaded = LoadedArm(f"on silence {spelled_duration(arm.after_ms)}", arm.to, _when(arm.when))
        silences[arm.after_ms] = (*silences.get(arm.after_ms, ()), loaded)
    return silences


def _anywhere(anywhere: Anywhere) -> LoadedArms:
    arms = _arms(anywhere.arms)
    return LoadedArms(
        intents=arms.intents,
        events=arms.events,
        silences=arms.silences,
        otherwise=arms.otherwise,
        failure=LoadedArm("on failure", anywhere.failure) if anywhere.failure is not None else None,
        unknown=LoadedArm("on unknown", anywhere.unknown) if anywhere.unknown is not None else None,
    )


# --------------------------------------------------------------------------------------------------------------- waits


def _wait(
    instruction: Instruction, pc: int, slots: Mapping[str, LoadedSlot], calls: Mapping[str, LoadedCall]
) -> Wait | None:
    """What is found again by its name when the conversation goes on there."""
    match instruction:
        case Ask(wait=name):
            return AskWait(
                pc=pc,
                wait=name,
                slots=tuple([slots[slot] for slot in instruction.slots]),
                names=frozenset(instruction.slots),
                waits={slot: f"{name}.{slot}" for slot in instruction.slots},
                question=_text(instruction.question),
                arms=_arms(instruction.arms),
                next=instruction.next,
            )
        case Choose(wait=name):
            return ChooseWait(
                pc=pc,
                wait=name,
                name=instruction.name,
                items=expression_of(instruction.items),
                question=text_of(instruction.question),
                show=_text(instruction.show),
                arms=_arms(instruction.arms),
                empty=instruction.empty,
                next=instruction.next,
            )
        case Listen(wait=name, arms=arms, say=repeated):
            return ListenWait(pc, name, _arms(arms), repeated)
        case Reads(calls=several):
            return ReadsWait(pc, several[0].place, tuple([calls[call.place] for call in several]))
        case Write(call=call, arms=failures):
            return WriteWait(pc, call.place, calls[call.place], _failure_arms(failures))
        case Do(wait=name, arguments=arguments):
            return DoWait(
                pc=pc,
                wait=name,
                flow=instruction.flow,
                arguments=_arguments(arguments),
                target=instruction.target,
                outcomes=instruction.outcomes,
                next=instruction.next,
            )
        case Handoff(wait=name, queue=queue):
            return HandoffWait(pc, name, text_of(queue), instruction.returned, instruction.unavailable)
        case _:
            return None


def _text(template: Template | None) -> TextOf | None:
    return text_of(template) if template is not None else None


# ------------------------------------------------------------------------------------------------------------ the code


def _code(
    instruction: Instruction,
    pc: int,
    waits: Mapping[int, Wait],
    jobs: Mapping[str, LoadedJob],
    calls: Mapping[str, LoadedCall],
) -> Code:
    """The closure of one instruction."""
    wait = waits.get(pc)
    if wait is not None:
        return _code_of_wait(wait)
    next = pc + 1
    match instruction:
        case Say():
            return _say(instruction, next)
        case Reject(slot=slot, text=text, ask=ask_pc):
            return reject(slot, text_of(text), ask_pc)
        case Failed(place=place, arms=arms):
            return failed(calls[place], _failure_arms(arms), next)
        case Defer(call=call):
            return defer(jobs[call.place], next)
        case Jump(to=to):
            return jump(to)
        case Branch(condition=condition, otherwise=otherwise):
            return branch(expression_of(condition), next, otherwise)
        case Match(subject=subject, cases=cases, otherwise=otherwise):
            known = [(constant_value(case.value), case.to) for case in cases]
            return match_values(expression_of(subject), known, otherwise)
        case Assign(name=name, value=value):
            return assign(name, expression_of(value), next)
        case Clear(names=names):
            return clear(names, next)
        case Goto(state=state):
            return goto(state)
        case Resume(up_to=up_to, then=then):
            return resume(up_to, then)
        case End(outcome=outcome):
            return end(outcome)
        case Mark(milestone=milestone):
            return mark(text_of(milestone), next)
        case Ask() | Choose() | Listen() | Reads() | Write() | Do() | Handoff():
            raise ValueError(f"two waits at {pc} of one flow have one name")
        case _:
            assert_never(instruction)


def _code_of_wait(wait: Wait) -> Code:
    match wait:
        case AskWait():
            return ask(wait)
        case ChooseWait():
            return choose(wait)
        case ListenWait():
            return listen(wait)
        case ReadsWait():
            return reads(wait)
        case WriteWait():
            return write(wait)
        case DoWait():
            return do(wait)
        case HandoffWait():
            return handoff(wait)
        case _:
            assert_never(wait)


def _say(instruction: Say, next: int) -> Code:
    texts = [text_of(text) for text in instruction.texts]
    if not (instruction.buttons or instruction.images or instruction.links):
        return say(texts, next)
    buttons, images = texts_of(instruction.buttons), texts_of(instruction.images)
    links = [(text_of(link.label), text_of(link.url)) for link in instruction.links]
    return say_with(texts, (buttons, images, links), next)
