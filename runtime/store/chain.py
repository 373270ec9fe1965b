"""The journal in SQLite, read: an address's turns are a chain from its newest one back, in the order of their commits.

Who wants the newest turns pays for those alone; who wants all pays one look-up a turn.
"""

from collections.abc import Iterator
from typing import NamedTuple

import apsw

from flowc.runtime.store.places import Columns, place_of
from flowc.runtime.store.recent import EventHash, Recent, Seen
from flowc.runtime.store.rows import Address, Entry, JournalRow, Repetition, TurnReplies


class Link(NamedTuple):
    """A turn without its bodies."""

    id: int
    previous: int
    incarnation: int
    turn: int
    reply_count: int
    cause: EventHash | None


def last(connection: apsw.Connection, address: Address) -> int:
    """The newest turn of an address, 0 where there is none."""
    place = place_of(connection, address)
    if place is None:
        return 0
    found: int = connection.execute("SELECT journal FROM conversation WHERE place = ?", (place,)).get
    return found


def back(connection: apsw.Connection, newest: int) -> Iterator[Link]:
    """From a turn to the first one of its address that is kept."""
    at = newest
    while at:
        found = connection.execute(
            "SELECT id, previous, incarnation, turn, reply_count, cause FROM journal WHERE id = ?", (at,)
        ).fetchone()
        if found is None:
            return  # it was old, and those before it too
        link = Link._make(found)
        yield link
        at = link.previous


def replies_after(
    connection: apsw.Connection, address: Address, after: tuple[int, int], limit: int
) -> tuple[TurnReplies, ...]:
    """Replies of the turns that were committed after that one."""
    links: list[Link] = []
    for link in back(connection, last(connection, address)):
        if (link.incarnation, link.turn) == after:
            break
        if link.reply_count:
            links.append(link)
    return tuple(_replies(connection, link) for link in links[::-1][:limit])


def replies_since(connection: apsw.Connection, newest: int, oldest: int) -> tuple[TurnReplies, ...]:
    """Replies of the turns after the journal's row `oldest`, through `newest`."""
    links: list[Link] = []
    for link in back(connection, newest):
        if link.id == oldest:
            break
        if link.reply_count:
            links.append(link)
    return tuple(_replies(connection, link) for link in reversed(links))


def caused(connection: apsw.Connection, newest: int, event: EventHash, recent: Recent, seen: Seen) -> Repetition | None:
    """All turns that an event caused so far: its own, and those that have the same cause. None where its own is no
    longer kept."""
    later: list[Link] = []
    for link in back(connection, newest):
        if (link.incarnation, link.turn) == (seen.incarnation, seen.turn):
            digests = connection.execute("SELECT digest FROM journal WHERE id = ?", (link.id,)).get or b""
            cause = link.cause or event
            links = (link, *[each for each in reversed(later) if each.cause == cause])
            return Repetition(recent.part(event, digests), None, tuple(_replies(connection, each) for each in links))
        later.append(link)
    return None


def _replies(connection: apsw.Connection, link: Link) -> TurnReplies:
    at_ms, replies = connection.execute("SELECT at_ms, replies FROM journal WHERE id = ?", (link.id,)).get
    return TurnReplies(link.incarnation, link.turn, at_ms, replies, link.reply_count)


_ROW = """
SELECT id, address, incarnation, turn, deployment, wait, ended, cause, event, at_ms, seed, reads, replies, reply_count,
  state_hash, notes FROM journal"""


def journal(
    connection: apsw.Connection, address: Address, incarnation: int | None, after: int, limit: int
) -> tuple[JournalRow, ...]:
    """Turns of one incarnation (None: the current one) in order."""
    ids: list[int] = []
    if incarnation is None:
        incarnation = connection.execute(
            "SELECT incarnation FROM conversation WHERE place = ?", (place_of(connection, address),)
        ).get
    for link in back(connection, last(connection, address)):
        if link.incarnation == incarnation and link.turn > after:
            ids.append(link.id)
        elif link.incarnation == incarnation:
            break
    return tuple(_journal_row(connection.execute(f"{_ROW} WHERE id = ?", (at,)).get) for at in ids[::-1][:limit])


def scan(connection: apsw.Connection, cursor: str, limit: int) -> tuple[tuple[JournalRow, ...], str]:
    """Turns of all addresses as they were committed."""
    found = connection.execute(
        f"{_ROW} WHERE id > ? AND address != '' ORDER BY id LIMIT ?", (int(cursor or 0), limit)
    ).fetchall()  # a row without an address stands for a turn that was erased
    return tuple(map(_journal_row, found)), str(found[-1][0]) if found else cursor


def _journal_row(found: Columns) -> JournalRow:
    (
        _,
        address,
        incarnation,
        turn,
        deployment,
        wait,
        ended,
        cause,
        event,
        at_ms,
        seed,
        reads,
        replies,
        count,
        state,
        notes,
    ) = found
    entry = Entry(event, at_ms, int.from_bytes(seed, "big"), reads, replies, count, state, notes)
    return JournalRow(address, incarnation, turn, deployment, wait, bool(ended), cause, entry)
