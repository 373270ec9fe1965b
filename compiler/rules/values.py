"""Facts about values on their way: from where a value is, which variable has it, how old it is; and what was found."""

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from flowc.compiler.graph import Node
from flowc.compiler.rules.carried import Held, Source, mark_in
from flowc.compiler.rules.sinks import Sink
from flowc.compiler.types import FlowType
from flowc.dsl.source import Span

__all__ = [
    "COMMITTED",
    "SAME_TURN",
    "TIME",
    "WAITED",
    "Fact",
    "Found",
    "Motion",
    "Origin",
    "Summary",
    "is_forgotten",
    "reads",
    "secret_from",
]

# How long ago a value came in: in this turn, before a commit, before a wait.
Age = Literal[0, 1, 2]
SAME_TURN: Final = 0
COMMITTED: Final = 1
WAITED: Final = 2


class Origin(NamedTuple):
    """From where a value is. `kind`: pii, secret, a record that `holds` one, read, `parameter` (whatever the caller
    gives), or `time` (a mark that only gets older)."""

    kind: Literal["pii", "secret", "holds", "read", "parameter", "time"]
    words: str
    span: Span | None


class Fact(NamedTuple):
    """The variable `name` (or only its `field`) has a value from `origin`. `lent`: in a handler, unchanged since the
    interruption."""

    name: str
    field: str | None
    origin: Origin
    age: int
    lent: bool = False


TIME: Final = Origin("time", "", None)


class Found(NamedTuple):
    """A fact came to a place that minds it: `node` reads it there, as `source`; `sink` None where it is only needed.
    `turned` is where it last got older on `path`: a wait, a write, or a read behind a reply."""

    node: Node
    fact: Fact
    source: Source | None
    sink: Sink | None
    path: tuple[Node, ...]
    turned: Node | None


@dataclass(slots=True)
class Summary:
    """What a flow does with what it takes, for its callers. `gives`: results by where their values are from; `leaks`:
    where parameters go that a caller may have to mind; `ages`: how much later each outcome may come."""

    gives: set[tuple[str, Origin, int]] = field(default_factory=set)
    leaks: dict[str, list[Found]] = field(default_factory=dict)
    ages: dict[str | None, set[int]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.gives) + sum(map(len, self.leaks.values())) + sum(map(len, self.ages.values()))


@dataclass(slots=True)
class Motion:
    """What was found in one flow, and its places that mind what they get."""

    summary: Summary = field(default_factory=Summary)
    sinks: dict[Node, tuple[Sink, ...]] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)


def secret_from(name: str, of: FlowType, span: Span | None) -> Origin:
    """The origin of a secret, or of what has one in it, in what is called `name`."""
    return Origin("secret" if mark_in(of) == "secret" else "holds", f"`{name}`", span)


def is_forgotten(fact: Fact) -> bool:
    """Whether the value is one that a turn does not keep, and its turn has ended."""
    return fact.age > SAME_TURN and fact.origin.kind in ("secret", "holds")


def reads(source: Held, fact: Fact) -> bool:
    """Whether `source` takes the value that `fact` is about."""
    return source.name == fact.name and (fact.field is None or source.field is None or source.field == fact.field)
