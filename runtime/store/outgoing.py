"""Replies that we have to send, in SQLite: a cursor for each conversation that has some, and the lease of the server
that sends them."""

from collections.abc import Collection

import apsw

from flowc.runtime.store import chain
from flowc.runtime.store.rows import Address, Claims, Holder, Outgoing, Sent, shard_of


def push(connection: apsw.Connection, address: Address, shard: int, previous: int, holder: Holder, now_ms: int) -> bool:
    """Notes that a turn after the journal's row `previous` has replies to send. True where the holder may send them
    at once: nothing older waits, or it is sending that."""
    until_ms = now_ms + holder.lease_ms
    found = connection.execute(
        "SELECT server, lease_ms FROM outgoing WHERE shard = ? AND address = ?", (shard, address)
    ).fetchone()
    if found is None:
        connection.execute(
            "INSERT INTO outgoing (shard, address, journal, skip, server, attempt, lease_ms) VALUES (?,?,?,0,?,1,?)",
            (shard, address, previous, holder.server, until_ms),
        )
        return True
    server, lease_ms = found
    if server != holder.server or lease_ms <= now_ms:
        return False
    connection.execute("UPDATE outgoing SET lease_ms = ? WHERE shard = ? AND address = ?", (until_ms, shard, address))
    return True


def claim(connection: apsw.Connection, shards: Collection[int], limit: int, holder: Holder, now_ms: int) -> Claims:
    """Conversations whose replies nobody sends, with all that they have to send."""
    lapsed = list(
        connection.execute(
            "SELECT shard, address, journal, skip FROM outgoing WHERE lease_ms <= ? ORDER BY lease_ms LIMIT ?",
            (now_ms, limit if len(shards) == 256 else -1),
        )
    )
    mine = [row for row in lapsed if row[0] in shards][:limit]
    for shard, address, _, _ in mine:
        connection.execute(
            "UPDATE outgoing SET server = ?, attempt = attempt + 1, lease_ms = ? WHERE shard = ? AND address = ?",
            (holder.server, now_ms + holder.lease_ms, shard, address),
        )
    return Claims(
        replies=tuple(
            Outgoing(address, chain.replies_since(connection, chain.last(connection, address), cursor), skip)
            for _, address, cursor, skip in mine
        )
    )


def sent(connection: apsw.Connection, cursor: Sent) -> None:
    """Moves the cursor on; where nothing is left the row goes, and the lease with it."""
    shard = shard_of(cursor.address)
    found = connection.execute(
        "SELECT journal, skip FROM outgoing WHERE shard = ? AND address = ? AND server = ?",
        (shard, cursor.address, cursor.server),
    ).fetchone()
    if found is None:
        return
    oldest, skip = found
    left = 0  # replies of the turns after the one that was sent
    for link in chain.back(connection, chain.last(connection, cursor.address)):
        if link.id == oldest:
            return  # the cursor is further already
        if (link.incarnation, link.turn) == (cursor.incarnation, cursor.turn):
            break
        left += link.reply_count
    else:
        return
    is_whole = cursor.index + 1 >= link.reply_count
    if is_whole and not left:
        connection.execute("DELETE FROM outgoing WHERE shard = ? AND address = ?", (shard, cursor.address))
        return
    at, skipped = (link.id, 0) if is_whole else (link.previous, cursor.index + 1)
    connection.execute(
        "UPDATE outgoing SET journal = ?, skip = ? WHERE shard = ? AND address = ?",
        (at, max(skip, skipped) if at == oldest else skipped, shard, cursor.address),
    )
