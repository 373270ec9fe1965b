"""Where conversations of a flow drop off, by version and cause, from the journal alone.

One pass over the journal in the order of commits. What stands in columns decides what is decoded: of each turn the
transitions, of the last one of a conversation its event. For 100,000 conversations of four turns that is two seconds of
a core, of which SQLite takes a quarter; memory grows with the runs that have not ended, half a KiB each.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct, field
from msgspec.msgpack import Decoder

from flowc.runtime.engine.causes import CAUSES, Cause, cause_of, place_of_end
from flowc.runtime.engine.stored import Recorded
from flowc.runtime.kernel.events import Transition
from flowc.runtime.program import Do, Flow, Mark, Program, Words
from flowc.runtime.store.reading import Journaled
from flowc.runtime.values import decode

__all__ = ["ENDS", "Funnel", "Place", "funnel"]

LEFT: Final = "left"  # a caller's handler took the conversation out of this flow
ENDS: Final = (*CAUSES, LEFT)


class _Notes(Struct):
    """What is read of a turn's notes."""

    transitions: tuple[Transition, ...] = ()
    outcome: str | None = None


_NOTES: Final = Decoder(_Notes)


class Place(Struct):
    """A state: how many runs of the flow reached it, ended in it by which cause, and stand in it now."""

    reached: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    here: int = 0


class Funnel(Struct):
    """Runs of a flow that began under one version."""

    version: str
    begun: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    here: int = 0
    places: dict[str, Place] = field(default_factory=dict)
    marks: Counter[str] = field(default_factory=Counter)


class _Run(Struct):
    """A conversation in the flow: where it is, and what it has reached."""

    funnel: Funnel
    incarnation: int
    state: str
    reached: set[str]


def funnel(turns: Iterable[Journaled], program: Program, name: str, versions: Mapping[int, str]) -> list[Funnel]:
    """The funnels of flow `name`, the version that began last first. `turns` in the order of their commits."""
    counting = _Counting(program.flows[name], _inside(program, name), versions)
    for turn in turns:
        if turn.notes or turn.ended:
            counting.count(turn)
    return counting.done()


class _Counting:
    def __init__(self, flow: Flow, inside: frozenset[str], versions: Mapping[int, str]) -> None:
        self._name = flow.name
        self._inside = inside
        self._versions = versions
        self._marks = _marks(flow)
        self._funnels: dict[str, Funnel] = {}
        self._runs: dict[str, _Run] = {}

    def count(self, turn: Journaled) -> None:
        notes = _NOTES.decode(turn.notes) if turn.notes else _Notes()
        run = self._runs.get(turn.address)
        if run is not None and run.incarnation != turn.incarnation:
            run = None  # the one before ended, or its jobs speak
        before = "" if run is None else f"{self._name}/{run.state}"
        for passed in notes.transitions:
            if passed.flow != self._name:
                if run is not None and passed.kind == "state" and passed.detail and passed.flow not in self._inside:
                    self._end(turn.address, run, LEFT, None)
                    run = None
            elif passed.kind == "state":
                run = self._enter(turn, run, passed)
            elif run is None:
                continue
            elif passed.kind == "end":
                self._drop(turn, run, notes, before, passed.detail)
                run = None
            elif passed.kind == "mark":
                run.funnel.marks[self._marks.get(passed.detail, f"mark in {run.state}")] += 1
        if run is not None and turn.ended:
            self._drop(turn, run, notes, before, notes.outcome)

    def _enter(self, turn: Journaled, run: _Run | None, passed: Transition) -> _Run | None:
        """A state is entered; where none is left for it the flow begins."""
        if not passed.detail and run is None:
            run = self._runs[turn.address] = _Run(self._begin(turn), turn.incarnation, passed.place, set())
        if run is None:
            return None  # it began before the period
        run.state = passed.place
        if passed.place not in run.reached:
            run.reached.add(passed.place)
            run.funnel.places.setdefault(passed.place, Place()).reached += 1
        return run

    def _begin(self, turn: Journaled) -> Funnel:
        version = self._versions.get(turn.deployment, "")
        found = self._funnels.pop(version, None) or Funnel(version)
        self._funnels[version] = found  # the last one that began stands last
        found.begun += 1
        return found

    def _drop(self, turn: Journaled, run: _Run, notes: _Notes, before: str, outcome: str | None) -> None:
        cause = self._cause(turn, notes)
        flow, state = place_of_end(cause, notes.transitions, before)
        if flow == self._name and state in run.reached:
            run.state = state
        self._end(turn.address, run, cause, outcome)

    def _end(self, address: str, run: _Run, cause: str, outcome: str | None) -> None:
        del self._runs[address]
        run.funnel.ended[cause] += 1
        run.funnel.places[run.state].ended[cause] += 1
        run.funnel.outcomes[outcome or ""] += 1

    def _cause(self, turn: Journaled, notes: _Notes) -> Cause:
        event = decode(turn.event, Recorded).event if turn.event else None
        return cause_of(event, notes.transitions, notes.outcome)

    def done(self) -> list[Funnel]:
        for run in self._runs.values():
            run.funnel.here += 1
            run.funnel.places[run.state].here += 1
        return list(reversed(self._funnels.values()))


def _inside(program: Program, name: str) -> frozenset[str]:
    """The flows that run on top of this one: those that it calls, and theirs."""
    found: set[str] = set()
    open_ = [name]
    while open_:
        flow = program.flows[open_.pop()]
        called = {step.flow for step in flow.code if isinstance(step, Do)} - found
        found |= called
        open_ += called
    return frozenset(found)


def _marks(flow: Flow) -> dict[str, str]:
    """Milestones whose text is the flow's alone: others may have a value in them."""
    texts = [
        "".join(part.text for part in step.milestone.parts if isinstance(part, Words))
        for step in flow.code
        if isinstance(step, Mark) and all(isinstance(part, Words) for part in step.milestone.parts)
    ]
    return {text: text for text in texts}
