"""A copy of a SQLite store at one moment, while its server goes on or without one.

SQLite copies page by page under one read transaction, so the copy is what was committed when it began; commits go on
meanwhile in the log. The copy is marked: who opens it as a store begins an epoch (epochs.py).
"""

import os
from contextlib import suppress
from pathlib import Path

import apsw

from flowc.runtime.errors import StoreUnavailable, StoreUnreachable
from flowc.runtime.store import checking, epochs
from flowc.runtime.store.file import DISK, check_readable, connect_reading, discard


def backup(store: Path, target: Path, now_ms: int) -> int:
    """Makes `target`, which must not be there; its size in bytes. Raises StoreUnreachable, StoreForeign, StoreTooNew,
    StoreTooOld, StoreUnavailable; then nothing is there."""
    if target.exists():
        raise StoreUnreachable(target, "it is there already")
    if not store.exists():
        raise StoreUnreachable(store, "it is not there")
    source = connect_reading(store)
    part = target.with_name(f"{target.name}.part")
    try:
        check_readable(source, store)
        _copy(source, part, now_ms)
        part.rename(target)
    except DISK as error:
        raise StoreUnavailable(str(error)) from error
    except OSError as error:
        raise StoreUnreachable(target, error.strerror or str(error)) from error
    finally:
        discard(source)
        with suppress(OSError):
            part.unlink()
    return target.stat().st_size


def _copy(source: apsw.Connection, part: Path, now_ms: int) -> None:
    with suppress(FileNotFoundError):
        part.unlink()  # of a backup that was interrupted
    copy = apsw.Connection(str(part))
    try:
        with copy.backup("main", source, "main") as copying:
            copying.step()
        copy.pragma("journal_mode", "delete")
        copy.pragma("synchronous", "full")
        with copy:
            epochs.mark(copy, now_ms)
        for told in checking.broken(copy, quick=True):
            raise StoreUnavailable(f"the copy is not whole ({told}): check the store with `flowc db check`")
    finally:
        copy.close()
    descriptor = os.open(part, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
