"""The graph of a flow at the grain of its states, statements, waits and arms, and the walks that the rules share.

Nodes are those of the syntax tree themselves, with `Place`s for what has no text: the ends, the bottom of a state,
and the hub from which `anywhere` interrupts. An edge says by its kind whether the turn goes on over it or a wait
lies on it. `networkx` is loaded only where an algorithm needs it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, assert_never

from flowc.compiler.groups import Group, grouped
from flowc.compiler.model import FlowModel, Model
from flowc.compiler.suggest import meant
from flowc.compiler.walk import Block, leaves
from flowc.dsl.nodes import (
    Arm,
    Ask,
    Call,
    Choose,
    Clear,
    Defer,
    Do,
    DonePattern,
    ElsePattern,
    End,
    Goto,
    Handoff,
    If,
    Listen,
    Mark,
    Match,
    NamePattern,
    Reject,
    Resume,
    Say,
    Set,
    SilencePattern,
    StateDeclaration,
    Statement,
)

if TYPE_CHECKING:
    import networkx as nx

__all__ = [
    "Edge",
    "FlowGraph",
    "Node",
    "Place",
    "Step",
    "Wait",
    "build_graphs",
    "is_else",
    "names",
    "path_between",
    "reach",
]

# next, branch, goto: straight on. skip: over an ask or choose that needs no answer; answer: behind one that got it.
# taken: into an arm of a wait. empty: into the arm of a choose without items. again: from such an arm back to its
# statement. failed: into an arm of a call; failure: into the arm of `anywhere` for it. outcome, return: behind a `do`.
# reject: back to the ask, which waits; spent: its tries are used up. resume, bound: of a resume. interruption: from a
# wait to the hub; handler: from there into an arm. job: into an arm of a deferred job. people: behind a handoff.
EdgeKind = Literal[
    "next",
    "branch",
    "goto",
    "skip",
    "answer",
    "taken",
    "empty",
    "again",
    "failed",
    "failure",
    "outcome",
    "return",
    "reject",
    "spent",
    "resume",
    "bound",
    "interruption",
    "handler",
    "job",
    "people",
    "exit",
]

SAME_TURN: Final[frozenset[EdgeKind]] = frozenset(
    ["next", "branch", "goto", "skip", "empty", "again", "failed", "failure", "spent", "resume", "bound", "exit"]
)
"""Edges over which a turn goes on by itself. Those of a `do` depend on the flow that it runs."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where control can be without a statement. `end` and `handoff` leave the flow, `bottom` is behind the last
    statement of a state or handler, `back` is the interrupted wait, `hub` is `anywhere`, `lost` is the target of a
    name that did not resolve."""

    kind: Literal["end", "handoff", "bottom", "back", "hub", "lost"]
    outcome: str | None = None


Node = StateDeclaration | Statement | Arm | Place
Wait = Ask | Choose | Listen


class Edge(NamedTuple):
    to: Node
    kind: EdgeKind


class Step(NamedTuple):
    """A node that was reached, from which one, and over what."""

    before: Node | None
    kind: EdgeKind | None


@dataclass(frozen=True, slots=True, eq=False)
class FlowGraph:
    """One flow's graph. `home` says in which state or handler a node stands, `groups` the reads that start with a call
    (of more than one), `owners` the wait that a `resume` runs again, `fallback` the arm for `else` that a wait has
    in its flow."""

    flow: FlowModel
    edges: Mapping[Node, list[Edge]]
    home: Mapping[Node, StateDeclaration | Arm]
    groups: Mapping[Call, Group]
    owners: Mapping[Resume, Wait]
    waits: tuple[Wait, ...]
    calls: tuple[Call | Defer, ...]
    dos: tuple[Do, ...]
    entry: StateDeclaration
    hub: Place
    handlers: "Handlers"
    reached: frozenset[Node]
    turn: Mapping[Node, tuple[Node, ...]]
    repeating: frozenset[Wait]

    @property
    def digraph(self) -> "nx.MultiDiGraph[Node]":
        """The whole graph for networkx; each edge has its `kind`. Built anew each time. Linear."""
        import networkx as nx

        graph: nx.MultiDiGraph[Node] = nx.MultiDiGraph()
        graph.add_nodes_from(self.edges)
        graph.add_edges_from((node, edge.to, {"kind": edge.kind}) for node in self.edges for edge in self.edges[node])
        return graph

    def out(self, node: Node) -> list[Edge]:
        """The edges that leave `node`."""
        return self.edges.get(node, [])


@dataclass(frozen=True, slots=True)
class Handlers:
    """What the flow's own `anywhere` takes."""

    otherwise: Arm | None
    failure: Arm | None
    unknown: Arm | None
    silence: bool
    events: frozenset[str]


def build_graphs(model: Model) -> dict[str, FlowGraph]:
    """The graph of every flow that has a state to start in, by name. Linear."""
    return {name: _Builder(flow, model).build() for name, flow in model.flows.items() if flow.start in flow.states}


def reach(starts: Iterable[Node], follow: Callable[[Node], Iterable[Edge]]) -> dict[Node, Step]:
    """Every node that can be reached, with the step that first led to it; breadth first, so paths back are shortest."""
    found: dict[Node, Step] = {start: Step(None, None) for start in starts}
    layer = list(found)
    while layer:
        following: list[Node] = []
        for node in layer:
            for to, kind in follow(node):
                if to not in found:
                    found[to] = Step(node, kind)
                    following.append(to)
        layer = following
    return found


def path_between(found: Mapping[Node, Step], end: Node) -> tuple[Node, ...]:
    """The way that `reach` took to `end`, from its start."""
    path = [end]
    while (before := found[path[-1]].before) is not None:
        path.append(before)
    return tuple(reversed(path))


def is_else(arm: Arm) -> bool:
    return any(isinstance(pattern, ElsePattern) for pattern in arm.patterns)


def names(arm: Arm, model: Model, *kinds: str) -> Iterator[NamePattern]:
    """The patterns of `arm` that are of one of `kinds`."""
    for pattern in arm.patterns:
        if isinstance(pattern, NamePattern) and model.patterns.get(pattern) in kinds:
            yield pattern


class _Builder:
    """Collects the edges of one flow."""

    def __init__(self, flow: FlowModel, model: Model) -> None:
        self._flow = flow
        self._model = model
        self._edges: dict[Node, list[Edge]] = {}
        self._home: dict[Node, StateDeclaration | Arm] = {}
        self._groups: dict[Call, Group] = {}
        self._owners: dict[Resume, Wait] = {}
        self._waits: list[Wait] = []
        self._calls: list[Call | Defer] = []
        self._dos: list[Do] = []
        self._hub = Place("hub")
        self._handlers = _handlers(flow, model)
        self._in: StateDeclaration | Arm = flow.states[flow.start]
        self._asks: dict[str, Ask] = {}
        self._repeating: list[Wait] = []

    def build(self) -> FlowGraph:
        flow = self._flow
        for state in flow.states.values():
            self._enter(state)
            bottom = Place("bottom")
            self._block(state.body, bottom, None)
            self._edge(state, _begin(state.body, bottom), "next")
        for arm in flow.anywhere:
            self._enter(arm)
            bottom = Place("bottom")
            self._block(arm.body, bottom, None)
            self._edge(arm, _begin(arm.body, bottom), "next")
            if not any(names(arm, self._model, "any_failure", "kind")):
                self._edge(self._hub, arm, "handler")
        entry = flow.states[flow.start]
        moved = {move.new.text for each in flow.migrations for move in each.moves}
        faulted = (arm for arm in (self._handlers.failure, self._handlers.unknown) if arm is not None)
        starts: tuple[Node, ...] = (entry, *(state for name, state in flow.states.items() if name in moved), *faulted)
        return FlowGraph(
            flow,
            self._edges,
            self._home,
            self._groups,
            self._owners,
            tuple(self._waits),
            tuple(self._calls),
            tuple(self._dos),
            entry,
            self._hub,
            self._handlers,
            frozenset(reach(starts, lambda node: self._edges.get(node, ()))),
            {node: tuple(to for to, kind in edges if kind in SAME_TURN) for node, edges in self._edges.items()},
            frozenset(self._repeating),
        )

    def _enter(self, place: StateDeclaration | Arm) -> None:
        self._in = place
        self._home[place] = place
        self._asks = {}

    def _edge(self, source: Node, to: Node, kind: EdgeKind) -> None:
        edges = self._edges.get(source)
        if edges is None:
            self._edges[source] = [Edge(to, kind)]
        else:
            edges.append(Edge(to, kind))

    def _block(self, body: Block, after: Node, owner: Wait | None) -> None:
        """The edges of `body`, which goes on at `after`. `owner` is the wait in whose arm it stands."""
        if sum(isinstance(statement, Call) for statement in body) > 1:
            for item in grouped(body, self._model):
                if isinstance(item, tuple) and len(item) > 1:
                    self._groups[item[0]] = item
        last = len(body) - 1
        for index, statement in enumerate(body):
            self._home[statement] = self._in
            if isinstance(statement, Listen) and index and isinstance(body[index - 1], Say):
                self._repeating.append(statement)
            self._statement(statement, after if index == last else body[index + 1], owner)

    def _arm(self, source: Statement, arm: Arm, kind: EdgeKind, after: Node, owner: Wait | None) -> None:
        self._home[arm] = self._in
        self._edge(source, arm, kind)
        self._edge(arm, _begin(arm.body, after), "next")
        self._block(arm.body, after, owner)

    def _statement(self, statement: Statement, after: Node, owner: Wait | None) -> None:
        match statement:
            case Say() | Set() | Clear() | Mark():
                self._edge(statement, after, "next")
            case Ask():
                self._ask(statement, after)
            case Choose():
                self._choose(statement, after)
            case Listen():
                self._listen(statement, after)
            case Call():
                self._call(statement, after, owner)
            case Defer():
                self._defer(statement, after)
            case Do():
                self._do(statement, after, owner)
            case If():
                self._if(statement, after, owner)
            case Match():
                self._match(statement, after, owner)
            case Handoff():
                self._handoff(statement, after, owner)
            case Goto(state):
                self._goto(statement, state.text, "goto")
            case Reject():
                self._reject(statement)
            case Resume():
                self._resume(statement, owner)
            case End(outcome):
                self._edge(statement, Place("end", None if outcome is None else outcome.text), "exit")
            case _:
                assert_never(statement)

    def _ask(self, ask: Ask, after: Node) -> None:
        self._waits.append(ask)
        self._asks.update({slot.text: ask for slot in ask.slots})
        facts = self._model.asks.get(ask)
        certain = facts is not None and any(slot.text in facts.empty for slot in ask.slots)
        if not certain:
            self._edge(ask, after, "skip")
        self._edge(ask, after, "answer")
        self._edge(ask, self._hub, "interruption")
        for arm in ask.arms:
            self._arm_of_asking(ask, arm, "taken")

    def _arm_of_asking(self, wait: Ask | Choose, arm: Arm, kind: EdgeKind) -> None:
        """An arm that runs its statement again where it does not leave."""
        again = Place("back")
        self._arm(wait, arm, kind, again, wait)
        if not leaves(arm.body):
            self._edge(again, wait, "again")

    def _choose(self, choose: Choose, after: Node) -> None:
        self._waits.append(choose)
        self._edge(choose, after, "skip")
        self._edge(choose, after, "answer")
        self._edge(choose, self._hub, "interruption")
        for arm in choose.arms:
            self._arm_of_asking(choose, arm, "empty" if any(names(arm, self._model, "empty")) else "taken")

    def _listen(self, listen: Listen, after: Node) -> None:
        self._waits.append(listen)
        self._edge(listen, self._hub, "interruption")
        for arm in listen.arms:
            self._arm(listen, arm, "taken", after, listen)

    def _call(self, call: Call, after: Node, owner: Wait | None) -> None:
        self._calls.append(call)
        self._edge(call, after, "next")
        for arm in call.arms:
            self._arm(call, arm, "failed", after, owner)
        open_failure, open_unknown = left_open(call, self._model)
        if open_failure and self._handlers.failure is not None:
            self._edge(call, self._handlers.failure, "failure")
        if open_unknown and self._handlers.unknown is not None:
            self._edge(call, self._handlers.unknown, "failure")

    def _defer(self, defer: Defer, after: Node) -> None:
        self._calls.append(defer)
        self._edge(defer, after, "next")
        for arm in defer.arms:
            self._arm(defer, arm, "job", Place("back"), None)
        open_failure, open_unknown = left_open(defer, self._model)
        for is_open, handler in ((open_failure, self._handlers.failure), (open_unknown, self._handlers.unknown)):
            if is_open and handler is not None:
                self._edge(defer, handler, "job")

    def _do(self, do: Do, after: Node, owner: Wait | None) -> None:
        self._dos.append(do)
        self._edge(do, after, "return")
        self._edge(do, self._hub, "interruption")
        handled: set[str] = set()
        for arm in do.arms:
            handled.update(pattern.name.text for pattern in names(arm, self._model, "outcome"))
            self._arm(do, arm, "outcome", after, owner)
        called = self._model.flow_of(do)
        if called is None:
            self._edge(do, Place("lost"), "exit")
        elif "handoff" in called.outcomes and "handoff" not in handled:
            self._edge(do, Place("handoff"), "outcome")
        for handler in (self._handlers.failure, self._handlers.unknown):
            if handler is not None:
                self._edge(do, handler, "interruption")

    def _if(self, statement: If, after: Node, owner: Wait | None) -> None:
        for branch in statement.branches:
            self._edge(statement, _begin(branch.body, after), "branch")
            self._block(branch.body, after, owner)
        if statement.branches[-1].condition is not None:
            self._edge(statement, after, "next")

    def _match(self, match: Match, after: Node, owner: Wait | None) -> None:
        for arm in match.arms:
            self._arm(match, arm, "branch", after, owner)

    def _handoff(self, handoff: Handoff, after: Node, owner: Wait | None) -> None:
        for arm in handoff.arms:
            self._arm(handoff, arm, "people", after, owner)
        if len(handoff.arms) < 2:
            self._edge(handoff, Place("handoff"), "exit")

    def _goto(self, source: Goto | Resume, state: str, kind: EdgeKind) -> None:
        target = self._flow.states.get(state) or meant(state, self._flow.states)
        self._edge(source, target or Place("lost"), kind if target else "exit")

    def _reject(self, reject: Reject) -> None:
        ask = self._asks.get(reject.slot.text)
        if ask is None:
            self._edge(reject, Place("lost"), "exit")
            return
        self._edge(reject, ask, "reject")
        otherwise = next((arm for arm in ask.arms if is_else(arm)), self._handlers.otherwise)
        if otherwise is not None:
            self._edge(reject, otherwise, "spent")

    def _resume(self, resume: Resume, owner: Wait | None) -> None:
        if owner is not None:
            self._owners[resume] = owner
            self._edge(resume, owner, "resume")
        else:
            self._edge(resume, Place("back"), "resume")
        if resume.then is not None:
            self._goto(resume, resume.then.text, "bound")


def _begin(body: Sequence[Statement], after: Node) -> Node:
    """Where a block begins. One that could not be read is empty: control goes on behind it."""
    return body[0] if body else after


def left_open(call: Call | Defer, model: Model) -> tuple[bool, bool]:
    """Whether some failure, and whether `unknown`, of `call` is left to `anywhere`."""
    left = open_outcomes(call, model)
    return any(kind != "unknown" for kind in left), "unknown" in left


def open_outcomes(call: Call | Defer, model: Model) -> tuple[str, ...]:
    """The outcomes of `call` that none of its own arms takes, in the order of the operation. None of an unknown one."""
    operation = model.operations.get(call)
    if operation is None:
        return ()
    taken: set[str] = set()
    for arm in call.arms:
        for pattern in arm.patterns:
            match pattern:
                case ElsePattern():
                    taken.update(kind for kind in operation.outcomes if kind != "unknown")
                case NamePattern(name) if model.patterns.get(pattern) == "job_failed":
                    taken.update(kind for kind in operation.outcomes if kind != "unknown")
                case NamePattern(name):
                    taken.add(name.text)
                case DonePattern():
                    pass
                case _:
                    pass
    return tuple(kind for kind in operation.outcomes if kind not in taken)


def _handlers(flow: FlowModel, model: Model) -> Handlers:
    arms = flow.anywhere
    return Handlers(
        next((arm for arm in arms if is_else(arm)), None),
        next((arm for arm in arms if any(names(arm, model, "any_failure"))), None),
        next((arm for arm in arms if any(names(arm, model, "kind"))), None),
        any(isinstance(pattern, SilencePattern) for arm in arms for pattern in arm.patterns),
        frozenset(pattern.name.text for arm in arms for pattern in names(arm, model, "event")),
    )
