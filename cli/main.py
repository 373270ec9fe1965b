"""The `flowc` command: registers one file per command and turns what went wrong into a sentence and an exit code.

Imports nothing heavy, so that `flowc --version` answers at once: a command imports what it needs when it runs.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from flowc.cli import (
    build,
    chat,
    check,
    conversations,
    db,
    dead,
    diff,
    doctor,
    erase,
    explain,
    explore,
    fmt,
    funnel,
    graph,
    init,
    serve,
    service,
    simulate,
    test,
    why,
)
from flowc.cli.terminal import FINE, INTERRUPTED, USAGE, Stop

app = typer.Typer(
    name="flowc",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init.init)
app.command("check")(check.check)
app.command("fmt")(fmt.fmt)
app.command("test")(test.run_tests)
app.command("chat")(chat.chat)
app.command("serve")(serve.serve)
app.command("simulate")(simulate.simulate)
app.command("explore")(explore.explore)
app.command("explain")(explain.explain)
app.command("graph")(graph.graph)
app.command("build")(build.build)
app.command("diff")(diff.diff)
app.command("doctor")(doctor.doctor)
app.command("erase")(erase.erase)
app.add_typer(service.app, name="service")
app.add_typer(dead.app, name="dead")
app.add_typer(db.app, name="db")
app.add_typer(conversations.app, name="conversations")
app.command("why")(why.why)
app.command("funnel")(funnel.funnel)


def print_version(wanted: bool) -> None:
    """Print the installed version and leave, when it is wanted."""
    if wanted:
        from importlib.metadata import version  # costs more than the rest of this module

        typer.echo(f"flowc {version('flowc')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    """Write, check, test and run conversation flows.

    Begin with: flowc init mybot && cd mybot && flowc check && flowc test && flowc chat
    """


def main() -> None:
    """Run the command that the arguments name. Never shows a traceback, unless FLOWC_TRACEBACK is set."""
    try:
        app()
    except Stop as stop:
        leave(stop.message, stop.help, stop.code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of a pipe went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FINE)
    except BaseExceptionGroup as group:  # what fails in a task comes in a group
        if group.subgroup(KeyboardInterrupt) is not None:
            sys.exit(INTERRUPTED)
        if not isinstance(group, Exception):
            raise
        leave(*explained(group))
    except Exception as fault:  # noqa: BLE001 - the edge: what is left is a known error, or a bug of ours
        leave(*explained(fault))


def explained(fault: Exception) -> tuple[str, str | None, int]:
    """The sentence, the help and the exit code of `fault`. Raises it on, if FLOWC_TRACEBACK is set."""
    from flowc.runtime.errors import FlowcError

    fault = only_one(fault)
    if isinstance(fault, Stop):
        return fault.message, fault.help, fault.code
    if isinstance(fault, FlowcError):
        return str(fault), getattr(fault, "help", None), USAGE
    if os.environ.get("FLOWC_TRACEBACK"):
        raise fault
    where = last_place(fault)
    return (
        f"this is a bug in flowc: {type(fault).__name__}: {fault} (at {where})",
        "please report it with the command, this line, and the output under FLOWC_TRACEBACK=1",
        USAGE,
    )


def only_one(fault: Exception) -> Exception:
    """The one error in a group of one."""
    while isinstance(fault, ExceptionGroup) and len(fault.exceptions) == 1:
        fault = fault.exceptions[0]
    return fault


def last_place(fault: Exception) -> str:
    """File and line where `fault` was raised."""
    import traceback

    frames = traceback.extract_tb(fault.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"


def leave(message: str, help: str | None, code: int) -> NoReturn:
    """Print the error to stderr and exit."""
    print(f"error: {message}", file=sys.stderr)
    if help:
        print(f"  help: {help}", file=sys.stderr)
    sys.exit(code)
