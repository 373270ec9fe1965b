"""Where an address stands in the `conversation` table, and what decides about its next turn.

The key of a row is the first 8 bytes of the address's BLAKE2b. Two addresses with one hash are not expected in the
life of any store, but must not be mixed up: the second one stands at the next free place. Rows are never deleted, so
the way to it stays.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeAlias

import apsw

from flowc.runtime.store.rows import Address, shard_of

Columns: TypeAlias = tuple[
    Any, ...
]  # a row as SQLite gives it; the tables are STRICT, so the types are those of the schema

_MASK = (1 << 64) - 1
REMEMBERED: Final = 65_536  # addresses; each turn asks for its own, 0.1 µs in place of 1.1


class Standing(NamedTuple):
    """The columns that decide, of the current incarnation."""

    place: int
    address: Address
    incarnation: int
    turn: int
    at_ms: int
    deployment: int
    jobs: int
    ended: int
    erased: int
    look_ms: int
    journal: int
    taken: int
    recent: bytes
    waiting: int  # whether the inbox has anything


_STANDING = """
SELECT place, address, incarnation, turn, at_ms, deployment, jobs, ended, erased, look_ms, journal, taken, recent,
  EXISTS (SELECT 1 FROM inbox WHERE shard = ?2 AND address = ?3)
FROM conversation WHERE place = ?1"""


@lru_cache(REMEMBERED)
def first_place(address: Address) -> int:
    """The place where the search begins: its highest byte is the shard, kept in order as a signed number."""
    return int.from_bytes(blake2b(address.encode(), digest_size=64).digest()[:8], "big") - (1 << 63)


def next_place(place: int) -> int:
    return ((place + (1 << 63) + 1) & _MASK) - (1 << 63)


def standing(connection: apsw.Connection, address: Address) -> Standing | int:
    """The row of the address, or the free place where it would stand."""
    place = first_place(address)
    shard = shard_of(address)
    while True:
        found = connection.execute(_STANDING, (place, shard, address)).fetchone()
        if found is None:
            return place
        if found[1] == address:
            return Standing._make(found)
        place = next_place(place)


def place_of(connection: apsw.Connection, address: Address) -> int | None:
    """The place of an address that has a row."""
    place = first_place(address)
    while True:
        found = connection.execute("SELECT address FROM conversation WHERE place = ?", (place,)).fetchone()
        if found is None:
            return None
        if found[0] == address:
            return place
        place = next_place(place)
