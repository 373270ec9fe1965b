"""The certain edits of a project's findings, made until nothing more is found to mend.

A repair is kept only where it brings no new error: all edits are made until nothing changes, and where that leaves a
new error, round by round and one finding after the other. So what is written is never worse than what was there.
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
    original, found = _texts(project), check_project(project).diagnostics
    at = _all(project, found)
    if at is None:
        at = _step_by_step(project, found)
    now = _texts(at)
    return {path: text for path, text in now.items() if text != original[path]}


def _all(project: Project, found: tuple[Diagnostic, ...]) -> Project | None:
    """The project when every edit was made, those included for what only a repair brought to light; None where an error
    is left that was not there before."""
    at, known = project, found
    for _ in range(MOST_ROUNDS):
        changed = apply_groups(_texts(at), [each.edits for each in known if each.edits])
        if not changed:
            break
        at = at.changed(changed)
        known = check_project(at).diagnostics
    return None if _errors(known) - _errors(found) else at


def _step_by_step(project: Project, found: tuple[Diagnostic, ...]) -> Project:
    """The project after as many rounds as bring no error."""
    at, known = project, found
    for _ in range(MOST_ROUNDS):
        following = _round(at, known)
        if following is None:
            break
        at, known = following
    return at


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
