"""Epochs of a SQLite store: a backup that is opened goes on from the past, so whatever it holds of commands is in
doubt."""

import apsw

from flowc.runtime.store.overview import Doubt
from flowc.runtime.store.places import Columns


def begin(connection: apsw.Connection, now_ms: int) -> bool:
    """Whether the file was a backup until now, so that an epoch begins: each outstanding command may have been sent
    after the backup was made, also one that was ready."""
    number = connection.execute("SELECT number FROM epoch WHERE begun_ms = 0").get
    if number is None:
        return False
    with connection:
        connection.execute("UPDATE epoch SET begun_ms = ? WHERE number = ?", (now_ms, number))
        connection.execute(
            "INSERT INTO doubt (epoch, shard, address, key, service, operation, created_ms) "
            "SELECT ?, shard, address, key, service, operation, created_ms FROM command",
            (number,),
        )
        connection.execute("UPDATE command SET started = 1, attempt = attempt + 1, server = NULL")
    return True


def mark(connection: apsw.Connection, now_ms: int) -> None:
    """Makes a copy of a store a backup."""
    last, is_begun = connection.execute("SELECT coalesce(max(number), 1), coalesce(min(begun_ms), 1) FROM epoch").get
    if is_begun:
        connection.execute("INSERT INTO epoch (number, backup_ms, begun_ms) VALUES (?, ?, 0)", (last + 1, now_ms))


def doubts(connection: apsw.Connection, limit: int) -> tuple[Doubt, ...]:
    """Of the last epoch, the oldest command first."""
    found: list[Columns] = connection.execute(
        "SELECT d.address, d.key, d.service, d.operation, d.created_ms, e.backup_ms, e.begun_ms, "
        "  EXISTS (SELECT 1 FROM command c WHERE c.shard = d.shard AND c.address = d.address AND c.key = d.key) "
        "FROM doubt d JOIN epoch e ON e.number = d.epoch "
        "WHERE d.epoch = (SELECT max(epoch) FROM doubt) ORDER BY d.created_ms, d.key LIMIT ?",
        (limit,),
    ).fetchall()
    return tuple(map(_doubt, found))


def _doubt(found: Columns) -> Doubt:
    address, key, service, operation, created_ms, backup_ms, begun_ms, is_outstanding = found
    return Doubt(address, key, service, operation, created_ms, backup_ms, begun_ms, bool(is_outstanding))
