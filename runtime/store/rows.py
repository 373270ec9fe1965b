"""What a store keeps and what is asked of it, as values.

Bodies (events, positions, replies, arguments) are opaque bytes to the store: msgpack of typed values, made and read
by the engine. What a store must know to do its work, and what an operator counts, stands beside them in fields.
Times are integers, milliseconds since 1970 UTC.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Literal, NewType

from msgspec import Struct

from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.program import PriorityClass
from flowc.runtime.store.recent import EventHash, Recent

Address = NewType("Address", str)  # a conversation's id; its incarnations follow each other at the same address
ServerId = NewType("ServerId", str)
Digest = NewType("Digest", str)  # SHA-256 of a bundle's bytes, hexadecimal

SHARDS = 256
INBOX_LIMIT = 20  # messages and external events that wait in one conversation; results and timers always fit


@lru_cache(65_536)  # each turn asks for its own, 0.1 µs in place of 1.1
def shard_of(address: Address) -> int:
    """0 to 255: the first byte of BLAKE2b of the address. Every key of a store begins with it."""
    return blake2b(address.encode(), digest_size=64).digest()[0]


class Holder(Struct, frozen=True):
    """Who works on a row, and for how long from now. A lease saves work; safety never rests on it."""

    server: ServerId
    lease_ms: int


# -------------------------------------------------------------------------------------------------------- conversations


class SilenceTimer(Struct, frozen=True, array_like=True):
    """A timer of the wait where the conversation stands. Leaving the wait deletes it: each unit brings all that are
    left. `tries` were made of its turn so far."""

    generation: int
    after_ms: int
    due_ms: int
    tries: int = 0


class Row(Struct, frozen=True):
    """A conversation as it was loaded or committed: a guess that the compare-and-swap of the next commit decides.

    `incarnation` 0 and `turn` 0 mean that nobody was ever at this address. An `ended` row without `jobs` has no
    position. `at_ms` is the time of the last turn: time never goes back in a conversation, so the next turn's `now`
    is the later of it and the clock. `owner` is whatever the channel gave when the incarnation began (the token that
    the id belongs to). `erased` is a tombstone: the address is gone.
    """

    address: Address
    incarnation: int = 0
    turn: int = 0
    at_ms: int = 0
    deployment: int = 0
    wait: str = ""
    priority: PriorityClass = "normal"
    jobs: int = 0
    ended: bool = False
    erased: bool = False
    owner: str = ""
    position: bytes = b""
    timers: tuple[SilenceTimer, ...] = ()
    recent: Recent = Recent()

    @property
    def is_new(self) -> bool:
        """The next message begins an incarnation here."""
        return self.turn == 0 or self.ended


# ---------------------------------------------------------------------------------------------------------------- inbox

EventKind = Literal["message", "event", "result", "timer"]


class Incoming(Struct, frozen=True):
    """An event to be taken by a conversation, not yet numbered. `hash` is of its id (see `event_hash`), `digest` of
    its body as the sender wrote it: the same id with another body is a mistake of the sender. Ids of messages and
    external events are remembered for 7 days; results and timers are told apart by their command and generation.
    `incarnation` is the one that asked for a result or set the timer."""

    address: Address
    hash: EventHash
    kind: EventKind
    body: bytes
    digest: bytes = b""
    priority: PriorityClass = "normal"
    incarnation: int | None = None
    at_ms: int = 0  # when it was received, by the store's clock; 0: now
    trying: bool = False  # its first try follows at once where nothing is before it: then the try is counted


class InboxEvent(Struct, frozen=True):
    """An event in the inbox. Numbers grow in a conversation and are never used again. `tries` were counted so far."""

    number: int
    event: Incoming
    tries: int


class Received(Struct, frozen=True):
    """Stored with this number. `first`: nothing is before it."""

    number: int
    first: bool


class Known(Struct, frozen=True):
    """The id was there before: it waits under `number`, or caused `turn` of `incarnation`. With another body it is
    refused (422)."""

    same_body: bool
    number: int | None = None
    incarnation: int = 0
    turn: int = 0


class InboxFull(Struct, frozen=True):
    """As many messages wait as may."""


class Gone(Struct, frozen=True):
    """The address was erased (410), or the incarnation that asked is no more."""


Receipt = Received | Known | InboxFull | Gone

# ------------------------------------------------------------------------------------------------------------- commands

CommandState = Literal["ready", "started"]  # done is being no more: a store keeps outstanding commands only


class NewCommand(Struct, frozen=True):
    """A command to store with its turn. `due_ms`: when it may first be done. `until_ms`: after it no first attempt
    starts (`within`). With `holder` it is stored as started, attempt 1, by that server: the same as a `start` right
    after the commit, for one sync less; after a crash it counts as sent. Without, it is ready."""

    key: CommandKey
    place: str
    service: str
    operation: str
    body: bytes
    deferred: bool
    due_ms: int
    until_ms: int
    priority: PriorityClass = "normal"
    holder: Holder | None = None


class StoredCommand(Struct, frozen=True):
    """A command as it stands. `ready` was certainly never sent; `started` may have been, `attempt` times. `cause` is
    the message that led to it. `wait_ms` is when somebody may next look at it: its due time, or the end of its
    lease. `tenant` owns its conversation. `ready_ms` is its place in its queue: when it could first be done, a little
    later for each that its conversation had before it; of what a turn waits for, the end of its lease."""

    address: Address
    incarnation: int
    key: CommandKey
    place: str
    service: str
    operation: str
    body: bytes
    deferred: bool
    priority: PriorityClass
    created_ms: int
    until_ms: int
    state: CommandState
    attempt: int
    server: ServerId | None
    wait_ms: int
    cause: EventHash | None
    tenant: str = ""
    ready_ms: int = 0


class Start(Struct, frozen=True):
    """Take a command for an attempt: it must not be done, must stand at `attempt`, and be held by nobody else."""

    address: Address
    key: CommandKey
    attempt: int
    holder: Holder


class Postponed(Struct, frozen=True):
    """Give a command back until `due_ms`, where it still stands at `attempt` and `server` has it. `unsent`: the
    attempt that was started certainly did not leave and is not counted; a command that never left is ready again, and
    keeps its place in its queue. A command that was claimed and not started stays as it is."""

    address: Address
    key: CommandKey
    attempt: int
    server: ServerId
    due_ms: int
    unsent: bool = False
    body: bytes | None = None  # replaces the body, for a retry schedule kept in it


class Result(Struct, frozen=True):
    """How a command ended, outside of a turn: its `event` is put into the inbox in the transaction that sets the
    command done. A result that a turn takes at once is settled by its unit. `body` is recorded when it comes late.
    `attempt`: it says of this attempt that it did nothing, which settles the command only while no later one began."""

    address: Address
    key: CommandKey
    body: bytes
    event: Incoming
    attempt: int | None = None


class Settled(Struct, frozen=True):
    """Done now; the `number` of its event in the inbox. `first`: nothing is before it."""

    number: int
    first: bool


class Late(Struct, frozen=True):
    """It was done before: recorded, counted, nothing changed. `count` results came late so far."""

    count: int


Settlement = Settled | Late | Gone

# ---------------------------------------------------------------------------------------------------------------- turns


class Direct(Struct, frozen=True):
    """The event comes from no inbox: the unit commits only where the inbox is empty, else the event is stored
    behind. `awaited`: a result that the position waits for, or a fault of it; what is in the inbox could not be
    taken before it, so it does not hinder."""

    event: Incoming
    awaited: bool = False


class FromInbox(Struct, frozen=True):
    """The event has this number in the inbox. No message may stand before it there, unless it is a result. `merged` are
    the numbers of the messages behind it that the same turn takes with it: all that there are up to the last of them,
    and each as if it had caused the turn."""

    number: int
    merged: tuple[int, ...] = ()


class Continuing(Struct, frozen=True):
    """No event: the turn that must follow the last one at once."""


Source = Direct | FromInbox | Continuing


class Entry(Struct, frozen=True):
    """The journal's row of a turn: all that is needed to take it again. `seed` has at most 128 bits. `notes` is for
    `why` and `funnel`: transitions, scores, outcomes; replay does not need it."""

    event: bytes
    now_ms: int
    seed: int
    reads: bytes
    replies: bytes
    reply_count: int
    state_hash: bytes
    notes: bytes = b""


class Dead(Struct, frozen=True):
    """The event that a fault turn sets aside."""

    kind: EventKind
    body: bytes
    reason: str
    tries: int


class Unit(Struct, frozen=True):
    """One turn, whole or not at all. Commits where incarnation and turn still are those of `base`, and is then turn
    `base.turn + 1`.

    `opens` begins the next incarnation (turn 1), where `base.is_new`; one that ended and has jobs is kept beside it.
    `cause` is the message or external event whose repetition is answered with this turn's replies; for the result of
    a command it is the command's. `settles` sets that command done in the same transaction. Where `deployment`
    differs from that of `base`, and it does not open, it must be higher and live. Once a later incarnation has begun,
    an earlier one commits only what ends it, or waits for a write. `ended` with no `jobs` forgets the position.
    `timers` replaces all timers. `pushes`: the replies have to be sent by us; the holder takes the
    outgoing lease if it is free.
    """

    base: Row
    source: Source
    entry: Entry
    position: bytes
    wait: str
    deployment: int
    holder: Holder
    cause: EventHash | None = None
    priority: PriorityClass = "normal"
    jobs: int = 0
    opens: bool = False
    ended: bool = False
    owner: str = ""
    commands: tuple[NewCommand, ...] = ()
    timers: tuple[SilenceTimer, ...] = ()
    settles: CommandKey | None = None
    settles_attempt: int | None = None  # as `attempt` of a result
    takes_next: bool = False
    pushes: bool = False
    dead: Dead | None = None

    @property
    def incarnation(self) -> int:
        return self.base.incarnation + 1 if self.opens else self.base.incarnation

    @property
    def turn(self) -> int:
        return 1 if self.opens else self.base.turn + 1


class Committed(Struct, frozen=True):
    """It is durable. `next` is the first event of the inbox, if any; where the unit `takes_next` its lease is the
    holder's now and a try is counted. `sends`: the outgoing lease is the holder's now, and nothing older has to
    leave first."""

    row: Row
    next: InboxEvent | None = None
    sends: bool = False


LostWhy = Literal["turn", "known", "inbox", "settled", "deployment", "erased"]


class Lost(Struct, frozen=True):
    """Nothing of it is there: another turn was first (`turn`), its event's id is known already, its event is no
    longer the one to take from the inbox, its command was done, its deployment is lower or not live, or the address
    was erased. Begin again at the look-up (`erased`: 410)."""

    why: LostWhy


class Behind(Struct, frozen=True):
    """Nothing of it is there but its event, which is now in the inbox behind others (or was there already), under
    this number."""

    number: int


class Unknown(Struct, frozen=True):
    """It may be there or not. Begin again at the look-up."""


class Unfit(Struct, frozen=True):
    """Nothing of it is there, and never will be: the store refuses this very unit. A fault of ours."""

    reason: str


Outcome = Committed | Lost | Behind | InboxFull | Unknown | Unfit

# ---------------------------------------------------------------------------------------------------------------- loads


class Wanted(Struct, frozen=True):
    """What to load: the current incarnation, or an older one that still has jobs. With `event`, what that id caused."""

    address: Address
    incarnation: int | None = None
    event: EventHash | None = None


class TurnReplies(Struct, frozen=True):
    """Replies of one turn; a reply's id is incarnation, turn and index."""

    incarnation: int
    turn: int
    at_ms: int
    replies: bytes
    count: int


class Repetition(Struct, frozen=True):
    """What a known id led to. `digest` is of the body it came with. Waiting (`number`), or `turns` in order: all
    that it caused so far. Turns may still follow while a command with that cause is outstanding."""

    digest: bytes
    number: int | None = None
    turns: tuple[TurnReplies, ...] = ()


class Loaded(Struct, frozen=True):
    """`inbox` in order. `commands` outstanding (not done) of the row's incarnation."""

    row: Row
    inbox: tuple[InboxEvent, ...] = ()
    commands: tuple[StoredCommand, ...] = ()
    repetition: Repetition | None = None


class JournalRow(Struct, frozen=True):
    """A turn as recorded."""

    address: Address
    incarnation: int
    turn: int
    deployment: int
    wait: str
    ended: bool
    cause: EventHash | None
    entry: Entry


# --------------------------------------------------------------------------------------------------------------- claims

Claimable = Literal["commands", "timers", "replies", "inbox"]


class DueTimer(Struct, frozen=True):
    address: Address
    incarnation: int
    timer: SilenceTimer
    priority: PriorityClass


class Outgoing(Struct, frozen=True):
    """Turns whose replies have to be sent, in order; the first `skip` replies of the first turn have left already."""

    address: Address
    turns: tuple[TurnReplies, ...]
    skip: int


class Sent(Struct, frozen=True):
    """The replies through this one have left. Does nothing where another server has the outgoing lease."""

    address: Address
    incarnation: int
    turn: int
    index: int
    server: ServerId


class Orphan(Struct, frozen=True):
    """The first event of an inbox that nobody works on. The try is not counted yet."""

    address: Address
    first: InboxEvent


class Claims(Struct, frozen=True):
    """What was asked for, and leases taken; the other fields are empty. A claimed command is in the state it had."""

    commands: tuple[StoredCommand, ...] = ()
    timers: tuple[DueTimer, ...] = ()
    replies: tuple[Outgoing, ...] = ()
    inbox: tuple[Orphan, ...] = ()
