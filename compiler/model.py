"""The checked model: every name resolved, every type known. What the rules, the graph and `lower` read.

Facts about nodes are side tables keyed by node (nodes hash by identity). What could not be resolved was reported
once; the node is in `Model.unknown`, or its type is `Unknown`, and every later pass is silent about it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from flowc.compiler.types import FlowType
from flowc.dsl.nodes import (
    Arm,
    Ask,
    Call,
    Defer,
    Do,
    EventDeclaration,
    Example,
    ExampleSlot,
    Expression,
    FlowFile,
    FlowHeader,
    IntentDeclaration,
    MigrateDeclaration,
    NamePattern,
    Operation,
    Reference,
    ServiceDeclaration,
    SlotDeclaration,
    StateDeclaration,
)
from flowc.runtime.program import Failure, OwnPolicy, Policy, ServicePolicy
from flowc.runtime.types import Field

if TYPE_CHECKING:
    from flowc.compiler.project import Project

__all__ = [
    "AskFacts",
    "EventModel",
    "FlowModel",
    "IntentModel",
    "Model",
    "NameKind",
    "OperationModel",
    "PatternKind",
    "ServiceModel",
    "SlotModel",
]

# A variable is whatever `set`, `call`, `do`, `choose` or `gives` declares. A local is a name of the arm or text around
# it: `error`, a failure, an event, the x of `on done x`, the item of a `for` or of `show`, the new value in a slot's
# `check`, a parameter in an operation's own lines.
NameKind = Literal["slot", "variable", "parameter", "local", "builtin"]

# What the name after `on` is. `failure`: a declared failure of the operation; `kind`: timeout, unavailable, overloaded,
# rejected, malformed, unknown (also `on unknown` of `anywhere` and of a job); `any_failure`: `on failure` of
# `anywhere`; `job_failed`: `on failed` of a `defer`; `outcome`: of a `do`; `empty`: of a `choose`; the others: of a
# `handoff`. Whether the operation can have that failure or kind is FLW603's to say: look in `OperationModel.outcomes`.
PatternKind = Literal[
    "intent", "event", "failure", "kind", "any_failure", "job_failed", "outcome", "empty", "returned", "unavailable"
]


@dataclass(frozen=True, slots=True)
class SlotModel:
    name: str
    type: FlowType
    declaration: SlotDeclaration


@dataclass(frozen=True, slots=True)
class IntentModel:
    """`examples` has those of its files too, whose spans are of the line that names the file."""

    name: str
    examples: tuple[Example, ...]
    declaration: IntentDeclaration

    @property
    def slots(self) -> frozenset[str]:
        """The slots that its examples name."""
        return frozenset(
            part.name.text for each in self.examples for part in each.parts if isinstance(part, ExampleSlot)
        )


@dataclass(frozen=True, slots=True)
class EventModel:
    name: str
    fields: tuple[Field, ...]
    declaration: EventDeclaration


@dataclass(frozen=True, slots=True)
class OperationModel:
    """`policy` has every default filled in. `outcomes` is the closed set beside ok: declared failures in source order,
    then kinds in the order of the language reference. `failures` has one entry for each `fails` name, so a name may
    be there twice."""

    service: str
    name: str
    kind: Literal["read", "write"]
    parameters: tuple[Field, ...]
    result: FlowType | None
    policy: Policy
    failures: tuple[Failure, ...]
    outcomes: tuple[str, ...]
    declaration: Operation
    own: OwnPolicy | None = None

    def failure_fields(self, name: str) -> tuple[Field, ...]:
        """What the error's body tells of the declared failure `name`."""
        return next((failure.fields for failure in self.failures if failure.name == name), ())


@dataclass(frozen=True, slots=True)
class ServiceModel:
    name: str
    adapter: str
    policy: ServicePolicy
    operations: Mapping[str, OperationModel]
    declaration: ServiceDeclaration


@dataclass(frozen=True, slots=True)
class FlowModel:
    """One flow with everything in its reach, own or imported.

    `variables` has every slot, parameter and variable with its type; a slot's is its declared type (that it may have
    no value yet is not in it), a variable's has `?` where some assignment may be none. `outcomes` are the ways it
    ends beside a plain `end`: its `end NAME`s in source order, and `handoff` where it, or a flow it calls without an
    arm for that, hands off without arms. `broken` tells that its file had mistakes of layout or syntax, so that
    something may be missing in it: findings in such files by rules about absence are dropped by `compile`.
    """

    name: str
    file: FlowFile
    header: FlowHeader
    broken: bool
    states: Mapping[str, StateDeclaration]
    start: str
    anywhere: tuple[Arm, ...]
    parameters: Mapping[str, FlowType]
    results: Mapping[str, FlowType]
    variables: Mapping[str, FlowType]
    slots: Mapping[str, SlotModel]
    intents: Mapping[str, IntentModel]
    events: Mapping[str, EventModel]
    services: Mapping[str, ServiceModel]
    flows: frozenset[str]
    outcomes: tuple[str, ...]
    migrations: tuple[MigrateDeclaration, ...]

    @property
    def path(self) -> str:
        return self.file.path


@dataclass(frozen=True, slots=True)
class AskFacts:
    """What is certain where an `ask` begins: slots with a value on every path, and slots with none on every path."""

    filled: frozenset[str]
    empty: frozenset[str]


@dataclass(frozen=True, slots=True)
class Model:
    """A project, checked. `flows` by name, in order of path; `bot` names the main flow and what it reaches with `do`.

    `types`: of every expression where it stands, so a slot that may have no value there reads as `T?`. `names`: of
    every reference; what is looked up is `reference.name`. `operations`, `called`, `patterns`: absent for nodes that
    are in `unknown`. `asks`: every `ask`. `services` of the whole project by name; `records` with those behind
    `user`, `message`, `conversation`, `error`, results of flows (`FLOW.gives`), events and failures. `unknown`:
    nodes whose name did not resolve: Goto, Resume, MoveState, Call, Defer, Do, NamePattern, Reference, FieldAccess,
    Ask …
    """

    project: "Project"
    files: Mapping[str, FlowFile]
    flows: Mapping[str, FlowModel]
    main: str | None
    bot: tuple[str, ...]
    services: Mapping[str, ServiceModel]
    records: Mapping[str, tuple[Field, ...]]
    user_fields: tuple[Field, ...]
    types: Mapping[Expression, FlowType]
    names: Mapping[Reference, NameKind]
    operations: Mapping[Call | Defer, OperationModel]
    called: Mapping[Do, str]
    patterns: Mapping[NamePattern, PatternKind]
    asks: Mapping[Ask, AskFacts]
    unknown: frozenset[object]

    def flow_of(self, statement: Do) -> FlowModel | None:
        """The flow that `statement` runs; None where it is unknown."""
        name = self.called.get(statement)
        return None if name is None else self.flows.get(name)

    def is_unknown(self, node: object) -> bool:
        """Whether `node` was already reported as not resolved."""
        return node in self.unknown
