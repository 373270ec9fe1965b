"""What the store in memory keeps of an address, and what is done with one address or claimed from many."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.policy.lanes import Queue
from flowc.runtime.program import PriorityClass
from flowc.runtime.store.overview import DeadEvent
from flowc.runtime.store.port import CLASSES
from flowc.runtime.store.queues import Pick
from flowc.runtime.store.recent import EventHash
from flowc.runtime.store.rows import (
    INBOX_LIMIT,
    Address,
    DueTimer,
    Holder,
    InboxEvent,
    InboxFull,
    Incoming,
    JournalRow,
    Known,
    Orphan,
    Outgoing,
    Receipt,
    Received,
    Repetition,
    Row,
    ServerId,
    StoredCommand,
    TurnReplies,
    Unit,
    shard_of,
)

LIMITED = ("message", "event")
MERCY_MS = 60_000


@dataclass(slots=True)
class Held:
    """An inbox event and who works on it."""

    held: InboxEvent
    lease_ms: int


@dataclass(slots=True)
class Unsent:
    """Turns of `journal` before `at` have left, and `skip` replies of the next one."""

    at: int
    skip: int
    server: ServerId
    lease_ms: int


@dataclass(slots=True)
class Turn:
    row: JournalRow
    digest: bytes


@dataclass(slots=True)
class Conversation:
    """All that is kept of an address. `rows` has the current incarnation and those that still have jobs."""

    address: Address
    rows: dict[int, Row] = field(default_factory=dict)
    current: int = 0
    journal: list[Turn] = field(default_factory=list)
    inbox: list[Held] = field(default_factory=list)
    taken: int = 0
    commands: dict[CommandKey, StoredCommand] = field(default_factory=dict)
    late: dict[CommandKey, list[tuple[int, int]]] = field(default_factory=dict)  # number and time of each
    leases: dict[int, int] = field(default_factory=dict)  # of timers, by incarnation
    unsent: Unsent | None = None
    dead: list[DeadEvent] = field(default_factory=list)

    @property
    def row(self) -> Row:
        return self.rows.get(self.current) or Row(self.address)


def forget(one: Conversation, turn: Turn) -> bool:
    """Removes a turn that is old, and where it was the newest of a conversation that is over, all of that; whether it
    was."""
    at = one.journal.index(turn)
    is_newest = at == len(one.journal) - 1
    del one.journal[at]
    if one.unsent is not None and at < one.unsent.at:
        one.unsent.at -= 1
    elif one.unsent is not None:
        one.unsent.skip = 0
    is_over = one.row.ended and not one.row.jobs and not one.row.erased and not one.inbox and len(one.rows) == 1
    if not (is_newest and is_over):
        return False
    one.__init__(one.address)  # type: ignore[misc]  # as one that nobody was ever at
    return True


def add_late(one: Conversation, key: CommandKey, now_ms: int) -> int:
    known = one.late.setdefault(key, [])
    known.append((known[-1][0] + 1 if known else 1, now_ms))
    return known[-1][0]


def prune_late(one: Conversation, before_ms: int) -> int:
    kept = {key: [each for each in results if each[1] >= before_ms] for key, results in one.late.items()}
    removed = sum(map(len, one.late.values())) - sum(map(len, kept.values()))
    one.late = {key: results for key, results in kept.items() if results}
    return removed


def put(one: Conversation, event: Incoming, holder: Holder, now_ms: int) -> Received | Known | InboxFull:
    for held in one.inbox:
        if held.held.event.hash == event.hash:
            return Known(held.held.event.digest == event.digest, held.held.number)
    if event.kind in LIMITED and sum(held.held.event.kind in LIMITED for held in one.inbox) >= INBOX_LIMIT:
        return InboxFull()
    number = max(one.inbox[-1].held.number if one.inbox else 0, one.taken) + 1
    is_first = not one.inbox
    stored = replace(event, at_ms=event.at_ms or now_ms, trying=False)
    one.inbox.append(Held(InboxEvent(number, stored, int(event.trying and is_first)), now_ms + holder.lease_ms))
    if event.kind == "message":
        lend(one, event.priority)
    return Received(number, is_first)


def lend(one: Conversation, priority: PriorityClass) -> None:
    """A message lends its class to the write that its conversation waits for."""
    for key, command in one.commands.items():
        if not command.deferred and CLASSES.index(priority) < CLASSES.index(command.priority):
            one.commands[key] = replace(command, priority=priority)


def number_of(receipt: Receipt) -> int:
    match receipt:
        case Received(number) | Known(_, int(number)):
            return number
        case _:
            raise ValueError(f"the event does not fit into the inbox: {receipt}")


def may_be_taken(one: Conversation, wanted: InboxEvent) -> bool:
    return wanted.event.kind == "result" or not any(
        held.held.event.kind == "message" for held in one.inbox if held.held.number < wanted.number
    )


def messages(one: Conversation, after: int, last: int) -> list[InboxEvent]:
    """Those behind one number, up to another."""
    return [held.held for held in one.inbox if held.held.event.kind == "message" and after < held.held.number <= last]


def may_settle(one: Conversation, key: CommandKey, attempt: int | None) -> bool:
    command = one.commands.get(key)
    return command is not None and attempt in (None, command.attempt)


def stays_open(unit: Unit) -> bool:
    """Whether somebody is waited for after it, but for the result of a write."""
    return not unit.ended and all(command.deferred for command in unit.commands)


def count_try(held: Held, holder: Holder, now_ms: int) -> None:
    held.held = replace(held.held, tries=held.held.tries + 1)
    held.lease_ms = now_ms + holder.lease_ms


def push(one: Conversation, holder: Holder, now_ms: int) -> bool:
    unsent = one.unsent
    if unsent is None:
        one.unsent = Unsent(len(one.journal), 0, holder.server, now_ms + holder.lease_ms)
        return True
    if unsent.server != holder.server or unsent.lease_ms <= now_ms:
        return False
    unsent.lease_ms = now_ms + holder.lease_ms
    return True


def claim_commands(all_of: list[Conversation], pick: Pick, holder: Holder, now_ms: int) -> tuple[StoredCommand, ...]:
    due: dict[Queue, list[StoredCommand]] = {}
    for one in all_of:
        for command in one.commands.values():
            if command.wait_ms <= now_ms:
                due.setdefault(Queue(command.priority, command.tenant, command.service), []).append(command)
    for found in due.values():
        found.sort(key=lambda command: command.ready_ms)
    picked = pick({queue: iter([(each.ready_ms, each) for each in found]) for queue, found in due.items()})
    of = {one.address: one for one in all_of}
    lease_ms = now_ms + holder.lease_ms
    for command in picked:
        ready_ms = command.ready_ms if command.deferred else lease_ms
        of[command.address].commands[command.key] = replace(
            command, server=holder.server, wait_ms=lease_ms, ready_ms=ready_ms
        )
    return tuple(picked)


def claim_inbox(
    all_of: list[Conversation], limit: int, holder: Holder, classes: Sequence[PriorityClass], now_ms: int
) -> tuple[Orphan, ...]:
    found: list[tuple[tuple[int, int], Conversation]] = []
    for one in all_of:
        lapsed = [
            (classes.index(held.held.event.priority), held.lease_ms)
            for held in one.inbox
            if held.lease_ms <= now_ms and held.held.event.priority in classes
        ]
        if lapsed and one.inbox[0].lease_ms <= now_ms:
            found.append((min(lapsed), one))
        elif lapsed:
            for held in one.inbox:
                held.lease_ms = max(held.lease_ms, one.inbox[0].lease_ms)
    found.sort(key=lambda item: item[0])
    for _, one in found[:limit]:
        one.inbox[0].lease_ms = now_ms + holder.lease_ms
    return tuple(Orphan(one.address, one.inbox[0].held) for _, one in found[:limit])


def claim_timers(all_of: list[Conversation], limit: int, holder: Holder, now_ms: int) -> tuple[DueTimer, ...]:
    due = [
        (one, DueTimer(one.address, number, min(row.timers, key=lambda timer: timer.due_ms), row.priority))
        for one in all_of
        for number, row in one.rows.items()
        if row.timers and min(timer.due_ms for timer in row.timers) <= now_ms and one.leases.get(number, 0) <= now_ms
    ]
    due.sort(key=lambda found: found[1].timer.due_ms)
    for one, timer in due[:limit]:
        one.leases[timer.incarnation] = now_ms + holder.lease_ms
    return tuple(timer for _, timer in due[:limit])


def claim_replies(all_of: list[Conversation], limit: int, holder: Holder, now_ms: int) -> tuple[Outgoing, ...]:
    lapsed = [(one, one.unsent) for one in all_of if one.unsent is not None and one.unsent.lease_ms <= now_ms]
    lapsed.sort(key=lambda found: found[1].lease_ms)
    for _, unsent in lapsed[:limit]:
        unsent.server, unsent.lease_ms = holder.server, now_ms + holder.lease_ms
    return tuple(
        Outgoing(
            one.address,
            tuple(replies_of(turn) for turn in one.journal[unsent.at :] if turn.row.entry.reply_count),
            unsent.skip,
        )
        for one, unsent in lapsed[:limit]
    )


def repetition(one: Conversation, event: EventHash) -> Repetition | None:
    seen = one.row.recent.find(event)
    if seen is None:
        waiting = [held.held for held in one.inbox if held.held.event.hash == event]
        return Repetition(waiting[0].event.digest, waiting[0].number) if waiting else None
    ids = [(turn.row.incarnation, turn.row.turn) for turn in one.journal]
    if (seen.incarnation, seen.turn) not in ids:
        return None  # no longer kept
    first = ids.index((seen.incarnation, seen.turn))
    cause = one.journal[first].row.cause or event
    turns = [turn for turn in one.journal[first + 1 :] if turn.row.cause == cause]
    return Repetition(
        one.row.recent.part(event, one.journal[first].digest),
        None,
        (replies_of(one.journal[first]), *(replies_of(turn) for turn in turns)),
    )


def replies_of(turn: Turn) -> TurnReplies:
    row = turn.row
    return TurnReplies(row.incarnation, row.turn, row.entry.now_ms, row.entry.replies, row.entry.reply_count)


def outstanding(one: Conversation) -> tuple[StoredCommand, ...]:
    return tuple(
        sorted(one.commands.values(), key=lambda command: (command.incarnation, command.created_ms, command.key))
    )


def order(address: Address) -> tuple[int, str]:
    return shard_of(address), address
