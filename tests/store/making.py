"""Short ways to make the values of a store, and a clock that stands still."""

from dataclasses import dataclass

from msgspec.structs import replace

from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.program import PriorityClass
from flowc.runtime.store.port import Store
from flowc.runtime.store.recent import event_hash
from flowc.runtime.store.rows import (
    Address,
    Committed,
    Continuing,
    Direct,
    Entry,
    EventKind,
    Holder,
    Incoming,
    NewCommand,
    Outcome,
    Row,
    ServerId,
    Source,
    Unit,
    Wanted,
)

START_MS = 1_800_000_000_000
A, B = Holder(ServerId("a"), 10_000), Holder(ServerId("b"), 10_000)
ANNA, BEN = Address("anna"), Address("ben")


@dataclass
class ManualClock:
    at_ms: int = START_MS

    def now_ms(self) -> int:
        return self.at_ms


def event(
    name: str,
    address: Address = ANNA,
    *,
    kind: EventKind = "message",
    body: bytes | None = None,
    priority: PriorityClass = "normal",
    incarnation: int | None = None,
    trying: bool = False,
) -> Incoming:
    said = name.encode() if body is None else body
    return Incoming(
        address, event_hash("test", name), kind, said, said[:8], priority, incarnation, START_MS, trying=trying
    )


def message(name: str, address: Address = ANNA) -> Direct:
    return Direct(event(name, address))


def unit(row: Row, source: Source | None = None, *, replies: int = 1, **changes: object) -> Unit:
    """The next turn of a conversation that goes as most do; without a source it continues the last one."""
    turn = 1 if row.is_new else row.turn + 1
    made = Unit(
        base=row,
        source=source or Continuing(),
        entry=Entry(b"event", START_MS, 7, b"reads", f"replies {turn}".encode() if replies else b"", replies, b"hash"),
        position=f"position {turn}".encode(),
        wait="main/ask",
        deployment=row.deployment or 1,
        holder=A,
        cause=source.event.hash if isinstance(source, Direct) else None,
        opens=row.is_new,
    )
    return replace(made, **changes)


def command(
    key: str = "k",
    *,
    due_ms: int = START_MS,
    holder: Holder | None = None,
    priority: PriorityClass = "normal",
    deferred: bool = False,
) -> NewCommand:
    return NewCommand(
        CommandKey(key),
        "main.orders.cancel",
        "orders",
        "cancel",
        b"arguments",
        deferred,
        due_ms,
        START_MS + 60_000,
        priority,
        holder,
    )


async def row_of(store: Store, address: Address = ANNA, incarnation: int | None = None) -> Row:
    (loaded,) = await store.load([Wanted(address, incarnation)])
    return loaded.row


async def outcome(store: Store, made: Unit) -> Outcome:
    (one,) = await store.commit([made])
    return one


async def committed(store: Store, made: Unit) -> Row:
    """The row after a unit that must commit."""
    one = await outcome(store, made)
    assert isinstance(one, Committed), one
    return one.row


async def begun(store: Store, address: Address = ANNA, **changes: object) -> Row:
    """A conversation after its first turn."""
    return await committed(store, unit(await row_of(store, address), message("first", address), **changes))
