"""A SQLite store as those look at it who only read: beside the server that has it, or where none runs. Takes no lock.

A reader sees what was committed when its statement began, and hinders nobody but the copying of the log.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw
from msgspec import Struct

from flowc.runtime.errors import StoreError, StoreUnavailable, StoreUnreachable
from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.program import PriorityClass
from flowc.runtime.store import chain, checking, commands, epochs, loads, operating
from flowc.runtime.store.file import DISK, check_readable, connect_reading, discard
from flowc.runtime.store.overview import Deployment, Doubt, Summary
from flowc.runtime.store.port import CLASSES
from flowc.runtime.store.rows import Address, Digest, JournalRow, Loaded, StoredCommand, Wanted

SKEW_MS: Final = 60_000

__all__ = ["Journaled", "Reader", "Wish", "reading"]


class Wish(Struct, frozen=True):
    """Which conversations to list: on top at a wait of this flow, in this state, at it since before `before_ms` (then
    those first that stand longest)."""

    flow: str | None = None
    state: str | None = None
    before_ms: int | None = None
    ended: bool = False


class Journaled(Struct, frozen=True):
    """The columns of a turn that `funnel` counts by; its event where the conversation has ended."""

    address: str
    incarnation: int
    turn: int
    at_ms: int
    deployment: int
    ended: int
    event: bytes
    notes: bytes


_LISTED = """
SELECT address, incarnation, turn, at_ms, deployment, wait, priority, jobs, ended,
  (SELECT count(*) FROM inbox WHERE inbox.address = c.address AND inbox.shard = (c.place >> 56) + 128)
FROM conversation AS c
WHERE erased = 0 AND turn > 0 AND (:ended OR NOT ended)
  AND (:flow IS NULL OR substr(wait, 1, length(:flow) + 1) = :flow || '/')
  AND (:state IS NULL OR substr(wait || '.', instr(wait, '/') + 1, length(:state) + 1) = :state || '.')
  AND (:before IS NULL OR at_ms < :before)"""


class Reader:
    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def listed(self, wish: Wish, limit: int) -> list[Summary]:
        """Reads the row of every conversation where `before_ms` is given, else until there are enough."""
        order = "place" if wish.before_ms is None else "at_ms, place"
        values = {
            "flow": wish.flow,
            "state": wish.state,
            "before": wish.before_ms,
            "ended": wish.ended,
            "limit": limit,
        }
        found = self._connection.execute(f"{_LISTED} ORDER BY {order} LIMIT :limit", values)
        return [_summary(row) for row in found]

    def load(self, address: Address) -> Loaded:
        return loads.load(self._connection, Wanted(address))

    def commands(self, address: Address) -> Sequence[StoredCommand]:
        return commands.outstanding(self._connection, address)

    def late(self, address: Address) -> Sequence[tuple[CommandKey, int]]:
        return commands.late(self._connection, address)

    def journal(self, address: Address, incarnation: int) -> Sequence[JournalRow]:
        """All turns of an incarnation that are kept, in order."""
        return chain.journal(self._connection, address, incarnation, 0, 1_000_000)

    def incarnations(self, address: Address) -> list[int]:
        """Those of which turns are kept, newest first."""
        links = chain.back(self._connection, chain.last(self._connection, address))
        return sorted({link.incarnation for link in links}, reverse=True)

    def broken(self, *, quick: bool) -> Iterator[str]:
        """What SQLite finds wrong with the file."""
        return checking.broken(self._connection, quick=quick)

    def contradictions(self) -> Iterator[str]:
        """What rows say that cannot be so."""
        return checking.contradictions(self._connection)

    def kept(self) -> Iterator[checking.Kept]:
        """Every conversation."""
        return checking.kept(self._connection)

    def doubts(self, limit: int) -> Sequence[Doubt]:
        """Commands in doubt because the store goes on from a backup."""
        return epochs.doubts(self._connection, limit)

    def deployments(self) -> Sequence[Deployment]:
        return operating.deployments(self._connection, 1_000_000)

    def bundle(self, digest: Digest) -> bytes | None:
        return operating.bundle(self._connection, digest)

    def turns(self, since_ms: int) -> Iterator[Journaled]:
        """The columns of all turns since then, in the order of their commits: one pass over that part of it."""
        found = self._connection.execute(
            "SELECT address, incarnation, turn, at_ms, deployment, ended, iif(ended, event, x''), notes "
            "FROM journal WHERE id >= ? AND address != '' AND at_ms >= ? ORDER BY id",
            (self._first_since(since_ms), since_ms),
        )
        for row in found:
            yield Journaled(*row)

    def _first_since(self, since_ms: int) -> int:
        """A turn before which none is that new: times grow with the ids, but for what clocks do."""
        low, high = self._connection.execute("SELECT coalesce(min(id), 0), coalesce(max(id), 0) + 1 FROM journal").get
        while low < high:
            middle = (low + high) // 2
            at_ms = self._connection.execute(
                "SELECT at_ms FROM journal WHERE id >= ? ORDER BY id LIMIT 1", (middle,)
            ).get
            if at_ms is not None and at_ms < since_ms - SKEW_MS:
                low = middle + 1
            else:
                high = middle
        return int(low)


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """The store in this file. Raises StoreUnreachable where there is none, StoreForeign, StoreTooNew, StoreTooOld,
    StoreUnavailable."""
    if not path.exists():
        raise StoreUnreachable(path, "it is not there")
    connection = connect_reading(path)
    try:
        check_readable(connection, path)
        yield Reader(connection)
    except StoreError:
        raise
    except DISK as error:
        raise StoreUnavailable(str(error)) from error
    finally:
        discard(connection)


def _summary(row: tuple[object, ...]) -> Summary:
    address, incarnation, turn, at_ms, deployment, wait, priority, jobs, ended, waiting = row
    return Summary(address, incarnation, turn, at_ms, deployment, wait, _class(priority), jobs, bool(ended), waiting)  # type: ignore[arg-type]  # the tables are STRICT


def _class(rank: object) -> PriorityClass:
    assert isinstance(rank, int)
    return CLASSES[rank]
