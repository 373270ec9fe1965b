"""What the chats of a bot reach of everything that can happen in it, and what they do not.

What can happen is read from the program, what happened from the transitions that the kernel tells. Both are goals: a
kind, a flow, a place in it, and a detail.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

from flowc.compiler.picture import Picture, picture
from flowc.compiler.play import Outcome, Played
from flowc.runtime.durations import spelled_duration
from flowc.runtime.kernel.events import Transition
from flowc.runtime.program import (
    Ask,
    Call,
    Choose,
    Defer,
    Do,
    Flow,
    Handoff,
    Instruction,
    Listen,
    Program,
    Reads,
    WaitArms,
    Write,
)

__all__ = ["KINDS", "Coverage", "Goal", "Kind", "coverage_of", "goals_of", "reached_by"]

# `state`: entered. `transition`: from one state to another (`place` is the first). `arm`: an intent, a change, an
# empty list, an answer of people or an outcome of a flow, at a wait. `outcome`: of a call. `fallback`: an `else`.
# `silence`: a timer. `interruption`: an arm of `anywhere`.
Kind = Literal["state", "transition", "arm", "outcome", "fallback", "silence", "interruption"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class Goal(NamedTuple):
    kind: Kind
    flow: str
    place: str
    detail: str = ""

    @property
    def words(self) -> str:
        """What no chat does, in a sentence that begins with "no chat"."""
        match self.kind:
            case "state":
                return f"enters {self.flow}.{self.place}"
            case "transition":
                return f"goes from {self.flow}.{self.place} to {self.detail}"
            case "outcome":
                return f"has {self.detail} of {self.place} in {self.flow}"
            case "interruption":
                return f"is interrupted by `{self.detail}` in {self.flow}"
            case "arm" | "fallback" | "silence":
                return f"takes `{self.detail}` of {self.place} in {self.flow}"


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every goal, and those that are missing, in the order of `KINDS` and then of the program."""

    goals: tuple[Goal, ...]
    missing: tuple[Goal, ...]

    @property
    def percent(self) -> float:
        """The share that is reached; 100 where there is nothing to reach."""
        return 100.0 if not self.goals else 100.0 * (len(self.goals) - len(self.missing)) / len(self.goals)

    def count(self, kind: Kind) -> tuple[int, int]:
        """How many goals of `kind` are reached, and how many there are."""
        whole = sum(each.kind == kind for each in self.goals)
        return whole - sum(each.kind == kind for each in self.missing), whole


def coverage_of(program: Program, played: Iterable[Played]) -> Coverage:
    """What `played` reached of `program`."""
    goals = goals_of(program)
    met = set[Goal]()
    for each in played:
        met |= reached_by(each.transitions, each.outcomes)
    return Coverage(goals, tuple(goal for goal in goals if goal not in met))


# ----------------------------------------------------------------------------------------------------- what can happen


def goals_of(program: Program) -> tuple[Goal, ...]:
    """Everything that can happen in the bot."""
    found = [goal for flow in program.flows.values() for goal in _of_flow(program, flow)]
    return tuple(sorted(dict.fromkeys(found), key=lambda goal: KINDS.index(goal.kind)))


def _of_flow(program: Program, flow: Flow) -> Iterator[Goal]:
    yield from (Goal("state", flow.name, state) for state in flow.states)
    yield from _transitions(picture(flow), flow.name)
    for instruction in flow.code:
        yield from _of_instruction(program, flow.name, instruction)
    yield from _of_anywhere(flow)


def _transitions(drawn: Picture, flow: str) -> Iterator[Goal]:
    """Arrows of the picture between states; a box of a called flow belongs to the state of its wait."""
    for arrow in drawn.arrows:
        source, target = drawn.boxes[arrow.source], drawn.boxes[arrow.target]
        if target.kind == "state" and arrow.kind != "job":
            if source.kind == "state":
                yield Goal("transition", flow, source.text, target.text)
            elif source.kind == "flow":
                yield Goal("transition", flow, source.priority.partition(".")[0], target.text)


def _of_instruction(program: Program, flow: str, instruction: Instruction) -> Iterator[Goal]:
    match instruction:
        case Ask(wait=wait, arms=arms) | Listen(wait=wait, arms=arms):
            yield from _of_arms(flow, wait, arms)
        case Choose(wait=wait, arms=arms):
            yield from _of_arms(flow, wait, arms)
            yield Goal("arm", flow, wait, "on empty")
        case Do(wait=wait, outcomes=outcomes):
            yield from (Goal("arm", flow, wait, f"on {outcome}") for outcome in outcomes)
        case Handoff(wait=wait, returned=returned, unavailable=unavailable):
            answers = (("on returned", returned), ("on unavailable", unavailable))
            yield from (Goal("arm", flow, wait, name) for name, to in answers if to is not None)
        case Reads(calls):
            for call in calls:
                yield from _outcomes(program, flow, call)
        case Write(call):
            yield from _outcomes(program, flow, call)
        case Defer(call):
            yield from (Goal("outcome", flow, call.place, kind) for kind in ("ok", "failed", "unknown"))
        case _:
            return


def _outcomes(program: Program, flow: str, call: Call) -> Iterator[Goal]:
    operation = program.services[call.service].operations[call.operation]
    return (Goal("outcome", flow, call.place, kind) for kind in ("ok", *operation.outcomes))


def _of_arms(flow: str, wait: str, arms: WaitArms) -> Iterator[Goal]:
    for table in (arms.intents, arms.events):
        for name, guarded in table.items():
            yield from (Goal("arm", flow, wait, _numbered(name, number)) for number, _ in enumerate(guarded, 1))
    yield from (Goal("arm", flow, wait, f"on change {', '.join(change.slots)}") for change in arms.changes)
    yield from (Goal("silence", flow, wait, f"on silence {spelled_duration(each.after_ms)}") for each in arms.silences)
    if arms.otherwise is not None:
        yield Goal("fallback", flow, wait, "else")


def _of_anywhere(flow: Flow) -> Iterator[Goal]:
    for goal in _of_arms(flow.name, "anywhere", flow.anywhere.arms):
        yield goal._replace(kind="interruption") if goal.kind == "arm" else goal
    for name, to in (("on failure", flow.anywhere.failure), ("on unknown", flow.anywhere.unknown)):
        if to is not None:
            yield Goal("interruption", flow.name, "anywhere", name)


def _numbered(name: str, number: int) -> str:
    """Arms for one intent are told apart as the kernel does."""
    return f"on {name}" if number == 1 else f"on {name} {number}"


# ------------------------------------------------------------------------------------------------------- what happened


def reached_by(transitions: Iterable[Transition], outcomes: Iterable[Outcome]) -> set[Goal]:
    """The goals that a conversation reached."""
    met = {Goal("outcome", each.flow, each.place, each.kind) for each in outcomes}
    interrupted = False
    for each in transitions:
        match each.kind:
            case "state":
                met.add(Goal("state", each.flow, each.place))
                if each.detail and not interrupted:
                    met.add(Goal("transition", each.flow, each.detail, each.place))
                interrupted = False
            case "interrupt":
                interrupted = True
                for kind in _interrupting(each.detail):
                    met.add(Goal(kind, each.flow, "anywhere", each.detail))
            case "resume":
                interrupted = False
            case "arm":
                met.update(_taken(each))
            case _:
                pass
    return met


def _interrupting(arm: str) -> tuple[Kind, ...]:
    if arm == "else":
        return ("fallback",)
    return ("silence",) if arm.startswith("on silence") else ("interruption",)


def _taken(each: Transition) -> Iterator[Goal]:
    """The arm of a wait. An `ask` waits for one slot, its arms are for all of them."""
    kind: Kind = "fallback" if each.detail == "else" else "silence" if each.detail.startswith("on silence") else "arm"
    yield Goal(kind, each.flow, each.place, each.detail)
    ask, _, slot = each.place.rpartition(".")
    if slot and ask.endswith(".ask"):
        yield Goal(kind, each.flow, ask, each.detail)
