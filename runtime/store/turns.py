"""A unit in SQLite: one turn with everything that it changes. First all that could refuse it is read, then all of it
is written."""

from typing import Final, NamedTuple, TypeAlias, assert_never

import apsw
from msgspec import msgpack

from flowc.runtime.store import commands, inbox, outgoing, places, timers
from flowc.runtime.store.places import Standing, standing
from flowc.runtime.store.port import RANK
from flowc.runtime.store.recent import EventHash, Recent
from flowc.runtime.store.rows import (
    Address,
    Behind,
    Committed,
    Continuing,
    Dead,
    Direct,
    FromInbox,
    InboxEvent,
    InboxFull,
    Incoming,
    Lost,
    Outcome,
    Row,
    Unit,
    shard_of,
)

REMEMBERED: Final = frozenset(
    {"message", "event"}
)  # the kinds whose ids are kept; others are told apart by key or generation
MOST_MARKS: Final = 65_536


class Retired(NamedTuple):
    turn: int
    look_ms: int


class Taken(NamedTuple):
    """What the unit consumes: an event's hash and digest where its id is remembered, and its number where it was in
    the inbox."""

    hash: EventHash | None = None
    digest: bytes | None = None
    number: int | None = None
    merged: tuple[tuple[EventHash, int], ...] = ()

    @property
    def last(self) -> int:
        """The highest number that it takes from the inbox."""
        return self.merged[-1][1] if self.merged else self.number or 0


class Mark(NamedTuple):
    """Where the last turn of an address was written, as far as this process knows: a guess, as its row is."""

    place: int
    journal: int
    look_ms: int


Marks: TypeAlias = dict[Address, Mark]


def commit_unit(connection: apsw.Connection, unit: Unit, now_ms: int, marks: Marks) -> Outcome:
    """Raises ValueError for a unit that contradicts itself."""
    base = unit.base
    mark = marks.get(base.address)
    if mark is not None:
        usual = _usual(connection, unit, mark, now_ms, marks)
        if usual is not None:
            return usual
    elif base.turn == 0 and unit.opens:
        first = _first(connection, unit, now_ms, marks)
        if first is not None:
            return first
    if unit.opens and not base.is_new:
        raise ValueError("a unit cannot open an incarnation where one lives")
    if not unit.opens and base.turn == 0:
        raise ValueError("the first turn of an address has to open it")
    shard = shard_of(base.address)
    found = standing(connection, base.address)
    retired = _retired(connection, unit, found, shard)
    recent = Recent() if isinstance(found, int) else Recent(found.recent)
    taken = _refused(connection, unit, found, retired, shard) or _source(connection, unit, found, recent, now_ms)
    if not isinstance(taken, Taken):
        return taken
    if taken.hash is not None:
        for each in (taken.hash, *[merged for merged, _ in taken.merged]):
            recent = recent.adding(each, unit.incarnation, unit.turn, now_ms)
    done, mark = _write(connection, unit, found, retired, taken, recent, now_ms)
    remember(marks, base.address, mark)
    return done


def remember(marks: Marks, address: Address, mark: Mark) -> None:
    if len(marks) >= MOST_MARKS:
        marks.clear()  # they come back with their next turns
    marks[address] = mark


def _retired(connection: apsw.Connection, unit: Unit, found: Standing | int, shard: int) -> Retired | None:
    """The row of an incarnation that a later one has followed, where the unit is for such a one."""
    base = unit.base
    if isinstance(found, int) or unit.opens or found.incarnation == base.incarnation:
        return None
    row = connection.execute(
        "SELECT turn, look_ms FROM retired WHERE shard = ? AND address = ? AND incarnation = ?",
        (shard, base.address, base.incarnation),
    ).fetchone()
    return None if row is None else Retired._make(row)


def _refused(
    connection: apsw.Connection, unit: Unit, found: Standing | int, retired: Retired | None, shard: int
) -> Lost | None:
    base = unit.base
    if isinstance(found, int):
        return Lost("turn") if base.turn else (None if unit.settles is None else Lost("settled"))
    if found.erased:
        return Lost("erased")
    if retired is not None:
        if retired.turn != base.turn or _stays_open(unit):
            return Lost("turn")  # one that is over is opened no more: a later one has begun meanwhile
    elif (found.incarnation, found.turn) != (base.incarnation, base.turn):
        return Lost("turn")
    if unit.deployment != base.deployment and not unit.opens:
        live = "SELECT 1 FROM deployment WHERE number = ? AND state != 'past'"
        if unit.deployment < base.deployment or not connection.execute(live, (unit.deployment,)).fetchone():
            return Lost("deployment")
    if unit.settles is not None:
        outstanding = (
            "SELECT 1 FROM command WHERE shard = ?1 AND address = ?2 AND key = ?3 AND attempt = coalesce(?4, attempt)"
        )
        wanted = (shard, base.address, unit.settles, unit.settles_attempt)
        if not connection.execute(outstanding, wanted).fetchone():
            return Lost("settled")
    return None


def _stays_open(unit: Unit) -> bool:
    """Whether somebody is waited for after it, but for the result of a write."""
    return not unit.ended and all(command.deferred for command in unit.commands)


def _source(
    connection: apsw.Connection, unit: Unit, found: Standing | int, recent: Recent, now_ms: int
) -> Taken | Lost | Behind | InboxFull:
    address, shard = unit.base.address, shard_of(unit.base.address)
    match unit.source:
        case Direct(event, awaited):
            if event.kind in REMEMBERED and recent.find(event.hash) is not None:
                return Lost("known")
            waits = inbox.has_any(connection, address, shard) if isinstance(found, int) else found.waiting
            if waits and not awaited:
                return inbox.put_behind(connection, event, unit.holder, now_ms)
            return _taken(event, None)
        case FromInbox(number, merged):
            held = inbox.takeable(connection, address, number, shard)
            if held is None or not merged:
                return Lost("inbox") if held is None else _taken(held, number)
            behind = inbox.messages(connection, address, shard, number, merged[-1])
            if [each.number for each in behind] != list(merged):
                return Lost("inbox")
            digests = b"".join([held.digest, *[each.event.digest for each in behind]])
            return Taken(held.hash, digests, number, tuple([(each.event.hash, each.number) for each in behind]))
        case Continuing():
            return Taken()
        case _:
            assert_never(unit.source)


def _taken(event: Incoming, number: int | None) -> Taken:
    if event.kind in REMEMBERED:
        return Taken(event.hash, event.digest, number)
    return Taken(None, None, number)


def _write(
    connection: apsw.Connection,
    unit: Unit,
    found: Standing | int,
    retired: Retired | None,
    taken: Taken,
    recent: Recent,
    now_ms: int,
) -> tuple[Committed, Mark]:
    base, at_ms = unit.base, max(unit.base.at_ms, unit.entry.now_ms)
    shard = shard_of(base.address)
    previous = 0 if isinstance(found, int) else found.journal
    last = _journal(connection, unit, previous, taken.digest, at_ms)
    due_ms = min([timer.due_ms for timer in unit.timers]) if unit.timers else 0
    look_ms = 0 if isinstance(found, int) or unit.opens else (retired.look_ms if retired else found.look_ms)
    if due_ms and not 0 < look_ms <= due_ms:
        look_ms = due_ms
        timers.look(connection, due_ms, shard, base.address, unit)
    row = _row(unit, at_ms, recent)
    if isinstance(found, int):
        _insert(connection, row, found, look_ms, last, taken.last)
        home = found
    elif retired is None:
        if unit.opens and found.jobs:
            _retire(connection, found, shard)
        _update(connection, row, found, look_ms, last, max(found.taken, taken.last))
        home = found.place
    else:
        _update_retired(connection, unit, row, look_ms, shard)
        numbers = max(found.taken, taken.last)
        connection.execute(
            "UPDATE conversation SET journal = ?, taken = ?, recent = ? WHERE place = ?",
            (last, numbers, recent.packed, found.place),
        )
        home, look_ms = found.place, found.look_ms
    if unit.commands or unit.settles is not None:
        commands.of_unit(connection, unit, home, shard, now_ms)
    if unit.dead is not None:
        _dead(connection, unit, unit.dead, shard, at_ms)
    sends = unit.pushes and outgoing.push(connection, base.address, shard, previous, unit.holder, now_ms)
    following = _next(connection, unit, taken, shard, now_ms) if _may_wait(unit, found) else None
    return Committed(row, following, sends), Mark(home, last, look_ms)


# ------------------------------------------------------------------------------------------------------- the usual turn


_USUAL = """
UPDATE conversation SET turn = ?, at_ms = ?, wait = ?, priority = ?, jobs = ?, ended = ?, look_ms = ?, journal = ?,
  timers = ?, recent = ?, position = ?
WHERE place = ? AND journal = ? AND turn = ? AND incarnation = ? AND look_ms = ? AND address = ? AND erased = 0
  AND NOT EXISTS (SELECT 1 FROM inbox WHERE shard = ? AND address = ?)"""


def _usual(connection: apsw.Connection, unit: Unit, mark: Mark, now_ms: int, marks: Marks) -> Committed | None:
    """The turn that nearly all are, in two statements: the next one of a conversation that lives, whose last one was
    ours too, and for which nothing waits. Nothing is read before: the row is changed where it is what we think, which
    decides. None, and nothing changed: it is not so, or not such a turn."""
    base, source = unit.base, unit.source
    if unit.opens or unit.settles is not None or unit.dead is not None or unit.pushes or base.erased:
        return None
    if unit.deployment != base.deployment or isinstance(source, FromInbox):
        return None
    recent, turn, digest = base.recent, base.turn + 1, None
    if isinstance(source, Direct) and source.event.kind in REMEMBERED:
        event = source.event
        if recent.find(event.hash) is not None:
            return None
        recent, digest = recent.adding(event.hash, base.incarnation, turn, now_ms), event.digest
    at_ms, shard = max(base.at_ms, unit.entry.now_ms), shard_of(base.address)
    row = _row(unit, at_ms, recent)
    due_ms = min([timer.due_ms for timer in unit.timers]) if unit.timers else 0
    is_sooner = due_ms and not 0 < mark.look_ms <= due_ms
    look_ms = due_ms if is_sooner else mark.look_ms
    last = _journal(connection, unit, mark.journal, digest, at_ms)
    connection.execute(
        _USUAL,
        (
            turn,
            at_ms,
            row.wait,
            RANK[row.priority],
            row.jobs,
            row.ended,
            look_ms,
            last,
            msgpack.encode(row.timers) if row.timers else b"",
            recent.packed,
            row.position,
            mark.place,
            mark.journal,
            base.turn,
            base.incarnation,
            mark.look_ms,
            base.address,
            shard,
            base.address,
        ),
    )
    if connection.changes() == 0:
        connection.execute("DELETE FROM journal WHERE id = ?", (last,))
        del marks[base.address]
        return None
    if is_sooner:
        timers.look(connection, due_ms, shard, base.address, unit)
    if unit.commands:
        commands.of_unit(connection, unit, mark.place, shard, now_ms)
    marks[base.address] = Mark(mark.place, last, look_ms)
    return Committed(row)


_FIRST = """
INSERT INTO conversation (incarnation, turn, at_ms, deployment, wait, priority, jobs, ended, owner, look_ms, journal,
  taken, timers, recent, position, place, address, erased)
SELECT ?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,0 WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE shard = ? AND address = ?)
ON CONFLICT (place) DO NOTHING"""


def _first(connection: apsw.Connection, unit: Unit, now_ms: int, marks: Marks) -> Committed | None:
    """The first turn of an address, as nearly all are: by a message that came past an empty inbox. As `_usual`."""
    base, source = unit.base, unit.source
    if unit.settles is not None or unit.dead is not None or unit.pushes or not isinstance(source, Direct):
        return None
    event = source.event
    if source.awaited or event.kind not in REMEMBERED:
        return None
    address, at_ms = base.address, unit.entry.now_ms
    shard, place = shard_of(address), places.first_place(address)
    row = _row(unit, at_ms, Recent().adding(event.hash, unit.incarnation, unit.turn, now_ms))
    due_ms = min([timer.due_ms for timer in unit.timers]) if unit.timers else 0
    last = _journal(connection, unit, 0, event.digest, at_ms)
    connection.execute(_FIRST, (*_columns(row, due_ms, last, 0), place, address, shard, address))
    if connection.changes() == 0:
        connection.execute("DELETE FROM journal WHERE id = ?", (last,))
        return None
    if due_ms:
        timers.look(connection, due_ms, shard, address, unit)
    if unit.commands:
        commands.of_unit(connection, unit, place, shard, now_ms)
    remember(marks, address, Mark(place, last, due_ms))
    return Committed(row)


# ----------------------------------------------------------------------------------------------------------------- rows


def _row(unit: Unit, at_ms: int, recent: Recent) -> Row:
    base, opens, ended = unit.base, unit.opens, unit.ended
    return Row(
        base.address,
        base.incarnation + 1 if opens else base.incarnation,
        1 if opens else base.turn + 1,
        at_ms,
        unit.deployment,
        unit.wait,
        unit.priority,
        unit.jobs,
        ended,
        False,
        unit.owner if opens else base.owner,
        b"" if ended and unit.jobs == 0 else unit.position,
        unit.timers,
        recent,
    )


_JOURNAL = """
INSERT INTO journal (previous, address, incarnation, turn, at_ms, deployment, ended, reply_count, wait, cause, digest,
  seed, state_hash, event, reads, replies, notes) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"""


def _journal(connection: apsw.Connection, unit: Unit, previous: int, digest: bytes | None, at_ms: int) -> int:
    entry, base, opens = unit.entry, unit.base, unit.opens
    connection.execute(
        _JOURNAL,
        (
            previous,
            base.address,
            base.incarnation + 1 if opens else base.incarnation,
            1 if opens else base.turn + 1,
            at_ms,
            unit.deployment,
            unit.ended,
            entry.reply_count,
            unit.wait,
            unit.cause,
            digest,
            entry.seed.to_bytes(16, "big"),
            entry.state_hash,
            entry.event,
            entry.reads,
            entry.replies,
            entry.notes,
        ),
    )
    return connection.last_insert_rowid()


_INSERT = """
INSERT INTO conversation (incarnation, turn, at_ms, deployment, wait, priority, jobs, ended, owner, look_ms, journal,
  taken, timers, recent, position, place, address, erased) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,0)"""

_UPDATE = """
UPDATE conversation SET incarnation = ?, turn = ?, at_ms = ?, deployment = ?, wait = ?, priority = ?, jobs = ?,
  ended = ?, owner = ?, look_ms = ?, journal = ?, taken = ?, timers = ?, recent = ?, position = ? WHERE place = ?"""


def _columns(row: Row, look_ms: int, last: int, taken: int) -> tuple[int | str | bytes, ...]:
    return (
        row.incarnation,
        row.turn,
        row.at_ms,
        row.deployment,
        row.wait,
        RANK[row.priority],
        row.jobs,
        row.ended,
        row.owner,
        look_ms,
        last,
        taken,
        msgpack.encode(row.timers) if row.timers else b"",
        row.recent.packed,
        row.position,
    )


def _insert(connection: apsw.Connection, row: Row, place: int, look_ms: int, last: int, taken: int) -> None:
    connection.execute(_INSERT, (*_columns(row, look_ms, last, taken), place, row.address))


def _update(connection: apsw.Connection, row: Row, found: Standing, look_ms: int, last: int, taken: int) -> None:
    connection.execute(_UPDATE, (*_columns(row, look_ms, last, taken), found.place))


_RETIRE = """
INSERT INTO retired SELECT ?, address, incarnation, turn, at_ms, deployment, wait, priority, jobs, ended, owner,
  look_ms, timers, position FROM conversation WHERE place = ?"""


def _retire(connection: apsw.Connection, found: Standing, shard: int) -> None:
    """Keeps the ended incarnation beside the next one, for the results of its jobs."""
    connection.execute(_RETIRE, (shard, found.place))


def _update_retired(connection: apsw.Connection, unit: Unit, row: Row, look_ms: int, shard: int) -> None:
    key = (shard, row.address, row.incarnation)
    if unit.ended and not unit.jobs:
        connection.execute("DELETE FROM retired WHERE shard = ? AND address = ? AND incarnation = ?", key)
        return
    connection.execute(
        "UPDATE retired SET turn = ?, at_ms = ?, deployment = ?, wait = ?, priority = ?, jobs = ?, ended = ?, "
        "look_ms = ?, timers = ?, position = ? WHERE shard = ? AND address = ? AND incarnation = ?",
        (
            row.turn,
            row.at_ms,
            row.deployment,
            row.wait,
            RANK[row.priority],
            row.jobs,
            row.ended,
            look_ms,
            msgpack.encode(row.timers) if row.timers else b"",
            row.position,
            *key,
        ),
    )


def _dead(connection: apsw.Connection, unit: Unit, dead: Dead, shard: int, at_ms: int) -> None:
    key = (shard, unit.base.address, unit.incarnation, unit.turn)
    connection.execute(
        "INSERT INTO dead (shard, address, incarnation, turn, at_ms, kind, tries, reason, body) "
        "VALUES (?,?,?,?,?,?,?,?,?)",
        (*key, at_ms, dead.kind, dead.tries, dead.reason, dead.body),
    )


def _may_wait(unit: Unit, found: Standing | int) -> bool:
    """Whether there may be something in the inbox: a turn that came past it has found it empty."""
    if isinstance(found, int):
        return not isinstance(unit.source, Direct) or unit.source.awaited
    return bool(found.waiting)


def _next(connection: apsw.Connection, unit: Unit, taken: Taken, shard: int, now_ms: int) -> InboxEvent | None:
    """The first event of the inbox after this turn."""
    address = unit.base.address
    if taken.number is not None:
        for number in (taken.number, *[merged for _, merged in taken.merged]):
            inbox.remove(connection, address, number, shard)
    return inbox.first(connection, address, shard, unit.holder if unit.takes_next else None, now_ms)
