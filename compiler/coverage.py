"""What the chats of a bot reach: its states, and every outcome of each of its calls."""

from collections.abc import Iterable
from dataclasses import dataclass

from flowc.compiler.play import Outcome, Played
from flowc.runtime.program import Call, Defer, Flow, Program, Reads, Write

__all__ = ["Coverage", "coverage_of"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What there is to reach and what is missing: states as FLOW.STATE, outcomes as a place with its kind; sorted."""

    states: int
    outcomes: int
    missing_states: tuple[str, ...]
    missing_outcomes: tuple[Outcome, ...]

    @property
    def percent(self) -> float:
        """The share that is reached, of states and outcomes together; 100 where there is nothing to reach."""
        whole = self.states + self.outcomes
        missing = len(self.missing_states) + len(self.missing_outcomes)
        return 100.0 if not whole else 100.0 * (whole - missing) / whole


def coverage_of(program: Program, played: Iterable[Played]) -> Coverage:
    """What `played` reached of `program`."""
    states = {f"{flow.name}.{state}" for flow in program.flows.values() for state in flow.states}
    outcomes = {outcome for flow in program.flows.values() for outcome in outcomes_in(program, flow)}
    entered, met = set[str](), set[Outcome]()
    for each in played:
        entered |= {f"{one.flow}.{one.place}" for one in each.transitions if one.kind == "state"}
        met |= each.outcomes
    return Coverage(
        len(states),
        len(outcomes),
        tuple(sorted(states - entered)),
        tuple(sorted(outcomes - met, key=lambda one: (one.flow, one.place, one.kind))),
    )


def outcomes_in(program: Program, flow: Flow) -> Iterable[Outcome]:
    """Every outcome that a call of `flow` can have. A job is done, failed or unknown, whatever the attempts said."""
    for instruction in flow.code:
        match instruction:
            case Reads(calls):
                for call in calls:
                    yield from kinds(program, flow, call)
            case Write(call):
                yield from kinds(program, flow, call)
            case Defer(call):
                yield from (Outcome(flow.name, call.place, kind) for kind in ("ok", "failed", "unknown"))
            case _:
                pass


def kinds(program: Program, flow: Flow, call: Call) -> Iterable[Outcome]:
    operation = program.services[call.service].operations[call.operation]
    return (Outcome(flow.name, call.place, kind) for kind in ("ok", *operation.outcomes))
