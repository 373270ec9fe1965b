"""The port of a store: all that the engine may ask of the place where conversations are kept. The values are in
rows.py.

A store knows no program and no position; it keeps bytes, and the columns that order, leases and operators need. The
promise rests on `commit` alone: a unit is there whole or not at all, and only where the conversation's turn is still
the one it was computed from.

Every method may raise StoreUnavailable: what was asked may or may not have been done. Sequences are answered in
their order, one answer an item. Everything that changes something is durable when it is answered.
"""

from collections.abc import Collection, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.program import PriorityClass
from flowc.runtime.store.overview import (
    Census,
    DeadEvent,
    Deployment,
    Doubt,
    NewDeployment,
    Pause,
    Pruned,
    Report,
    Summary,
)
from flowc.runtime.store.queues import Pick
from flowc.runtime.store.rows import (
    SHARDS,
    Address,
    Claimable,
    Claims,
    Digest,
    Holder,
    Incoming,
    JournalRow,
    Loaded,
    Outcome,
    Postponed,
    Receipt,
    Result,
    Row,
    Sent,
    ServerId,
    Settlement,
    Start,
    StoredCommand,
    TurnReplies,
    Unit,
    Wanted,
)

CLASSES: tuple[PriorityClass, ...] = ("urgent", "high", "normal", "low", "bulk")
RANK: dict[PriorityClass, int] = {name: rank for rank, name in enumerate(CLASSES)}  # as it is stored
ALL_SHARDS = range(SHARDS)


class Clock(Protocol):
    """The store's time, never the server's: two servers of one store agree on it."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC. May stand still, does not go back while this process runs."""
        ...


class Store(Protocol):
    @property
    def clock(self) -> Clock: ...

    # ------------------------------------------------------------------------------------------------------------ turns

    async def load(self, wanted: Sequence[Wanted]) -> Sequence[Loaded]:
        """Row, inbox, outstanding commands and, for a known id, what it caused. An address nobody was at gives an
        empty row."""
        ...

    async def commit(self, units: Sequence[Unit]) -> Sequence[Outcome]:
        """Each unit whole or not at all. Never raises StoreUnavailable: then each outcome is Unknown. Units of one
        conversation are taken in order, each in a transaction of its own. Raises ValueError for a unit that
        contradicts itself (`opens` where `base` is not new)."""
        ...

    # ------------------------------------------------------------------------------------------------------------ inbox

    async def receive(self, events: Sequence[Incoming], holder: Holder) -> Sequence[Receipt]:
        """Puts events into inboxes. The holder works on each: until its lease lapses nobody claims it as an orphan."""
        ...

    async def tried(self, address: Address, number: int, holder: Holder) -> int | None:
        """Counts a try of an inbox event before it is made and renews the lease; the new count, None where it is
        consumed."""
        ...

    async def discard(self, address: Address, number: int) -> bool:
        """Takes an event out of the inbox without a turn: a timer whose wait was left, a result that nobody waits
        for any more."""
        ...

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
        """Leases for at most `limit` rows that are due and held by nobody (or no longer): ready and lapsed commands,
        due timers, unsent replies, inboxes nobody works on. Earliest first within a class, classes in the given
        order (timers and replies: all classes alike). Of commands with `pick` those that it says, whatever `limit`
        and `classes` are; it is called inside the transaction, with the due ones of each queue in order."""
        ...

    async def start(self, starts: Sequence[Start]) -> Sequence[int | None]:
        """The number of the attempt that may be made now, or None: done, another attempt since, or somebody else has
        it. A commit that stored a command as started needs no start."""
        ...

    async def postpone(self, commands: Sequence[Postponed]) -> None:
        """Gives commands back until they are due."""
        ...

    async def settle(self, results: Sequence[Result], holder: Holder) -> Sequence[Settlement]:
        """Sets commands done where they were not, and puts their events into the inbox, each in one transaction."""
        ...

    async def commands(self, address: Address) -> Sequence[StoredCommand]:
        """All outstanding commands of all incarnations of an address."""
        ...

    async def late(self, address: Address) -> Sequence[tuple[CommandKey, int]]:
        """How many results came late, by command: for `why` and `doctor`."""
        ...

    async def tried_timer(self, address: Address, incarnation: int, generation: int, after_ms: int) -> int | None:
        """Counts a try of a timer's turn before it is made; the new count, None where its wait was left."""
        ...

    async def delay_overdue(self, shards: Collection[int]) -> int:
        """After a stop: each overdue silence is due again after the shorter of itself and one minute. How many were."""
        ...

    # ---------------------------------------------------------------------------------------------------------- replies

    async def replies(
        self, address: Address, after: tuple[int, int] = (0, 0), limit: int = 100
    ) -> Sequence[TurnReplies]:
        """Replies of the turns that were committed after that one (incarnation, turn), in the order of their commits,
        turns without a reply left out. A turn that nobody knows gives all."""
        ...

    async def sent(self, cursors: Sequence[Sent]) -> None:
        """Moves cursors on; where all that is committed has left, the outgoing lease is given back."""
        ...

    # --------------------------------------------------------------------------------------------------------- releases

    async def prepare(self, digest: Digest, bundle: bytes) -> None:
        """Keeps a bundle under its name. Raises ValueError when it is not its SHA-256."""
        ...

    async def bundle(self, digest: Digest) -> bytes | None: ...

    async def deployments(self, limit: int = 100) -> Sequence[Deployment]:
        """The newest first."""
        ...

    async def activate(self, new: NewDeployment, expects: int) -> Deployment | None:
        """The deployment `expects + 1`, or None where another number than `expects` is the highest, a canary runs
        and this is another one, or its bundle was never prepared. One transaction. The stable one stays live beside
        a canary; anything else ends both."""
        ...

    async def report(self, server: ServerId, digest: Digest | None = None, problem: str | None = None) -> None:
        """This server lives, and could or could not load a prepared bundle."""
        ...

    async def reports(self, within_ms: int) -> Sequence[Report]:
        """Servers that reported within that time."""
        ...

    # -------------------------------------------------------------------------------------------------------- operating

    async def census(self) -> Sequence[Census]:
        """Counts from columns alone, never from states."""
        ...

    async def summaries(
        self, after: Address | None = None, limit: int = 100, *, ended: bool = False
    ) -> Sequence[Summary]:
        """Conversations in the store's own order (by shard, then address), live ones only unless `ended`."""
        ...

    async def journal(
        self, address: Address, incarnation: int | None = None, after: int = 0, limit: int = 1000
    ) -> Sequence[JournalRow]:
        """Turns of an incarnation (None: the current one) in order."""
        ...

    async def scan(self, cursor: str = "", limit: int = 1000) -> tuple[Sequence[JournalRow], str]:
        """Turns of all conversations in an order of the store's own, and the cursor to go on with: for `funnel` and
        `replay --against`. Turns of one conversation come in order. No rows: the end."""
        ...

    async def erase(self, address: Address) -> Row | None:
        """Deletes all rows of the address in one transaction and leaves a tombstone with incarnation and turn, which
        is returned. Commands not started are cancelled with it. None where nobody was."""
        ...

    async def prune(self, before_ms: int, cursor: str = "", limit: int = 100) -> Pruned:
        """Removes what is older, in slices of at most `limit` turns: turns, results that came late, and conversations
        that are over, with all that is known of them. What waits or lives keeps its row, its inbox and its commands.
        An id is known for 7 days, so `before_ms` is not younger than that."""
        ...

    async def doubts(self, limit: int = 100) -> Sequence[Doubt]:
        """Commands in doubt because the store goes on from a backup, of the last time that it did."""
        ...

    async def dead(self, limit: int = 100) -> Sequence[DeadEvent]: ...

    async def bury(self, address: Address, incarnation: int, turn: int) -> bool:
        """Removes a dead event, because it was retried as a new event or is given up."""
        ...

    async def revive(
        self, address: Address, incarnation: int, turn: int, event: Incoming, holder: Holder
    ) -> Receipt | None:
        """Puts a dead event into its inbox again, as `event`, and removes it where that has room; one transaction.
        None where it is no more."""
        ...

    async def pauses(self) -> Sequence[Pause]: ...

    async def pause(self, pause: Pause) -> None:
        """Pauses a service, or with a rate ends its pause and lets it out slowly. One that is paused stays paused since
        when it was."""
        ...

    async def resume(self, service: str) -> bool:
        """Ends a pause, and with it the slow rate. The `until_ms` of jobs stood still: it is later by as long as each
        of them was paused."""
        ...

    async def close(self) -> None:
        """Waits for what was begun, then lets go of the store."""
        ...


class Ring(Struct, frozen=True):
    """Something was committed that a server might look at."""

    what: Literal["commands", "timers", "replies", "inbox", "deployments", "pauses"]
    address: Address | None = None


class Bell(Protocol):
    """Tells servers to look, sooner than their next sweep. May lose, double, delay and reorder; nothing may depend
    on it."""

    async def ring(self, rings: Sequence[Ring]) -> None: ...

    async def hear(self) -> Sequence[Ring]:
        """Waits until there is at least one."""
        ...
