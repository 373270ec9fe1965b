"""Families 6 and 8, values on their way: marked ones that come where they may not, secrets that are needed when their
turn is over, and what was read before a wait and is written after it."""

from collections.abc import Iterator, Mapping
from typing import Final

from flowc.compiler.called import bottom_up
from flowc.compiler.graph import FlowGraph, Node
from flowc.compiler.model import Model
from flowc.compiler.rules.carried import Shown, holds_secret
from flowc.compiler.rules.motion import motion_of
from flowc.compiler.rules.places import head, way
from flowc.compiler.rules.sinks import Sink
from flowc.compiler.rules.values import Found, Motion, Summary
from flowc.compiler.walk import expressions_of, references
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import Arm, Do, Set, Statement
from flowc.dsl.source import Span

__all__ = ["PII_LEAK", "SECRET_STORED", "STALE_READ", "values_in_motion"]

Graphs = Mapping[str, FlowGraph]


def values_in_motion(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW801, FLW802 and FLW610: one report for each place that gets what it may not, with the shortest way there."""
    seen: set[tuple[str, Span]] = set()
    for motion in _motions(model, graphs).values():
        for each in (*_declared(motion), *_followed(motion)):
            if (each.code.id, each.span) not in seen:
                seen.add((each.code.id, each.span))
                yield each


def _motions(model: Model, graphs: Graphs) -> dict[str, Motion]:
    """Each flow, called ones first; again where flows run each other round, until nothing is added."""
    order = bottom_up(model, graphs)
    secrets = _has_secrets(model)
    found: dict[str, Motion] = {}
    summaries: dict[str, Summary] = {}
    size = -1
    while size != (size := sum(each.size for each in summaries.values())):
        again = False
        for name in order:
            graph = graphs[name]
            again |= any(model.called.get(do) in graphs and model.called[do] not in summaries for do in graph.dos)
            found[name] = motion_of(graph, model, summaries, is_called=name != model.main, has_secrets=secrets)
            summaries[name] = found[name].summary
        if not again:
            break
    return found


def _has_secrets(model: Model) -> bool:
    """Whether anything in the project is a secret."""
    operations = (each for service in model.services.values() for each in service.operations.values())
    types = (
        *(each.type for fields in model.records.values() for each in fields),
        *(each for operation in operations for each in (operation.result, *(p.type for p in operation.parameters))),
        *(each for flow in model.flows.values() for each in (*flow.variables.values(), *flow.results.values())),
    )
    return any(holds_secret(each, {}) for each in types)


def _declared(motion: Motion) -> Iterator[Diagnostic]:
    """What its declaration marks, where it is read."""
    for found in motion.sinks.values():
        for sink in found:
            for source in sink.sources:
                if isinstance(source, Shown):
                    if source.mark in sink.minds:
                        yield leak(source.mark, sink, source.span, None, ())
                    elif source.mark == "secret" and sink.deferred:
                        yield kept_for_job(source.span, None)


def _followed(motion: Motion) -> Iterator[Diagnostic]:
    for found in motion.found:
        origin = found.fact.origin
        if found.sink is None:
            yield needed_later(found)
        elif origin.kind == "read":
            yield stale(found)
        elif found.sink.deferred and origin.kind == "secret" and "secret" not in found.sink.minds:
            assert found.source is not None
            yield kept_for_job(found.source.span, origin.span)
        else:
            assert found.source is not None
            yield leak(origin.kind, found.sink, found.source.span, origin.span, found.path, origin.words)


# --------------------------------------------------------------------------------------------------------- diagnostics

PII_LEAK: Final = Code("FLW801", "pii-leak", Severity.ERROR)
SECRET_STORED: Final = Code("FLW802", "secret-stored", Severity.ERROR)
STALE_READ: Final = Code("FLW610", "stale-read", Severity.WARNING, fixed=False)


def leak(mark: str, sink: Sink, span: Span, origin: Span | None, path: tuple[Node, ...], words: str = "") -> Diagnostic:
    labels = [Label(span, sink.label)]
    if origin is not None and origin != span:
        labels.append(Label(origin, f"{words} is {mark}", secondary=True))
    passed = [each for each in _last_set(path) if origin is None or not each.start <= origin.start < each.end]
    labels += [Label(each, "goes on here", secondary=True) for each in passed[:1]]
    return Diagnostic(
        PII_LEAK, f"a {mark} value goes into {sink.into}", tuple(labels), help=sink.help, notes=_way(path)
    )


def _last_set(path: tuple[Node, ...]) -> list[Span]:
    """Where on the way the value was put into another variable, last one first."""
    spans = [node.span if isinstance(node, Set) else head(node) for node in path[:-1] if isinstance(node, Set | Do)]
    return [*reversed(spans)]


def _way(path: tuple[Node, ...]) -> tuple[str, ...]:
    steps = way(path)
    return (f"the way: {steps}",) if "→" in steps else ()


def needed_later(found: Found) -> Diagnostic:
    fact, name = found.fact, found.fact.name
    what = f"`{name}` is secret" if fact.origin.kind == "secret" else f"`{name}` has a secret in it"
    labels = [Label(_place(found.node, name), "needed here, and no longer there")]
    if fact.origin.span is not None:
        labels.append(Label(fact.origin.span, "given here", secondary=True))
    notes = _way(found.path)
    if found.turned is found.node:
        notes = ("the reply before this call ends the turn", *notes)
    elif isinstance(found.turned, Statement):
        labels.append(Label(head(found.turned), "the turn ends here", secondary=True))
    return Diagnostic(
        SECRET_STORED,
        f"{what}, and is needed after the turn in which it was given",
        tuple(labels),
        help="use it before the next wait or write, and before a reply that a call follows: a secret is never stored",
        notes=notes,
    )


def _place(node: Node, name: str) -> Span:
    """Where `node` reads `name`."""
    if isinstance(node, Arm) and node.when is not None:
        return next((each.span for each in references(node.when) if each.name == name), node.head_span)
    assert isinstance(node, Statement), "only statements and guards read values"
    return next((each.span for each in references(*expressions_of(node)) if each.name == name), head(node))


def kept_for_job(span: Span, origin: Span | None) -> Diagnostic:
    labels = [Label(span, "a job is kept until it is done")]
    if origin is not None and origin != span:
        labels.append(Label(origin, "given here", secondary=True))
    return Diagnostic(
        SECRET_STORED,
        "a secret value goes into a deferred job",
        tuple(labels),
        help="`call` it in this turn: a secret is never stored",
    )


def stale(found: Found) -> Diagnostic:
    assert found.source is not None
    assert found.sink is not None
    origin = found.fact.origin
    labels = [Label(found.source.span, f"{origin.words} may answer otherwise by now")]
    if origin.span is not None:
        labels.append(Label(origin.span, "read here", secondary=True))
    if isinstance(found.turned, Statement):
        labels.append(Label(head(found.turned), "since then there was a wait", secondary=True))
    return Diagnostic(
        STALE_READ,
        f"a value from before a wait goes into {found.sink.into}",
        tuple(labels),
        help="read it again before the write, or allow it where it cannot change",
        notes=_way(found.path),
    )
