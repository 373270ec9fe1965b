"""What is simulated: a program made ready once, for as many seeds as there are."""

from dataclasses import dataclass

from flowc.runtime.bundle import to_bytes
from flowc.runtime.engine.secrets import Secrets, secrets_of
from flowc.runtime.kernel import LoadedProgram, load
from flowc.runtime.program import Event, Operation, Program
from flowc.runtime.telemetry.metrics import Metrics
from flowc.runtime.values import Shapes


@dataclass(frozen=True, slots=True)
class Game:
    """`name` of the scenario. `events` are all that its flows know."""

    name: str
    program: Program
    bundle: bytes
    loaded: LoadedProgram
    secrets: Secrets
    events: tuple[Event, ...]
    operations: dict[tuple[str, str], Operation]
    shapes: Shapes
    metrics: Metrics


def game_of(name: str, program: Program) -> Game:
    return Game(
        name,
        program,
        to_bytes(program),
        load(program),
        secrets_of(program),
        tuple(event for flow in program.flows.values() for event in flow.events.values()),
        {
            (service.name, operation.name): operation
            for service in program.services.values()
            for operation in service.operations.values()
        },
        Shapes(program.records, program.zone, program.currency),
        Metrics(),
    )
