"""Family 5, silent turns: a message after which nothing is said before the conversation waits again, or ends.

The walk goes from every message through statements that say nothing. A question is words, so an `ask` or `choose`
that waits is fine, and gone through as if it were not there where it need not wait. Through a `do` it goes by what
the called flow does: whether it may wait, or end, before it has said anything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from flowc.compiler.called import bottom_up, callers, is_root
from flowc.compiler.graph import Edge, FlowGraph, Node, Place, reach
from flowc.compiler.model import Model
from flowc.compiler.rules.places import head, named, way
from flowc.compiler.rules.turn import NOTHING, Key, Source, left_failures, message_sources, outcome_arms, turn_steps
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import Ask, Choose, Do, End, Handoff, Listen, Name, Reject, Resume, Say, StateDeclaration
from flowc.dsl.source import Span

__all__ = ["SILENT_TURN", "silent_turn"]

Graphs = Mapping[str, FlowGraph]
Outcomes = frozenset[str | None]
WORDS: Final = frozenset([Say, Reject, Handoff, Listen])


@dataclass(frozen=True, slots=True)
class Silence:
    """What a flow does without a word: from its start to a `listen`, from its start or from a message to its ends."""

    waits_at: Listen | None
    ends_at_once: Outcomes
    ends_after_message: Outcomes


@dataclass(frozen=True, slots=True)
class Walk:
    """Every place that was come to without a word, with where it goes on, and what messages it began with."""

    steps: Mapping[Key, list[Key]]
    sources: Mapping[Key, Source]

    def before(self) -> dict[Key, list[Key]]:
        """The places from which each place is come to."""
        found: dict[Key, list[Key]] = {key: [] for key in self.steps}
        for key, following in self.steps.items():
            for each in following:
                found[each].append(key)
        return found


def silent_turn(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW504: paths from a message to the next wait, or to the end of the conversation, on which nothing is said."""
    calls = callers(model, graphs)
    summaries: dict[str, Silence] = {}
    for name in bottom_up(model, graphs):
        graph = graphs[name]
        from_start = _walk([(Source(None, None, graph.entry), graph.entry)], graph, model, summaries)
        walk = _walk(list(_begins(graph, model, summaries)), graph, model, summaries)
        summaries[name] = Silence(
            next((node for node, _ in from_start.steps if isinstance(node, Listen)), None),
            _ends(from_start, graph, model, summaries),
            _ends(walk, graph, model, summaries),
        )
        yield from _silent_waits(walk, graph, summaries, model)
        if is_root(name, model, calls):
            yield from _silent_ends(walk)


def _begins(graph: FlowGraph, model: Model, summaries: Mapping[str, Silence]) -> Iterator[tuple[Source, Node]]:
    """Where a turn begins that was set going by a message, here or in a flow that a `do` runs."""
    for source in message_sources(graph, model):
        yield source, source.start
    for do in graph.dos:
        called = summaries.get(model.called.get(do, ""))
        if called is not None and do in graph.reached:
            for outcome, to in outcome_arms(do, graph, model):
                if outcome in called.ends_after_message:
                    yield Source(None, None, do), to


def _walk(begins: list[tuple[Source, Node]], graph: FlowGraph, model: Model, summaries: Mapping[str, Silence]) -> Walk:
    sources: dict[Key, Source] = {}
    for source, node in begins:
        sources.setdefault((node, NOTHING), source)
    passed = {name: each.ends_at_once for name, each in summaries.items()}
    steps: dict[Key, list[Key]] = {}
    pending = list(sources)
    for key in pending:
        if key not in steps:
            following = [] if _speaks(key[0], graph) else turn_steps(key, graph, model, passed)
            steps[key] = following
            pending += following
    return Walk(steps, sources)


def _speaks(node: Node, graph: FlowGraph) -> bool:
    """Whether something is said there; a `resume` repeats what stands before its `listen`."""
    return type(node) in WORDS or (isinstance(node, Resume) and graph.owners.get(node) in graph.repeating)


def _ends(walk: Walk, graph: FlowGraph, model: Model, summaries: Mapping[str, Silence]) -> Outcomes:
    ends: set[str | None] = {node.outcome for node, _ in walk.steps if isinstance(node, Place) and node.kind == "end"}
    passed = {name: each.ends_at_once for name, each in summaries.items()}
    for node, _ in walk.steps:
        ends.update(left_failures(node, graph, model, passed))
    return frozenset(ends)


def _silent_waits(walk: Walk, graph: FlowGraph, summaries: Mapping[str, Silence], model: Model) -> Iterator[Diagnostic]:
    spoken: frozenset[Node] | None = None
    for key in walk.steps:
        match key[0]:
            case Listen() as listen:
                spoken = _spoken(graph) if spoken is None else spoken
                yield from _reports(key, listen, walk, each_source=listen in spoken)
            case Do() as do:
                called = summaries.get(model.called.get(do, ""))
                if called is not None and called.waits_at is not None:
                    yield from _reports(key, do, walk, each_source=True)
            case Resume() as resume if resume not in graph.owners:
                listening = _wordless(graph)
                if listening is not None:
                    yield from _reports(key, listening, walk, each_source=True)
            case _:
                pass


def _wordless(graph: FlowGraph) -> Listen | None:
    """A `listen` that `resume` repeats without a word, because no `say` stands directly before it."""
    waits = (wait for wait in graph.waits if isinstance(wait, Listen) and wait in graph.reached)
    return next((wait for wait in waits if wait not in graph.repeating), None)


def _spoken(graph: FlowGraph) -> frozenset[Node]:
    """What can be come to behind a word that was said in the same turn, in another state."""
    starts = [edge.to for node in graph.edges if isinstance(node, Say) for edge in graph.out(node)]
    return frozenset(reach(starts, lambda node: [Edge(to, "next") for to in graph.turn.get(node, ())]))


def _reports(key: Key, wait: Node, walk: Walk, *, each_source: bool) -> Iterator[Diagnostic]:
    """One report of `wait` where it is always come to without a word, else one for each message that does."""
    paths = _paths(key, walk)
    if each_source:
        for source, path in paths:
            yield silent_path(source, path, wait)
    elif paths:
        yield silent_wait(wait, *paths[0], others=len(paths) - 1)


def _paths(key: Key, walk: Walk) -> list[tuple[Source, tuple[Node, ...]]]:
    """The messages from which `key` is come to without a word, each with a shortest way."""
    earlier = walk.before()
    toward: dict[Key, Key | None] = {key: None}
    layer = [key]
    while layer:
        following = []
        for each in layer:
            for before in earlier[each]:
                if before not in toward:
                    toward[before] = each
                    following.append(before)
        layer = following
    found = []
    for start in toward:
        if start in walk.sources:
            path: list[Node] = []
            at: Key | None = start
            while at is not None:
                path.append(at[0])
                at = toward[at]
            found.append((walk.sources[start], tuple(path)))
    return sorted(found, key=lambda each: _span(each[0]).start)


def _silent_ends(walk: Walk) -> Iterator[Diagnostic]:
    for key in walk.steps:
        if isinstance(key[0], End):
            source, path = _paths(key, walk)[0]
            yield silent_end(source, path, key[0])


def _span(source: Source) -> Span:
    if source.arm is not None:
        return source.arm.head_span
    match source.wait or source.start:
        case Ask() | Choose() | Listen() as wait:
            return head(wait)
        case Do(head_span=span) | StateDeclaration(name=Name(span=span)):
            return span
        case _:
            raise AssertionError("a turn begins at a wait, in an arm, behind a `do` or with its flow")


# --------------------------------------------------------------------------------------------------------- diagnostics

SILENT_TURN: Final = Code("FLW504", "silent-turn", Severity.ERROR, fixed=False)
HELP: Final = "say something on the way"


def _waiting(wait: Node) -> tuple[str, Span]:
    match wait:
        case Ask() | Choose() | Listen():
            return named(wait), head(wait)
        case Do(flow=flow, head_span=span):
            return f"flow `{flow.text}`", span
        case _:
            raise AssertionError("only a wait, or a flow that waits, is waited at")


def _path_note(path: tuple[Node, ...]) -> tuple[str, ...]:
    steps = way(path)
    return (f"the way: {steps}",) if "→" in steps else ()


def silent_path(source: Source, path: tuple[Node, ...], wait: Node) -> Diagnostic:
    word, span = _waiting(wait)
    return Diagnostic(
        SILENT_TURN,
        "a message can be taken without an answer",
        (
            Label(_span(source), "from here nothing is said"),
            Label(span, f"until {word} waits again", secondary=True),
        ),
        help=HELP,
        notes=_path_note((*path, wait) if path[-1] is not wait else path),
    )


def silent_wait(wait: Node, source: Source, path: tuple[Node, ...], *, others: int) -> Diagnostic:
    word, span = _waiting(wait)
    more = (f"so it is from {others} more places",) if others else ()
    return Diagnostic(
        SILENT_TURN,
        f"nothing is said before {word} waits",
        (
            Label(span, "the user has no answer yet, and is waited for"),
            Label(_span(source), "since this message", secondary=True),
        ),
        help=HELP,
        notes=(*_path_note(path), *more),
    )


def silent_end(source: Source, path: tuple[Node, ...], end: End) -> Diagnostic:
    return Diagnostic(
        SILENT_TURN,
        "the conversation can end without an answer",
        (
            Label(end.span, "it ends here"),
            Label(_span(source), "since this message nothing is said", secondary=True),
        ),
        help=HELP,
        notes=_path_note(path),
    )
