"""Family 6, time: no path from a message to its first reply may take longer than `reply within`.

The longest path of a graph without cycles (a cycle without a wait is FLW405's), weighted with the `within` of each
call: of a group of reads the longest. A flow that is called has two kinds of end: a reply, and an end of the flow
before any reply, which goes on in its caller. So a path is measured through as many flows as it needs, and a message
in a called flow may be answered by its caller.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from flowc.compiler.called import bottom_up, callers, is_root
from flowc.compiler.graph import FlowGraph, Place
from flowc.compiler.model import Model
from flowc.compiler.rules.places import head, listed, seconds
from flowc.compiler.rules.turn import LEFT, NOTHING, Key, Source, left_failures, message_sources, onward, outcome_arms
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import Ask, Call, Choose, Do, Handoff, Listen, Reject, Say
from flowc.dsl.source import Span

__all__ = ["OVER_BUDGET", "first_words_ms", "over_budget"]

Graphs = Mapping[str, FlowGraph]
DEFAULT_MS: Final = 10_000
SHOWN: Final = 8  # calls of a path in a report
REPLIES: Final = frozenset([Say, Reject, Handoff, Listen])
MEASURED: Final = frozenset([Ask, Choose, Call, Do])
REPLY: Final = "a reply"


class Chain(NamedTuple):
    """The calls of a path, first one first: how long they may take together."""

    ms: int
    call: Call | None = None
    own_ms: int = 0
    beside: tuple[Call, ...] = ()
    rest: "Chain | None" = None


NONE: Final = Chain(0)

# Where a path comes to: REPLY, or an outcome of the flow (None: a plain end) before any reply.
Longest = dict[str | None, Chain]


@dataclass(frozen=True, slots=True)
class Summary:
    """The longest paths of a flow: from its start, and from its messages to its ends without a reply."""

    from_start: Longest
    after_message: Longest


class Path(NamedTuple):
    """The calls of a path, and where it begins."""

    chain: Chain
    source: Source | None
    graph: FlowGraph


@dataclass(frozen=True, slots=True)
class Over:
    """A path that takes too long, where it begins, and the limit that holds there."""

    chain: Chain
    source: Source | None
    graph: FlowGraph
    limit: "Limit"


class Limit(NamedTuple):
    ms: int
    span: Span | None


def over_budget(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW606: paths that can take longer than `reply within`. One that only begins earlier than another is the same
    mistake."""
    limits = _limits(model, graphs)
    over = [
        Over(path.chain, path.source, path.graph, limits[name])
        for name, path in _to_first_words(model, graphs)
        if path.chain.ms > limits[name].ms
    ]
    yield from (too_long(each) for each in _distinct(over))


def first_words_ms(model: Model, graphs: Graphs) -> int:
    """How long the calls may take that lie between a message and its first reply, wherever it comes: the bot's
    longest path."""
    return max([path.chain.ms for name, path in _to_first_words(model, graphs) if name in model.bot], default=0)


def _to_first_words(model: Model, graphs: Graphs) -> Iterator[tuple[str, "Path"]]:
    """The longest paths of each flow from where a message comes to the first reply, or the end of the bot."""
    calls = callers(model, graphs)
    summaries: dict[str, Summary] = {}
    for name in bottom_up(model, graphs):
        graph = graphs[name]
        paths = _Paths(graph, model, summaries)
        from_start = paths.longest((graph.entry, NOTHING))
        root = is_root(name, model, calls)
        after: Longest = {}
        begins: list[tuple[Source | None, Longest]] = [
            (source, paths.longest((source.start, NOTHING))) for source in message_sources(graph, model)
        ]
        begins += [(None, from_start)] if root else []
        begins += list(_behind_flows(graph, model, paths, summaries))
        for source, found in begins:
            for end, chain in found.items():
                if root and end in LEFT:
                    continue  # nobody takes it, which is FLW601
                if end == REPLY or root:
                    yield name, Path(chain, source, graph)
                else:
                    _keep(after, end, chain)
        summaries[name] = Summary(from_start, after)


def _behind_flows(
    graph: FlowGraph, model: Model, paths: "_Paths", summaries: Mapping[str, Summary]
) -> Iterator[tuple[Source | None, Longest]]:
    """Messages that a called flow takes, and that only this flow answers."""
    for do in graph.dos:
        called = summaries.get(model.called.get(do, ""))
        if called is None or do not in graph.reached:
            continue
        for outcome, to in outcome_arms(do, graph, model):
            before = called.after_message.get(outcome)
            if before is not None:
                yield Source(None, None, do), _joined(before, paths.longest((to, NOTHING)))
        left = left_failures(do, graph, model, {name: each.after_message for name, each in summaries.items()})
        for name in left:
            yield Source(None, None, do), {name: called.after_message[name]}


def _limits(model: Model, graphs: Graphs) -> dict[str, Limit]:
    """How long each flow may take to reply: what a header leaves out is the strictest of its callers'."""
    calls = callers(model, graphs)
    found: dict[str, Limit] = {}
    for name in reversed(bottom_up(model, graphs)):
        line = graphs[name].flow.header.reply_within
        inherited = [found[by] for by, _ in calls[name] if by in found]
        if line is not None:
            found[name] = Limit(line.within.ms, line.within.span)
        else:
            found[name] = min(inherited, key=lambda limit: limit.ms, default=Limit(DEFAULT_MS, None))
    return found


class _Paths:
    """The longest paths of one flow, each place measured once."""

    def __init__(self, graph: FlowGraph, model: Model, summaries: Mapping[str, Summary]) -> None:
        self._graph = graph
        self._model = model
        self._summaries = summaries
        self._passed = {name: each.from_start for name, each in summaries.items()}
        self._found: dict[Key, Longest] = {}
        self._onward: dict[Key, list[Key]] = {}
        self._followers = {call for group in graph.groups.values() for call in group[1:]}

    def longest(self, start: Key) -> Longest:
        """The longest path from `start` to each end. Linear over all calls; a cycle is not gone round."""
        pending = [(start, False)]
        while pending:
            key, done = pending.pop()
            if done:
                self._found[key] = self._measured(key)
            elif key not in self._onward:
                self._onward[key] = steps = self._steps(key)
                pending.append((key, True))
                pending += [(following, False) for following in steps]
        return self._found[start]

    def _measured(self, key: Key) -> Longest:
        node, steps = key[0], self._onward[key]
        if len(steps) == 1 and type(node) not in MEASURED:
            return self._found.get(steps[0], {})
        found: Longest = {}
        match node:
            case Say() | Reject() | Handoff() | Listen() | Ask() | Choose():
                found[REPLY] = NONE
            case Place("end", outcome):
                found[outcome] = NONE
            case Place():
                found[REPLY] = NONE
            case Do():
                return self._through_flow(node, key)
            case Call():
                found.update(dict.fromkeys(left_failures(node, self._graph, self._model, {}), NONE))
            case _:
                pass
        for following in steps:
            for end, chain in self._found.get(following, {}).items():
                _keep(found, end, chain)
        return {end: self._with(node, chain) for end, chain in found.items()} if isinstance(node, Call) else found

    def _through_flow(self, do: Do, key: Key) -> Longest:
        """What the called flow takes to its own first reply, or to an end before it and what comes behind that."""
        called = self._summaries.get(self._model.called.get(do, ""))
        if called is None:
            return {}
        found: Longest = {REPLY: called.from_start[REPLY]} if REPLY in called.from_start else {}
        for outcome, to in outcome_arms(do, self._graph, self._model):
            if outcome in called.from_start:
                after = self._found.get((to, key[1]), {})
                for end, chain in _joined(called.from_start[outcome], after).items():
                    _keep(found, end, chain)
        for name in left_failures(do, self._graph, self._model, self._passed):
            _keep(found, name, called.from_start[name])
        return found

    def _steps(self, key: Key) -> list[Key]:
        """Where a path goes on without a reply."""
        node, cleared = key
        if type(node) in REPLIES:
            return []
        if isinstance(node, Do):
            return [(to, cleared) for _, to in outcome_arms(node, self._graph, self._model)]
        return onward(key, self._graph)

    def _with(self, call: Call, chain: Chain) -> Chain:
        operation = self._model.operations.get(call)
        if operation is None or call in self._followers:
            return chain
        group = self._graph.groups.get(call, (call,))
        slowest = max(group, key=self._within)
        own = self._within(slowest)
        return Chain(chain.ms + own, slowest, own, tuple(each for each in group if each is not slowest), chain)

    def _within(self, call: Call) -> int:
        operation = self._model.operations.get(call)
        return 0 if operation is None else operation.policy.within_ms


def _keep(found: Longest, end: str | None, chain: Chain) -> None:
    if end not in found or chain.ms > found[end].ms:
        found[end] = chain


def _joined(before: Chain, after: Longest) -> Longest:
    """The paths of `after` with the calls of `before` in front."""
    if before.call is None:
        return after
    steps = list(_calls(before))
    joined: Longest = {}
    for end, chain in after.items():
        whole = chain
        for step in reversed(steps):
            whole = Chain(whole.ms + step.own_ms, step.call, step.own_ms, step.beside, whole)
        joined[end] = whole
    return joined


def _calls(chain: Chain | None) -> Iterator[Chain]:
    while chain is not None and chain.call is not None:
        yield chain
        chain = chain.rest


def _distinct(over: list[Over]) -> list[Over]:
    """Of paths whose last calls are the same only the shortest."""
    kept: list[Over] = []
    suffixes: set[tuple[Call | None, ...]] = set()
    for each in sorted(over, key=lambda one: len(list(_calls(one.chain)))):
        calls = tuple(step.call for step in _calls(each.chain))
        if not any(calls[at:] in suffixes for at in range(len(calls))):
            suffixes.add(calls)
            kept.append(each)
    return kept


# --------------------------------------------------------------------------------------------------------- diagnostics

OVER_BUDGET: Final = Code("FLW606", "over-budget", Severity.ERROR, fixed=False)


def too_long(over: Over) -> Diagnostic:
    chain, limit = over.chain, over.limit
    *_, last = _calls(chain)
    assert last.call is not None
    labels = [Label(last.call.head_span, f"the user may have waited {seconds(chain.ms)} when this is done")]
    if limit.span is not None:
        labels.append(Label(limit.span, "promised here", secondary=True))
    begin = _begin(over)
    if begin is not None:
        labels.append(Label(begin, "since the message that is taken here", secondary=True))
    default = "" if limit.span else ", the default of `reply within`"
    return Diagnostic(
        OVER_BUDGET,
        f"the first reply may take {seconds(chain.ms)}, but {seconds(limit.ms)} is promised{default}",
        tuple(labels),
        help="say something before it, shorten `within` of a call, or promise more",
        notes=(*_steps_of(chain), f"together {seconds(chain.ms)}"),
    )


def _begin(over: Over) -> Span | None:
    source = over.source
    if source is None:
        return over.graph.entry.name.span
    if source.arm is not None:
        return source.arm.head_span
    if source.wait is not None:
        return head(source.wait)
    return source.start.head_span if isinstance(source.start, Do) else None


def _steps_of(chain: Chain) -> tuple[str, ...]:
    """Call by call; of a long path the first and the last ones."""
    steps = [_step(each) for each in _calls(chain)]
    if len(steps) <= SHOWN:
        return tuple(steps)
    half = SHOWN // 2
    return (*steps[:half], f"… {len(steps) - SHOWN} more calls …", *steps[-half:])


def _step(step: Chain) -> str:
    assert step.call is not None
    words = f"`{step.call.service.text}.{step.call.operation.text}` within {seconds(step.own_ms)}"
    if not step.beside:
        return words
    return (
        f"{words}, at the same time as {listed(f'{each.service.text}.{each.operation.text}' for each in step.beside)}"
    )
