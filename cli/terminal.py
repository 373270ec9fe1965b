"""Where a command prints: results to stdout, progress to stderr, colours as asked for; and how it stops early."""

import os
import sys
from dataclasses import dataclass
from typing import TextIO

from flowc.cli.options import Color

__all__ = ["Stop", "Terminal", "as_json"]

FINE, FINDINGS, USAGE, INTERRUPTED = 0, 1, 2, 130


class Stop(Exception):  # noqa: N818  # not always an error: it carries the exit code
    """Ends the command with a message that says what is wrong and what to do. `code` is the exit code."""

    def __init__(self, message: str, *, help: str | None = None, code: int = USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.code = code


def wants_colour(choice: Color, stream: TextIO) -> bool:
    """Whether `stream` gets colours: what was asked for, then NO_COLOR, FORCE_COLOR, then whether it is a terminal."""
    match choice:
        case Color.ALWAYS:
            return True
        case Color.NEVER:
            return False
        case Color.AUTO:
            if os.environ.get("NO_COLOR"):
                return False
            return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")


@dataclass(frozen=True, slots=True)
class Terminal:
    """The two streams of one command."""

    color: Color = Color.AUTO
    quiet: bool = False

    @property
    def colour(self) -> bool:
        """Whether results are coloured."""
        return wants_colour(self.color, sys.stdout)

    def write(self, text: str) -> None:
        """Print a result."""
        if text:
            print(text, flush=True)

    def note(self, text: str) -> None:
        """Print progress, unless quiet."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def style(self, text: str, *codes: int) -> str:
        """`text` in the given ANSI styles, where colours are on."""
        return f"\x1b[{';'.join(map(str, codes))}m{text}\x1b[0m" if self.colour else text


BOLD, DIM, RED, GREEN, YELLOW, BLUE, CYAN = 1, 2, 31, 32, 33, 34, 36


def as_json(told: object) -> str:
    """One line for a program that reads what a command found."""
    import json

    return json.dumps(told, ensure_ascii=False)
