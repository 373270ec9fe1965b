"""Commands in SQLite: outstanding ones only. A command that has no row is done."""

from collections.abc import Collection, Sequence
from typing import Any

import apsw

from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.program import PriorityClass
from flowc.runtime.store import inbox
from flowc.runtime.store.places import Standing, standing
from flowc.runtime.store.port import CLASSES, RANK
from flowc.runtime.store.rows import (
    Address,
    Claims,
    Gone,
    Holder,
    Known,
    Late,
    Postponed,
    Received,
    Result,
    Settled,
    Settlement,
    Start,
    StoredCommand,
    shard_of,
)

_COLUMNS = (
    "address, incarnation, key, spot, service, operation, body, deferred, priority, created_ms, until_ms, "
    "started, attempt, server, wait_ms, cause"
)


def start(connection: apsw.Connection, start: Start, now_ms: int) -> int | None:
    holder = start.holder
    attempt: int | None = connection.execute(
        "UPDATE command SET started = 1, attempt = attempt + 1, server = ?1, wait_ms = ?2 "
        "WHERE shard = ?3 AND address = ?4 AND key = ?5 AND attempt = ?6 AND (server = ?1 OR wait_ms <= ?7) "
        "RETURNING attempt",
        (
            holder.server,
            now_ms + holder.lease_ms,
            shard_of(start.address),
            start.address,
            start.key,
            start.attempt,
            now_ms,
        ),
    ).get
    return attempt


def postpone(connection: apsw.Connection, back: Postponed) -> None:
    connection.execute(
        "UPDATE command SET server = NULL, wait_ms = ?1, body = coalesce(?2, body), "
        "started = iif(?3 AND started AND attempt = 1, 0, started), attempt = attempt - (?3 AND started) "
        "WHERE shard = ?4 AND address = ?5 AND key = ?6 AND attempt = ?7 AND server = ?8",
        (
            back.due_ms,
            back.body,
            back.unsent,
            shard_of(back.address),
            back.address,
            back.key,
            back.attempt,
            back.server,
        ),
    )


def settle(connection: apsw.Connection, result: Result, holder: Holder, now_ms: int) -> Settlement:
    shard = shard_of(result.address)
    found = standing(connection, result.address)
    if not isinstance(found, Standing) or found.erased:
        return Gone()
    connection.execute(
        "DELETE FROM command WHERE shard = ? AND address = ? AND key = ?", (shard, result.address, result.key)
    )
    if not connection.changes():
        return _late(connection, result, shard, now_ms)
    match inbox.receive(connection, result.event, holder, now_ms):
        case Received(number, is_first):
            return Settled(number, is_first)
        case Known(_, int(number)):
            return Settled(number, False)
        case other:
            raise ValueError(f"the event of a result does not fit into the inbox: {other}")


def _late(connection: apsw.Connection, result: Result, shard: int, now_ms: int) -> Late:
    count: int = connection.execute(
        "INSERT INTO late (shard, address, key, number, at_ms, body) SELECT ?1, ?2, ?3, count(*) + 1, ?4, ?5 FROM late "
        "WHERE shard = ?1 AND address = ?2 AND key = ?3 RETURNING number",
        (shard, result.address, result.key, now_ms, result.body),
    ).get
    return Late(count)


def late(connection: apsw.Connection, address: Address) -> tuple[tuple[CommandKey, int], ...]:
    return tuple(
        (key, count)
        for key, count in connection.execute(
            "SELECT key, max(number) FROM late WHERE shard = ? AND address = ? GROUP BY key",
            (shard_of(address), address),
        )
    )


def claim(
    connection: apsw.Connection,
    shards: Collection[int],
    limit: int,
    holder: Holder,
    classes: Sequence[PriorityClass],
    now_ms: int,
) -> Claims:
    claimed: list[StoredCommand] = []
    for priority in classes:
        due = connection.execute(
            f"SELECT shard, {_COLUMNS} FROM command WHERE priority = ? AND wait_ms <= ? ORDER BY wait_ms LIMIT ?",
            (RANK[priority], now_ms, (limit - len(claimed)) if len(shards) == 256 else -1),
        ).fetchall()
        for shard, *found in [row for row in due if row[0] in shards][: limit - len(claimed)]:
            command = _command(found)
            connection.execute(
                "UPDATE command SET server = ?, wait_ms = ? WHERE shard = ? AND address = ? AND key = ?",
                (holder.server, now_ms + holder.lease_ms, shard, command.address, command.key),
            )
            claimed.append(command)
    return Claims(commands=tuple(claimed))


def outstanding(
    connection: apsw.Connection, address: Address, incarnation: int | None = None
) -> tuple[StoredCommand, ...]:
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM command WHERE shard = ? AND address = ? ORDER BY incarnation, created_ms, key",
        (shard_of(address), address),
    )
    return tuple(
        command for command in map(_command, found) if incarnation is None or command.incarnation == incarnation
    )


def _command(found: Sequence[Any]) -> StoredCommand:
    (
        address,
        incarnation,
        key,
        place,
        service,
        operation,
        body,
        deferred,
        priority,
        created_ms,
        until_ms,
        started,
        attempt,
        server,
        wait_ms,
        cause,
    ) = found
    return StoredCommand(
        address,
        incarnation,
        key,
        place,
        service,
        operation,
        body,
        bool(deferred),
        CLASSES[priority],
        created_ms,
        until_ms,
        "started" if started else "ready",
        attempt,
        server,
        wait_ms,
        cause,
    )
