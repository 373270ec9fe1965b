"""The whole compiler on one page: parse → declare → resolve → types → graph → rules → lower."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from flowc.compiler.assemble import Passes, assemble
from flowc.compiler.check_flows import check_flows
from flowc.compiler.collector import collector_paused
from flowc.compiler.declare import declare, target_of, uses_of
from flowc.compiler.lost import lost_words
from flowc.compiler.model import Model
from flowc.compiler.problems import Problems
from flowc.compiler.project import Project
from flowc.compiler.resolve import resolve
from flowc.compiler.signatures import sign
from flowc.compiler.unused import unused
from flowc.dsl.diagnostic import Diagnostic, Severity
from flowc.dsl.parse import Parsed, parse
from flowc.dsl.source import SourceFile
from flowc.runtime.program import Program

__all__ = ["Outcome", "check_project", "compile_project", "model_of"]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A program, unless there are errors or no main flow; all findings in source order; every source."""

    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, SourceFile]
    model: Model | None = None


@collector_paused()
def compile_project(project: Project) -> Outcome:
    """The whole compiler: findings, and the program where none is an error."""
    problems = Problems()
    model = _checked(project, problems)
    diagnostics = problems.sorted(project, model)
    if model.main is None or any(each.level is Severity.ERROR for each in diagnostics):
        return Outcome(None, diagnostics, problems.sources, model)
    from flowc.compiler.lower import lower

    return Outcome(lower(model), diagnostics, problems.sources, model)


@collector_paused()
def check_project(project: Project) -> Outcome:
    """All findings, without a program."""
    problems = Problems()
    model = _checked(project, problems)
    return Outcome(None, problems.sorted(project, model), problems.sources, model)


def model_of(project: Project) -> Model:
    """The model alone: no rules."""
    return _model(project, Problems())


def _checked(project: Project, problems: Problems) -> Model:
    from flowc.compiler.graph import build_graphs  # networkx takes a while to load
    from flowc.compiler.rules import RULES

    model = _model(project, problems)
    graphs = build_graphs(model)
    for rule in RULES:
        problems.rules.extend(rule(model, graphs))
    return model


def _model(project: Project, problems: Problems) -> Model:
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


def parse_all(project: Project, problems: Problems) -> dict[str, Parsed]:
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
