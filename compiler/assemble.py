"""The model, put together from what the passes learnt."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from flowc.compiler.check_flows import Checked
from flowc.compiler.declare import DUPLICATE_NAME, Declarations, Report
from flowc.compiler.model import EventModel, FlowModel, IntentModel, Model, ServiceModel
from flowc.compiler.project import Project
from flowc.compiler.resolve import FlowNames, Resolved
from flowc.compiler.settings import key_span, no_main_flow, no_such_service
from flowc.compiler.signatures import Signatures
from flowc.compiler.types import TEXT, FlowType, NoneType, optional
from flowc.dsl.diagnostic import Diagnostic, Label
from flowc.dsl.nodes import EventDeclaration, FlowFile, FlowHeader, IntentDeclaration

__all__ = ["Passes", "assemble"]

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Passes:
    """What the passes before learnt."""

    declarations: Declarations
    signatures: Signatures
    resolved: Resolved
    checked: Checked


def assemble(project: Project, files: Mapping[str, FlowFile], passes: Passes, report: Report) -> Model:
    """The model of the whole project."""
    flows = {name: _flow(names, passes) for name, names in passes.resolved.flows.items()}
    main = _main(project, files, flows)
    _check_settings(project, files, main, passes, report)
    bot = _reached(main, flows, passes.resolved)
    return Model(
        project=project,
        files=files,
        flows=flows,
        main=main,
        bot=bot,
        services=_services(flows, bot, passes.signatures, report),
        records=passes.checked.records,
        user_fields=passes.checked.user_fields,
        types=passes.checked.types,
        names=passes.checked.kinds,
        operations=passes.resolved.operations,
        called=passes.resolved.called,
        patterns=passes.resolved.patterns,
        asks=passes.checked.asks,
        unknown=frozenset(passes.resolved.unknown),
    )


def _flow(names: FlowNames, passes: Passes) -> FlowModel:
    scope, signatures = names.scope, passes.signatures
    interface = passes.checked.interfaces[names.name]
    intents: dict[str, IntentModel] = {}
    events: dict[str, EventModel] = {}
    for name, (_, topic) in scope.topics.items():
        match topic:
            case IntentDeclaration():
                intents[name] = signatures.intents[topic]
            case EventDeclaration():
                events[name] = signatures.events[topic]
    start = names.header.start.text if names.header.start is not None else ""
    return FlowModel(
        name=names.name,
        file=scope.own.file,
        header=names.header,
        broken=scope.path in passes.declarations.broken,
        states=scope.own.states,
        start=start if start in scope.own.states else next(iter(scope.own.states), ""),
        anywhere=scope.own.arms,
        parameters=interface.parameters,
        results=interface.results,
        variables={name: _storable(of) for name, of in passes.checked.variables[names.name].items()},
        slots=names.slots,
        intents=intents,
        events=events,
        services=names.services,
        flows=frozenset(scope.flows),
        outcomes=tuple(names.outcomes),
        migrations=scope.own.migrations,
    )


def _storable(of: FlowType) -> FlowType:
    """A variable that is only ever none still has a type."""
    return optional(TEXT) if isinstance(of, NoneType) else of


def _main(project: Project, files: Mapping[str, FlowFile], flows: Mapping[str, FlowModel]) -> str | None:
    file = files.get(project.main or "")
    if file is None or not isinstance(file.header, FlowHeader):
        return None
    return file.header.name.text if file.header.name.text in flows else None


def _check_settings(
    project: Project, files: Mapping[str, FlowFile], main: str | None, passes: Passes, report: Report
) -> None:
    """Reports a main flow that is none, and services that are configured and not declared."""
    settings, source = project.settings, project.settings_file
    if settings is None or source is None:
        return
    file = files.get(project.main or "")
    if main is None and not (file is not None and file.path in passes.declarations.broken):
        flows = [path for path, each in files.items() if isinstance(each.header, FlowHeader)]
        report(no_main_flow(source, settings.bot.main, flows, is_there=file is not None))
    declared = {service.name for service in passes.signatures.services.values()}
    for environment, each in settings.environments.items():
        for name in each.services:
            if name not in declared and not passes.declarations.broken:
                span = key_span(source, ("environments", environment, "services", name))
                report(no_such_service(span, name, declared))


def _reached(main: str | None, flows: Mapping[str, FlowModel], resolved: Resolved) -> tuple[str, ...]:
    """The main flow and those it reaches with `do`, each once, in the order they are found."""
    reached: dict[str, None] = {}
    open_ = [main] if main is not None else []
    while open_:
        name = open_.pop(0)
        if name in reached or name not in flows:
            continue
        reached[name] = None
        open_.extend(resolved.called[do] for do in resolved.flows[name].dos if do in resolved.called)
    return tuple(reached)


def _services(
    flows: Mapping[str, FlowModel], bot: Iterable[str], signatures: Signatures, report: Report
) -> dict[str, ServiceModel]:
    """All services by name. Two of one name in one bot are reported: its configuration could not tell them apart."""
    found: dict[str, ServiceModel] = {}
    for name in bot:
        for service in flows[name].services.values():
            first = found.setdefault(service.name, service)
            if first.declaration is not service.declaration:
                report(same_service(service, first))
    for service in signatures.services.values():
        found.setdefault(service.name, service)
    return found


# ------------------------------------------------------------------------------------------------------- diagnostics


def same_service(again: ServiceModel, first: ServiceModel) -> Diagnostic:
    return Diagnostic(
        DUPLICATE_NAME,
        f"this bot already has a service named `{again.name}`",
        (
            Label(again.declaration.name.span, "`flowc.toml` could not tell it from the other"),
            Label(first.declaration.name.span, "first declared here", secondary=True),
        ),
        help="share one in a library, or give them different names",
    )
