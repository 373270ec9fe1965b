"""What is old is removed from a SQLite store: turns, results that came late, conversations that are over.

The journal is the index of age: its rows stand in the order of their commits, so what is old is at its front, and the
newest turn of a conversation that ended leads to the conversation. Its last row stays whatever its age: a row's id is
never used twice, and a turn may name one before it that is gone.
"""

import apsw

from flowc.runtime.store.overview import Pruned
from flowc.runtime.store.places import Columns, next_place, place_of
from flowc.runtime.store.rows import Address, shard_of

_SLICE = """
SELECT id, address, at_ms FROM journal WHERE id > ? AND id < (SELECT max(id) FROM journal) ORDER BY id LIMIT ?"""

OF_ADDRESS = ("retired", "inbox", "command", "late", "outgoing", "dead", "doubt", "look")


def prune(connection: apsw.Connection, before_ms: int, cursor: str, limit: int) -> Pruned:
    """One slice of the journal from the cursor on, and at its end what has no turn to be found by."""
    found: list[Columns] = connection.execute(_SLICE, (int(cursor or 0), limit)).fetchall()
    old = [(id, address) for id, address, at_ms in found if at_ms < before_ms]
    conversations = 0
    for id, address in old:
        connection.execute("DELETE FROM journal WHERE id = ?", (id,))
        connection.execute(
            "UPDATE outgoing SET skip = 0 WHERE shard = ? AND address = ? AND journal < ?",
            (shard_of(address), address, id),
        )  # what was skipped was of that turn
        conversations += _forgotten(connection, address, id)
    if old:
        return Pruned(len(old), conversations, 0, str(found[-1][0]), is_over=False)
    connection.execute("DELETE FROM late WHERE at_ms < ?", (before_ms,))
    late = connection.changes()
    connection.execute("DELETE FROM server WHERE at_ms < ?", (before_ms,))
    return Pruned(0, 0, late, "", is_over=True)


def _forgotten(connection: apsw.Connection, address: Address, newest: int) -> bool:
    """Whether that was the newest turn of a conversation that is over, which is then forgotten."""
    place, shard = place_of(connection, address), shard_of(address)
    if place is None:
        return False
    is_over = connection.execute(
        "SELECT 1 FROM conversation WHERE place = ?1 AND journal = ?2 AND ended AND NOT jobs AND NOT erased "
        "AND NOT EXISTS (SELECT 1 FROM inbox WHERE shard = ?3 AND address = ?4) "
        "AND NOT EXISTS (SELECT 1 FROM retired WHERE shard = ?3 AND address = ?4)",
        (place, newest, shard, address),
    ).fetchone()
    if is_over is None:
        return False
    for table in OF_ADDRESS[:-1]:
        connection.execute(f"DELETE FROM {table} WHERE shard = ? AND address = ?", (shard, address))
    vacate(connection, place)
    return True


def vacate(connection: apsw.Connection, place: int) -> None:
    """Removes a conversation's row; where another address may stand behind it, the row stays as that of nobody, so
    that the way to the other one does."""
    if connection.execute("SELECT 1 FROM conversation WHERE place = ?", (next_place(place),)).fetchone() is None:
        connection.execute("DELETE FROM conversation WHERE place = ?", (place,))
    else:
        connection.execute(
            "UPDATE conversation SET incarnation = 0, turn = 0, at_ms = 0, deployment = 0, wait = '', jobs = 0, "
            "ended = 1, owner = '', look_ms = 0, journal = 0, taken = 0, timers = x'', recent = x'', position = x'' "
            "WHERE place = ?",
            (place,),
        )
