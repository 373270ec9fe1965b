"""The store in memory for many conversations: a sweep looks only at those that may have what it wants, and the
commands that are due stand in order.

Everything else is that of `MemoryStore`, which has no index on purpose.
"""

from bisect import insort
from collections.abc import Collection, Iterator, Sequence
from heapq import heappop, heappush
from itertools import count

from msgspec.structs import replace

from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.policy.lanes import Queue
from flowc.runtime.program import PriorityClass
from flowc.runtime.store import remembered
from flowc.runtime.store.memory import MemoryStore
from flowc.runtime.store.port import ALL_SHARDS, CLASSES, Clock
from flowc.runtime.store.queues import Pick, in_order
from flowc.runtime.store.rows import (
    Address,
    Claimable,
    Claims,
    Holder,
    Incoming,
    Outcome,
    Postponed,
    Receipt,
    Start,
    StoredCommand,
    Unit,
)

__all__ = ["QuickStore"]

Entry = tuple[int, int, Address, CommandKey]  # a moment in milliseconds, and the order in which it was noted


class QuickStore(MemoryStore):
    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self._order = count()
        self._working: dict[Address, remembered.Conversation] = {}  # with commands, or an inbox
        self._timers: list[tuple[int, int, Address]] = []
        self._noted: dict[CommandKey, tuple[int, int, PriorityClass]] = {}
        self._coming: list[Entry] = []  # commands by when they may be claimed
        self._ready: dict[Queue, list[Entry]] = {}  # those that may be, by when they could first be done

    @property
    def jobs(self) -> int:
        """How many deferred commands are outstanding."""
        return sum(command.deferred for one in self._working.values() for command in one.commands.values())

    async def claim(
        self,
        what: Claimable,
        shards: Collection[int],
        limit: int,
        holder: Holder,
        classes: Sequence[PriorityClass] = CLASSES,
        pick: Pick | None = None,
    ) -> Claims:
        now_ms = self._clock.now_ms()
        if len(shards) < len(ALL_SHARDS):
            claims = await super().claim(what, shards, limit, holder, classes, pick)
            for address in self._all:
                self._note(address)
            return claims
        match what:
            case "commands":
                return Claims(commands=self._claim_commands(pick or in_order(classes, limit), holder, now_ms))
            case "inbox":
                waiting = [one for one in self._working.values() if one.inbox]
                return Claims(inbox=remembered.claim_inbox(waiting, limit, holder, classes, now_ms))
            case "timers":
                due = self._due(now_ms)
                claimed = remembered.claim_timers(due, limit, holder, now_ms)
                for one in due:
                    self._note_timers(one)
                return Claims(timers=claimed)
            case "replies":
                return await super().claim(what, shards, limit, holder, classes)

    # -------------------------------------------------------------------------------------------- what changes is noted

    def _commit(self, unit: Unit, now_ms: int) -> Outcome:
        outcome = super()._commit(unit, now_ms)
        self._note(unit.base.address)
        return outcome

    def _receive(self, event: Incoming, holder: Holder, now_ms: int) -> Receipt:
        receipt = super()._receive(event, holder, now_ms)
        self._note(event.address)
        return receipt

    def _start(self, start: Start) -> int | None:
        attempt = super()._start(start)
        self._note(start.address)
        return attempt

    async def postpone(self, commands: Sequence[Postponed]) -> None:
        await super().postpone(commands)
        for command in commands:
            self._note(command.address)

    async def delay_overdue(self, shards: Collection[int]) -> int:
        delayed = await super().delay_overdue(shards)
        for one in self._all.values():
            self._note_timers(one)
        return delayed

    def _note(self, address: Address) -> None:
        one = self._of(address)
        if one.commands or one.inbox:
            self._working[address] = one
        else:
            self._working.pop(address, None)
        for command in one.commands.values():
            self._note_command(command)
        self._note_timers(one)

    def _note_command(self, command: StoredCommand) -> None:
        as_it_is = (command.wait_ms, command.ready_ms, command.priority)
        if self._noted.get(command.key) != as_it_is:
            self._noted[command.key] = as_it_is
            heappush(self._coming, (command.wait_ms, next(self._order), command.address, command.key))

    def _note_timers(self, one: remembered.Conversation) -> None:
        dues = [
            max(min(timer.due_ms for timer in row.timers), one.leases.get(number, 0))
            for number, row in one.rows.items()
            if row.timers
        ]
        if dues:
            heappush(self._timers, (min(dues), next(self._order), one.address))

    # ----------------------------------------------------------------------------------------------------- what is due

    def _due(self, now_ms: int) -> list[remembered.Conversation]:
        """Those that may have a timer that is due; what was noted of them is taken out."""
        found: dict[Address, None] = {}
        while self._timers and self._timers[0][0] <= now_ms:
            found[heappop(self._timers)[2]] = None
        return [self._all[address] for address in found]

    def _claim_commands(self, pick: Pick, holder: Holder, now_ms: int) -> tuple[StoredCommand, ...]:
        while self._coming and self._coming[0][0] <= now_ms:
            at_ms, _, address, key = heappop(self._coming)
            command = self._all[address].commands.get(key)
            if command is None:
                self._noted.pop(key, None)
            elif command.wait_ms == at_ms:  # else it was noted again
                queue = Queue(command.priority, command.tenant, command.service)
                insort(self._ready.setdefault(queue, []), (command.ready_ms, next(self._order), address, key))
        queues = {
            queue: self._in_line(queue, entries, now_ms)
            for queue, entries in self._ready.items()
            if self._shortened(queue, entries, now_ms)
        }
        picked = pick(queues)
        lease_ms = now_ms + holder.lease_ms
        for command in picked:
            ready_ms = command.ready_ms if command.deferred else lease_ms
            leased = replace(command, server=holder.server, wait_ms=lease_ms, ready_ms=ready_ms)
            self._all[command.address].commands[command.key] = leased
            self._note_command(leased)
        return tuple(picked)

    def _shortened(self, queue: Queue, entries: list[Entry], now_ms: int) -> bool:
        """Takes away what no longer waits in front; whether somebody is left."""
        gone = 0
        while gone < len(entries) and self._waiting(queue, entries[gone], now_ms) is None:
            gone += 1
        del entries[:gone]
        return bool(entries)

    def _in_line(self, queue: Queue, entries: list[Entry], now_ms: int) -> Iterator[tuple[int, StoredCommand]]:
        for entry in entries:
            command = self._waiting(queue, entry, now_ms)
            if command is not None:
                yield entry[0], command

    def _waiting(self, queue: Queue, entry: Entry, now_ms: int) -> StoredCommand | None:
        """The command of an entry, if it still stands there."""
        ready_ms, _, address, key = entry
        command = self._all[address].commands.get(key)
        if command is None or command.wait_ms > now_ms:
            return None
        return command if (command.ready_ms, command.priority) == (ready_ms, queue.priority) else None
