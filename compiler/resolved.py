"""What resolving the names of a project finds out: side tables keyed by node, and what each flow names."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowc.compiler.declare import (
    Scope,
)
from flowc.compiler.model import OperationModel, PatternKind, ServiceModel, SlotModel
from flowc.compiler.suggest import nearest
from flowc.compiler.types import FlowType
from flowc.dsl.nodes import (
    Arm,
    Call,
    Choose,
    Defer,
    Do,
    FlowHeader,
    Name,
    NamePattern,
    Set,
    StateDeclaration,
)

__all__ = ["Assignment", "FlowNames", "Interface", "Locals", "Resolved"]

Locals = Mapping[str, FlowType]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where a variable gets a value, and the locals in sight there."""

    name: Name
    source: Set | Call | Do | Choose
    locals: Locals


@dataclass(slots=True)
class FlowNames:
    """What the bodies of one flow name, while they are read."""

    scope: Scope
    header: FlowHeader
    slots: dict[str, SlotModel]
    services: dict[str, ServiceModel]
    assignments: list[Assignment] = field(default_factory=list)
    forgotten: list[Name] = field(default_factory=list)
    outcomes: dict[str, None] = field(default_factory=dict)
    dos: list[Do] = field(default_factory=list)
    hands_off: bool = False

    @property
    def name(self) -> str:
        return self.header.name.text

    @property
    def states(self) -> Mapping[str, StateDeclaration]:
        return self.scope.own.states

    def state_meant(self, name: str) -> str | None:
        """The state `name`, or the one that it is a misspelling of: what is wrong there is found in the same run."""
        return name if name in self.states else nearest(name, self.states)


@dataclass(slots=True)
class Resolved:
    """Side tables of the whole project, and what each flow names. `used` are declarations that something names."""

    flows: dict[str, FlowNames] = field(default_factory=dict)
    operations: dict[Call | Defer, OperationModel] = field(default_factory=dict)
    called: dict[Do, str] = field(default_factory=dict)
    patterns: dict[NamePattern, PatternKind] = field(default_factory=dict)
    locals: dict[Arm, Locals] = field(default_factory=dict)
    used: set[object] = field(default_factory=set)
    mentioned: dict[str, set[str]] = field(default_factory=dict)
    unknown: set[object] = field(default_factory=set)

    def use(self, path: str, name: str, declaration: object) -> None:
        """The file at `path` uses `declaration` under `name`."""
        self.used.add(declaration)
        self.mentioned.setdefault(path, set()).add(name)


@dataclass(frozen=True, slots=True)
class Interface:
    """What a flow takes and gives, and its slots, as its callers see them."""

    parameters: Mapping[str, FlowType]
    results: Mapping[str, FlowType]
    slots: Mapping[str, FlowType]
