"""Which values of a conversation are marked: looked for in all of its turns, before any of them is shown."""

from flowc.runtime.engine.replay import Retaken
from flowc.runtime.history.masks import Masks, is_marked
from flowc.runtime.kernel import LoadedProgram, Position, asking
from flowc.runtime.kernel.answer import Asking
from flowc.runtime.kernel.events import (
    CallFailure,
    CallResult,
    Command,
    EventReceived,
    MessageReceived,
    Opened,
    ReadRequest,
    Succeeded,
    User,
)
from flowc.runtime.program import Operation, Program
from flowc.runtime.types import Type

__all__ = ["is_private", "learn_turn", "slot_type"]


def learn_turn(masks: Masks, loaded: LoadedProgram, before: Position | None, taken: Retaken) -> None:
    """From one turn: its event, what its calls were given and gave, and the state after it."""
    program = loaded.program
    masks.under(program)
    match taken.event:
        case MessageReceived(user=user) as event:
            _learn_user(masks, program, user, event.conversation)
            _learn_message(masks, loaded, before, event)
        case EventReceived(user=user) as event:
            _learn_user(masks, program, user, event.conversation)
            for flow in program.flows.values():
                if event.name in flow.events:
                    masks.learn_fields(flow.events[event.name].fields, event.fields)
        case Opened(user=user) as event:
            _learn_user(masks, program, user, event.conversation)
        case _:
            pass
    for index, step in enumerate(taken.steps):
        results = taken.reads[index] if index < len(taken.reads) else ()
        several: list[ReadRequest | Command] = [*step.reads, *step.commands]
        for asked in several:
            masks.learn_fields(program.services[asked.service].operations[asked.operation].parameters, asked.arguments)
        for read, result in zip(step.reads, results, strict=False):
            learn_result(masks, program.services[read.service].operations[read.operation], result)
        learn_position(masks, program, step.position)


def learn_result(masks: Masks, operation: Operation, result: CallResult) -> None:
    match result:
        case Succeeded(value):
            masks.learn(operation.result, value)
        case CallFailure(kind=kind, fields=fields):
            for failure in operation.failures:
                if failure.name == kind:
                    masks.learn_fields(failure.fields, fields)


def learn_position(masks: Masks, program: Program, position: Position | None) -> None:
    if position is None:
        return
    _learn_user(masks, program, position.user, position.conversation)
    held = [(run.flow, run.variables) for run in position.runs] + [
        (job.flow, job.variables) for job in position.deferred
    ]
    for name, variables in held:
        types = program.flows[name].variables
        for variable, value in variables.items():
            masks.learn(types.get(variable), value)


def _learn_user(masks: Masks, program: Program, user: User, conversation: str) -> None:
    for known in (user.name, user.id if user.id != conversation else None):
        if known:
            masks.learn_text(known)
    masks.learn_fields(program.user_fields, user.declared)


def _learn_message(masks: Masks, loaded: LoadedProgram, before: Position | None, event: MessageReceived) -> None:
    wanted = asking(loaded, before)
    if is_private(loaded.program, wanted):
        masks.learn_text(event.text)
    for found in event.understood.found:
        names = found.slots if found.slot is None else (found.slot,)
        for name in names:
            if is_marked(slot_type(loaded.program, wanted.flow, name), loaded.program.records):
                masks.learn_text(event.text[found.start : found.end])
                if isinstance(found.value, str):
                    masks.learn_text(found.value)


def is_private(program: Program, wanted: Asking) -> bool:
    """Whether the whole answer to the question is marked."""
    return wanted.asked is not None and is_marked(wanted.asked.type, program.records)


def slot_type(program: Program, flow: str, name: str) -> Type | None:
    """The type of a slot: of this flow, else of any."""
    flows = [program.flows[flow], *program.flows.values()]
    return next((each.slots[name].type for each in flows if name in each.slots), None)
