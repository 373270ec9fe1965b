"""Where values go: from where they come into a flow, over assignments and called flows, to each place that reads them.

The theory is that of Reps, Horwitz and Sagiv (Precise interprocedural dataflow analysis via graph reachability, 1995):
a fact is one value in one variable, a union of ways loses nothing, so reachability over pairs of a node and a fact is
the exact answer over all paths of the graph, and the step that first led to a pair gives back a shortest path. A
called flow has a summary from each parameter to what it gives, what it leaks, and how much time passes. A fact goes
only where its variable may still be read, so the walk stays as large as the ranges in which values live.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from flowc.compiler.graph import Edge, FlowGraph, Node, Place
from flowc.compiler.model import Model
from flowc.compiler.rules.carried import Held, Shown, Source, carried, declared_type, holds_secret, mark_in
from flowc.compiler.rules.ranges import ANSWERS, Live, assigned, needed_at, resumes_of, spoken_reads
from flowc.compiler.rules.sinks import Sink, sinks
from flowc.compiler.rules.values import (
    COMMITTED,
    SAME_TURN,
    TIME,
    WAITED,
    Fact,
    Found,
    Motion,
    Origin,
    Summary,
    is_forgotten,
    reads,
    secret_from,
)
from flowc.dsl.nodes import (
    Arm,
    Ask,
    Call,
    ChangePattern,
    Choose,
    Defer,
    Do,
    Handoff,
    Listen,
    Name,
    NamePattern,
    Reject,
    Say,
    Set,
    StateDeclaration,
)

__all__ = ["motion_of"]

STALE: Final = frozenset(["read"])
WAITING: Final = frozenset(["answer", "taken", "interruption"])
Key = tuple[Node, Fact]


def motion_of(
    graph: FlowGraph, model: Model, summaries: Mapping[str, Summary], *, is_called: bool, has_secrets: bool
) -> Motion:
    """Follows every value of a flow. `summaries` are those of the flows that it runs, as far as they are known;
    `has_secrets` whether anything in the project is a secret."""
    return _Walk(graph, model, summaries, is_called=is_called, has_secrets=has_secrets).run()


class _Walk:
    def __init__(
        self, graph: FlowGraph, model: Model, summaries: Mapping[str, Summary], *, is_called: bool, has_secrets: bool
    ) -> None:
        self._graph = graph
        self._flow = graph.flow
        self._model = model
        self._summaries = summaries
        self._spoken = spoken_reads(graph, model, is_called=is_called)
        self._is_called = is_called
        self._has_secrets = has_secrets
        self._before: dict[Key, Key | None] = {}
        self._pending: deque[Key] = deque()
        self._interrupted = [
            node for node in graph.reached if any(each.kind == "interruption" for each in graph.out(node))
        ]
        self._resumes = resumes_of(graph)
        self._motion = Motion()
        self._live = Live(graph, self._interrupted, self._resumes, self._reading())

    def run(self) -> Motion:
        for fact in self._at_entry():
            self._push(self._graph.entry, fact, None)
        for do in self._graph.dos:
            if do in self._graph.reached:
                for parameter, source, declared in self._declared(do):
                    self._passed(do, parameter, declared, source, (do, declared))
        for node in self._graph.reached:
            for edge in self._graph.out(node):
                for fact in self._born(node, edge):
                    self._push(edge.to, fact, (node, fact))
        while self._pending:
            key = self._pending.popleft()
            self._arrive(key)
        return self._motion

    def _push(self, node: Node, fact: Fact, before: Key | None) -> None:
        key = (node, fact)
        if key in self._before or not (fact.origin is TIME or self._live.at(node, fact.name)):
            return
        if before is not None and before not in self._before:
            self._before[before] = None  # where the value is born
        self._before[key] = before
        self._pending.append(key)

    # --------------------------------------------------------------------------------------------- which are worth it

    def _reading(self) -> dict[Node, set[str]]:
        """For each place the names whose values it minds or hands on: no other need be followed to there."""
        places: dict[Node, set[str]] = {}
        minded: set[str] = set()
        sources: dict[str, set[str]] = {}
        for node in self._graph.reached:
            names: set[str] = set()
            for sink in self._sinks_of(node):
                names.update(each.name for each in _held(sink.sources) if not (sink.minds == STALE and each.is_id))
            match node:
                case Do(arguments=arguments):
                    for argument in arguments:
                        names.update(each.name for each in _held(carried(argument.value, self._flow, self._model)))
                case Place("end", None) if self._is_called:
                    names.update(self._flow.results)
                case _:
                    pass
            minded |= names
            if isinstance(node, Set | Choose):
                value = node.value if isinstance(node, Set) else node.items
                held = {each.name for each in _held(carried(value, self._flow, self._model))}
                sources.setdefault(node.name.text, set()).update(held)
                names = names | held
            if self._has_secrets:
                names |= needed_at(node, self._flow)
            if names:
                places[node] = names
        wanted = minded | self._secrets() | _behind(minded, sources)
        return {node: names & wanted for node, names in places.items()}

    def _secrets(self) -> set[str]:
        """Names that may have a secret, or hold one: they are needed wherever they are read."""
        if not self._has_secrets:
            return set()
        return {*self._flow.variables, *self._flow.slots, *self._flow.parameters}

    # ------------------------------------------------------------------------------------------------- where they begin

    def _at_entry(self) -> Iterator[Fact]:
        if self._is_called:
            yield Fact("", None, TIME, SAME_TURN)
        declared = {each.name.text: each.span for each in self._flow.header.takes}
        for name, of in self._flow.parameters.items():
            yield Fact(name, None, Origin("parameter", name, declared.get(name)), SAME_TURN)
            if holds_secret(of, self._model.records):
                yield Fact(name, None, secret_from(name, of, declared.get(name)), SAME_TURN)

    def _born(self, node: Node, edge: Edge) -> Iterator[Fact]:
        """Facts about values that come in over `edge`."""
        match node:
            case Call(target=target) if target is not None and edge.kind == "next":
                operation = self._model.operations.get(node)
                if operation is None:
                    return
                what = f"`{operation.service}.{operation.name}`"
                if operation.kind == "read":
                    yield Fact(target.text, None, Origin("read", what, node.head_span), SAME_TURN)
                mark = mark_in(operation.result)
                if mark == "pii" and mark_in(declared_type(target.text, self._flow)) is None:
                    yield Fact(target.text, None, Origin("pii", f"what {what} answers", target.span), SAME_TURN)
                if holds_secret(operation.result, self._model.records):
                    kind: Literal["secret", "holds"] = "secret" if mark == "secret" else "holds"
                    yield Fact(target.text, None, Origin(kind, f"what {what} answers", target.span), SAME_TURN)
            case Set(name, value):
                yield from self._marked(name.text, carried(value, self._flow, self._model))
            case Choose(name=name, items=items) if edge.kind in ANSWERS:
                yield from self._marked(name.text, carried(items, self._flow, self._model))
            case Ask(slots=slots) if edge.kind in ANSWERS:
                yield from self._slots(slots)
            case Arm(patterns=patterns):
                for pattern in patterns:
                    if isinstance(pattern, ChangePattern):
                        yield from self._slots(pattern.slots)
            case Do(target=target) if target is not None and edge.kind == "return":
                yield from self._given(node, target.text)
            case _:
                return

    def _marked(self, name: str, sources: Iterable[Source]) -> Iterator[Fact]:
        for each in sources:
            match each:
                case Shown("pii", words, span):
                    yield Fact(name, None, Origin("pii", words, span), SAME_TURN)
                case Shown(_, words, span):
                    yield Fact(name, None, Origin("secret", words, span), SAME_TURN)
                case Held():
                    pass

    def _slots(self, names: Iterable[Name]) -> Iterator[Fact]:
        for name in names:
            slot = self._flow.slots.get(name.text)
            if slot is not None and holds_secret(slot.type, self._model.records):
                yield Fact(slot.name, None, secret_from(slot.name, slot.type, name.span), SAME_TURN)

    def _given(self, do: Do, name: str) -> Iterator[Fact]:
        called = self._model.flow_of(do)
        summary = self._summaries.get(self._model.called.get(do, ""))
        if called is None or summary is None:
            return
        for result, origin, _ in summary.gives:
            if origin.kind != "parameter":
                yield Fact(name, result, origin, SAME_TURN if origin.kind != "read" else self._oldest(summary))
        for parameter, _, declared in self._declared(do):
            yield from self._results(summary, name, parameter, declared)
        for result, of in called.results.items():
            if holds_secret(of, self._model.records):
                yield Fact(name, result, secret_from(f"{name}.{result}", of, do.head_span), SAME_TURN)

    def _oldest(self, summary: Summary) -> int:
        return SAME_TURN if not summary.gives else max(age for _, _, age in summary.gives)

    # ------------------------------------------------------------------------------------------------ where they arrive

    def _arrive(self, key: Key) -> None:
        node, fact = key
        if node in self._spoken:
            fact = self._older(fact, COMMITTED)
        if isinstance(node, Place) and node.kind == "end":
            self._ends(node, fact)
        if fact.origin is not TIME:
            self._minded(node, fact, key)
            if is_forgotten(fact) and isinstance(node, Ask) and any(slot.text == fact.name for slot in node.slots):
                return  # it is asked for again
        for edge in self._graph.out(node):
            for after in self._over(node, edge, fact):
                self._push(edge.to, after, key)
        if node in self._resumes and not fact.lent and fact.origin is not TIME:
            for wait in self._interrupted:
                self._push(wait, fact, key)

    def _ends(self, place: Place, fact: Fact) -> None:
        summary = self._motion.summary
        if fact.origin is TIME:
            summary.ages.setdefault(place.outcome, set()).add(fact.age)
        elif (
            place.outcome is None
            and fact.name in self._flow.results
            and fact.origin.kind in ("pii", "read", "parameter")
        ):
            summary.gives.add((fact.name, fact.origin, fact.age))

    def _minded(self, node: Node, fact: Fact, key: Key) -> None:
        """Notes the places of `node` that mind the value."""
        for sink in self._sinks_of(node):
            for source in sink.sources:
                if isinstance(source, Held) and reads(source, fact):
                    self._sunk(node, fact, source, sink, key)
        if is_forgotten(fact) and fact.name in needed_at(node, self._flow):
            self._motion.found.append(Found(node, fact, None, None, self._path(key), self._turned(key, fact)))
        if isinstance(node, Do):
            for parameter, source in self._arguments(node, fact):
                self._passed(node, parameter, fact, source, key)

    def _sinks_of(self, node: Node) -> tuple[Sink, ...]:
        if not self._has_secrets and isinstance(node, Say | Ask | Reject | Set | Do):
            return ()  # they mind nothing else
        found = self._motion.sinks.get(node)
        if found is None:
            found = self._motion.sinks[node] = tuple(sinks(node, self._flow, self._model))
        return found

    def _sunk(self, node: Node, fact: Fact, source: Held, sink: Sink, key: Key) -> None:
        found = Found(node, fact, source, sink, self._path(key), self._turned(key, fact))
        match fact.origin.kind:
            case "parameter":
                self._motion.summary.leaks.setdefault(fact.origin.words, []).append(found)
            case "read":
                if "read" in sink.minds and fact.age == WAITED and not source.is_id:
                    self._motion.found.append(found)
            case "pii" | "secret" as kind:
                if kind in sink.minds or (kind == "secret" and sink.deferred):
                    self._motion.found.append(found)
            case _:
                pass

    def _passed(self, do: Do, parameter: str, fact: Fact, source: Source, key: Key) -> None:
        """What the flow that `do` runs does with an argument for `parameter`."""
        summary = self._summaries.get(self._model.called.get(do, ""))
        for leak in () if summary is None else summary.leaks.get(parameter, ()):
            older = self._older(fact, leak.fact.age)
            assert isinstance(leak.source, Held)
            assert leak.sink is not None
            turned = leak.turned if leak.turned is not None and leak.fact.age > fact.age else self._turned(key, fact)
            found = Found(leak.node, older, leak.source, leak.sink, (*self._path(key), *leak.path), turned)
            is_id = leak.source.is_id or (isinstance(source, Held) and source.is_id)
            match fact.origin.kind:
                case "parameter":
                    self._motion.summary.leaks.setdefault(fact.origin.words, []).append(found)
                case "read":
                    if "read" in leak.sink.minds and older.age == WAITED and not is_id:
                        self._motion.found.append(found)
                case "pii" | "secret" as kind:
                    if kind in leak.sink.minds:
                        self._motion.found.append(found)
                case _:
                    pass

    def _declared(self, do: Do) -> Iterator[tuple[str, Shown, Fact]]:
        """Arguments of `do` that their declarations mark, as facts."""
        for argument in do.arguments:
            for source in carried(argument.value, self._flow, self._model):
                if isinstance(source, Shown):
                    kind: Literal["pii", "secret"] = "secret" if source.mark == "secret" else "pii"
                    yield argument.name.text, source, Fact("", None, Origin(kind, source.words, source.span), SAME_TURN)

    def _arguments(self, do: Do, fact: Fact) -> Iterator[tuple[str, Held]]:
        for argument in do.arguments:
            for source in carried(argument.value, self._flow, self._model):
                if isinstance(source, Held) and reads(source, fact):
                    yield argument.name.text, source

    # ------------------------------------------------------------------------------------------------- where they go on

    def _over(self, node: Node, edge: Edge, fact: Fact) -> Iterator[Fact]:
        """What is true of the value behind `edge`."""
        older = fact
        for age in self._ages(node, edge):
            older = self._older(fact, age)
            if edge.kind == "handler":
                older = older._replace(lent=True)
            elif isinstance(edge.to, StateDeclaration):
                older = older._replace(lent=False)
            if fact.name not in assigned(node, edge):
                yield older
        if fact.origin is TIME:
            return
        moves = () if fact.origin.kind == "holds" and not self._keeps_secret(node) else self._moves(node, edge)
        for target, source in moves:
            if reads(source, fact) and not (fact.origin.kind == "read" and source.is_id):
                yield Fact(target, None, fact.origin, older.age if fact.origin.kind == "read" else SAME_TURN)
        if isinstance(node, Do) and node.target is not None and edge.kind == "return":
            yield from self._through(node, node.target.text, fact)

    def _keeps_secret(self, node: Node) -> bool:
        """Whether what is assigned at `node` still has the secret in it."""
        match node:
            case Set(value=value) | Choose(items=value):
                return holds_secret(self._model.types.get(value), self._model.records)
            case _:
                return True

    def _moves(self, node: Node, edge: Edge) -> Iterator[tuple[str, Held]]:
        """Assignments over `edge`: what gets a value, and from what. What a user chose is no stale value."""
        match node:
            case Set(name, value):
                yield from ((name.text, each) for each in _held(carried(value, self._flow, self._model)))
            case Choose(name=name, items=items) if edge.kind in ANSWERS:
                for each in _held(carried(items, self._flow, self._model)):
                    yield name.text, each._replace(is_id=True)
            case _:
                return

    def _through(self, do: Do, target: str, fact: Fact) -> Iterator[Fact]:
        summary = self._summaries.get(self._model.called.get(do, ""))
        if summary is None:
            return
        for parameter, _ in self._arguments(do, fact):
            yield from self._results(summary, target, parameter, fact)

    def _results(self, summary: Summary, target: str, parameter: str, fact: Fact) -> Iterator[Fact]:
        """What of `target` has the value that was given for `parameter`."""
        for result, origin, age in summary.gives:
            if origin.kind == "parameter" and origin.words == parameter:
                yield self._older(Fact(target, result, fact.origin, fact.age), age)

    def _ages(self, node: Node, edge: Edge) -> Iterable[int]:
        """How much later it is behind `edge`."""
        match node:
            case Listen():
                return (WAITED,)
            case Ask() | Choose() if edge.kind in WAITING:
                return (WAITED,)
            case Reject() if edge.kind == "reject":
                return (WAITED,)
            case Handoff() if edge.kind == "people":
                return (WAITED,)
            case Defer() if edge.kind == "job":
                return (WAITED,)
            case Do() if edge.kind == "interruption":
                return (WAITED,)
            case Do():
                return self._ages_of(node, edge)
            case Call():
                operation = self._model.operations.get(node)
                return (COMMITTED,) if operation is not None and operation.kind == "write" else (SAME_TURN,)
            case _:
                return (SAME_TURN,)

    def _ages_of(self, do: Do, edge: Edge) -> Iterable[int]:
        summary = self._summaries.get(self._model.called.get(do, ""))
        if summary is None:
            return (WAITED,)
        if edge.kind == "return":
            return summary.ages.get(None, ())
        patterns = edge.to.patterns if isinstance(edge.to, Arm) else ()
        outcomes = [pattern.name.text for pattern in patterns if isinstance(pattern, NamePattern)]
        return {age for outcome in outcomes for age in summary.ages.get(outcome, {WAITED})} or (WAITED,)

    def _older(self, fact: Fact, age: int) -> Fact:
        return fact if fact.age >= age else fact._replace(age=age)

    def _turned(self, key: Key, fact: Fact) -> Node | None:
        """Where on the way the value came to its age; None where it is as old as it was at first."""
        at: Key | None = key
        while at is not None:
            if at[1].age < fact.age:
                return at[0]
            at = self._before.get(at)
        return None

    def _path(self, key: Key) -> tuple[Node, ...]:
        path: list[Node] = []
        at: Key | None = key
        while at is not None:
            path.append(at[0])
            at = self._before.get(at)
        return tuple(reversed(path))


def _behind(minded: set[str], sources: Mapping[str, set[str]]) -> set[str]:
    """The names whose values may come into `minded` ones."""
    found: set[str] = set()
    pending = list(minded)
    while pending:
        new = sources.get(pending.pop(), set()) - found
        found |= new
        pending += new
    return found


def _held(sources: Iterable[Source]) -> Iterator[Held]:
    return (each for each in sources if isinstance(each, Held))
