"""A project's compiled program, or its findings on the terminal; and the environment that it runs in."""

from typing import TYPE_CHECKING

from flowc.cli.terminal import FINDINGS, Stop

if TYPE_CHECKING:
    from flowc.compiler.project import Project
    from flowc.runtime.program import Program

__all__ = ["compiled"]


def compiled(project: "Project") -> "Program":
    """The program of the project's bot. Prints the findings and stops where it has errors."""
    from flowc.cli.check import Format, findings_in, has_errors, report
    from flowc.cli.terminal import Terminal
    from flowc.compiler.compile import compile_project

    outcome = compile_project(project)
    if outcome.program is not None:
        return outcome.program
    found = findings_in(project, outcome)
    if has_errors(found.diagnostics):
        terminal = Terminal()
        terminal.write(report(found.diagnostics, found.sources, Format.TEXT, colour=terminal.colour))
        raise Stop("the flows have errors", help="repair them, then: flowc check", code=FINDINGS)
    raise Stop("no main flow", help='name it in flowc.toml: [bot] main = "flows/mybot.flow"')
