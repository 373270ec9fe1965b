"""What may go wrong while running: one base, a dozen leaves, each with the facts as attributes and its cause.

A message is one sentence that says what is and, after the colon or semicolon, what to do. `fault` says whose it is:
the caller's (a wrong configuration or request), ours (a bug), or the environment's (a disk, a network, another
process).
"""

# ruff: noqa: N818 - a leaf is named by the fact; the base says that it is an error

from pathlib import Path
from traceback import extract_tb
from typing import ClassVar, Literal

Fault = Literal["caller", "ours", "environment"]


class FlowcError(Exception):
    """The base of everything that flowc raises on purpose while running."""

    fault: ClassVar[Fault] = "ours"


class StoreError(FlowcError):
    """Something about the store as a whole, never about one conversation."""

    fault: ClassVar[Fault] = "environment"


class StoreUnavailable(StoreError):
    """The store cannot answer now. What was asked may or may not have been done; ask again after looking it up."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the store is not available now: {reason}")
        self.reason = reason


class StoreLocked(StoreError):
    """Another process serves this file."""

    def __init__(self, path: Path, pid: int | None) -> None:
        by = f"process {pid}" if pid is not None else "another process"
        super().__init__(f"{path} is in use by {by}: stop it, or let it do the work (one process serves one file)")
        self.path = path
        self.pid = pid


class StoreTooNew(StoreError):
    """The store was written by a newer flowc."""

    def __init__(self, path: Path, version: int, known: int) -> None:
        super().__init__(f"{path} has schema {version}, this flowc knows schemas up to {known}: use a newer flowc")
        self.path = path
        self.version = version
        self.known = known


class StoreTooOld(StoreError):
    """The store was written by an older flowc, and only a server brings it up to date."""

    fault: ClassVar[Fault] = "caller"

    def __init__(self, path: Path, version: int, known: int) -> None:
        super().__init__(f"{path} has schema {version}, this flowc reads schema {known}: start its server once")
        self.path = path
        self.version = version
        self.known = known


class StoreCorrupt(StoreError):
    """The file is damaged."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is damaged ({reason}): restore it from a backup, then run `flowc doctor`")
        self.path = path
        self.reason = reason


class StoreForeign(StoreError):
    """The file is not a store of flowc."""

    fault: ClassVar[Fault] = "caller"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is not a flowc store: name another file, or a new one")
        self.path = path


class StoreUnreachable(StoreError):
    """The file cannot be opened or made."""

    fault: ClassVar[Fault] = "caller"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be opened ({reason}): check the folder and its permissions")
        self.path = path
        self.reason = reason


class StoreOnNetwork(StoreError):
    """The file is on a file system whose locks and syncs cannot be trusted."""

    fault: ClassVar[Fault] = "caller"

    def __init__(self, path: Path, kind: str) -> None:
        super().__init__(f"{path} is on a network file system ({kind}), where SQLite can lose data: use a local disk")
        self.path = path
        self.kind = kind


def named(error: Exception) -> str:
    """A mistake of ours by its kind and place: `KeyError at taking.py:120`. Its message may have a value in it."""
    frames = extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
