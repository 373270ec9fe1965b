"""One stored conversation moved to another version of its bot, as the fates of its places say.

The whole stack moves or nothing does: every frame, the values of every run, the deferred jobs with the values of their
arms, and what the pending timers stand for. A position is moved only where the user is waited for; whoever waits for a
service or for people goes on in its own version until then.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from flowc.runtime.kernel.evaluate import Env, Evaluate
from flowc.runtime.kernel.events import Event, SilenceFired
from flowc.runtime.kernel.position import Frame, Job, Position, Run
from flowc.runtime.kernel.running import zone_of
from flowc.runtime.kernel.texts import expression_of
from flowc.runtime.moving.fates import Fate, Pair, fate_of, pair
from flowc.runtime.moving.needs import read_by
from flowc.runtime.moving.tables import places, state_of
from flowc.runtime.program import Argument, Program
from flowc.runtime.values import Shapes, Value, fits

__all__ = ["Crossing", "Moved", "Stays", "crossing", "move"]


@dataclass(frozen=True, slots=True)
class Moved:
    """The position in the new version. With `at_top` its next event must be a message: a state runs from its top then,
    and until then the conversation stays where it was. `timers` says which silence of the new version is meant by one
    of the old."""

    position: Position
    timers: Mapping[int, int]
    at_top: bool = False

    def told(self, event: Event) -> Event:
        """`event`, which was meant for the old version, for the new one."""
        if isinstance(event, SilenceFired):
            return replace(event, after_ms=self.timers.get(event.after_ms, event.after_ms))
        return event


@dataclass(frozen=True, slots=True)
class Stays:
    """Why a conversation goes on in its own version, in words. `for_now`: it may move after its next turn."""

    reason: str
    for_now: bool = False


@dataclass(frozen=True, slots=True)
class SetLine:
    """`set NAME = EXPR`; what it reads as if it were there."""

    name: str
    reads: frozenset[str]
    value: Evaluate


@dataclass(frozen=True, slots=True)
class Crossing:
    """Two versions prepared for moving many conversations. `sets` are the `set` lines of each flow, ready to run."""

    old: Program
    new: Program
    pairs: Mapping[str, Pair]
    fates: Mapping[tuple[str, str], Fate]
    sets: Mapping[str, tuple["SetLine", ...]]
    shapes: Shapes


def crossing(old: Program, new: Program) -> Crossing:
    """Prepares the way from `old` to `new`. Takes a few times as long as loading them, so once for a pair."""
    pairs = {name: pair(old, new, flow) for name, flow in old.flows.items()}
    fated = {(name, place.name): fate_of(two, place) for name, two in pairs.items() for place in places(two.old.flow)}
    sets = {name: tuple(_set_line(line) for line in two.migrate.sets) for name, two in pairs.items()}
    return Crossing(old, new, pairs, fated, sets, Shapes(new.records, new.zone, new.currency))


def _set_line(line: Argument) -> SetLine:
    return SetLine(line.name, read_by(line.value), expression_of(line.value))


def move(way: Crossing, position: Position, now: datetime) -> Moved | Stays:
    """`position` in the new version, or why it stays in the old one. `now` is the time for what `migrate` sets."""
    if position.expects not in ("user", "nothing") or position.pending is not None:
        return Stays(
            "it waits for a service or for people, and may move when it waits for the user again", for_now=True
        )
    if any(not frame.wait for frame in position.frames):
        return Stays("it was moved to the top of a state, and goes there at its next message", for_now=True)
    flows = {run.serial: run.flow for run in position.runs}
    stands = [(flows[frame.run], name) for frame in position.frames for name in (frame.wait, frame.back) if name]
    there = [*stands, *((job.flow, job.place) for job in position.deferred)]
    unknown = [f"{flow}/{place}" for flow, place in there if (flow, place) not in way.fates]
    if unknown:
        return Stays(f"its version has no place `{unknown[0]}`")
    fated = [way.fates[place] for place in there]
    stuck = next((each for each in fated if each.verdict in ("pinned", "blocked")), None)
    if stuck is not None:
        return Stays(f"at `{stuck.place.flow}/{stuck.place.name}`: {stuck.reason}")
    tops = [each.place.name for each in fated if each.at_top]
    if tops and not _is_alone(position, tops):
        return Stays(f"`{tops[0]}` is gone, and it stands there only below something else, which comes first")
    return _Mover(way, position, now, flows).moved(at_top=bool(tops))


def _is_alone(position: Position, tops: list[str]) -> bool:
    """Whether what runs from the top of a state is only the wait on top of the stack."""
    top = position.frames[-1]
    below = any(frame.wait in tops or frame.back in tops for frame in position.frames[:-1])
    return not below and top.wait in tops and top.back == "" and not top.arm


class _Misfit(Exception):  # noqa: N818  # ends a move that was begun; becomes a Stays
    """A value that the new version could not read."""


@dataclass(frozen=True, slots=True)
class _Mover:
    """One move."""

    way: Crossing
    position: Position
    now: datetime
    flows: Mapping[int, str]

    def moved(self, *, at_top: bool) -> Moved | Stays:
        position = self.position
        try:
            return Moved(
                replace(
                    position,
                    runs=tuple([self._run(run) for run in position.runs]),
                    frames=tuple([self._frame(frame) for frame in position.frames]),
                    deferred=tuple([self._job(job) for job in position.deferred]),
                    silenced=tuple(self._silenced()),
                ),
                self._timers(),
                at_top,
            )
        except _Misfit as misfit:
            return Stays(str(misfit))

    def _fate(self, frame: Frame, name: str) -> Fate:
        return self.way.fates[self.flows[frame.run], name]

    # ---------------------------------------------------------------------------------------------------- the stack

    def _frame(self, frame: Frame) -> Frame:
        fate = self._fate(frame, frame.wait)
        to = fate.to or ""
        if fate.at_top:
            return Frame(frame.run, to)
        back = self._fate(frame, frame.back).to or "" if frame.back else ""
        return replace(frame, state=frame.state if frame.arm else state_of(to), wait=to, back=back)

    def _run(self, run: Run) -> Run:
        """The run with the values that the new version knows. A count of tries has the name of its wait."""
        waits = [self._fate(each, name) for each in self._frames(run) for name in (each.wait, each.back) if name]
        names = {fate.place.name: fate.to for fate in waits if fate.to is not None}
        tries = {names.get(name, name): used for name, used in run.tries.items()}
        if any(fate.at_top for fate in waits):
            tries = {}
        needed = {name for fate in waits for name in self._wanted(run.flow, fate)}
        return replace(run, variables=self._values(run.flow, run.variables, needed), tries=tries)

    def _frames(self, run: Run) -> Iterator[Frame]:
        return (frame for frame in self.position.frames if frame.run == run.serial)

    def _job(self, job: Job) -> Job:
        fate = self.way.fates[job.flow, job.place]
        needed = self._wanted(job.flow, fate)
        return replace(job, place=fate.to or "", variables=self._values(job.flow, job.variables, needed))

    # ------------------------------------------------------------------------------------------------------- values

    def _wanted(self, flow: str, fate: Fate) -> frozenset[str]:
        """What the new version reads behind a place, whether it needs it or not."""
        new = self.way.pairs[flow].new
        if new is None or fate.to is None:
            return frozenset()
        return new.stored(fate.to) if fate.to in new.flow.stored else frozenset(new.flow.variables)

    def _values(self, flow: str, before: Mapping[str, Value], wanted: "set[str] | frozenset[str]") -> dict[str, Value]:
        """Old values by name, and what `migrate` sets over them. What is set from something that has no value has none
        either: a slot is asked for then."""
        new = self.way.pairs[flow].new
        types = {} if new is None else new.flow.variables
        env = self._env(before)
        lines = {
            line.name: line.value(env) if line.reads <= before.keys() else None
            for line in self.way.sets[flow]
            if line.name in types
        }
        values: dict[str, Value] = {}
        for name, value in before.items():
            if name in types and name not in lines:
                if fits(types[name], value, self.way.shapes):
                    values[name] = value
                elif name in wanted:
                    raise _Misfit(f"the value of `{name}` does not fit its type in the new version")
        for name, value in lines.items():
            if fits(types[name], value, self.way.shapes):
                values[name] = value
            elif value is not None:
                raise _Misfit(f"what `migrate` sets `{name}` to does not fit its type")
        return values

    def _env(self, variables: Mapping[str, Value]) -> Env:
        position, old = self.position, self.way.old
        zone = zone_of(position.user.zone, old.zone)
        return Env(
            self.now,
            zone,
            old.currency,
            position.started,
            position.conversation,
            position.user,
            position.message,
            variables,
            {},
            0,
        )

    # ------------------------------------------------------------------------------------------------------- timers

    def _timers(self) -> dict[int, int]:
        """For one time the nearest counts, as it does where timers are armed."""
        found: dict[int, int] = {}
        for frame in self.position.frames:
            found.update(self._fate(frame, frame.wait).timers)
        return found

    def _silenced(self) -> Iterator[str]:
        """The silences that have run, under their new names."""
        fated = [self._fate(frame, frame.wait) for frame in self.position.frames]
        for key in self.position.silenced:
            rest, _, after = key.rpartition("/")
            flow, _, wait = rest.partition("/")
            fate = next((each for each in fated if each.place.flow == flow and _names(wait, each)), None)
            if fate is not None and fate.to is not None and not fate.at_top:
                to = wait if wait == "anywhere" else state_of(fate.to) + wait.removeprefix(fate.place.state)
                yield f"{flow}/{to}/{fate.timers.get(int(after), int(after))}"


def _names(wait: str, fate: Fate) -> bool:
    """Whether `wait`, an `ask` without its slot, is where the fate is told of."""
    return wait in ("anywhere", fate.place.name) or fate.place.name.startswith(f"{wait}.")
