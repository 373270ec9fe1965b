"""Opens the services of a program as an environment configures them, or says everything that is missing."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from flowc.runtime.program import Program, Service
from flowc.runtime.services.calls import Services, watch_nothing
from flowc.runtime.services.http import HttpAdapter
from flowc.runtime.services.port import Adapter, Clock, LoopClock, Misconfigured, Watch
from flowc.runtime.services.python import load_python
from flowc.runtime.services.settings import ServiceSettings, address_problem
from flowc.runtime.services.traced import TracedAdapter, noting
from flowc.runtime.telemetry.tracing import Tracing
from flowc.runtime.values import Shapes


def adapters(
    program: Program, settings: Mapping[str, ServiceSettings], environment: str
) -> dict[str, Adapter] | tuple[str, ...]:
    """An adapter for each service, or a sentence for each thing that is missing or wrong. Opens no connection."""
    shapes = Shapes(program.records, program.zone, program.currency)
    made: dict[str, Adapter] = {}
    problems = [
        f"there is no service `{name}`: remove [environments.{environment}.services.{name}] from flowc.toml"
        for name in settings
        if name not in program.services
    ]
    for name, service in program.services.items():
        adapter = _adapter(service, settings.get(name, ServiceSettings()), shapes, environment)
        if isinstance(adapter, tuple):
            problems += adapter
        else:
            made[name] = adapter
    return tuple(problems) if problems else made


@asynccontextmanager
async def open_services(
    program: Program,
    settings: Mapping[str, ServiceSettings],
    *,
    draw: Callable[[], float],
    environment: str = "dev",
    clock: Clock | None = None,
    watch: Watch = watch_nothing,
    tracing: Tracing | None = None,
) -> AsyncIterator[Services]:
    """The services, for as long as the block runs. Raises Misconfigured."""
    made = adapters(program, settings, environment)
    if isinstance(made, tuple):
        raise Misconfigured(made)
    if tracing is not None:
        made = {name: TracedAdapter(tracing, name, adapter) for name, adapter in made.items()}
        watch = noting(tracing, watch)
    async with AsyncExitStack() as opened:
        for adapter in made.values():
            await opened.enter_async_context(adapter.opened())
        yield Services(program, made, clock=clock or LoopClock(), draw=draw, watch=watch)


def _adapter(
    service: Service, settings: ServiceSettings, shapes: Shapes, environment: str
) -> Adapter | tuple[str, ...]:
    # A Python class may stand in for any service: a backend in the same process, for development.
    match "python" if settings.python is not None else service.adapter:
        case "http":
            problem = address_problem(service, settings, environment)
            return HttpAdapter(service, settings, shapes) if problem is None else (problem,)
        case "python":
            return load_python(service, settings, shapes, environment)
        case other:
            return (
                f"service `{service.name}` is via `{other}`, for which no adapter is installed: use http or python",
            )
