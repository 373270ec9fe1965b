"""The findings of one run: collected, and each mistake once.

What follows from another mistake is taken out here, where all findings are known: a misspelled target makes its state
look unreachable, a misspelled arm leaves an outcome open, and a file with holes in it proves nothing about what is
missing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from flowc.compiler.faults import fault_found
from flowc.compiler.model import Model
from flowc.compiler.project import Project
from flowc.compiler.severities import with_severities
from flowc.compiler.signatures import UNKNOWN_NAME, UNKNOWN_TYPE
from flowc.compiler.unresolved import UNKNOWN_FLOW, UNKNOWN_INTENT, UNKNOWN_OPERATION, UNKNOWN_STATE
from flowc.dsl.diagnostic import Code, Diagnostic, sort
from flowc.dsl.source import SourceFile, Span

__all__ = ["Problems"]

Result = TypeVar("Result")
# A name without a declaration is one mistake however often it is used; a misspelled one is one at each place.
UNRESOLVED: Final = frozenset(
    [UNKNOWN_STATE, UNKNOWN_INTENT, UNKNOWN_NAME, UNKNOWN_OPERATION, UNKNOWN_TYPE, UNKNOWN_FLOW]
)
# What a target that is like no state makes of a graph: some state is not reached. A misspelled one is in the graph as
# what was meant.
FOLLOW_LOST_STATES: Final = frozenset(["FLW401", "FLW404", "FLW409", "FLW502"])
# A misspelled arm leaves open what it was meant for.
MISSPELLED_ARMS: Final = frozenset(["FLW203", "FLW603"])
OPEN_OUTCOMES: Final = frozenset(["FLW601", "FLW602"])
# A misspelled name in an `ask` or a condition leaves a value in doubt.
DOUBTS: Final = frozenset(["FLW304", "FLW305"])
# What proves nothing in a file with one of these: the name that reads an answer may be the one that is not understood,
# and of two declarations of a name the other one may be what is asked for.
# A misspelled `clear`, or a way back that is not there, leaves an answer standing.
FOLLOWS: Final = {
    "FLW510": frozenset(["FLW203", "FLW201"]),
    "FLW506": frozenset(["FLW108", "FLW203"]),
    "FLW507": frozenset(["FLW207"]),
}


@dataclass(slots=True)
class Problems:
    """What was found so far. Findings of `rules` are apart: about a file with holes in it they prove nothing."""

    found: list[Diagnostic] = field(default_factory=list)
    rules: list[Diagnostic] = field(default_factory=list)
    sources: dict[str, SourceFile] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)

    def add(self, problem: Diagnostic) -> None:
        self.found.append(problem)

    def take(self, result: tuple[Result, Iterable[Diagnostic]]) -> Result:
        """The result of a pass, whose findings are kept."""
        value, found = result
        self.found.extend(found)
        return value

    def attempt(self, work: Callable[[], Result], at: SourceFile) -> Result | None:
        """What `work` answers; None where it fails by a fault of ours, which becomes a finding (in `at`, unless the
        fault tells a better place)."""
        try:
            return work()
        except Exception as fault:  # noqa: BLE001  # a fault of ours hides nothing else that was found
            self.faults.append(fault)
            self.found.append(fault_found(fault, at, self.sources))
            return None

    def sorted(self, project: Project, model: Model | None) -> tuple[Diagnostic, ...]:
        """All findings, one for a code and place, in source order, with the severities of the project."""
        if project.settings_file is not None:
            self.sources[project.settings_file.path] = project.settings_file
        broken = {flow.path for flow in model.flows.values() if flow.broken} if model is not None else set[str]()
        lost = {each.span.path for each in self.found if each.code is UNKNOWN_STATE and not each.edits}
        at = {(each.code.id, each.span.path) for each in self.found}
        arms = [each for each in (*self.found, *self.rules) if each.code.id in MISSPELLED_ARMS and each.edits]
        kept = [
            each
            for each in self.rules
            if each.span.path not in broken
            and not (each.span.path in lost and each.code.id in FOLLOW_LOST_STATES)
            and not any((cause, each.span.path) in at for cause in FOLLOWS.get(each.code.id, ()))
            and not (each.code.id in OPEN_OUTCOMES and any(_leaves_open(arm, each) for arm in arms))
        ]
        meant = {(arm.span.path, edit.replacement) for arm in arms for edit in arm.edits}
        unresolved = {each.span: each.code for each in self.found if each.code in UNRESOLVED}
        names = [each for each in self.found if each.code is UNKNOWN_NAME and each.edits]
        kept = [
            each
            for each in (*self.found, *kept)
            if unresolved.get(each.span, each.code) is each.code
            and not (each.code.id == "FLW210" and self._is_open(each, meant))
            and not (each.code.id == "FLW405" and _goes_over(each, unresolved))
            and not (each.code.id in DOUBTS and any(self._shows(name, each) for name in names))
        ]
        once: dict[tuple[object, ...], Diagnostic] = {}
        for each in sort((*project.problems, *kept)):
            missing = each.code in UNRESOLVED and not each.edits
            once.setdefault(
                (each.code.id, each.span.path, each.message) if missing else (each.code.id, each.span), each
            )
        return with_severities(sort(once.values()), self.sources, project.settings)

    def _is_open(self, unused: Diagnostic, meant: set[tuple[str, str]]) -> bool:
        """Whether the name that seems unused is what a misspelled arm meant, or what a call is said to leave open."""
        name = self.sources[unused.span.path].text[unused.span.start : unused.span.end]
        if (unused.span.path, name) in meant:
            return True
        return any(each.code.id in OPEN_OUTCOMES and f"`{name}`" in each.message for each in self.rules)

    def _shows(self, name: Diagnostic, doubt: Diagnostic) -> bool:
        """Whether the misspelled `name` was meant to give, or to show, the value that `doubt` misses further down."""
        if name.span.path != doubt.span.path or name.span.start > doubt.span.start:
            return False
        doubted = self.sources[doubt.span.path].text[doubt.span.start : doubt.span.end].split(".")
        return any(edit.replacement in doubted for edit in name.edits)


def _goes_over(loop: Diagnostic, unresolved: Mapping[Span, Code]) -> bool:
    """Whether a loop goes over a misspelled target, which is only taken for a state that it is like."""
    return any(
        label.span.start <= span.start and span.end <= label.span.end and label.span.path == span.path
        for label in loop.labels
        for span, code in unresolved.items()
        if code is UNKNOWN_STATE
    )


def _leaves_open(arm: Diagnostic, outcome: Diagnostic) -> bool:
    """Whether what `outcome` finds open, at the head of a call, is what the misspelled `arm` under it was meant for."""
    under = arm.span.path == outcome.span.path and arm.span.start >= outcome.span.end
    return under and any(f"`{edit.replacement}`" in outcome.message for edit in arm.edits)
