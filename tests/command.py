"""Runs `flowc` in this process, as a shell would."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from unittest.mock import patch

from flowc.cli.main import main

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def flowc(*arguments: str | Path, folder: Path = ROOT, stdin: str = "") -> Ran:
    """Run `flowc ARGUMENTS` in `folder`."""
    out, err = StringIO(), StringIO()
    given = TextIOWrapper(BytesIO(stdin.encode()), encoding="utf-8")
    words = ["flowc", *map(str, arguments)]
    code = 0
    with (
        inside(folder),
        patch.object(sys, "argv", words),
        patch.object(sys, "stdin", given),
        patch.object(sys, "stdout", out),
        patch.object(sys, "stderr", err),
    ):
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1 if stop.code else 0
    return Ran(code, out.getvalue(), err.getvalue())
