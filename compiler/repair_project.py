"""The certain edits of a project's findings, made until nothing more is found to mend.

A repair is kept only where it brings no new error: all edits of a round are tried together, and where that does not
hold, one finding after the other. So what is written is never worse than what was there.
"""

from collections.abc import Mapping
from typing import Final

from flowc.compiler.compile import check_project
from flowc.compiler.project import STD, Project
from flowc.dsl.diagnostic import Diagnostic, Severity
from flowc.dsl.edits import apply_groups

__all__ = ["repaired"]

MOST_ROUNDS: Final = 20
Mistake = tuple[str, str, str]


def repaired(project: Project) -> dict[str, str]:
    """The texts that change, by path, when every certain edit is made; sources and `flowc.toml`, never what is
    shipped."""
    original = _texts(project)
    at, found = project, check_project(project).diagnostics
    for _ in range(MOST_ROUNDS):
        following = _round(at, found)
        if following is None:
            break
        at, found = following
    now = _texts(at)
    return {path: text for path, text in now.items() if text != original[path]}


def _texts(project: Project) -> dict[str, str]:
    texts = {path: source.text for path, source in project.sources.items() if not path.startswith(STD)}
    settings = project.settings_file
    return texts if settings is None else {**texts, settings.path: settings.text}


Round = tuple[Project, tuple[Diagnostic, ...]]


def _round(project: Project, found: tuple[Diagnostic, ...]) -> Round | None:
    """The project after one round of edits, with what is found then; None where nothing was mended."""
    groups = [each.edits for each in found if each.edits]
    whole = _tried(project, found, apply_groups(_texts(project), groups))
    if whole is not None:
        return whole
    done: Round | None = None
    for each in found:  # one at a time, where its place is still the one that was found
        before, known = done or (project, found)
        same = next((one for one in known if one.edits and _key(one) == _key(each)), None)
        if each.edits and same is not None:
            done = _tried(before, known, apply_groups(_texts(before), [same.edits])) or done
    return done


def _tried(project: Project, found: tuple[Diagnostic, ...], changed: Mapping[str, str]) -> Round | None:
    """The project with `changed` texts; None where nothing changes or an error is new."""
    if not changed:
        return None
    after = project.changed(changed)
    outcome = check_project(after)
    if _errors(outcome.diagnostics) - _errors(found):
        return None
    return after, outcome.diagnostics


def _errors(found: tuple[Diagnostic, ...]) -> set[Mistake]:
    return {_key(each) for each in found if each.level is Severity.ERROR}


def _key(each: Diagnostic) -> Mistake:
    return each.span.path, each.code.id, each.message
