"""`--watch`: the same again whenever a file of the project changes."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from flowc.cli.projects import manifest_folder
from flowc.cli.terminal import Stop, Terminal

__all__ = ["watched"]

WATCHED: Final = (".flow", ".chat", ".toml", ".po", ".txt")


def watched(paths: list[Path] | None, directory: Path | None, again: Callable[[], int], terminal: Terminal) -> None:
    """Runs `again` now and after each change, until it is interrupted. What cannot be checked is said, and waited
    for."""
    places = [path.resolve() for path in paths or ()] or [manifest_folder(directory or Path.cwd()) or Path.cwd()]
    rounds(again, changes_in(places), terminal)


def rounds(again: Callable[[], int], changes: Iterable[object], terminal: Terminal) -> None:
    attempt(again, terminal)
    terminal.note("watching for changes; Ctrl-C ends")
    for _ in changes:
        terminal.note("")
        attempt(again, terminal)


def attempt(again: Callable[[], int], terminal: Terminal) -> None:
    try:
        again()
    except Stop as stop:
        terminal.note(f"error: {stop.message}" + (f"\n  help: {stop.help}" if stop.help else ""))


def changes_in(places: list[Path]) -> Iterator[object]:
    """Each change of a file that a check reads."""
    from watchfiles import watch

    return watch(*places, watch_filter=lambda _, path: path.endswith(WATCHED), raise_interrupt=True)
