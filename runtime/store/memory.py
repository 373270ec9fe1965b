"""The store in memory: for tests, chats and the simulator. Nothing survives it, and everything else is as in the
others.

Written for plainness: one object an address, plain lists, no index. It is the second opinion in the tests of the
others, so it shares no code with them but the values.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256

from msgspec.structs import replace

from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.program import PriorityClass
from flowc.runtime.store.clock import SystemClock
from flowc.runtime.store.port import CLASSES, Clock
from flowc.runtime.store.recent import EventHash
from flowc.runtime.store.rows import (
    INBOX_LIMIT,
    Address,
    Behind,
    Census,
    Claimable,
    Claims,
    Committed,
    DeadEvent,
    Deployment,
    Digest,
    Direct,
    DueTimer,
    FromInbox,
    Gone,
    Holder,
    InboxEvent,
    InboxFull,
    Incoming,
    JournalRow,
    Known,
    Late,
    Loaded,
    Lost,
    LostWhy,
    NewDeployment,
    Orphan,
    Outcome,
    Outgoing,
    Pause,
    Postponed,
    Receipt,
    Received,
    Repetition,
    Report,
    Result,
    Row,
    Sent,
    ServerId,
    Settled,
    Settlement,
    Start,
    StoredCommand,
    Summary,
    TurnReplies,
    Unit,
    Wanted,
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
    late: dict[CommandKey, list[bytes]] = field(default_factory=dict)
    leases: dict[int, int] = field(default_factory=dict)  # of timers, by incarnation
    unsent: Unsent | None = None
    dead: list[DeadEvent] = field(default_factory=list)

    @property
    def row(self) -> Row:
        return self.rows.get(self.current) or Row(self.address)


class MemoryStore:
    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._all: dict[Address, Conversation] = {}
        self._bundles: dict[Digest, bytes] = {}
        self._deployments: list[Deployment] = []
        self._reports: dict[ServerId, Report] = {}
        self._pauses: dict[str, Pause] = {}
        self._scanned: list[tuple[Address, Turn]] = []
        self._closed = False

    @property
    def clock(self) -> Clock:
        return self._clock

    async def close(self) -> None:
        self._closed = True

    def _of(self, address: Address) -> Conversation:
        if self._closed:
            raise StoreUnavailable("it was closed")
        return self._all.setdefault(address, Conversation(address))

    def _in(self, shards: Collection[int]) -> list[Conversation]:
        if self._closed:
            raise StoreUnavailable("it was closed")
        return [one for one in self._all.values() if shard_of(one.address) in shards]

    # ------------------------------------------------------------------------------------------------------------ turns

    async def load(self, wanted: Sequence[Wanted]) -> Sequence[Loaded]:
        return tuple(self._load(one) for one in wanted)

    def _load(self, wanted: Wanted) -> Loaded:
        one = self._of(wanted.address)
        row = one.row if wanted.incarnation is None else one.rows.get(wanted.incarnation, Row(wanted.address))
        outstanding = tuple(command for command in _sorted(one) if command.incarnation == row.incarnation)
        if row.incarnation:
            row = replace(row, recent=one.row.recent)
        repetition = None if wanted.event is None else _repetition(one, wanted.event)
        return Loaded(row, tuple(held.held for held in one.inbox), outstanding, repetition)

    async def commit(self, units: Sequence[Unit]) -> Sequence[Outcome]:
        now_ms = self._clock.now_ms()
        return tuple(self._commit(unit, now_ms) for unit in units)

    def _commit(self, unit: Unit, now_ms: int) -> Outcome:
        if unit.opens and not unit.base.is_new:
            raise ValueError("a unit cannot open an incarnation where one lives")
        if not unit.opens and unit.base.turn == 0:
            raise ValueError("the first turn of an address has to open it")
        one = self._of(unit.base.address)
        lost = self._lost(one, unit)
        if lost is not None:
            return Lost(lost)
        event: Incoming | None = None
        match unit.source:
            case Direct(event, awaited):
                if event.kind in LIMITED and one.row.recent.find(event.hash) is not None:
                    return Lost("known")
                if one.inbox and not awaited:
                    receipt = _put(one, event, unit.holder, now_ms)
                    return InboxFull() if isinstance(receipt, InboxFull) else Behind(_number(receipt))
            case FromInbox(number):
                held = next((held.held for held in one.inbox if held.held.number == number), None)
                if held is None or not _may_be_taken(one, held):
                    return Lost("inbox")
                event = held.event
                one.inbox = [held for held in one.inbox if held.held.number != number]
                one.taken = max(one.taken, number)
        return self._write(one, unit, event, now_ms)

    def _lost(self, one: Conversation, unit: Unit) -> LostWhy | None:
        base = unit.base
        if one.row.erased:
            return "erased"
        found = one.row if unit.opens else one.rows.get(base.incarnation, Row(base.address))
        if (found.incarnation, found.turn) != (base.incarnation, base.turn):
            return "turn"
        if unit.deployment != base.deployment and not unit.opens:
            live = {deployment.number for deployment in self._deployments if deployment.state != "past"}
            if unit.deployment < base.deployment or unit.deployment not in live:
                return "deployment"
        return "settled" if unit.settles is not None and unit.settles not in one.commands else None

    def _write(self, one: Conversation, unit: Unit, event: Incoming | None, now_ms: int) -> Committed:
        base, number = unit.base, unit.incarnation
        recent, digest = one.row.recent, b""
        if event is not None and event.kind in LIMITED:
            recent, digest = recent.adding(event.hash, number, unit.turn, now_ms), event.digest
        forgets = unit.ended and not unit.jobs
        row = Row(
            base.address,
            number,
            unit.turn,
            max(base.at_ms, unit.entry.now_ms),
            unit.deployment,
            unit.wait,
            unit.priority,
            unit.jobs,
            unit.ended,
            False,
            unit.owner if unit.opens else base.owner,
            b"" if forgets else unit.position,
            unit.timers,
            recent,
        )
        if unit.opens and not one.row.jobs:
            one.rows.pop(one.current, None)
        one.current = number if unit.opens else one.current
        one.rows[number] = row
        if number != one.current:
            one.rows[one.current] = replace(one.row, recent=recent)
            if forgets:
                del one.rows[number]
        one.leases.pop(number, None)
        entry = replace(unit.entry, now_ms=row.at_ms)
        turn = Turn(
            JournalRow(base.address, number, unit.turn, unit.deployment, unit.wait, unit.ended, unit.cause, entry),
            digest,
        )
        sends = unit.pushes and _push(one, unit.holder, now_ms)
        one.journal.append(turn)
        self._scanned.append((base.address, turn))
        if unit.settles is not None:
            del one.commands[unit.settles]
        for command in unit.commands:
            holder = command.holder
            one.commands[command.key] = StoredCommand(
                base.address,
                number,
                command.key,
                command.place,
                command.service,
                command.operation,
                command.body,
                command.deferred,
                command.priority,
                now_ms,
                command.until_ms,
                "started" if holder else "ready",
                1 if holder else 0,
                holder.server if holder else None,
                now_ms + holder.lease_ms if holder else command.due_ms,
                unit.cause,
            )
        if unit.dead is not None:
            one.dead.append(DeadEvent(base.address, number, unit.turn, row.at_ms, unit.dead))
        if unit.takes_next and one.inbox:
            _try(one.inbox[0], unit.holder, now_ms)
        return Committed(row, one.inbox[0].held if one.inbox else None, sends)

    # ------------------------------------------------------------------------------------------------------------ inbox

    async def receive(self, events: Sequence[Incoming], holder: Holder) -> Sequence[Receipt]:
        now_ms = self._clock.now_ms()
        return tuple(self._receive(event, holder, now_ms) for event in events)

    def _receive(self, event: Incoming, holder: Holder, now_ms: int) -> Receipt:
        one = self._of(event.address)
        if one.row.erased:
            return Gone()
        seen = one.row.recent.find(event.hash) if event.kind in LIMITED else None
        if seen is not None:
            digest = next(
                (t.digest for t in one.journal if (t.row.incarnation, t.row.turn) == (seen.incarnation, seen.turn)), b""
            )
            return Known(digest == event.digest, None, seen.incarnation, seen.turn)
        return _put(one, event, holder, now_ms)

    async def tried(self, address: Address, number: int, holder: Holder) -> int | None:
        for held in self._of(address).inbox:
            if held.held.number == number:
                _try(held, holder, self._clock.now_ms())
                return held.held.tries
        return None

    async def discard(self, address: Address, number: int) -> bool:
        one = self._of(address)
        kept = [held for held in one.inbox if held.held.number != number]
        is_gone = len(kept) < len(one.inbox)
        one.inbox = kept
        if one.rows:
            one.taken = max(one.taken, number)
        return is_gone

    # --------------------------------------------------------------------------------------------------------- commands

    async def claim(
        self,
        what: Claimable,
        shards: Collection[int],
        limit: int,
        holder: Holder,
        classes: Sequence[PriorityClass] = CLASSES,
    ) -> Claims:
        now_ms, all_of = self._clock.now_ms(), self._in(shards)
        match what:
            case "commands":
                return Claims(commands=_claim_commands(all_of, limit, holder, classes, now_ms))
            case "inbox":
                return Claims(inbox=_claim_inbox(all_of, limit, holder, classes, now_ms))
            case "timers":
                return Claims(timers=_claim_timers(all_of, limit, holder, now_ms))
            case "replies":
                return Claims(replies=_claim_replies(all_of, limit, holder, now_ms))

    async def start(self, starts: Sequence[Start]) -> Sequence[int | None]:
        return tuple(self._start(start) for start in starts)

    def _start(self, start: Start) -> int | None:
        now_ms, one, holder = self._clock.now_ms(), self._of(start.address), start.holder
        command = one.commands.get(start.key)
        if command is None or command.attempt != start.attempt:
            return None
        if command.server != holder.server and command.wait_ms > now_ms:
            return None
        one.commands[start.key] = replace(
            command,
            state="started",
            attempt=command.attempt + 1,
            server=holder.server,
            wait_ms=now_ms + holder.lease_ms,
        )
        return command.attempt + 1

    async def postpone(self, commands: Sequence[Postponed]) -> None:
        for back in commands:
            one = self._of(back.address)
            command = one.commands.get(back.key)
            if command is None or (command.attempt, command.server) != (back.attempt, back.server):
                continue
            attempt, state = command.attempt, command.state
            if back.unsent and state == "started":
                attempt -= 1
                state = "started" if attempt else "ready"
            body = command.body if back.body is None else back.body
            one.commands[back.key] = replace(
                command, attempt=attempt, state=state, server=None, wait_ms=back.due_ms, body=body
            )

    async def settle(self, results: Sequence[Result], holder: Holder) -> Sequence[Settlement]:
        return tuple(self._settle(result, holder) for result in results)

    def _settle(self, result: Result, holder: Holder) -> Settlement:
        one = self._of(result.address)
        if one.row.erased or not one.rows:
            return Gone()
        if result.key not in one.commands:
            one.late.setdefault(result.key, []).append(result.body)
            return Late(len(one.late[result.key]))
        del one.commands[result.key]
        receipt = self._receive(result.event, holder, self._clock.now_ms())
        return Settled(_number(receipt), isinstance(receipt, Received) and receipt.first)

    async def commands(self, address: Address) -> Sequence[StoredCommand]:
        return _sorted(self._of(address))

    async def late(self, address: Address) -> Sequence[tuple[CommandKey, int]]:
        return tuple(sorted((key, len(bodies)) for key, bodies in self._of(address).late.items()))

    async def delay_overdue(self, shards: Collection[int]) -> int:
        now_ms, delayed = self._clock.now_ms(), 0
        for one in self._in(shards):
            for number, row in list(one.rows.items()):
                timers = tuple(
                    replace(timer, due_ms=now_ms + max(1, min(timer.after_ms, MERCY_MS)))
                    if timer.due_ms <= now_ms
                    else timer
                    for timer in row.timers
                )
                if timers != row.timers and one.leases.get(number, 0) <= now_ms:
                    delayed += 1
                    one.rows[number] = replace(row, timers=timers)
        return delayed

    # ---------------------------------------------------------------------------------------------------------- replies

    async def replies(
        self, address: Address, after: tuple[int, int] = (0, 0), limit: int = 100
    ) -> Sequence[TurnReplies]:
        one = self._of(address)
        ids = [(turn.row.incarnation, turn.row.turn) for turn in one.journal]
        start = ids.index(after) + 1 if after in ids else 0
        return tuple(_replies(turn) for turn in one.journal[start:] if turn.row.entry.reply_count)[:limit]

    async def sent(self, cursors: Sequence[Sent]) -> None:
        for cursor in cursors:
            one = self._of(cursor.address)
            ids = [(turn.row.incarnation, turn.row.turn) for turn in one.journal]
            turn_id, unsent = (cursor.incarnation, cursor.turn), one.unsent
            if unsent is None or unsent.server != cursor.server or turn_id not in ids[unsent.at :]:
                continue
            at = ids.index(turn_id)
            if cursor.index + 1 < one.journal[at].row.entry.reply_count:
                skip = cursor.index + 1
                unsent.at, unsent.skip = at, max(skip, unsent.skip) if at == unsent.at else skip
            elif any(turn.row.entry.reply_count for turn in one.journal[at + 1 :]):
                unsent.at, unsent.skip = at + 1, 0
            else:
                one.unsent = None

    # --------------------------------------------------------------------------------------------------------- releases

    async def prepare(self, digest: Digest, bundle: bytes) -> None:
        if sha256(bundle).hexdigest() != digest:
            raise ValueError(f"{digest} is not the SHA-256 of these {len(bundle)} bytes")
        self._bundles[digest] = bundle

    async def bundle(self, digest: Digest) -> bytes | None:
        return self._bundles.get(digest)

    async def deployments(self, limit: int = 100) -> Sequence[Deployment]:
        return tuple(reversed(self._deployments))[:limit]

    async def activate(self, new: NewDeployment, expects: int) -> Deployment | None:
        has_canary = any(deployment.state == "canary" for deployment in self._deployments)
        is_canary = new.kind == "canary"
        if len(self._deployments) != expects or new.digest not in self._bundles or (has_canary and is_canary):
            return None
        if not is_canary:
            self._deployments = [replace(deployment, state="past") for deployment in self._deployments]
        made = Deployment(expects + 1, self._clock.now_ms(), new, "canary" if is_canary else "stable")
        self._deployments.append(made)
        return made

    async def report(self, server: ServerId, digest: Digest | None = None, problem: str | None = None) -> None:
        self._reports[server] = Report(server, self._clock.now_ms(), digest, problem)

    async def reports(self, within_ms: int) -> Sequence[Report]:
        since_ms = self._clock.now_ms() - within_ms
        return tuple(report for _, report in sorted(self._reports.items()) if report.at_ms >= since_ms)

    # -------------------------------------------------------------------------------------------------------- operating

    async def census(self) -> Sequence[Census]:
        waits: dict[tuple[int, str, int], list[int]] = {}
        jobs: dict[tuple[int, str, int], list[int]] = {}
        for one in self._all.values():
            for row in one.rows.values():
                if not row.ended and not row.erased:
                    waits.setdefault((row.deployment, row.wait, CLASSES.index(row.priority)), []).append(row.at_ms)
            for command in one.commands.values():
                if command.incarnation not in one.rows:
                    continue  # its conversation forgot it
                deployment = one.rows[command.incarnation].deployment
                key = (deployment, command.place, CLASSES.index(command.priority))
                jobs.setdefault(key, []).append(command.created_ms)
        return (
            *(Census("wait", *key[:2], CLASSES[key[2]], len(at), min(at)) for key, at in sorted(waits.items())),
            *(Census("job", *key[:2], CLASSES[key[2]], len(at), min(at)) for key, at in sorted(jobs.items())),
        )

    async def summaries(
        self, after: Address | None = None, limit: int = 100, *, ended: bool = False
    ) -> Sequence[Summary]:
        known = sorted((one for one in self._all.values() if one.rows), key=lambda one: _order(one.address))
        return tuple(
            Summary(
                row.address,
                row.incarnation,
                row.turn,
                row.at_ms,
                row.deployment,
                row.wait,
                row.priority,
                row.jobs,
                row.ended,
                len(one.inbox),
            )
            for one in known
            for row in (one.row,)
            if not row.erased
            and (ended or not row.ended or row.jobs)
            and (after is None or _order(one.address) > _order(after))
        )[:limit]

    async def journal(
        self, address: Address, incarnation: int | None = None, after: int = 0, limit: int = 1000
    ) -> Sequence[JournalRow]:
        one = self._of(address)
        wanted = one.current if incarnation is None else incarnation
        rows = [turn.row for turn in one.journal]
        return tuple(row for row in rows if row.incarnation == wanted and row.turn > after)[:limit]

    async def scan(self, cursor: str = "", limit: int = 1000) -> tuple[Sequence[JournalRow], str]:
        start = int(cursor or 0)
        rows = [
            (at, turn.row)
            for at, (address, turn) in enumerate(self._scanned[start:], start + 1)
            if turn in self._all[address].journal
        ][:limit]
        return tuple(row for _, row in rows), str(rows[-1][0]) if rows else cursor

    async def erase(self, address: Address) -> Row | None:
        one = self._of(address)
        if not one.rows and not one.inbox:
            return None
        tombstone = Row(address, one.current, one.row.turn, ended=True, erased=True)
        self._all[address] = Conversation(address, {one.current: tombstone}, one.current)
        return tombstone

    async def dead(self, limit: int = 100) -> Sequence[DeadEvent]:
        known = sorted(self._all.values(), key=lambda one: (shard_of(one.address), one.address))
        return tuple(
            event for one in known for event in sorted(one.dead, key=lambda event: (event.incarnation, event.turn))
        )[:limit]

    async def bury(self, address: Address, incarnation: int, turn: int) -> bool:
        one = self._of(address)
        kept = [event for event in one.dead if (event.incarnation, event.turn) != (incarnation, turn)]
        is_gone = len(kept) < len(one.dead)
        one.dead = kept
        return is_gone

    async def pauses(self) -> Sequence[Pause]:
        return tuple(pause for _, pause in sorted(self._pauses.items()))

    async def pause(self, pause: Pause) -> None:
        self._pauses[pause.service] = pause

    async def resume(self, service: str) -> bool:
        return self._pauses.pop(service, None) is not None


@asynccontextmanager
async def memory_store(clock: Clock | None = None) -> AsyncIterator[MemoryStore]:
    """The store while it is open."""
    store = MemoryStore(clock)
    yield store
    await store.close()


def _put(one: Conversation, event: Incoming, holder: Holder, now_ms: int) -> Received | Known | InboxFull:
    for held in one.inbox:
        if held.held.event.hash == event.hash:
            return Known(held.held.event.digest == event.digest, held.held.number)
    if event.kind in LIMITED and sum(held.held.event.kind in LIMITED for held in one.inbox) >= INBOX_LIMIT:
        return InboxFull()
    number = max(one.inbox[-1].held.number if one.inbox else 0, one.taken) + 1
    is_first = not one.inbox
    stored = replace(event, at_ms=event.at_ms or now_ms, trying=False)
    one.inbox.append(Held(InboxEvent(number, stored, int(event.trying and is_first)), now_ms + holder.lease_ms))
    return Received(number, is_first)


def _number(receipt: Receipt) -> int:
    match receipt:
        case Received(number) | Known(_, int(number)):
            return number
        case _:
            raise ValueError(f"the event does not fit into the inbox: {receipt}")


def _may_be_taken(one: Conversation, wanted: InboxEvent) -> bool:
    return wanted.event.kind == "result" or not any(
        held.held.event.kind == "message" for held in one.inbox if held.held.number < wanted.number
    )


def _try(held: Held, holder: Holder, now_ms: int) -> None:
    held.held = replace(held.held, tries=held.held.tries + 1)
    held.lease_ms = now_ms + holder.lease_ms


def _push(one: Conversation, holder: Holder, now_ms: int) -> bool:
    unsent = one.unsent
    if unsent is None:
        one.unsent = Unsent(len(one.journal), 0, holder.server, now_ms + holder.lease_ms)
        return True
    if unsent.server != holder.server or unsent.lease_ms <= now_ms:
        return False
    unsent.lease_ms = now_ms + holder.lease_ms
    return True


def _claim_commands(
    all_of: list[Conversation], limit: int, holder: Holder, classes: Sequence[PriorityClass], now_ms: int
) -> tuple[StoredCommand, ...]:
    due = [(one, command) for one in all_of for command in one.commands.values() if command.wait_ms <= now_ms]
    due = [found for found in due if found[1].priority in classes]
    due.sort(key=lambda found: (classes.index(found[1].priority), found[1].wait_ms))
    for one, command in due[:limit]:
        one.commands[command.key] = replace(command, server=holder.server, wait_ms=now_ms + holder.lease_ms)
    return tuple(command for _, command in due[:limit])


def _claim_inbox(
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


def _claim_timers(all_of: list[Conversation], limit: int, holder: Holder, now_ms: int) -> tuple[DueTimer, ...]:
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


def _claim_replies(all_of: list[Conversation], limit: int, holder: Holder, now_ms: int) -> tuple[Outgoing, ...]:
    lapsed = [(one, one.unsent) for one in all_of if one.unsent is not None and one.unsent.lease_ms <= now_ms]
    lapsed.sort(key=lambda found: found[1].lease_ms)
    for _, unsent in lapsed[:limit]:
        unsent.server, unsent.lease_ms = holder.server, now_ms + holder.lease_ms
    return tuple(
        Outgoing(
            one.address,
            tuple(_replies(turn) for turn in one.journal[unsent.at :] if turn.row.entry.reply_count),
            unsent.skip,
        )
        for one, unsent in lapsed[:limit]
    )


def _repetition(one: Conversation, event: EventHash) -> Repetition | None:
    seen = one.row.recent.find(event)
    if seen is None:
        waiting = [held.held for held in one.inbox if held.held.event.hash == event]
        return Repetition(waiting[0].event.digest, waiting[0].number) if waiting else None
    ids = [(turn.row.incarnation, turn.row.turn) for turn in one.journal]
    first = ids.index((seen.incarnation, seen.turn))
    turns = [turn for turn in one.journal[first + 1 :] if turn.row.cause == event]
    return Repetition(
        one.journal[first].digest, None, (_replies(one.journal[first]), *(_replies(turn) for turn in turns))
    )


def _replies(turn: Turn) -> TurnReplies:
    row = turn.row
    return TurnReplies(row.incarnation, row.turn, row.entry.now_ms, row.entry.replies, row.entry.reply_count)


def _sorted(one: Conversation) -> tuple[StoredCommand, ...]:
    return tuple(
        sorted(one.commands.values(), key=lambda command: (command.incarnation, command.created_ms, command.key))
    )


def _order(address: Address) -> tuple[int, str]:
    return shard_of(address), address
