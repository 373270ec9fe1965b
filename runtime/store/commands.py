"""Commands in SQLite: outstanding ones only. A command that has no row is done."""

from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any

import apsw

from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.policy.lanes import Queue, spaced_ms
from flowc.runtime.store import inbox
from flowc.runtime.store.places import Standing, standing
from flowc.runtime.store.port import CLASSES, RANK
from flowc.runtime.store.queues import Pick
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
    Unit,
    shard_of,
)

_COLUMNS = (
    "address, incarnation, key, spot, service, operation, body, deferred, priority, created_ms, until_ms, "
    "started, attempt, server, wait_ms, cause, tenant, ready_ms"
)


def start(connection: apsw.Connection, start: Start, now_ms: int) -> int | None:
    holder = start.holder
    attempt: int | None = connection.execute(
        "UPDATE command SET started = 1, attempt = attempt + 1, server = ?1, wait_ms = ?2, "
        "ready_ms = iif(deferred, ready_ms, ?2) "
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
        "ready_ms = iif(?3 AND deferred, ready_ms, ?1), "
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
        "DELETE FROM command WHERE shard = ?1 AND address = ?2 AND key = ?3 AND attempt = coalesce(?4, attempt)",
        (shard, result.address, result.key, result.attempt),
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
        "INSERT INTO late (shard, address, key, number, at_ms, body) "
        "SELECT ?1, ?2, ?3, coalesce(max(number), 0) + 1, ?4, ?5 FROM late "
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
    pick: Pick,
    holder: Holder,
    now_ms: int,
) -> Claims:
    with ExitStack() as opened:
        queues = {
            queue: opened.enter_context(closing(_due(connection, queue, shards, now_ms)))
            for queue in _queues(connection)
        }
        picked = tuple(pick(queues))
    for command in picked:
        connection.execute(
            "UPDATE command SET server = ?1, wait_ms = ?2, ready_ms = iif(deferred, ready_ms, ?2) "
            "WHERE shard = ?3 AND address = ?4 AND key = ?5",
            (holder.server, now_ms + holder.lease_ms, shard_of(command.address), command.address, command.key),
        )
    return Claims(commands=picked)


def _queues(connection: apsw.Connection) -> Iterator[Queue]:
    """Those that there are, each found by a step over the one before it."""
    at: tuple[int, str, str] | None = (-1, "", "")
    while at is not None:
        at = connection.execute(
            "SELECT priority, service, tenant FROM command WHERE (priority, service, tenant) > (?, ?, ?) "
            "ORDER BY priority, service, tenant LIMIT 1",
            at,
        ).fetchone()
        if at is not None:
            yield Queue(CLASSES[at[0]], at[2], at[1])


def _due(
    connection: apsw.Connection, queue: Queue, shards: Collection[int], now_ms: int
) -> Generator[tuple[int, StoredCommand], None, None]:
    found = connection.execute(
        f"SELECT shard, ready_ms, {_COLUMNS} FROM command WHERE priority = ? AND service = ? AND tenant = ? "
        "AND wait_ms <= ? ORDER BY ready_ms",
        (RANK[queue.priority], queue.service, queue.tenant, now_ms),
    )
    for shard, ready_ms, *columns in found:
        if shard in shards:
            yield ready_ms, _command(columns)


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
        tenant,
        ready_ms,
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
        tenant,
        ready_ms,
    )


_COMMAND = """
INSERT INTO command (shard, address, key, incarnation, home, priority, wait_ms, started, attempt, server, deferred,
  created_ms, until_ms, cause, spot, service, operation, body, tenant, ready_ms)
VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"""


def of_unit(connection: apsw.Connection, unit: Unit, home: int, shard: int, now_ms: int) -> None:
    """Those that a turn settles and makes."""
    address = unit.base.address
    if unit.settles is not None:
        connection.execute(
            "DELETE FROM command WHERE shard = ? AND address = ? AND key = ?", (shard, address, unit.settles)
        )
    jobs = _jobs(connection, address, shard) if any(command.deferred for command in unit.commands) else 0
    tenant = unit.owner if unit.opens else unit.base.owner
    for command in unit.commands:
        holder = command.holder
        wait_ms = command.due_ms if holder is None else now_ms + holder.lease_ms
        connection.execute(
            _COMMAND,
            (
                shard,
                address,
                command.key,
                unit.incarnation,
                home,
                RANK[command.priority],
                wait_ms,
                holder is not None,
                0 if holder is None else 1,
                None if holder is None else holder.server,
                command.deferred,
                now_ms,
                command.until_ms,
                unit.cause,
                command.place,
                command.service,
                command.operation,
                command.body,
                tenant,
                spaced_ms(wait_ms, jobs) if command.deferred else wait_ms,
            ),
        )
        jobs += command.deferred


def _jobs(connection: apsw.Connection, address: Address, shard: int) -> int:
    """How many of the conversation are outstanding."""
    count: int = connection.execute(
        "SELECT count(*) FROM command WHERE shard = ? AND address = ? AND deferred", (shard, address)
    ).get
    return count
