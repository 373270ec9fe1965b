"""The store in memory: for tests, chats and the simulator. Nothing survives it, and everything else is as in the
others.

Written for plainness: one object an address, plain lists, no index. It is the second opinion in the tests of the
others, so it shares no code with them but the values.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256

from msgspec.structs import replace

from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.policy.lanes import spaced_ms
from flowc.runtime.program import PriorityClass
from flowc.runtime.store import remembered
from flowc.runtime.store.clock import SystemClock
from flowc.runtime.store.overview import (
    Census,
    CensusKind,
    DeadEvent,
    Deployment,
    Doubt,
    NewDeployment,
    Pause,
    Pruned,
    Report,
    Summary,
)
from flowc.runtime.store.port import CLASSES, Clock
from flowc.runtime.store.queues import Pick, in_order
from flowc.runtime.store.rows import (
    Address,
    Behind,
    Claimable,
    Claims,
    Committed,
    Digest,
    Direct,
    FromInbox,
    Gone,
    Holder,
    InboxFull,
    Incoming,
    JournalRow,
    Known,
    Late,
    Loaded,
    Lost,
    LostWhy,
    Outcome,
    Postponed,
    Receipt,
    Received,
    Result,
    Row,
    Sent,
    ServerId,
    Settled,
    Settlement,
    Start,
    StoredCommand,
    TurnReplies,
    Unit,
    Wanted,
    shard_of,
)

LIMITED = ("message", "event")
MERCY_MS = 60_000


class MemoryStore:
    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._all: dict[Address, remembered.Conversation] = {}
        self._bundles: dict[Digest, bytes] = {}
        self._deployments: list[Deployment] = []
        self._reports: dict[ServerId, Report] = {}
        self._pauses: dict[str, Pause] = {}
        self._scanned: list[tuple[Address, remembered.Turn]] = []
        self._closed = False

    @property
    def clock(self) -> Clock:
        return self._clock

    async def close(self) -> None:
        self._closed = True

    def _of(self, address: Address) -> remembered.Conversation:
        if self._closed:
            raise StoreUnavailable("it was closed")
        return self._all.setdefault(address, remembered.Conversation(address))

    def _in(self, shards: Collection[int]) -> list[remembered.Conversation]:
        if self._closed:
            raise StoreUnavailable("it was closed")
        return [one for one in self._all.values() if shard_of(one.address) in shards]

    # ------------------------------------------------------------------------------------------------------------ turns

    async def load(self, wanted: Sequence[Wanted]) -> Sequence[Loaded]:
        return tuple(self._load(one) for one in wanted)

    def _load(self, wanted: Wanted) -> Loaded:
        one = self._of(wanted.address)
        row = one.row if wanted.incarnation is None else one.rows.get(wanted.incarnation, Row(wanted.address))
        outstanding = tuple(
            command for command in remembered.outstanding(one) if command.incarnation == row.incarnation
        )
        if row.incarnation:
            row = replace(row, recent=one.row.recent)
        repetition = None if wanted.event is None else remembered.repetition(one, wanted.event)
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
        events: list[Incoming] = []
        match unit.source:
            case Direct(event, awaited):
                events = [event]
                if event.kind in LIMITED and one.row.recent.find(event.hash) is not None:
                    return Lost("known")
                if one.inbox and not awaited:
                    receipt = remembered.put(one, event, unit.holder, now_ms)
                    return InboxFull() if isinstance(receipt, InboxFull) else Behind(remembered.number_of(receipt))
            case FromInbox(number, merged):
                held = next((held.held for held in one.inbox if held.held.number == number), None)
                if held is None or not remembered.may_be_taken(one, held):
                    return Lost("inbox")
                behind = remembered.messages(one, number, merged[-1]) if merged else []
                if [each.number for each in behind] != list(merged):
                    return Lost("inbox")
                events = [held.event, *[each.event for each in behind]]
                one.inbox = [held for held in one.inbox if held.held.number not in (number, *merged)]
                one.taken = max(one.taken, number, *merged)
        return self._write(one, unit, events, now_ms)

    def _lost(self, one: remembered.Conversation, unit: Unit) -> LostWhy | None:
        base = unit.base
        if one.row.erased:
            return "erased"
        found = one.row if unit.opens else one.rows.get(base.incarnation, Row(base.address))
        if (found.incarnation, found.turn) != (base.incarnation, base.turn):
            return "turn"
        if not unit.opens and base.incarnation != one.current and remembered.stays_open(unit):
            return "turn"
        if unit.deployment != base.deployment and not unit.opens:
            live = {deployment.number for deployment in self._deployments if deployment.state != "past"}
            if unit.deployment < base.deployment or unit.deployment not in live:
                return "deployment"
        if unit.settles is not None and not remembered.may_settle(one, unit.settles, unit.settles_attempt):
            return "settled"
        return None

    def _write(self, one: remembered.Conversation, unit: Unit, events: Sequence[Incoming], now_ms: int) -> Committed:
        base, number = unit.base, unit.incarnation
        recent, digest = one.row.recent, b""
        for event in events:
            if event.kind in LIMITED:
                recent, digest = recent.adding(event.hash, number, unit.turn, now_ms), digest + event.digest
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
        turn = remembered.Turn(
            JournalRow(base.address, number, unit.turn, unit.deployment, unit.wait, unit.ended, unit.cause, entry),
            digest,
        )
        sends = unit.pushes and remembered.push(one, unit.holder, now_ms)
        one.journal.append(turn)
        self._scanned.append((base.address, turn))
        if unit.settles is not None:
            del one.commands[unit.settles]
        jobs = sum(command.deferred for command in one.commands.values())
        for command in unit.commands:
            holder = command.holder
            wait_ms = now_ms + holder.lease_ms if holder else command.due_ms
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
                wait_ms,
                unit.cause,
                row.owner,
                spaced_ms(wait_ms, jobs) if command.deferred else wait_ms,
            )
            jobs += command.deferred
        if unit.dead is not None:
            one.dead.append(DeadEvent(base.address, number, unit.turn, row.at_ms, unit.dead))
        if unit.takes_next and one.inbox:
            remembered.count_try(one.inbox[0], unit.holder, now_ms)
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
            digests = next(
                (t.digest for t in one.journal if (t.row.incarnation, t.row.turn) == (seen.incarnation, seen.turn)),
                None,
            )
            is_same = digests is None or one.row.recent.part(event.hash, digests) == event.digest
            return Known(is_same, None, seen.incarnation, seen.turn)
        return remembered.put(one, event, holder, now_ms)

    async def tried(self, address: Address, number: int, holder: Holder) -> int | None:
        for held in self._of(address).inbox:
            if held.held.number == number:
                remembered.count_try(held, holder, self._clock.now_ms())
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
        pick: Pick | None = None,
    ) -> Claims:
        now_ms, all_of = self._clock.now_ms(), self._in(shards)
        match what:
            case "commands":
                return Claims(
                    commands=remembered.claim_commands(all_of, pick or in_order(classes, limit), holder, now_ms)
                )
            case "inbox":
                return Claims(inbox=remembered.claim_inbox(all_of, limit, holder, classes, now_ms))
            case "timers":
                return Claims(timers=remembered.claim_timers(all_of, limit, holder, now_ms))
            case "replies":
                return Claims(replies=remembered.claim_replies(all_of, limit, holder, now_ms))

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
            ready_ms=command.ready_ms if command.deferred else now_ms + holder.lease_ms,
        )
        return command.attempt + 1

    async def postpone(self, commands: Sequence[Postponed]) -> None:
        for back in commands:
            one = self._of(back.address)
            command = one.commands.get(back.key)
            if command is None or (command.attempt, command.server) != (back.attempt, back.server):
                continue
            attempt, state = command.attempt, command.state
            ready_ms = command.ready_ms if back.unsent and command.deferred else back.due_ms
            if back.unsent and state == "started":
                attempt -= 1
                state = "started" if attempt else "ready"
            body = command.body if back.body is None else back.body
            one.commands[back.key] = replace(
                command, attempt=attempt, state=state, server=None, wait_ms=back.due_ms, body=body, ready_ms=ready_ms
            )

    async def settle(self, results: Sequence[Result], holder: Holder) -> Sequence[Settlement]:
        return tuple(self._settle(result, holder) for result in results)

    def _settle(self, result: Result, holder: Holder) -> Settlement:
        one = self._of(result.address)
        if one.row.erased or not one.rows:
            return Gone()
        if not remembered.may_settle(one, result.key, result.attempt):
            return Late(remembered.add_late(one, result.key, self._clock.now_ms()))
        del one.commands[result.key]
        receipt = self._receive(result.event, holder, self._clock.now_ms())
        return Settled(remembered.number_of(receipt), isinstance(receipt, Received) and receipt.first)

    async def commands(self, address: Address) -> Sequence[StoredCommand]:
        return remembered.outstanding(self._of(address))

    async def late(self, address: Address) -> Sequence[tuple[CommandKey, int]]:
        return tuple(sorted((key, results[-1][0]) for key, results in self._of(address).late.items()))

    async def tried_timer(self, address: Address, incarnation: int, generation: int, after_ms: int) -> int | None:
        one = self._of(address)
        row = one.rows.get(incarnation, Row(address))
        for timer in row.timers:
            if (timer.generation, timer.after_ms) == (generation, after_ms):
                counted = replace(timer, tries=timer.tries + 1)
                kept = tuple(counted if each is timer else each for each in row.timers)
                one.rows[incarnation] = replace(row, timers=kept)
                return counted.tries
        return None

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
        return tuple(remembered.replies_of(turn) for turn in one.journal[start:] if turn.row.entry.reply_count)[:limit]

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
        inbox: dict[tuple[int, str, int], list[int]] = {}
        dead: dict[tuple[int, str, int], list[int]] = {}
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
            for held in one.inbox:
                event = held.held.event
                inbox.setdefault((0, event.kind, CLASSES.index(event.priority)), []).append(event.at_ms)
            for each in one.dead:
                dead.setdefault((0, each.dead.kind, CLASSES.index("normal")), []).append(each.at_ms)
        found: tuple[tuple[CensusKind, dict[tuple[int, str, int], list[int]]], ...] = (
            ("wait", waits),
            ("job", jobs),
            ("inbox", inbox),
            ("dead", dead),
        )
        return tuple(
            Census(kind, *key[:2], CLASSES[key[2]], len(at), min(at))
            for kind, counts in found
            for key, at in sorted(counts.items())
        )

    async def summaries(
        self, after: Address | None = None, limit: int = 100, *, ended: bool = False
    ) -> Sequence[Summary]:
        known = sorted((one for one in self._all.values() if one.rows), key=lambda one: remembered.order(one.address))
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
            and (after is None or remembered.order(one.address) > remembered.order(after))
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
        self._all[address] = remembered.Conversation(address, {one.current: tombstone}, one.current)
        return tombstone

    async def prune(self, before_ms: int, cursor: str = "", limit: int = 100) -> Pruned:
        start = int(cursor or 0)
        known = [
            (at, address, turn)
            for at, (address, turn) in enumerate(self._scanned[:-1][start:], start + 1)
            if turn in self._all[address].journal
        ][:limit]
        old = [(address, turn) for _, address, turn in known if turn.row.entry.now_ms < before_ms]
        conversations = 0
        for address, turn in old:
            conversations += remembered.forget(self._all[address], turn)
        if old:
            return Pruned(len(old), conversations, 0, str(known[-1][0]), is_over=False)
        return Pruned(0, 0, sum(remembered.prune_late(one, before_ms) for one in self._all.values()), "", is_over=True)

    async def doubts(self, limit: int = 100) -> Sequence[Doubt]:
        return ()  # nothing of it is ever restored

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

    async def revive(
        self, address: Address, incarnation: int, turn: int, event: Incoming, holder: Holder
    ) -> Receipt | None:
        if all((dead.incarnation, dead.turn) != (incarnation, turn) for dead in self._of(address).dead):
            return None
        receipt = self._receive(event, holder, self._clock.now_ms())
        if isinstance(receipt, Received | Known):
            await self.bury(address, incarnation, turn)
        return receipt

    async def pauses(self) -> Sequence[Pause]:
        return tuple(pause for _, pause in sorted(self._pauses.items()))

    async def pause(self, pause: Pause) -> None:
        before = self._pauses.get(pause.service)
        if before is not None and before.rate is None:
            if pause.rate is None:
                return
            self._stood_still(before)
        self._pauses[pause.service] = pause

    async def resume(self, service: str) -> bool:
        before = self._pauses.pop(service, None)
        if before is not None and before.rate is None:
            self._stood_still(before)
        return before is not None

    def _stood_still(self, pause: Pause) -> None:
        """The time of jobs, while their service was paused."""
        now_ms = self._clock.now_ms()
        for one in self._all.values():
            for key, command in one.commands.items():
                if command.deferred and command.service == pause.service:
                    paused_ms = max(0, now_ms - max(pause.at_ms, command.created_ms))
                    one.commands[key] = replace(command, until_ms=command.until_ms + paused_ms)


@asynccontextmanager
async def memory_store(clock: Clock | None = None) -> AsyncIterator[MemoryStore]:
    """The store while it is open."""
    store = MemoryStore(clock)
    yield store
    await store.close()
