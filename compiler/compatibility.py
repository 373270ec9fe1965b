"""Two versions of a bot compared: what changed, what every place where a conversation may stand needs, and the smallest
honest version of the newer one. A pure function over programs, so bundles are comparable without their sources.

`patch`: only words or numbers changed. `minor`: the graph changed, and every waiting conversation can go on. `major`:
a waiting conversation could not, and no `migrate` says how.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from flowc.compiler.change import Change
from flowc.compiler.changes import changes
from flowc.runtime.moving.fates import Fate, fates
from flowc.runtime.program import Program

__all__ = ["LEVELS", "Comparison", "FlowVersion", "Level", "compare", "raised"]

Level = Literal["none", "patch", "minor", "major"]
LEVELS: Final[tuple[Level, ...]] = ("none", "patch", "minor", "major")


@dataclass(frozen=True, slots=True)
class FlowVersion:
    """One flow that both versions have: its versions, how much it changed, and the smallest honest version of the newer
    one."""

    flow: str
    old: str
    new: str
    level: Level
    smallest: str

    @property
    def is_honest(self) -> bool:
        """Whether the newer version is as large as it has to be."""
        return _numbers(self.new) >= _numbers(self.smallest)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comes from one version to the next. `level` and `smallest` are the bot's, which is its main flow's."""

    changes: tuple[Change, ...]
    fates: tuple[Fate, ...]
    flows: tuple[FlowVersion, ...]
    level: Level
    smallest: str

    def fate(self, flow: str, place: str) -> Fate | None:
        """What becomes of who stands at `place` of `flow`; None where the older version has no such place."""
        return next((each for each in self.fates if (each.place.flow, each.place.name) == (flow, place)), None)


def compare(old: Program, new: Program, *, runs: bool = True) -> Comparison:
    """`new` compared with `old`. `runs`: the servers can still run `old`; else what would stay with it is blocked."""
    found = changes(old, new)
    fated = fates(old, new)
    if not runs:
        fated = tuple(replace(each, verdict="blocked") if each.verdict == "pinned" else each for each in fated)
    level = _level(found, fated)
    both = [name for name in old.flows if name in new.flows]
    return Comparison(
        found,
        fated,
        tuple(_version(old, new, name, level, found, fated) for name in both),
        level,
        raised(old.version, level),
    )


def raised(version: str, level: Level) -> str:
    """The version after `version` for a change of that size."""
    major, minor, patch = _numbers(version)
    match level:
        case "major":
            return f"{major + 1}.0.0"
        case "minor":
            return f"{major}.{minor + 1}.0"
        case "patch":
            return f"{major}.{minor}.{patch + 1}"
        case "none":
            return version


def _version(
    old: Program, new: Program, flow: str, of_bot: Level, found: Iterable[Change], fated: Iterable[Fate]
) -> FlowVersion:
    """The main flow has the version of the whole bot."""
    own = (each for each in found if each.flow == flow)
    level = of_bot if flow == new.main else _level(own, (each for each in fated if each.place.flow == flow))
    before, after = old.flows[flow].version, new.flows[flow].version
    return FlowVersion(flow, before, after, level, raised(before, level))


def _level(found: Iterable[Change], fated: Iterable[Fate]) -> Level:
    """How large the change is. What waits for a service or for people goes on in its own version in any case."""
    if any(each.obstacles for each in fated):
        return "major"
    return max((each.level for each in found), key=LEVELS.index, default="none")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
