"""The inbox in SQLite: events that were accepted and wait for their turn, numbered in each conversation."""

from collections.abc import Collection, Sequence
from typing import Final

import apsw

from flowc.runtime.program import PriorityClass
from flowc.runtime.store import chain
from flowc.runtime.store.places import Columns, Standing, standing
from flowc.runtime.store.port import CLASSES, RANK
from flowc.runtime.store.recent import Recent
from flowc.runtime.store.rows import (
    INBOX_LIMIT,
    Address,
    Behind,
    Claims,
    Gone,
    Holder,
    InboxEvent,
    InboxFull,
    Incoming,
    Known,
    Orphan,
    Receipt,
    Received,
    shard_of,
)

LIMITED: Final = frozenset({"message", "event"})

_COLUMNS = "number, tries, hash, kind, body, digest, priority, incarnation, at_ms"


def receive(connection: apsw.Connection, event: Incoming, holder: Holder, now_ms: int) -> Receipt:
    """Puts an event behind the others, where its id is new."""
    found = standing(connection, event.address)
    if isinstance(found, Standing):
        if found.erased:
            return Gone()
        recent = Recent(found.recent)
        if event.kind in LIMITED and (seen := recent.find(event.hash)) is not None:
            digests = _digests_of(connection, found, seen.incarnation, seen.turn)
            is_same = digests is None or recent.part(event.hash, digests) == event.digest
            return Known(is_same, None, seen.incarnation, seen.turn)
    return _put(connection, event, holder, now_ms, found)


def put_behind(connection: apsw.Connection, event: Incoming, holder: Holder, now_ms: int) -> Behind | InboxFull:
    """For the event of a unit whose turn cannot be, because others wait; its id is not among the recent ones."""
    found = standing(connection, event.address)
    match _put(connection, event, holder, now_ms, found):
        case Received(number) | Known(_, int(number)):
            return Behind(number)
        case _:
            return InboxFull()


def _put(
    connection: apsw.Connection, event: Incoming, holder: Holder, now_ms: int, found: Standing | int
) -> Received | Known | InboxFull:
    shard = shard_of(event.address)
    waiting = list(
        connection.execute(
            "SELECT number, hash, kind, digest FROM inbox WHERE shard = ? AND address = ? ORDER BY number",
            (shard, event.address),
        )
    )
    for number, known, _, digest in waiting:
        if known == event.hash:
            return Known(digest == event.digest, number)
    if event.kind in LIMITED and sum(kind in LIMITED for _, _, kind, _ in waiting) >= INBOX_LIMIT:
        return InboxFull()
    taken = 0 if isinstance(found, int) else found.taken
    number = max(waiting[-1][0] if waiting else 0, taken) + 1
    connection.execute(
        f"INSERT INTO inbox (shard, address, {_COLUMNS}, server, attempt, lease_ms) "
        "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,0,?)",
        (
            shard,
            event.address,
            number,
            int(event.trying and not waiting),
            event.hash,
            event.kind,
            event.body,
            event.digest,
            RANK[event.priority],
            event.incarnation,
            event.at_ms or now_ms,
            holder.server,
            now_ms + holder.lease_ms,
        ),
    )
    if event.kind == "message":
        _lend(connection, event.address, shard, RANK[event.priority])
    return Received(number, not waiting)


def _lend(connection: apsw.Connection, address: Address, shard: int, priority: int) -> None:
    """A message lends its class to the write that its conversation waits for, and which it has to wait for too."""
    connection.execute(
        "UPDATE command SET priority = ?1 WHERE shard = ?2 AND address = ?3 AND NOT deferred AND priority > ?1",
        (priority, shard, address),
    )


def _digests_of(connection: apsw.Connection, found: Standing, incarnation: int, turn: int) -> bytes | None:
    """None where the turn is no longer kept."""
    for link in chain.back(connection, found.journal):
        if (link.incarnation, link.turn) == (incarnation, turn):
            return bytes(connection.execute("SELECT digest FROM journal WHERE id = ?", (link.id,)).get or b"")
    return None


def has_any(connection: apsw.Connection, address: Address, shard: int) -> bool:
    return bool(connection.execute("SELECT 1 FROM inbox WHERE shard = ? AND address = ?", (shard, address)).fetchone())


def takeable(connection: apsw.Connection, address: Address, number: int, shard: int) -> Incoming | None:
    """The event with this number, unless it is gone or a message stands before it. Results may pass."""
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM inbox WHERE shard = ? AND address = ? AND number = ?", (shard, address, number)
    ).fetchone()
    if found is None:
        return None
    event = _event(address, found).event
    earlier = "SELECT 1 FROM inbox WHERE shard = ? AND address = ? AND number < ? AND kind = 'message'"
    if event.kind != "result" and connection.execute(earlier, (shard, address, number)).fetchone():
        return None
    return event


def messages(
    connection: apsw.Connection, address: Address, shard: int, after: int, last: int
) -> tuple[InboxEvent, ...]:
    """Those behind one number, up to another."""
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM inbox WHERE shard = ? AND address = ? AND number > ? AND number <= ? "
        "AND kind = 'message' ORDER BY number",
        (shard, address, after, last),
    )
    return tuple(_event(address, row) for row in found)


def first(
    connection: apsw.Connection, address: Address, shard: int, taker: Holder | None, now_ms: int
) -> InboxEvent | None:
    """The first event; with `taker` it is leased and a try is counted."""
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM inbox WHERE shard = ? AND address = ? ORDER BY number LIMIT 1", (shard, address)
    ).fetchone()
    if found is None:
        return None
    if taker is not None:
        number, tries, *rest = found
        found = (number, tries + 1, *rest)
        tried(connection, address, number, taker, now_ms)
    return _event(address, found)


def waiting(connection: apsw.Connection, address: Address, shard: int) -> tuple[InboxEvent, ...]:
    return tuple(
        _event(address, found)
        for found in connection.execute(
            f"SELECT {_COLUMNS} FROM inbox WHERE shard = ? AND address = ? ORDER BY number", (shard, address)
        )
    )


def tried(connection: apsw.Connection, address: Address, number: int, holder: Holder, now_ms: int) -> int | None:
    count: int | None = connection.execute(
        "UPDATE inbox SET tries = tries + 1, server = ?, lease_ms = ? WHERE shard = ? AND address = ? AND number = ? "
        "RETURNING tries",
        (holder.server, now_ms + holder.lease_ms, shard_of(address), address, number),
    ).get
    return count


def remove(connection: apsw.Connection, address: Address, number: int, shard: int) -> bool:
    connection.execute("DELETE FROM inbox WHERE shard = ? AND address = ? AND number = ?", (shard, address, number))
    return connection.changes() == 1


def discard(connection: apsw.Connection, address: Address, number: int) -> bool:
    """Takes an event out; its number is not used again."""
    shard = shard_of(address)
    found = standing(connection, address)
    if isinstance(found, Standing):
        connection.execute("UPDATE conversation SET taken = max(taken, ?) WHERE place = ?", (number, found.place))
    return remove(connection, address, number, shard)


def claim(
    connection: apsw.Connection,
    shards: Collection[int],
    limit: int,
    holder: Holder,
    classes: Sequence[PriorityClass],
    now_ms: int,
) -> Claims:
    """First events of inboxes that nobody works on. A lapsed row behind a held one takes over the lease of that one."""
    orphans: dict[Address, Orphan] = {}
    for priority in classes:
        lapsed = list(
            connection.execute(
                "SELECT shard, address, number FROM inbox WHERE priority = ? AND lease_ms <= ? ORDER BY lease_ms",
                (RANK[priority], now_ms),
            )
        )
        for shard, address, number in lapsed:
            if len(orphans) >= limit:
                break
            if shard in shards:
                _claim_one(connection, shard, address, number, holder, now_ms, orphans)
    return Claims(inbox=tuple(orphans.values()))


def _claim_one(
    connection: apsw.Connection,
    shard: int,
    address: Address,
    number: int,
    holder: Holder,
    now_ms: int,
    orphans: dict[Address, Orphan],
) -> None:
    *head, server, lease_ms = connection.execute(
        f"SELECT {_COLUMNS}, server, lease_ms FROM inbox WHERE shard = ? AND address = ? ORDER BY number LIMIT 1",
        (shard, address),
    ).get
    if lease_ms <= now_ms:
        server, lease_ms = holder.server, now_ms + holder.lease_ms
        connection.execute(
            "UPDATE inbox SET server = ?, attempt = attempt + 1, lease_ms = ? "
            "WHERE shard = ? AND address = ? AND number = ?",
            (server, lease_ms, shard, address, head[0]),
        )
        orphans[address] = Orphan(address, _event(address, head))
    if number != head[0]:
        connection.execute(
            "UPDATE inbox SET server = ?, lease_ms = ? WHERE shard = ? AND address = ? AND number = ?",
            (server, lease_ms, shard, address, number),
        )


def _event(address: Address, found: Columns) -> InboxEvent:
    number, tries, known, kind, body, digest, priority, incarnation, at_ms = found
    event = Incoming(address, known, kind, body, digest, CLASSES[priority], incarnation, at_ms)
    return InboxEvent(number, event, tries)
