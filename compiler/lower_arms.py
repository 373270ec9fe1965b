"""The arms of waits, calls and `anywhere` as tables of where control goes on.

Arms are emitted after what names them, so a table is a maker, called when every label has its place.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from flowc.compiler.lower_values import Values, constant
from flowc.compiler.model import Model
from flowc.dsl import nodes
from flowc.runtime import program
from flowc.runtime.durations import spelled_duration

__all__ = ["ArmTables", "Arms", "Label", "arm_places", "index_of", "is_else", "labelled"]


@dataclass(slots=True, eq=False)
class Label:
    """A place in the code: known by its name at once, by its index when it is reached."""

    at: int = -1


Arms = list[tuple[nodes.Arm, Label]]


class ArmTables:
    """Makes the tables of one flow."""

    def __init__(self, model: Model, values: Values) -> None:
        self._model = model
        self._values = values

    def waits(self, arms: Arms) -> Callable[[], program.WaitArms]:
        """What a wait takes."""
        guards = [self._values.optional_expression(arm.when) for arm, _ in arms]
        return lambda: self._made_waits(arms, guards)

    def _made_waits(self, arms: Arms, guards: list[program.Expression | None]) -> program.WaitArms:
        intents: dict[str, list[program.Guarded]] = {}
        events: dict[str, list[program.Guarded]] = {}
        changes: list[program.ChangeArm] = []
        silences: list[program.SilenceArm] = []
        otherwise: int | None = None
        for (arm, label), when in zip(arms, guards, strict=True):
            for pattern in arm.patterns:
                match pattern:
                    case nodes.NamePattern(name):
                        kind = self._model.patterns.get(pattern)
                        if kind in ("intent", "event"):
                            table = intents if kind == "intent" else events
                            table.setdefault(name.text, []).append(program.Guarded(label.at, when))
                    case nodes.ChangePattern(slots):
                        changes.append(program.ChangeArm(tuple(slot.text for slot in slots), label.at, when))
                    case nodes.SilencePattern(after):
                        silences.append(program.SilenceArm(after.ms, label.at, when))
                    case nodes.ElsePattern():
                        otherwise = label.at
                    case nodes.DonePattern() | nodes.LiteralPattern():
                        pass
                    case _:
                        assert_never(pattern)
        return program.WaitArms(
            {name: tuple(guarded) for name, guarded in intents.items()},
            {name: tuple(guarded) for name, guarded in events.items()},
            tuple(changes),
            tuple(silences),
            otherwise,
        )

    def failures(self, arms: Arms) -> Callable[[], program.FailureArms]:
        """Where each failure of a call goes."""
        return lambda: program.FailureArms(
            {
                pattern.name.text: label.at
                for arm, label in arms
                for pattern in arm.patterns
                if isinstance(pattern, nodes.NamePattern)
            },
            next((label.at for arm, label in arms if is_else(arm)), None),
        )

    def anywhere(self, arms: Arms) -> program.Anywhere:
        """The table of `anywhere`, whose arms stand at their labels."""
        failure = next((label for arm, label in arms if self.has_kind(arm, "any_failure")), None)
        unknown = next((label for arm, label in arms if self.has_kind(arm, "kind")), None)
        return program.Anywhere(self.waits(arms)(), index_of(failure), index_of(unknown))

    def has_kind(self, arm: nodes.Arm, kind: str) -> bool:
        """Whether one of the arm's patterns is of `kind` (`kind` itself: `on unknown`)."""
        return any(
            self._model.patterns.get(pattern) == kind
            for pattern in arm.patterns
            if isinstance(pattern, nodes.NamePattern)
        )


def labelled(arms: tuple[nodes.Arm, ...]) -> Arms:
    return [(arm, Label()) for arm in arms]


def is_else(arm: nodes.Arm) -> bool:
    return any(isinstance(pattern, nodes.ElsePattern) for pattern in arm.patterns)


def index_of(label: Label | None) -> int | None:
    return None if label is None else label.at


def arm_places(arms: tuple[nodes.Arm, ...]) -> tuple[str, ...]:
    """What stands for the state in the names of waits inside each arm of `anywhere`: its pattern, numbered where it
    comes again."""
    seen: Counter[str] = Counter()
    places = []
    for arm in arms:
        name = ", ".join(_spelled(pattern) for pattern in arm.patterns)
        name = name if name == "else" else f"on {name}"
        seen[name] += 1
        places.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return tuple(places)


def _spelled(pattern: nodes.Pattern) -> str:
    match pattern:
        case nodes.NamePattern(name):
            return name.text
        case nodes.SilencePattern(after):
            return f"silence {spelled_duration(after.ms)}"
        case nodes.ChangePattern(slots):
            return "change " + ", ".join(slot.text for slot in slots)
        case nodes.ElsePattern():
            return "else"
        case nodes.DonePattern():
            return "done"
        case nodes.LiteralPattern(value):
            return str(constant(value).value)
        case _:
            assert_never(pattern)
