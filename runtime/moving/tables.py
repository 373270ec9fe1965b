"""Two versions of a bot side by side, as the questions about their places need them: prepared once for a pair."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from flowc.runtime.moving.needs import Needs, needs_of
from flowc.runtime.program import (
    Argument,
    Ask,
    Choose,
    Defer,
    Do,
    Flow,
    Handoff,
    Instruction,
    Listen,
    Migration,
    Program,
    Reads,
    Variable,
    WaitArms,
    Write,
)

__all__ = [
    "FOR_THE_USER",
    "Applied",
    "Place",
    "PlaceKind",
    "Side",
    "applied",
    "applying",
    "kind_of",
    "places",
    "side",
    "state_of",
]

PlaceKind = Literal["ask", "choose", "listen", "do", "handoff", "call", "job"]
FOR_THE_USER: Final[frozenset[PlaceKind]] = frozenset({"ask", "choose", "listen"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a conversation may stand, by its stored name: `STATE.listen` of `flow`; or a deferred job."""

    flow: str
    name: str
    kind: PlaceKind

    @property
    def state(self) -> str:
        """The state it belongs to; in `anywhere` the arm that stands for it."""
        return state_of(self.name)


@dataclass(frozen=True, slots=True)
class Side:
    """One flow of one version. `jobs` by their place, `arms` of the waits for the user, `needs` as they are there."""

    program: Program
    flow: Flow
    needs: Needs
    jobs: Mapping[str, Defer]

    def arms(self, wait: str) -> WaitArms:
        """The arms of a wait; none where it is not for the user."""
        match self.flow.code[self.flow.waits[wait]]:
            case Ask(arms=arms) | Choose(arms=arms) | Listen(arms=arms):
                return arms
            case _:
                return WaitArms()

    def stored(self, place: str) -> frozenset[str]:
        """What is kept in storage there."""
        return frozenset(self.flow.stored.get(place, self.flow.variables))

    def kind(self, wait: str) -> PlaceKind | None:
        """What waits there, or None."""
        if wait in self.jobs:
            return "job"
        at = self.flow.waits.get(wait)
        return None if at is None else kind_of(self.flow.code[at])


@dataclass(frozen=True, slots=True)
class Applied:
    """What `migrate` says about a flow of one older version."""

    states: Mapping[str, str]
    sets: tuple[Argument, ...]


def side(program: Program, flow: str) -> Side | None:
    """A flow as it is in `program`, or None."""
    found = program.flows.get(flow)
    if found is None:
        return None
    jobs = {each.call.place: each for each in found.code if isinstance(each, Defer)}
    return Side(program, found, needs_of(program, found), jobs)


def places(flow: Flow) -> Iterator[Place]:
    """Every place of `flow` where something may stand: its waits in the order of the code, then its jobs."""
    for name, at in sorted(flow.waits.items(), key=lambda wait: wait[1]):
        kind = kind_of(flow.code[at])
        if kind is not None:
            yield Place(flow.name, name, kind)
    for each in flow.code:
        if isinstance(each, Defer):
            yield Place(flow.name, each.call.place, "job")


def kind_of(instruction: Instruction) -> PlaceKind | None:
    """What a conversation does that stands at `instruction`; None where it cannot."""
    match instruction:
        case Ask():
            return "ask"
        case Choose():
            return "choose"
        case Listen():
            return "listen"
        case Do():
            return "do"
        case Handoff():
            return "handoff"
        case Write() | Reads():
            return "call"
        case _:
            return None


def state_of(place: str) -> str:
    """The state in the name of a place. No state has a dot in its name, nor has the name of an arm."""
    return place.partition(".")[0]


def applied(old: Flow, new: Flow) -> Applied:
    """What `migrate` says about conversations of `old` that go on in `new`. Where `new` is the older one, as after a
    rollback, the lines that led away from it are turned round as far as they can be."""
    lines = applying(new, old)
    if lines:
        states = {name: to for each in lines for name, to in each.states.items()}
        return Applied(states, tuple(line for each in lines for line in each.sets))
    back = applying(old, new)
    ways = [(to, name) for each in back for name, to in each.states.items()]
    targets = [to for to, _ in ways]
    states = {to: name for to, name in ways if targets.count(to) == 1 and to not in new.states}
    sets = [line for each in back for line in each.sets]
    renamed = [(line.value.name, line.name) for line in sets if isinstance(line.value, Variable)]
    return Applied(states, tuple(Argument(name, Variable(by)) for name, by in renamed))


def applying(flow: Flow, older: Flow) -> list[Migration]:
    """The lines of `migrate` in `flow` for conversations of `older`; those for its minor version come last, so they
    win. A line that `older` has too was followed when they came to it."""
    major, minor, _ = (int(part) for part in older.version.split("."))
    known = {(each.major, each.minor): each for each in older.migrations}
    found = []
    for each in flow.migrations:
        if each.major == major and each.minor in (None, minor):
            before = known.get((each.major, each.minor))
            states = {name: to for name, to in each.states.items() if before is None or before.states.get(name) != to}
            sets = tuple(line for line in each.sets if before is None or line not in before.sets)
            if states or sets:
                found.append(Migration(each.major, each.minor, states, sets))
    return sorted(found, key=lambda each: each.minor is not None)
