"""What is read before a turn, in SQLite: the row, the inbox, outstanding commands, and what a known id caused."""

import apsw

from flowc.runtime.store import chain, commands, inbox, places, timers
from flowc.runtime.store.overview import Summary
from flowc.runtime.store.places import Columns, place_of
from flowc.runtime.store.port import CLASSES
from flowc.runtime.store.recent import EventHash, Recent
from flowc.runtime.store.rows import Address, Loaded, Repetition, Row, Wanted, shard_of

_ROW = """
SELECT incarnation, turn, at_ms, deployment, wait, priority, jobs, ended, erased, owner, position, timers, recent,
  journal, EXISTS (SELECT 1 FROM inbox WHERE shard = ?2 AND address = ?3),
  EXISTS (SELECT 1 FROM command WHERE shard = ?2 AND address = ?3)
FROM conversation WHERE place = ?1"""

_NOBODY = """
SELECT NOT EXISTS (SELECT 1 FROM conversation WHERE place = ?1)
  AND NOT EXISTS (SELECT 1 FROM inbox WHERE shard = ?2 AND address = ?3)"""

_RETIRED = """
SELECT incarnation, turn, at_ms, deployment, wait, priority, jobs, ended, 0, owner, position, timers
FROM retired WHERE shard = ? AND address = ? AND incarnation = ?"""


def load(connection: apsw.Connection, wanted: Wanted) -> Loaded:
    """An empty row where nobody was, or where the wanted incarnation is no more."""
    address, shard = wanted.address, shard_of(wanted.address)
    if connection.execute(_NOBODY, (places.first_place(address), shard, address)).get:
        return Loaded(Row(address))
    place = place_of(connection, address)
    if place is None:
        waiting = inbox.waiting(connection, address, shard)
        return Loaded(Row(address), waiting, (), _waiting(connection, wanted, shard))
    *columns, recent, newest, has_inbox, has_commands = connection.execute(_ROW, (place, shard, address)).get
    current = columns[0]
    if wanted.incarnation is not None and wanted.incarnation != current:
        columns = connection.execute(_RETIRED, (shard, address, wanted.incarnation)).get
    row = Row(address) if columns is None else _row(address, (*columns, recent))
    return Loaded(
        row,
        inbox.waiting(connection, address, shard) if has_inbox else (),
        commands.outstanding(connection, address, row.incarnation) if has_commands else (),
        _repetition(connection, wanted, Recent(recent), newest, shard),
    )


def _row(address: Address, found: Columns) -> Row:
    incarnation, turn, at_ms, deployment, wait, priority, jobs, ended, erased, owner, position, packed, recent = found
    return Row(
        address,
        incarnation,
        turn,
        at_ms,
        deployment,
        wait,
        CLASSES[priority],
        jobs,
        bool(ended),
        bool(erased),
        owner,
        position,
        timers.unpack(packed),
        Recent(recent),
    )


def _repetition(
    connection: apsw.Connection, wanted: Wanted, recent: Recent, newest: int, shard: int
) -> Repetition | None:
    if wanted.event is None:
        return None
    if (seen := recent.find(wanted.event)) is not None:
        return chain.caused(connection, newest, wanted.event, recent, seen)
    return _waiting(connection, wanted, shard)


def _waiting(connection: apsw.Connection, wanted: Wanted, shard: int) -> Repetition | None:
    if wanted.event is None:
        return None
    return waiting_repetition(connection, wanted.address, wanted.event, shard)


def waiting_repetition(
    connection: apsw.Connection, address: Address, event: EventHash, shard: int
) -> Repetition | None:
    for held in inbox.waiting(connection, address, shard):
        if held.event.hash == event:
            return Repetition(held.event.digest, held.number)
    return None


_SUMMARY = """
SELECT address, incarnation, turn, at_ms, deployment, wait, priority, jobs, ended,
  (SELECT count(*) FROM inbox WHERE inbox.address = c.address AND inbox.shard = (c.place >> 56) + 128)
FROM conversation AS c WHERE place > ? AND erased = 0 AND (? OR NOT ended OR jobs) ORDER BY place LIMIT ?"""


def summaries(connection: apsw.Connection, after: Address | None, limit: int, ended: bool) -> tuple[Summary, ...]:
    place = None if after is None else place_of(connection, after)
    found = connection.execute(_SUMMARY, (-(1 << 63) if place is None else place, ended, limit))
    return tuple(
        Summary(address, incarnation, turn, at_ms, deployment, wait, CLASSES[priority], jobs, bool(is_ended), waiting)
        for address, incarnation, turn, at_ms, deployment, wait, priority, jobs, is_ended, waiting in found
    )
