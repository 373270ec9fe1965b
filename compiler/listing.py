"""A program as text: each flow with its tables and its numbered code, each service with its effective numbers.

What `flowc inspect` prints, and what the tests of `lower` compare. Every fact of the program is in it.
"""

from collections.abc import Iterator
from itertools import chain
from typing import assert_never

from flowc.compiler.spelling import quoted, spelled, spelled_template
from flowc.compiler.types import spelled as spelled_type
from flowc.runtime.durations import spelled_duration
from flowc.runtime.program import (
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
    Intent,
    Jump,
    Listen,
    Mark,
    Match,
    Operation,
    OwnPolicy,
    Program,
    Reads,
    Reject,
    Resume,
    Say,
    Service,
    ServicePolicy,
    Slot,
    Target,
    Template,
    WaitArms,
    Write,
)
from flowc.runtime.types import Field

__all__ = ["listing"]


def listing(program: Program) -> str:
    """`program` as text, one fact a line."""
    lines = [
        f"bot {program.bot} {program.version}, main {program.main}",
        f"locales {', '.join(program.locales)}, zone {program.zone}, currency {program.currency or 'none'}",
    ]
    if program.user_fields:
        lines.append(f"user {_fields(program.user_fields)}")
    lines += [f"record {name}: {_fields(fields)}" for name, fields in program.records.items()]
    for service in program.services.values():
        lines += ["", *_service(service)]
    for flow in program.flows.values():
        lines += ["", *_flow(flow)]
    return "\n".join(lines) + "\n"


def _fields(fields: tuple[Field, ...]) -> str:
    return ", ".join(f"{field.name}: {spelled_type(field.type)}" for field in fields)


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


# ------------------------------------------------------------------------------------------------------------ services


def _service(service: Service) -> Iterator[str]:
    policy = service.policy
    yield f"service {service.name} via {service.adapter}"
    breaker = policy.breaker
    yield f"  breaker {breaker.percent}% of {breaker.calls} for {spelled_duration(breaker.open_ms)}"
    yield f"  at most {policy.places} at once"
    yield from _limits(policy)
    yield from _settings(service.settings)
    yield from _indented(chain.from_iterable(_operation(each) for each in service.operations.values()))


def _limits(policy: ServicePolicy | OwnPolicy) -> Iterator[str]:
    for words, limit in (("limit", policy.limit), ("limit per user", policy.limit_per_user)):
        if limit is not None:
            yield f"  {words} {limit.count} in {limit.per_s}s"


def _own(own: OwnPolicy) -> Iterator[str]:
    if own.breaker is not None:
        yield f"  breaker {own.breaker.percent}% of {own.breaker.calls} for {spelled_duration(own.breaker.open_ms)}"
    if own.places is not None:
        yield f"  at most {own.places} at once"
    yield from _limits(own)


def _settings(settings: tuple[Argument, ...]) -> Iterator[str]:
    return (f"  {each.name} {spelled(each.value)}" for each in settings)


def _operation(operation: Operation) -> Iterator[str]:
    result = "" if operation.result is None else f" -> {spelled_type(operation.result)}"
    yield f"{operation.kind} {operation.name}({_fields(operation.parameters)}){result}"
    policy, retry = operation.policy, operation.policy.retry
    yield f"  timeout {spelled_duration(policy.timeout_ms)}, within {spelled_duration(policy.within_ms)}"
    yield f"  retry {retry.attempts} from {spelled_duration(retry.base_ms)} to {spelled_duration(retry.cap_ms)}"
    if policy.cache_ms is not None:
        yield f"  cache {spelled_duration(policy.cache_ms)}"
    if operation.own is not None:
        yield from _own(operation.own)
    if operation.key is not None:
        key = operation.key
        kept = ", keeps refusals" if key.keeps_refusals else ""
        named = "" if key.name is None else f" {key.name}"
        yield f"  key {key.carrier}{named} for {spelled_duration(key.remembered_ms)}{kept}"
    if operation.http is not None:
        http = operation.http
        yield f"  {http.method} {quoted(http.path)}"
        yield from (f"  header {quoted(each.name)} {spelled(each.value)}" for each in http.headers)
        if http.body is not None:
            yield f"  body {spelled(http.body)}"
        if http.answer:
            yield f"  answer {'.'.join(http.answer)}"
    yield from _settings(operation.settings)
    for failure in operation.failures:
        told = f"({_fields(failure.fields)})" if failure.fields else ""
        status = "" if failure.status is None else f" on {failure.status}"
        when = "" if failure.when_path is None else f" when {'.'.join(failure.when_path)} == {failure.when_equals}"
        yield f"  fails {failure.name}{told}{status}{when}"
    yield f"  outcomes {', '.join(operation.outcomes)}"


# --------------------------------------------------------------------------------------------------------------- flows


def _flow(flow: Flow) -> Iterator[str]:
    yield f"flow {flow.name} {flow.version}, starts in {flow.start}"
    yield from _indented(_header(flow))
    yield from _indented(chain.from_iterable(_slot(slot) for slot in flow.slots.values()))
    yield from (f"  {_intent(intent)}" for intent in flow.intents.values())
    yield from (f"  event {event.name}({_fields(event.fields)})" for event in flow.events.values())
    yield from _indented(_code(flow))
    yield from (f"  wait {name} at {at}" for name, at in flow.waits.items())
    yield from (f"  stored at {name}: {', '.join(names) or 'nothing'}" for name, names in flow.stored.items())
    for each in flow.migrations:
        minor = "" if each.minor is None else f".{each.minor}"
        yield f"  migrate from {each.major}{minor}"
        yield from (f"    state {old} -> {new}" for old, new in each.states.items())
        yield from (f"    set {line.name} = {spelled(line.value)}" for line in each.sets)


def _header(flow: Flow) -> Iterator[str]:
    if flow.takes:
        yield f"takes {_fields(flow.takes)}"
    if flow.gives:
        yield f"gives {_fields(flow.gives)}"
    if flow.locale is not None:
        yield f"locale {flow.locale}"
    if flow.reply_within_ms is not None:
        words = "" if flow.reply_within_text is None else f" else {_text(flow.reply_within_text)}"
        yield f"reply within {spelled_duration(flow.reply_within_ms)}{words}"
    if flow.confidence is not None:
        yield f"confidence {flow.confidence}"
    yield from (f"priority {each.priority}{_when(each.when)}" for each in flow.priorities)
    if flow.merge_within_ms is not None:
        yield f"while busy merge within {spelled_duration(flow.merge_within_ms)}"
    yield from (f"variable {name}: {spelled_type(of)}" for name, of in flow.variables.items())


def _slot(slot: Slot) -> Iterator[str]:
    yield f"slot {slot.name}: {spelled_type(slot.type)}, {slot.tries} tries"
    for words, text in (("ask", slot.ask), ("reask", slot.reask)):
        if text is not None:
            yield f"  {words} {_text(text)}"
    yield from (f"  check {spelled(check.condition)} else {_text(check.text)}" for check in slot.checks)
    yield from (f"  {quoted(each.value)} also {', '.join(map(quoted, each.words))}" for each in slot.words)


def _intent(intent: Intent) -> str:
    examples = (
        "".join(
            part if isinstance(part, str) else "{" + part.name + ("" if part.value is None else f": {part.value}") + "}"
            for part in example
        )
        for example in intent.examples
    )
    return f"intent {intent.name}: {', '.join(map(quoted, examples))}"


def _text(template: Template) -> str:
    mask = ", masked" if template.masked else ""
    return f"{spelled_template(template)} (text {template.id}{mask})"


def _when(condition: Expression | None) -> str:
    return "" if condition is None else f" when {spelled(condition)}"


# ---------------------------------------------------------------------------------------------------------------- code


def _code(flow: Flow) -> Iterator[str]:
    entries: dict[Target, list[str]] = {}
    for state in flow.states.values():
        priority = "" if state.priority is None else f", priority {state.priority.priority}{_when(state.priority.when)}"
        entries.setdefault(state.entry, []).append(f"state {state.name}{priority}")
    for at, instruction in enumerate(flow.code):
        yield from entries.get(at, ())
        first, *more = _instruction(instruction)
        yield f"{at:4} {first}"
        yield from (f"       {line}" for line in more)
    yield "anywhere"
    anywhere = flow.anywhere
    yield from _indented(_wait_arms(anywhere.arms))
    for words, target in (("failure", anywhere.failure), ("unknown", anywhere.unknown)):
        if target is not None:
            yield f"  on {words} -> {target}"


def _instruction(instruction: Instruction) -> Iterator[str]:
    """The instruction, and its arms as further lines."""
    match instruction:
        case Say():
            yield from _say(instruction)
        case Ask(wait, slots, question, arms, after):
            asked = "" if question is None else f" {_text(question)}"
            yield f"ask {', '.join(slots)}{asked}, waits at {wait}, then {after}"
            yield from _wait_arms(arms)
        case Choose(wait, name, items, question, show, arms, empty, after):
            yield f"choose {name} from {spelled(items)} {_text(question)}, waits at {wait}, empty {empty}, then {after}"
            if show is not None:
                yield f"show {_text(show)}"
            yield from _wait_arms(arms)
        case Listen(wait, arms, said):
            yield f"listen, waits at {wait}" + ("" if said is None else f", repeats {said}")
            yield from _wait_arms(arms)
        case Reject(slot, text, ask):
            yield f"reject {slot} {_text(text)}, back to {ask}"
        case Reads(calls):
            yield f"read {len(calls)} at the same time" if len(calls) > 1 else "read"
            yield from map(_call, calls)
        case Failed(place, arms):
            yield f"if {place} failed"
            yield from _failure_arms(arms)
        case Write(call, arms):
            yield f"write {_call(call)}"
            yield from _failure_arms(arms)
        case Defer():
            yield from _defer(instruction)
        case Do(wait, flow, arguments, target, outcomes, after):
            assigned = "" if target is None else f"{target} = "
            yield f"do {assigned}{flow}({_arguments(arguments)}), waits at {wait}, then {after}"
            yield from (f"on {outcome} -> {to}" for outcome, to in outcomes.items())
        case Match(subject, cases, otherwise):
            yield f"match {spelled(subject)}"
            yield from (f"on {spelled(case.value)} -> {case.to}" for case in cases)
            yield f"else -> {otherwise}"
        case _:
            yield _plain(instruction)


def _plain(instruction: Jump | Branch | Assign | Clear | Goto | Resume | Handoff | End | Mark) -> str:
    match instruction:
        case Jump(to):
            return f"jump {to}"
        case Branch(condition, otherwise):
            return f"if {spelled(condition)}, else {otherwise}"
        case Assign(name, value):
            return f"set {name} = {spelled(value)}"
        case Clear(names):
            return f"clear {', '.join(names)}"
        case Goto(state):
            return f"goto {state}"
        case Resume(up_to, then):
            return "resume" if up_to is None else f"resume up to {up_to}, then {then}"
        case Handoff(wait, queue, returned, unavailable):
            arms = (("returned", returned), ("unavailable", unavailable))
            given = "".join(f", on {name} -> {to}" for name, to in arms if to is not None)
            return f"handoff {_text(queue)}, waits at {wait}{given}"
        case End(outcome):
            return "end" if outcome is None else f"end {outcome}"
        case Mark(milestone):
            return f"mark {_text(milestone)}"
        case _:
            assert_never(instruction)


def _say(say: Say) -> Iterator[str]:
    first, *others = say.texts
    yield f"say {_text(first)}"
    yield from (f"or {_text(text)}" for text in others)
    yield from (f"button {_text(text)}" for text in say.buttons)
    yield from (f"image {_text(text)}" for text in say.images)
    yield from (f"link {_text(link.label)} {_text(link.url)}" for link in say.links)


def _call(call: Call) -> str:
    assigned = "" if call.target is None else f"{call.target} = "
    return f"{assigned}{call.service}.{call.operation}({_arguments(call.arguments)}) at {call.place}"


def _arguments(arguments: tuple[Argument, ...]) -> str:
    return ", ".join(f"{each.name}: {spelled(each.value)}" for each in arguments)


def _defer(defer: Defer) -> Iterator[str]:
    priority = "" if defer.priority is None else f", priority {defer.priority}"
    yield f"defer {_call(defer.call)}{priority}, within {spelled_duration(defer.within_ms)}"
    done = "done" if defer.done_name is None else f"done {defer.done_name}"
    for words, target in ((done, defer.done), ("failed", defer.failed), ("unknown", defer.unknown)):
        if target is not None:
            yield f"on {words} -> {target}"


def _failure_arms(arms: FailureArms) -> Iterator[str]:
    yield from (f"on {name} -> {to}" for name, to in arms.named.items())
    if arms.otherwise is not None:
        yield f"else -> {arms.otherwise}"


def _wait_arms(arms: WaitArms) -> Iterator[str]:
    for kind, table in (("intent", arms.intents), ("event", arms.events)):
        for name, guarded in table.items():
            yield from (f"on {kind} {name}{_guarded(each)}" for each in guarded)
    for change in arms.changes:
        yield f"on change {', '.join(change.slots)}{_when(change.when)} -> {change.to}"
    for silence in arms.silences:
        yield f"on silence {spelled_duration(silence.after_ms)}{_when(silence.when)} -> {silence.to}"
    if arms.otherwise is not None:
        yield f"else -> {arms.otherwise}"


def _guarded(each: Guarded) -> str:
    return f"{_when(each.when)} -> {each.to}"
