"""What is in sight where an expression stands, and the doubts that reading it leaves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from flowc.compiler.facts import Path
from flowc.compiler.types import DATE, DATETIME, FlowType
from flowc.dsl.nodes import Arm, Defer
from flowc.dsl.source import Span
from flowc.runtime.types import Record

__all__ = ["BUILT_IN", "At", "Doubt", "Names", "Region"]

BUILT_IN: Final[Mapping[str, FlowType]] = {
    "now": DATETIME,
    "today": DATE,
    "user": Record("user"),
    "message": Record("message"),
    "conversation": Record("conversation"),
}


# A state, an arm of `anywhere`, or the arms of a job: what `check_types` walks as one.
Region = str | Arm | Defer


class At(NamedTuple):
    """Where an expression stands: what is certain there, and the locals in sight."""

    facts: int
    locals: Mapping[str, FlowType]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A read of `path` where it may have no value yet (`unset`), or may be none. `region` is where."""

    kind: Literal["unset", "none"]
    path: Path | None
    span: Span
    wanted: FlowType | None
    region: Region


@dataclass(slots=True)
class Names:
    """The names in sight of a flow's expressions. `variables` has parameters too; `lost` are silent."""

    slots: Mapping[str, FlowType]
    parameters: frozenset[str]
    variables: dict[str, FlowType]
    lost: frozenset[str] = frozenset()
    old: bool = False  # in a `migrate` names are those of the version before, which is not known here
