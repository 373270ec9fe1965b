"""Whether a SQLite store holds what a store must: the file by SQLite's own check, then what no constraint can say.

Each finding is a sentence. Reads only, so a server may go on beside it; each statement sees one moment.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import apsw

from flowc.runtime.store.places import Columns
from flowc.runtime.store.rows import Address

MOST: Final = 20  # findings of one kind

# What must not be, as a query for where it is. `{}` in the sentence is the row's first column.
_RULES: Final = {
    "turn {} of the journal follows a turn of another conversation, or one that is not before it": """
SELECT j.id FROM journal j JOIN journal p ON p.id = j.previous
WHERE j.address != '' AND p.address != '' AND (p.address != j.address OR p.id >= j.id)""",
    "turn {} of the journal has no number that follows the one before it": """
SELECT j.id FROM journal j JOIN journal p ON p.id = j.previous
WHERE p.address = j.address AND p.incarnation = j.incarnation AND p.turn + 1 != j.turn""",
    "the newest turn of conversation {} is one of another conversation": """
SELECT c.address FROM conversation c JOIN journal j ON j.id = c.journal WHERE j.address != c.address""",
    "conversation {} stands at another turn than its newest one in the journal": """
SELECT c.address FROM conversation c JOIN journal j ON j.id = c.journal
WHERE j.incarnation = c.incarnation AND j.turn != c.turn""",
    "a command of {} belongs to no conversation": """
SELECT DISTINCT m.address FROM command m
LEFT JOIN conversation c ON c.place = m.home AND c.address = m.address
WHERE c.place IS NULL OR m.incarnation > c.incarnation""",
    "conversation {} has timers, and nothing looks at them": """
SELECT c.address FROM conversation c WHERE length(c.timers) > 1 AND NOT EXISTS (
  SELECT 1 FROM look k WHERE k.due_ms = c.look_ms AND k.shard = (c.place >> 56) + 128 AND k.address = c.address
  AND k.incarnation = c.incarnation)""",
    "conversation {} runs a deployment that is not there": """
SELECT address FROM conversation WHERE deployment NOT IN (SELECT number FROM deployment)
AND NOT ended AND NOT erased""",
    "deployment {} has no bundle": """
SELECT number FROM deployment WHERE digest NOT IN (SELECT digest FROM bundle)""",
}


class Kept(NamedTuple):
    """A conversation's row, and the hash of the state after its newest turn: empty where that is no longer kept, or
    was one of an earlier incarnation."""

    address: Address
    incarnation: int
    turn: int
    deployment: int
    position: bytes
    state_hash: bytes


def broken(connection: apsw.Connection, *, quick: bool = False) -> Iterator[str]:
    """What SQLite finds wrong with the file; `quick`: without comparing indexes to their tables."""
    check = "quick_check" if quick else "integrity_check"
    for (told,) in connection.execute(f"PRAGMA {check}({MOST})"):
        if told != "ok":
            yield str(told)


def contradictions(connection: apsw.Connection) -> Iterator[str]:
    """What rows say that cannot be so."""
    for sentence, query in _RULES.items():
        found = connection.execute(f"{query} LIMIT ?", (MOST,)).fetchall()
        yield from (sentence.format(first) for first, *_ in found)


def kept(connection: apsw.Connection) -> Iterator[Kept]:
    """Every conversation, in the store's own order."""
    found: Iterator[Columns] = connection.execute(
        "SELECT c.address, c.incarnation, c.turn, c.deployment, c.position, coalesce(j.state_hash, x'') "
        "FROM conversation c LEFT JOIN journal j ON j.id = c.journal AND j.incarnation = c.incarnation "
        "WHERE NOT c.erased AND c.turn > 0 ORDER BY c.place"
    )
    yield from map(Kept._make, found)
