"""The meaning of a project of flows: from syntax trees to a runtime program. Pure: no clock, no async.

The names below are loaded when they are asked for, so that a command which needs one module does not load the parser.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from flowc.compiler.compile import Outcome, check_project, compile_project
    from flowc.compiler.project import Project, ProjectError, open_project

HOMES: Final = {
    "Outcome": "flowc.compiler.compile",
    "check_project": "flowc.compiler.compile",
    "compile_project": "flowc.compiler.compile",
    "Project": "flowc.compiler.project",
    "ProjectError": "flowc.compiler.project",
    "open_project": "flowc.compiler.project",
}
__all__ = ["Outcome", "Project", "ProjectError", "check_project", "compile_project", "open_project"]


def __getattr__(name: str) -> object:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)
