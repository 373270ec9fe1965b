"""What becomes of each place of a version when the next one is there: a conversation that stands there goes on in the
same place, moves by `migrate`, or stays with its version.

Read from the two programs alone; how many conversations stand somewhere is another's to count. `move` moves one
position by the same tables, so what is said here is what happens.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from flowc.runtime.durations import spelled_duration
from flowc.runtime.moving.inference import gives
from flowc.runtime.moving.needs import LOCAL, read_by
from flowc.runtime.moving.tables import FOR_THE_USER, Applied, Place, Side, applied, places, side
from flowc.runtime.moving.widening import Records, fits_type
from flowc.runtime.program import Defer, Do, Flow, Program, WaitArms
from flowc.runtime.types import Type
from flowc.runtime.values import is_optional

__all__ = ["Cause", "Fate", "Obstacle", "Pair", "Verdict", "fate_of", "fates", "pair"]

Verdict = Literal["same", "moves", "pinned", "blocked"]
Cause = Literal["wait removed", "variable changed", "caller changed", "handler removed", "bad migration"]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a conversation cannot go on from a place: `subject` is the wait, variable, flow or handler."""

    cause: Cause
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of who stands at `place`.

    `to` is the name of the place where it goes on; with `at_top` it is the state, which runs from its top at the next
    message. `later`: nobody is moved there, whatever the versions say: what waits for a service or for people goes on
    in its own version until it waits for the user again. `timers` says which silence of the new version runs when the
    old one is due."""

    place: Place
    verdict: Verdict
    to: str | None
    obstacles: tuple[Obstacle, ...] = ()
    at_top: bool = False
    later: bool = False
    timers: Mapping[int, int] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """In words, for whoever reads a plan."""
        if self.obstacles:
            return "; ".join(each.text for each in self.obstacles)
        if self.later:
            return "goes on in its own version until it waits for the user again"
        if self.at_top:
            return f"`migrate`: `{self.to}` runs from its top at the next message"
        if self.verdict == "moves":
            return f"`migrate`: goes on at `{self.to}`" if self.to != self.place.name else "`migrate` sets its values"
        return "goes on where it is"


@dataclass(frozen=True, slots=True)
class Pair:
    """One flow in both versions; `new` None where it is gone."""

    old: Side
    new: Side | None
    migrate: Applied

    @property
    def records(self) -> tuple[Records, Records]:
        return self.old.program.records, {} if self.new is None else self.new.program.records


def fates(old: Program, new: Program) -> tuple[Fate, ...]:
    """The fate of every place of `old`, flow by flow."""
    pairs = (pair(old, new, flow) for flow in old.flows.values())
    return tuple(fate_of(two, place) for two in pairs for place in places(two.old.flow))


def pair(old: Program, new: Program, flow: Flow) -> Pair:
    """`flow` of the old version beside what it is in the new one."""
    before = side(old, flow.name)
    assert before is not None
    after = side(new, flow.name)
    lines = Applied({}, ()) if after is None else applied(flow, after.flow)
    return Pair(before, after, lines)


def fate_of(two: Pair, place: Place) -> Fate:
    """What becomes of who stands at `place`."""
    if two.new is None:
        gone = Obstacle("wait removed", place.flow, f"there is no flow `{place.flow}` any more")
        return Fate(place, "pinned", None, (gone,))
    to, at_top = _target(two, two.new, place)
    if place.kind in ("call", "handoff"):
        return Fate(place, "same" if to == place.name else "pinned", to, later=True)
    if to is None:
        return Fate(place, "pinned", None, (_gone(place),))
    timers, silences = ({}, ()) if at_top or place.kind == "job" else _timers(two.old, two.new, place, to)
    told = () if at_top or place.kind == "job" else _events(two)
    around = (*_callers(two, place, to), *_job(two, place, to), *silences, *told)
    obstacles = (*_variables(two, place, to), *around)
    if obstacles:
        return Fate(place, "pinned", to, obstacles, at_top)
    sets = {line.name for line in two.migrate.sets} & (two.new.stored(to) | two.new.needs[to])
    moves = at_top or to != place.name or bool(sets)
    return Fate(place, "moves" if moves else "same", to, (), at_top, timers=timers)


# ------------------------------------------------------------------------------------------------------------- target


def _target(two: Pair, new: Side, place: Place) -> tuple[str | None, bool]:
    """The place of the new version, and whether it is only the top of a state."""
    state = two.migrate.states.get(place.state)
    name = place.name if state is None else state + place.name.removeprefix(place.state)
    if new.kind(name) == place.kind:
        return name, False
    if state is not None and place.kind in FOR_THE_USER and state in new.flow.states:
        return state, True
    return None, False


def _gone(place: Place) -> Obstacle:
    name = place.name
    match place.kind:
        case "do":
            called = name.rpartition(".")[2]
            text = f"`{name}`, where it waits for `{called}`, is gone, and no `migrate` maps its state"
            return Obstacle("caller changed", name, text)
        case "job":
            text = f"the job of `{name}` is gone, and no `migrate` maps its state"
            return Obstacle("handler removed", name, text)
        case _:
            return Obstacle("wait removed", name, f"`{name}` is gone, and no `migrate` maps its state")


# ---------------------------------------------------------------------------------------------------------- variables


def _variables(two: Pair, place: Place, to: str) -> Iterator[Obstacle]:
    """What the new place needs and the old one has not, and what has another type."""
    new = two.new
    assert new is not None
    lines = {line.name: line for line in two.migrate.sets}
    needed, there = new.needs[to], two.old.needs.get(place.name, frozenset())
    for name in sorted(needed):
        if name.startswith(LOCAL):
            if name not in there:
                yield Obstacle("variable changed", name[1:], f"`{name[1:]}` is not known there")
        elif name in lines:
            yield from _set_line(two, new, place, name)
        elif name in there:
            yield from _retyped(two, new, name)
        else:
            yield _unset(two, new, name)
    for name in sorted(_kept(new, to) & lines.keys() - needed):
        if not gives(lines[name].value, new.flow.variables[name], two.old.flow.variables, two.records):
            yield _misgiven(name)
    asked = place.name.rpartition(".")[2] if place.kind == "ask" else None
    kept = two.old.stored(place.name) & new.flow.variables.keys()
    for name in sorted(kept & _kept(new, to) - needed - lines.keys()):
        if name != asked:
            yield from _retyped(two, new, name)
    if place.kind == new.kind(to) == "choose":  # what is offered
        name = place.name.rpartition(".")[2]
        if name not in needed:
            yield from _retyped(two, new, name)


def _kept(new: Side, to: str) -> frozenset[str]:
    """What the new version reads behind `to`; behind the top of a state it may be anything."""
    return new.stored(to) if to in new.flow.stored else frozenset(new.flow.variables)


def _set_line(two: Pair, new: Side, place: Place, name: str) -> Iterator[Obstacle]:
    line = next(line for line in reversed(two.migrate.sets) if line.name == name)
    old, wanted = two.old, new.flow.variables[name]
    unsure = read_by(line.value, may_be_none=is_optional(wanted)) - old.needs[place.name]
    for read in sorted(unsure):
        yield Obstacle("bad migration", name, f"`set {name}` reads `{read}`, which may have no value there")
    if not unsure and not gives(line.value, wanted, old.flow.variables, two.records):
        yield _misgiven(name)


def _misgiven(name: str) -> Obstacle:
    return Obstacle("bad migration", name, f"`set {name}` gives a value of another type")


def _retyped(two: Pair, new: Side, name: str) -> Iterator[Obstacle]:
    before, after = two.old.flow.variables[name], new.flow.variables[name]
    if not fits_type(before, after, two.records):
        yield Obstacle(_cause(new, name), name, f"`{name}` has another type, which its old values may not fit")


def _unset(two: Pair, new: Side, name: str) -> Obstacle:
    if name not in two.old.flow.variables:
        text = f"`{name}` is new, and has no value there"
    else:
        text = f"`{name}` is needed now, and may have no value there"
    return Obstacle(_cause(new, name), name, text)


def _cause(new: Side, name: str) -> Cause:
    """What a flow takes and gives is between it and its caller."""
    fields = (*new.flow.takes, *new.flow.gives)
    return "caller changed" if any(field.name == name for field in fields) else "variable changed"


# ------------------------------------------------------------------------------- callers, jobs, timers, events


def _callers(two: Pair, place: Place, to: str) -> Iterator[Obstacle]:
    """A frame that waits for a flow needs that flow."""
    if place.kind != "do" or two.new is None:
        return
    calls = two.new.flow.code[two.new.flow.waits[to]]
    if isinstance(calls, Do) and calls.flow not in two.new.program.flows:
        yield Obstacle("caller changed", calls.flow, f"there is no flow `{calls.flow}` any more")


def _job(two: Pair, place: Place, to: str) -> Iterator[Obstacle]:
    """The arms that a result which is on its way would go to."""
    if place.kind != "job" or two.new is None:
        return
    old, new = two.old.jobs[place.name], two.new.jobs[to]
    general = two.new.flow.anywhere
    arms = (
        ("done", old.done, new.done),
        ("failed", old.failed, general.failure if new.failed is None else new.failed),
        ("unknown", old.unknown, general.unknown if new.unknown is None else new.unknown),
    )
    for name, before, after in arms:
        if before is not None and after is None:
            yield Obstacle("handler removed", place.name, f"the job of `{place.name}` has no arm `on {name}` any more")
    result, taken = _result(two.old.program, old), _result(two.new.program, new)
    fine = result is None or taken is None or fits_type(result, taken, two.records)
    if new.done_name is not None and not fine:
        text = f"`on done {new.done_name}` of `{place.name}` takes another type than the result has"
        yield Obstacle("handler removed", place.name, text)


def _result(program: Program, job: Defer) -> Type | None:
    return program.services[job.call.service].operations[job.call.operation].result


def _timers(old: Side, new: Side, place: Place, to: str) -> tuple[dict[int, int], tuple[Obstacle, ...]]:
    """Which silence of the new version runs when one of the old is due: that of the same time, else the others in
    their order. One that is left over has no handler."""
    general = _times(new.flow.anywhere.arms)
    left = _matched(_times(old.arms(place.name)), _times(new.arms(to)), general)
    around = _matched(_times(old.flow.anywhere.arms), general, frozenset())
    gone = [after for after, by in (*left.items(), *around.items()) if by is None]
    obstacles = tuple(
        Obstacle("handler removed", place.name, f"nothing is `on silence {spelled_duration(after)}` any more")
        for after in gone
    )
    return {after: by for after, by in (*around.items(), *left.items()) if by is not None}, obstacles


def _matched(old: frozenset[int], new: frozenset[int], general: frozenset[int]) -> dict[int, int | None]:
    found: dict[int, int | None] = {after: after for after in old if after in new or after in general}
    free = iter(sorted(new - old))
    for after in sorted(old - found.keys()):
        found[after] = next(free, None)
    return found


def _times(arms: WaitArms) -> frozenset[int]:
    return frozenset(each.after_ms for each in arms.silences)


def _events(two: Pair) -> Iterable[Obstacle]:
    """Events that the outside world may tell at any moment need their arm, and its fields."""
    assert two.new is not None
    known = two.new.flow.events
    for name, event in two.old.flow.events.items():
        if name not in known:
            yield Obstacle("handler removed", name, f"nothing is `on {name}` any more")
            continue
        fields = {each.name: each.type for each in event.fields}
        for each in known[name].fields:
            before = fields.get(each.name)
            fine = is_optional(each.type) if before is None else fits_type(before, each.type, two.records)
            if not fine:
                text = f"an event `{name}` on its way has no `{each.name}` of that type"
                yield Obstacle("handler removed", name, text)
