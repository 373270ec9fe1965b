"""The whole compiler on one page: parse → declare → resolve → types → graph → rules → lower."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from flowc.compiler.assemble import Passes, assemble
from flowc.compiler.check_flows import check_flows
from flowc.compiler.declare import declare, target_of, uses_of
from flowc.compiler.lost import lost_words
from flowc.compiler.model import Model
from flowc.compiler.project import Project
from flowc.compiler.resolve import UNKNOWN_FLOW, UNKNOWN_INTENT, UNKNOWN_OPERATION, UNKNOWN_STATE, resolve
from flowc.compiler.severities import with_severities
from flowc.compiler.signatures import UNKNOWN_NAME, UNKNOWN_TYPE, sign
from flowc.compiler.unused import unused
from flowc.dsl.diagnostic import Diagnostic, Severity, sort
from flowc.dsl.parse import Parsed, parse
from flowc.dsl.source import SourceFile
from flowc.runtime.program import Program

__all__ = ["Outcome", "check_project", "compile_project", "model_of"]

Result = TypeVar("Result")
# A name without a declaration is one mistake however often it is used; a misspelled one is one at each place.
UNRESOLVED: Final = frozenset(
    [UNKNOWN_STATE, UNKNOWN_INTENT, UNKNOWN_NAME, UNKNOWN_OPERATION, UNKNOWN_TYPE, UNKNOWN_FLOW]
)
# What a misspelled target makes of a graph: its state is not reached, and nothing goes on there.
FOLLOW_LOST_STATES: Final = frozenset(["FLW401", "FLW404", "FLW409", "FLW502"])
# A misspelled arm leaves open what it was meant for.
MISSPELLED_ARMS: Final = frozenset(["FLW203", "FLW603"])
OPEN_OUTCOMES: Final = frozenset(["FLW601", "FLW602"])


@dataclass(frozen=True, slots=True)
class Outcome:
    """A program, unless there are errors or no main flow; all findings in source order; every source."""

    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, SourceFile]
    model: Model | None = None


def compile_project(project: Project) -> Outcome:
    """The whole compiler: findings, and the program where none is an error."""
    problems = Problems()
    model = _checked(project, problems)
    diagnostics = problems.sorted(project, model)
    if model.main is None or any(each.level is Severity.ERROR for each in diagnostics):
        return Outcome(None, diagnostics, problems.sources, model)
    from flowc.compiler.lower import lower

    return Outcome(lower(model), diagnostics, problems.sources, model)


def check_project(project: Project) -> Outcome:
    """All findings, without a program."""
    problems = Problems()
    model = _checked(project, problems)
    return Outcome(None, problems.sorted(project, model), problems.sources, model)


def model_of(project: Project) -> Model:
    """The model alone: no rules."""
    return _model(project, Problems())


def _checked(project: Project, problems: "Problems") -> Model:
    from flowc.compiler.graph import build_graphs  # networkx takes a while to load
    from flowc.compiler.rules import RULES

    model = _model(project, problems)
    graphs = build_graphs(model)
    for rule in RULES:
        problems.rules.extend(rule(model, graphs))
    return model


def _model(project: Project, problems: "Problems") -> Model:
    parsed = parse_all(project, problems)
    files = {path: each.file for path, each in parsed.items()}
    broken = {
        path: lost_words(problems.sources[path], each.diagnostics) for path, each in parsed.items() if not each.whole
    }
    declarations = problems.take(declare(tuple(files.values()), broken))
    signatures = sign(declarations, project, problems.add)
    resolved = resolve(declarations, signatures, problems.add)
    checked = check_flows(declarations, signatures, resolved, project, problems.add)
    passes = Passes(declarations, signatures, resolved, checked)
    meant = frozenset(edit.replacement for problem in problems.found for edit in problem.edits)
    libraries = project.only is None
    problems.found.extend(unused(declarations, signatures, resolved, checked, meant=meant, libraries=libraries))
    return assemble(project, files, passes, problems.add)


def parse_all(project: Project, problems: "Problems") -> dict[str, Parsed]:
    """Every file of the project, and what they import from elsewhere, by path."""
    parsed: dict[str, Parsed] = {}
    open_ = list(project.sources.values())
    while open_:
        source = open_.pop(0)
        if source.path in parsed:
            continue
        problems.sources[source.path] = source
        parsed[source.path] = parse(source)
        problems.found.extend(parsed[source.path].diagnostics)
        for use in uses_of(parsed[source.path].file):
            found = project.source(target_of(source.path, use))
            if found is not None:
                open_.append(found)
    return parsed


@dataclass(slots=True)
class Problems:
    """What was found so far. Findings of `rules` are apart: about a file with holes in it they prove nothing."""

    found: list[Diagnostic] = field(default_factory=list)
    rules: list[Diagnostic] = field(default_factory=list)
    sources: dict[str, SourceFile] = field(default_factory=dict)

    def add(self, problem: Diagnostic) -> None:
        self.found.append(problem)

    def take(self, result: tuple[Result, Iterable[Diagnostic]]) -> Result:
        """The result of a pass, whose findings are kept."""
        value, found = result
        self.found.extend(found)
        return value

    def sorted(self, project: Project, model: Model) -> tuple[Diagnostic, ...]:
        """All findings, one for a code and place, in source order, with the severities of the project."""
        if project.settings_file is not None:
            self.sources[project.settings_file.path] = project.settings_file
        broken = {flow.path for flow in model.flows.values() if flow.broken}
        lost = {each.span.path for each in self.found if each.code is UNKNOWN_STATE}
        arms = [each for each in (*self.found, *self.rules) if each.code.id in MISSPELLED_ARMS and each.edits]
        kept = [
            each
            for each in self.rules
            if each.span.path not in broken
            and not (each.span.path in lost and each.code.id in FOLLOW_LOST_STATES)
            and not (each.code.id in OPEN_OUTCOMES and any(_leaves_open(arm, each) for arm in arms))
        ]
        once: dict[tuple[object, ...], Diagnostic] = {}
        for each in sort((*project.problems, *self.found, *kept)):
            missing = each.code in UNRESOLVED and not each.edits
            once.setdefault(
                (each.code.id, each.span.path, each.message) if missing else (each.code.id, each.span), each
            )
        return with_severities(sort(once.values()), self.sources, project.settings)


def _leaves_open(arm: Diagnostic, outcome: Diagnostic) -> bool:
    """Whether what `outcome` finds open, at the head of a call, is what the misspelled `arm` under it was meant for."""
    under = arm.span.path == outcome.span.path and arm.span.start >= outcome.span.end
    return under and any(f"`{edit.replacement}`" in outcome.message for edit in arm.edits)
