"""The whole compiler on one page: parse → declare → resolve → types → graph → rules → lower.

A fault of ours in one file, pass or rule is a finding (FLW199), and what does not depend on it goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from flowc.compiler.assemble import Passes, assemble
from flowc.compiler.check_flows import check_flows
from flowc.compiler.collector import collector_paused
from flowc.compiler.declare import declare, target_of, uses_of
from flowc.compiler.housekeeping import not_formatted
from flowc.compiler.lost import lost_words
from flowc.compiler.model import Model
from flowc.compiler.problems import Problems
from flowc.compiler.project import Project
from flowc.compiler.resolve import resolve
from flowc.compiler.signatures import sign
from flowc.compiler.translations import check_translations
from flowc.compiler.unused import unused
from flowc.dsl.diagnostic import Diagnostic, Severity
from flowc.dsl.layout import Scan
from flowc.dsl.nodes import FlowFile
from flowc.dsl.parse import Parsed, parse
from flowc.dsl.source import SourceFile, Span
from flowc.runtime.program import Program

if TYPE_CHECKING:
    from flowc.compiler.graph import FlowGraph
    from flowc.compiler.rules import Rule

__all__ = ["Outcome", "check_project", "compile_project", "model_of"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A program, unless there are errors or no main flow; all findings in source order; every source.

    `faults` are the exceptions behind the findings that are FLW199."""

    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, SourceFile]
    model: Model | None = None
    faults: tuple[Exception, ...] = ()


@collector_paused()
def compile_project(project: Project) -> Outcome:
    """The whole compiler: findings, and the program where none is an error."""
    problems = Problems()
    checked = _checked(project, problems)
    model, graphs = checked if checked is not None else (None, {})
    outcome = _outcome(project, model, problems)
    if model is None or model.main is None or any(each.level is Severity.ERROR for each in outcome.diagnostics):
        return outcome
    from flowc.compiler.lower import lower
    from flowc.compiler.rules.budget import first_words_ms

    program = problems.attempt(lambda: lower(model, first_words_ms(model, graphs)), _first(project))
    return _outcome(project, model, problems) if program is None else replace(outcome, program=program)


@collector_paused()
def check_project(project: Project) -> Outcome:
    """All findings, without a program; files that are not in their canonical form too."""
    problems = Problems()
    checked = _checked(project, problems, form=True)
    return _outcome(project, None if checked is None else checked[0], problems)


def model_of(project: Project) -> Model:
    """The model alone: no rules. A fault of ours is raised."""
    problems = Problems()
    return _model(project, parse_all(project, problems), problems)


def _outcome(project: Project, model: Model | None, problems: Problems) -> Outcome:
    return Outcome(None, problems.sorted(project, model), problems.sources, model, tuple(problems.faults))


def _first(project: Project) -> SourceFile:
    return next(iter(project.sources.values()), SourceFile("flowc.toml", ""))


def _checked(
    project: Project, problems: Problems, *, form: bool = False
) -> tuple[Model, Mapping[str, "FlowGraph"]] | None:
    from flowc.compiler.graph import build_graphs  # networkx takes a while to load
    from flowc.compiler.rules import RULES

    parsed = parse_all(project, problems)
    model = problems.attempt(lambda: _model(project, parsed, problems), _first(project))
    graphs = problems.attempt(lambda: build_graphs(model), _first(project)) if model is not None else None
    if model is None or graphs is None:
        return None
    problems.attempt(partial(_translated, project, model, problems), _first(project))
    for rule in RULES:
        broken = problems.attempt(partial(_found_by, rule, model, graphs), _first(project))
        problems.rules.extend(broken or ())
    if form:
        found = (*problems.found, *problems.rules)
        mistaken = frozenset(each.span.path for each in found if each.level is Severity.ERROR)
        unformatted = problems.attempt(lambda: tuple(not_formatted(parsed, mistaken)), _first(project))
        problems.found.extend(unformatted or ())
    return model, graphs


def _translated(project: Project, model: Model, problems: Problems) -> None:
    checked = check_translations(project, model.files)
    problems.sources.update(checked.sources)
    problems.found.extend(checked.diagnostics)


def _found_by(rule: "Rule", model: Model, graphs: Mapping[str, "FlowGraph"]) -> tuple[Diagnostic, ...]:
    return tuple(rule(model, graphs))


def _model(project: Project, parsed: Mapping[str, Parsed], problems: Problems) -> Model:
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
        parsed[source.path] = _parsed(source, problems)
        for use in uses_of(parsed[source.path].file):
            found = project.source(target_of(source.path, use))
            if found is not None:
                open_.append(found)
    return parsed


def _parsed(source: SourceFile, problems: Problems) -> Parsed:
    """The tree of one file; after a fault of ours an empty one with holes."""
    parsed = problems.attempt(lambda: parse(source), source)
    if parsed is not None:
        problems.found.extend(parsed.diagnostics)
        return parsed
    empty = FlowFile(source.path, None, (), (), Span(source.path, 0, len(source.text)))
    return Parsed(empty, (problems.found[-1],), Scan(source, (), (), (), frozenset()), whole=False)
