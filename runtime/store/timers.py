"""Silence timers in SQLite. They stand in the conversation's row; `look` says when somebody should look at it.

Most timers are left before they are due. So a conversation has one row in `look` that may be too early and is never
too late: a turn touches it only when its own timer is due before that, and whoever finds that nothing is due yet
moves it.
"""

from collections.abc import Collection
from typing import Final, NamedTuple

import apsw
from msgspec import msgpack
from msgspec.structs import replace

from flowc.runtime.store.places import place_of
from flowc.runtime.store.port import CLASSES
from flowc.runtime.store.rows import Address, Claims, DueTimer, Holder, SilenceTimer, Unit, shard_of

MERCY_MS: Final = 60_000
DELAYED_AT_ONCE: Final = 500

_TIMERS: Final = msgpack.Decoder(tuple[SilenceTimer, ...])


def unpack(packed: bytes) -> tuple[SilenceTimer, ...]:
    return _TIMERS.decode(packed) if packed else ()


class Look(NamedTuple):
    due_ms: int
    shard: int
    address: Address
    incarnation: int
    attempt: int


class Kept(NamedTuple):
    """The timers of an incarnation, and where they stand: a place, or None for a retired one."""

    place: int | None
    look_ms: int
    priority: int
    timers: tuple[SilenceTimer, ...]


def look(connection: apsw.Connection, due_ms: int, shard: int, address: Address, unit: Unit) -> None:
    """A turn that must follow at once is looked for only because its server might not live to take it: it is held by
    that server."""
    server = unit.holder.server if any(timer.after_ms == 0 for timer in unit.timers) else None
    connection.execute(
        "INSERT OR IGNORE INTO look (due_ms, shard, address, incarnation, server, attempt) VALUES (?,?,?,?,?,0)",
        (due_ms, shard, address, unit.incarnation, server),
    )


def release(connection: apsw.Connection, now_ms: int) -> None:
    """What a server that is gone had claimed, or was about to go on with, is due now."""
    held = connection.execute(
        "SELECT due_ms, shard, address, incarnation, attempt FROM look WHERE server IS NOT NULL AND due_ms > ?",
        (now_ms,),
    ).fetchall()
    with connection:
        for at in map(Look._make, held):
            kept = _kept(connection, at)
            if kept is not None:
                timers = tuple([replace(t, due_ms=min(t.due_ms, now_ms)) if not t.after_ms else t for t in kept.timers])
                _write(connection, at, kept.place, timers)
            _move(connection, at, kept, now_ms, None)


def claim(connection: apsw.Connection, shards: Collection[int], limit: int, holder: Holder, now_ms: int) -> Claims:
    """The first timer of each conversation that is due."""
    claimed: list[DueTimer] = []
    for at in _due(connection, now_ms, limit):
        if at.shard not in shards:
            continue
        kept = _kept(connection, at)
        if kept is None or not kept.timers:
            _move(connection, at, kept, 0, None)
            continue
        first = min(kept.timers, key=lambda timer: timer.due_ms)
        if first.due_ms > now_ms:
            _move(connection, at, kept, first.due_ms, None)
        else:
            _move(connection, at, kept, now_ms + holder.lease_ms, holder)
            claimed.append(DueTimer(at.address, at.incarnation, first, CLASSES[kept.priority]))
    return Claims(timers=tuple(claimed))


def delay_overdue(connection: apsw.Connection, shards: Collection[int], now_ms: int) -> tuple[int, bool]:
    """After a stop: what is overdue is due again after the shorter of itself and a minute. How many conversations
    that were, and whether there may be more."""
    delayed = 0
    found = _due(connection, now_ms, DELAYED_AT_ONCE)
    for at in found:
        kept = _kept(connection, at) if at.shard in shards else None
        if kept is None or not kept.timers:
            _move(connection, at, kept, 0, None)
            continue
        timers = tuple(
            replace(timer, due_ms=now_ms + max(1, min(timer.after_ms, MERCY_MS))) if timer.due_ms <= now_ms else timer
            for timer in kept.timers
        )
        delayed += timers != kept.timers
        _write(connection, at, kept.place, timers)
        _move(connection, at, kept, min(timer.due_ms for timer in timers), None)
    return delayed, len(found) == DELAYED_AT_ONCE


def tried(connection: apsw.Connection, address: Address, incarnation: int, which: tuple[int, int]) -> int | None:
    """One more try of the timer with that generation and length, counted; None where it is no more."""
    place = place_of(connection, address)
    kept = _of(connection, place, shard_of(address), address, incarnation)
    if kept is None:
        return None
    now = {(timer.generation, timer.after_ms): timer for timer in kept.timers}
    if which not in now:
        return None
    now[which] = replace(now[which], tries=now[which].tries + 1)
    _write(connection, Look(0, shard_of(address), address, incarnation, 0), kept.place, tuple(now.values()))
    return now[which].tries


def _due(connection: apsw.Connection, now_ms: int, limit: int) -> list[Look]:
    return [
        Look._make(row)
        for row in connection.execute(
            "SELECT due_ms, shard, address, incarnation, attempt FROM look WHERE due_ms <= ? ORDER BY due_ms LIMIT ?",
            (now_ms, limit),
        )
    ]


def _kept(connection: apsw.Connection, at: Look) -> Kept | None:
    """None where the timers are no more, or another row of `look` stands for them."""
    kept = _of(connection, place_of(connection, at.address), at.shard, at.address, at.incarnation)
    return kept if kept is not None and kept.look_ms == at.due_ms else None


def _of(connection: apsw.Connection, place: int | None, shard: int, address: Address, incarnation: int) -> Kept | None:
    found = connection.execute(
        "SELECT incarnation, look_ms, priority, timers FROM conversation WHERE place = ?", (place,)
    ).fetchone()
    if found is not None and found[0] == incarnation:
        return Kept(place, found[1], found[2], unpack(found[3]))
    found = connection.execute(
        "SELECT look_ms, priority, timers FROM retired WHERE shard = ? AND address = ? AND incarnation = ?",
        (shard, address, incarnation),
    ).fetchone()
    return None if found is None else Kept(None, found[0], found[1], unpack(found[2]))


def _move(connection: apsw.Connection, at: Look, kept: Kept | None, due_ms: int, holder: Holder | None) -> None:
    """Moves the row of `look`, or removes it where `due_ms` is 0."""
    connection.execute(
        "DELETE FROM look WHERE due_ms = ? AND shard = ? AND address = ? AND incarnation = ?",
        (at.due_ms, at.shard, at.address, at.incarnation),
    )
    if kept is None:
        return
    if due_ms:
        server, attempt = (holder.server, at.attempt + 1) if holder else (None, at.attempt)
        connection.execute(
            "INSERT OR REPLACE INTO look (due_ms, shard, address, incarnation, server, attempt) VALUES (?,?,?,?,?,?)",
            (due_ms, at.shard, at.address, at.incarnation, server, attempt),
        )
    if kept.place is not None:
        connection.execute("UPDATE conversation SET look_ms = ? WHERE place = ?", (due_ms, kept.place))
    else:
        connection.execute(
            "UPDATE retired SET look_ms = ? WHERE shard = ? AND address = ? AND incarnation = ?",
            (due_ms, at.shard, at.address, at.incarnation),
        )


def _write(connection: apsw.Connection, at: Look, place: int | None, timers: tuple[SilenceTimer, ...]) -> None:
    packed = msgpack.encode(timers)
    if place is not None:
        connection.execute("UPDATE conversation SET timers = ? WHERE place = ?", (packed, place))
    else:
        connection.execute(
            "UPDATE retired SET timers = ? WHERE shard = ? AND address = ? AND incarnation = ?",
            (packed, at.shard, at.address, at.incarnation),
        )
