"""The checked model of a bot as a program: what the runtime executes, and what a bundle stores.

Pure and deterministic: the same sources give the same program whatever the hash seed, the folder or the machine, so
tables are in source order or sorted, and nothing of a path is in them. The model must be free of errors.
"""

from typing import Final

from flowc.compiler.liveness import stored, waits
from flowc.compiler.lower_code import FlowCode, lower_code
from flowc.compiler.lower_values import Values, stored_type
from flowc.compiler.model import FlowModel, IntentModel, Model, OperationModel, ServiceModel
from flowc.compiler.spoken import spoken_reads
from flowc.compiler.walk import statements_in
from flowc.dsl import nodes
from flowc.runtime import program
from flowc.runtime.types import Field, ListOf, Marked, Optional, Record, Type

__all__ = ["lower"]

REPLY_WITHIN_MS: Final = 10_000
CONFIDENCE: Final = "0.5"
TRIES: Final = 3
REMEMBERED_MS: Final = 24 * 60 * 60 * 1000


def lower(model: Model, first_words_ms: int = 0) -> program.Program:
    """The program of the model's bot; `first_words_ms` as the rules of its graphs found it. Raises ValueError where the
    project names no main flow."""
    if model.main is None:
        raise ValueError("the project has no main flow")
    values = Values(model)
    names = (model.main, *(name for name in model.bot if name != model.main))
    flows = {name: _flow(model.flows[name], model, values) for name in names}
    services = {service.name: _service(service, values) for service in _called_services(model, names)}
    settings = model.project.settings
    return program.Program(
        bot=settings.bot.name if settings else model.main,
        main=model.main,
        version=flows[model.main].version,
        flows=flows,
        services=services,
        records=_records(model, flows, services),
        user_fields=fields(model.user_fields),
        locales=settings.bot.locales if settings else ("en",),
        zone=model.project.zone,
        currency=settings.bot.currency if settings else None,
        first_words_ms=first_words_ms,
    )


def fields(types: tuple[Field, ...]) -> tuple[Field, ...]:
    """Fields as a program has them."""
    return tuple(Field(field.name, stored_type(field.type)) for field in types)


# --------------------------------------------------------------------------------------------------------------- flows


def _flow(flow: FlowModel, model: Model, values: Values) -> program.Flow:
    header, is_main = flow.header, flow.name == model.main
    within, busy, confidence = header.reply_within, header.while_busy, header.confidence
    slots = {name: _slot(flow, name, values) for name in flow.slots}
    code = lower_code(flow, model, values)
    places = waits(code.code, spoken_reads(code, None if is_main else flow.start))
    return program.Flow(
        name=flow.name,
        version=f"{header.version.major}.{header.version.minor}.{header.version.patch}",
        takes=tuple(Field(name, stored_type(of)) for name, of in flow.parameters.items()),
        gives=tuple(Field(name, stored_type(of)) for name, of in flow.results.items()),
        locale=None if header.locale is None else header.locale.text,
        reply_within_ms=within.within.ms if within else (REPLY_WITHIN_MS if is_main else None),
        reply_within_text=values.optional_template(within.text if within else None),
        confidence=str(confidence.value) if confidence else (CONFIDENCE if is_main else None),
        priorities=tuple(_priority(line, values) for line in header.priorities),
        start=flow.start,
        merge_within_ms=busy.merge_within.ms if busy and busy.merge_within else None,
        variables={name: stored_type(of) for name, of in sorted(flow.variables.items())},
        slots=slots,
        intents={name: _intent(flow.intents[name]) for name in sorted(flow.intents)},
        events={name: program.Event(name, fields(flow.events[name].fields)) for name in sorted(flow.events)},
        states={name: _state(state, code, values) for name, state in flow.states.items()},
        anywhere=code.anywhere,
        code=code.code,
        waits=places,
        stored=stored(code, slots, tuple(flow.results), places),
        migrations=tuple(_migration(each, values) for each in flow.migrations),
    )


def _state(state: nodes.StateDeclaration, code: FlowCode, values: Values) -> program.State:
    name = state.name.text
    return program.State(
        name, code.entries[name], None if state.priority is None else _priority(state.priority, values)
    )


def _priority(line: nodes.PriorityLine, values: Values) -> program.PriorityRule:
    return program.PriorityRule(line.priority, values.optional_expression(line.when))


def _slot(flow: FlowModel, name: str, values: Values) -> program.Slot:
    slot = flow.slots[name]
    line = slot.declaration
    return program.Slot(
        name,
        stored_type(slot.type),
        values.optional_template(line.ask),
        values.optional_template(line.reask),
        TRIES if line.tries is None else line.tries,
        tuple(program.Check(values.expression(check.condition), values.template(check.text)) for check in line.checks),
        tuple(
            program.ChoiceWords(each.value.plain or "", tuple(word.plain or "" for word in each.words))
            for each in line.words
        ),
    )


def _intent(intent: IntentModel) -> program.Intent:
    return program.Intent(
        intent.name,
        tuple(
            tuple(
                part if isinstance(part, str) else program.ExampleSlot(part.name.text, part.value)
                for part in example.parts
            )
            for example in intent.examples
        ),
    )


def _migration(each: nodes.MigrateDeclaration, values: Values) -> program.Migration:
    return program.Migration(
        each.major,
        each.minor,
        {move.old.text: move.new.text for move in each.moves},
        tuple(program.Argument(line.name.text, values.expression(line.value)) for line in each.sets),
    )


# ------------------------------------------------------------------------------------------------------------ services


def _called_services(model: Model, flows: tuple[str, ...]) -> tuple[ServiceModel, ...]:
    """The services that `flows` call, by name."""
    called = {
        statement.service.text
        for name in flows
        for body in _bodies(model.flows[name])
        for statement in statements_in(body)
        if isinstance(statement, nodes.Call | nodes.Defer)
    }
    return tuple(model.services[name] for name in sorted(called))


def _bodies(flow: FlowModel) -> tuple[tuple[nodes.Statement, ...], ...]:
    return (*(state.body for state in flow.states.values()), *(arm.body for arm in flow.anywhere))


def _service(service: ServiceModel, values: Values) -> program.Service:
    return program.Service(
        service.name,
        service.adapter,
        service.policy,
        {name: _operation(operation, values) for name, operation in service.operations.items()},
        _settings(service.declaration.adapter_lines, values),
    )


def _operation(operation: OperationModel, values: Values) -> program.Operation:
    line = operation.declaration
    return program.Operation(
        name=operation.name,
        kind=operation.kind,
        parameters=fields(operation.parameters),
        result=None if operation.result is None else stored_type(operation.result),
        policy=operation.policy,
        key=None if line.key is None else _key(line.key),
        failures=operation.failures,
        outcomes=operation.outcomes,
        http=None if line.request is None else _request(line, line.request, values),
        settings=_settings(line.adapter_lines, values),
        own=operation.own,
    )


def _key(key: nodes.KeyLine) -> program.Key:
    remembered = REMEMBERED_MS if key.remembered is None else key.remembered.ms
    return program.Key(key.carrier, key.name, remembered, key.keeps_refusals)


def _request(line: nodes.Operation, request: nodes.Request, values: Values) -> program.HttpRequest:
    return program.HttpRequest(
        request.method,
        request.path.plain or "",
        tuple(program.Argument(each.name.plain or "", values.expression(each.value)) for each in line.headers),
        values.optional_expression(line.body),
        () if line.answer is None else line.answer.steps,
    )


def _settings(lines: tuple[nodes.AdapterLine, ...], values: Values) -> tuple[program.Argument, ...]:
    return tuple(program.Argument(line.word.text, values.expression(line.value)) for line in lines)


# ------------------------------------------------------------------------------------------------------------- records


def _records(
    model: Model, flows: dict[str, program.Flow], services: dict[str, program.Service]
) -> dict[str, tuple[Field, ...]]:
    """The records that the bot's values can have, and those inside them."""
    pending = [of for flow in flows.values() for of in _types_of_flow(flow)]
    pending += [of for service in services.values() for each in service.operations.values() for of in _types_of(each)]
    pending += [field.type for field in model.user_fields]
    found: dict[str, tuple[Field, ...]] = {}
    while pending:
        match pending.pop():
            case Optional(inner) | Marked(inner=inner) | ListOf(inner):
                pending.append(inner)
            case Record(name) if name not in found:
                found[name] = fields(model.records[name])
                pending += [field.type for field in found[name]]
            case _:
                pass
    return {name: found[name] for name in sorted(found)}


def _types_of_flow(flow: program.Flow) -> tuple[Type, ...]:
    carried = (*flow.takes, *flow.gives, *(field for event in flow.events.values() for field in event.fields))
    return (*flow.variables.values(), *(field.type for field in carried))


def _types_of(operation: program.Operation) -> tuple[Type, ...]:
    told = (field for failure in operation.failures for field in failure.fields)
    result = () if operation.result is None else (operation.result,)
    return (*(field.type for field in (*operation.parameters, *told)), *result)
