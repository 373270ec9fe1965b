"""Deployments, and what operators ask and do, in SQLite."""

from hashlib import sha256
from typing import Final

import apsw

from flowc.runtime.store import chain, inbox
from flowc.runtime.store.overview import Census, CensusKind, DeadEvent, Deployment, NewDeployment, Pause, Report
from flowc.runtime.store.places import standing
from flowc.runtime.store.port import CLASSES
from flowc.runtime.store.rows import (
    Address,
    Dead,
    Digest,
    Holder,
    Incoming,
    Known,
    Receipt,
    Received,
    Row,
    ServerId,
    shard_of,
)


def prepare(connection: apsw.Connection, digest: Digest, bundle: bytes, now_ms: int) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO bundle (digest, at_ms, content) VALUES (?, ?, ?)", (digest, now_ms, bundle)
    )


def check_digest(digest: Digest, bundle: bytes) -> None:
    """Raises ValueError where the name is not that of the bytes."""
    if sha256(bundle).hexdigest() != digest:
        raise ValueError(f"{digest} is not the SHA-256 of these {len(bundle)} bytes")


def bundle(connection: apsw.Connection, digest: Digest) -> bytes | None:
    content: bytes | None = connection.execute("SELECT content FROM bundle WHERE digest = ?", (digest,)).get
    return content


def deployments(connection: apsw.Connection, limit: int) -> tuple[Deployment, ...]:
    found = connection.execute(
        "SELECT number, at_ms, state, bot, version, digest, kind, by, revision, share FROM deployment "
        "ORDER BY number DESC LIMIT ?",
        (limit,),
    )
    return tuple(Deployment(number, at_ms, NewDeployment(*what), state) for number, at_ms, state, *what in found)


def activate(connection: apsw.Connection, new: NewDeployment, expects: int, now_ms: int) -> Deployment | None:
    highest: int = connection.execute("SELECT coalesce(max(number), 0) FROM deployment").get
    is_prepared = connection.execute("SELECT 1 FROM bundle WHERE digest = ?", (new.digest,)).get
    has_canary = connection.execute("SELECT 1 FROM deployment WHERE state = 'canary'").get
    if highest != expects or not is_prepared or (has_canary and new.kind == "canary"):
        return None
    state = "canary" if new.kind == "canary" else "stable"
    if state == "stable":
        connection.execute("UPDATE deployment SET state = 'past' WHERE state != 'past'")
    connection.execute(
        "INSERT INTO deployment (number, at_ms, state, bot, version, digest, kind, by, revision, share) "
        "VALUES (?,?,?,?,?,?,?,?,?,?)",
        (
            expects + 1,
            now_ms,
            state,
            new.bot,
            new.version,
            new.digest,
            new.kind,
            new.by,
            new.revision,
            new.share,
        ),
    )
    return deployments(connection, 1)[0]


def report(
    connection: apsw.Connection, server: ServerId, digest: Digest | None, problem: str | None, now_ms: int
) -> None:
    connection.execute(
        "INSERT INTO server (name, at_ms, digest, problem) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE "
        "SET at_ms = excluded.at_ms, digest = excluded.digest, problem = excluded.problem",
        (server, now_ms, digest, problem),
    )


def reports(connection: apsw.Connection, since_ms: int) -> tuple[Report, ...]:
    found = connection.execute(
        "SELECT name, at_ms, digest, problem FROM server WHERE at_ms >= ? ORDER BY name", (since_ms,)
    )
    return tuple(Report(*row) for row in found)


_WAITS = """
SELECT deployment, wait, priority, count(*), min(at_ms) FROM (
  SELECT deployment, wait, priority, at_ms FROM conversation WHERE NOT ended AND NOT erased
  UNION ALL SELECT deployment, wait, priority, at_ms FROM retired WHERE NOT ended)
GROUP BY deployment, wait, priority ORDER BY deployment, wait, priority"""

_JOBS = """
SELECT deployment, spot, priority, count(*), min(created_ms) FROM (
  SELECT c.deployment, j.spot, j.priority, j.created_ms FROM command j JOIN conversation c
    ON c.place = j.home AND c.incarnation = j.incarnation
  UNION ALL SELECT r.deployment, j.spot, j.priority, j.created_ms FROM command j JOIN retired r
    ON r.shard = j.shard AND r.address = j.address AND r.incarnation = j.incarnation)
GROUP BY deployment, spot, priority ORDER BY deployment, spot, priority"""


_INBOX = """
SELECT 0, kind, priority, count(*), min(at_ms) FROM inbox GROUP BY kind, priority ORDER BY kind, priority"""

_DEAD = f"""
SELECT 0, kind, {CLASSES.index("normal")}, count(*), min(at_ms) FROM dead GROUP BY kind ORDER BY kind"""

_CENSUS: Final[tuple[tuple[CensusKind, str], ...]] = (
    ("wait", _WAITS),
    ("job", _JOBS),
    ("inbox", _INBOX),
    ("dead", _DEAD),
)


def census(connection: apsw.Connection) -> tuple[Census, ...]:
    return tuple(
        Census(kind, deployment, place, CLASSES[priority], count, oldest)
        for kind, query in _CENSUS
        for deployment, place, priority, count, oldest in connection.execute(query)
    )


def erase(connection: apsw.Connection, address: Address) -> Row | None:
    """Leaves a tombstone with incarnation and turn alone."""
    shard = shard_of(address)
    found = standing(connection, address)
    if isinstance(found, int):
        if not connection.execute("SELECT 1 FROM inbox WHERE shard = ? AND address = ?", (shard, address)).get:
            return None
        incarnation, turn = 0, 0
        connection.execute(
            "INSERT INTO conversation (place, address, incarnation, turn, at_ms, deployment, wait, priority, jobs, "
            "ended, erased, owner, look_ms, journal, taken, timers, recent, position) "
            "VALUES (?, ?, 0, 0, 0, 0, '', 2, 0, 1, 1, '', 0, 0, 0, x'', x'', x'')",
            (found, address),
        )
    elif found.erased:
        return Row(address, found.incarnation, found.turn, ended=True, erased=True)
    else:
        incarnation, turn = found.incarnation, found.turn
        _erase_turns(connection, found.journal)
        connection.execute(
            "UPDATE conversation SET at_ms = 0, deployment = 0, wait = '', priority = 2, jobs = 0, ended = 1, "
            "erased = 1, owner = '', look_ms = 0, journal = 0, taken = 0, timers = x'', recent = x'', position = x'' "
            "WHERE place = ?",
            (found.place,),
        )
    for table in ("retired", "inbox", "command", "late", "outgoing", "dead", "doubt"):
        connection.execute(f"DELETE FROM {table} WHERE shard = ? AND address = ?", (shard, address))
    return Row(address, incarnation, turn, ended=True, erased=True)


def _erase_turns(connection: apsw.Connection, newest: int) -> None:
    """The last row of the journal is emptied and stays: a row's id is never used twice."""
    last: int = connection.execute("SELECT max(id) FROM journal").get
    for link in list(chain.back(connection, newest)):
        connection.execute("DELETE FROM journal WHERE id = ? AND id != ?", (link.id, last))
    if newest == last:
        connection.execute(
            "UPDATE journal SET previous = 0, address = '', wait = '', cause = NULL, digest = NULL, seed = x'', "
            "reply_count = 0, state_hash = x'', event = x'', reads = x'', replies = x'', notes = x'' WHERE id = ?",
            (last,),
        )


def dead(connection: apsw.Connection, limit: int) -> tuple[DeadEvent, ...]:
    found = connection.execute(
        "SELECT address, incarnation, turn, at_ms, kind, body, reason, tries FROM dead "
        "ORDER BY shard, address, incarnation, turn LIMIT ?",
        (limit,),
    )
    return tuple(
        DeadEvent(address, incarnation, turn, at_ms, Dead(*what)) for address, incarnation, turn, at_ms, *what in found
    )


def bury(connection: apsw.Connection, address: Address, incarnation: int, turn: int) -> bool:
    connection.execute(
        "DELETE FROM dead WHERE shard = ? AND address = ? AND incarnation = ? AND turn = ?",
        (shard_of(address), address, incarnation, turn),
    )
    return connection.changes() == 1


def revive(
    connection: apsw.Connection, which: tuple[Address, int, int], event: Incoming, holder: Holder, now_ms: int
) -> Receipt | None:
    address, incarnation, turn = which
    found = "SELECT 1 FROM dead WHERE shard = ? AND address = ? AND incarnation = ? AND turn = ?"
    if not connection.execute(found, (shard_of(address), address, incarnation, turn)).get:
        return None
    receipt = inbox.receive(connection, event, holder, now_ms)
    if isinstance(receipt, Received | Known):
        bury(connection, address, incarnation, turn)
    return receipt


def pauses(connection: apsw.Connection) -> tuple[Pause, ...]:
    return tuple(
        Pause(*row) for row in connection.execute("SELECT service, by, at_ms, rate FROM pause ORDER BY service")
    )


def pause(connection: apsw.Connection, new: Pause, now_ms: int) -> None:
    """With a rate the pause ends, so that jobs come out."""
    found = connection.execute("SELECT at_ms FROM pause WHERE service = ? AND rate IS NULL", (new.service,)).get
    if found is not None and new.rate is None:
        return
    if found is not None:
        _stood_still(connection, new.service, found, now_ms)
    connection.execute(
        "INSERT OR REPLACE INTO pause (service, by, at_ms, rate) VALUES (?, ?, ?, ?)",
        (new.service, new.by, new.at_ms, new.rate),
    )


def resume(connection: apsw.Connection, service: str, now_ms: int) -> bool:
    found = connection.execute("SELECT at_ms, rate FROM pause WHERE service = ?", (service,)).fetchone()
    if found is None:
        return False
    at_ms, rate = found
    if rate is None:
        _stood_still(connection, service, at_ms, now_ms)
    connection.execute("DELETE FROM pause WHERE service = ?", (service,))
    return True


def _stood_still(connection: apsw.Connection, service: str, since_ms: int, now_ms: int) -> None:
    """The time of jobs, while their service was paused."""
    connection.execute(
        "UPDATE command SET until_ms = until_ms + max(0, ?1 - max(?2, created_ms)) WHERE service = ?3 AND deferred",
        (now_ms, since_ms, service),
    )
