"""Whatever is done in whatever order, SQLite answers as the store in memory does."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace
from store.making import ANNA, BEN, A, B, ManualClock, command, event, unit

from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.program import PriorityClass
from flowc.runtime.store.memory import MemoryStore
from flowc.runtime.store.overview import Pause
from flowc.runtime.store.port import ALL_SHARDS, Store
from flowc.runtime.store.rows import (
    Address,
    Committed,
    Continuing,
    Direct,
    EventKind,
    FromInbox,
    Holder,
    Postponed,
    Result,
    Row,
    Sent,
    SilenceTimer,
    Source,
    Start,
    Wanted,
)
from flowc.runtime.store.sqlite import SqliteStore

T = TypeVar("T")
ADDRESSES = st.sampled_from([ANNA, BEN])
NAMES = st.sampled_from("abcdefgh")
HOLDERS = st.sampled_from([A, B])
KINDS: st.SearchStrategy[EventKind] = st.sampled_from(["message", "event", "result", "timer"])
PRIORITIES: dict[CommandKey, PriorityClass] = {CommandKey("x"): "low", CommandKey("y"): "bulk", CommandKey("z"): "high"}
KEYS = st.sampled_from([CommandKey(key) for key in "xyz"])
NUMBERS = st.integers(1, 4)
MERGED = st.integers(1, 3).flatmap(
    lambda first: st.integers(first + 1, 5).map(lambda last: FromInbox(first, tuple(range(first + 1, last + 1))))
)


def end_leases(store: MemoryStore, now_ms: int) -> None:
    """What opening a file does: whoever had it before works on nothing any more."""
    for one in store._all.values():
        one.leases.clear()
        for held in one.inbox:
            held.lease_ms = min(held.lease_ms, now_ms)
        for key, stored in one.commands.items():
            if stored.server is not None:
                ready_ms = stored.ready_ms if stored.deferred else min(stored.ready_ms, now_ms)
                one.commands[key] = replace(stored, wait_ms=min(stored.wait_ms, now_ms), ready_ms=ready_ms)
        if one.unsent is not None:
            one.unsent.lease_ms = min(one.unsent.lease_ms, now_ms)


class Same(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock()
        self.file = SqliteStore.open(Path(self.folder.name) / "flowc.db", self.clock)
        self.memory = MemoryStore(self.clock)
        self.stale: dict[Address, Row] = {}

    def teardown(self) -> None:
        self.loop.run_until_complete(self.file.close())
        self.loop.close()
        self.folder.cleanup()

    def wait(self, answer: Coroutine[object, object, T]) -> T:
        return self.loop.run_until_complete(answer)

    def both(self, ask: Callable[[Store], Coroutine[object, object, T]]) -> T:
        one, other = self.wait(ask(self.memory)), self.wait(ask(self.file))
        assert one == other
        return one

    @rule(
        address=ADDRESSES,
        source=st.one_of(
            st.builds(Continuing), st.builds(FromInbox, NUMBERS), MERGED, st.tuples(NAMES, KINDS, st.booleans())
        ),
        holder=HOLDERS,
        incarnation=st.sampled_from([None, None, None, 1, 2]),
        stale=st.booleans(),
        ended=st.booleans(),
        jobs=st.integers(0, 1),
        keys=st.sets(KEYS, max_size=2),
        settles=st.none() | KEYS,
        timers=st.lists(st.integers(1, 40), max_size=2, unique=True),
        flags=st.tuples(st.booleans(), st.booleans()),
        replies=st.integers(0, 2),
    )
    def commit(
        self,
        address: Address,
        source: Source | tuple[str, EventKind, bool],
        holder: Holder,
        incarnation: int | None,
        stale: bool,
        ended: bool,
        jobs: int,
        keys: set[CommandKey],
        settles: CommandKey | None,
        timers: list[int],
        flags: tuple[bool, bool],
        replies: int,
    ) -> None:
        (loaded,) = self.both(lambda store: store.load([Wanted(address, incarnation)]))
        row = self.stale.get(address, loaded.row) if stale else loaded.row
        if incarnation is not None and row.incarnation == 0:
            return
        held = {one.key for one in self.wait(self.memory.commands(address))}
        if isinstance(source, tuple):
            source = Direct(event(source[0], address, kind=source[1]), awaited=source[2])
        opens = row.is_new and not (incarnation is not None and row.turn)
        (outcome,) = self.both(
            lambda store: store.commit(
                [
                    replace(
                        unit(row, source, replies=replies),
                        opens=opens,
                        holder=holder,
                        ended=ended,
                        jobs=jobs,
                        commands=tuple(
                            command(key, due_ms=self.clock.at_ms, deferred=key != "x", priority=PRIORITIES[key])
                            for key in sorted(keys - held)
                        ),
                        settles=settles,
                        timers=tuple(SilenceTimer(row.turn, at * 1000, self.clock.at_ms + at * 1000) for at in timers),
                        pushes=flags[0],
                        takes_next=flags[1],
                    )
                ]
            )
        )
        if isinstance(outcome, Committed):
            self.stale[address] = row

    @rule(
        address=ADDRESSES,
        name=NAMES,
        kind=KINDS,
        body=st.sampled_from([b"p", b"q"]),
        trying=st.booleans(),
        holder=HOLDERS,
    )
    def receive(self, address: Address, name: str, kind: EventKind, body: bytes, trying: bool, holder: Holder) -> None:
        made = event(name, address, kind=kind, body=body, trying=trying)
        self.both(lambda store: store.receive([made], holder))

    @rule(address=ADDRESSES, number=NUMBERS, holder=HOLDERS)
    def tried(self, address: Address, number: int, holder: Holder) -> None:
        self.both(lambda store: store.tried(address, number, holder))

    @rule(address=ADDRESSES, number=NUMBERS)
    def discard(self, address: Address, number: int) -> None:
        self.both(lambda store: store.discard(address, number))

    @rule(what=st.sampled_from(["commands", "timers", "replies", "inbox"]), holder=HOLDERS)
    def claim(self, what: str, holder: Holder) -> None:
        one = self.wait(self.memory.claim(what, ALL_SHARDS, 99, holder))  # type: ignore[arg-type]  # drawn from all
        other = self.wait(self.file.claim(what, ALL_SHARDS, 99, holder))  # type: ignore[arg-type]
        for field in ("commands", "timers", "replies", "inbox"):
            assert sorted(getattr(one, field), key=repr) == sorted(getattr(other, field), key=repr)

    @rule(address=ADDRESSES, key=KEYS, attempt=st.integers(0, 3), holder=HOLDERS)
    def start(self, address: Address, key: CommandKey, attempt: int, holder: Holder) -> None:
        self.both(lambda store: store.start([Start(address, key, attempt, holder)]))

    @rule(address=ADDRESSES, key=KEYS, attempt=st.integers(0, 3), holder=HOLDERS, unsent=st.booleans())
    def postpone(self, address: Address, key: CommandKey, attempt: int, holder: Holder, unsent: bool) -> None:
        back = Postponed(address, key, attempt, holder.server, self.clock.at_ms + 1000, unsent)
        self.both(lambda store: store.postpone([back]))

    @rule(address=ADDRESSES, key=KEYS, holder=HOLDERS)
    def settle(self, address: Address, key: CommandKey, holder: Holder) -> None:
        result = Result(address, key, b"result", event(f"done {key}", address, kind="result"))
        self.both(lambda store: store.settle([result], holder))

    @rule(rate=st.sampled_from([None, 20]))
    def pause(self, rate: int | None) -> None:
        self.both(lambda store: store.pause(Pause("orders", "me", self.clock.at_ms, rate)))

    @rule()
    def resume(self) -> None:
        self.both(lambda store: store.resume("orders"))

    @rule(address=ADDRESSES, incarnation=st.integers(1, 2), turn=NUMBERS, index=st.integers(0, 1), holder=HOLDERS)
    def sent(self, address: Address, incarnation: int, turn: int, index: int, holder: Holder) -> None:
        self.both(lambda store: store.sent([Sent(address, incarnation, turn, index, holder.server)]))

    @rule(seconds=st.sampled_from([1, 5, 10, 60, 8 * 24 * 3600]))
    def pass_time(self, seconds: int) -> None:
        self.clock.at_ms += seconds * 1000

    @rule()
    def stop(self) -> None:
        """The file is closed and opened again, as after a restart."""
        self.wait(self.file.close())
        self.file = SqliteStore.open(Path(self.folder.name) / "flowc.db", self.clock)
        end_leases(self.memory, self.clock.now_ms())
        self.both(lambda store: store.delay_overdue(ALL_SHARDS))

    @rule(days=st.sampled_from([8, 20]))
    def prune(self, days: int) -> None:
        before_ms = self.clock.at_ms - days * 24 * 3600 * 1000
        for _ in range(2):  # the second is over
            removed = self.both(lambda store: self.pruned(store, before_ms))
        assert removed == (0, 0, 0)

    async def pruned(self, store: Store, before_ms: int) -> tuple[int, int, int]:
        removed = await store.prune(before_ms, "", 1000)
        return removed.turns, removed.conversations, removed.late

    @rule(address=ADDRESSES, sure=st.integers(0, 9))
    def erase(self, address: Address, sure: int) -> None:
        if sure == 0:
            self.both(lambda store: store.erase(address))

    @invariant()
    def all_is_the_same(self) -> None:
        for address in (ANNA, BEN):
            wanted = [Wanted(address, incarnation, event(name).hash) for incarnation in (None, 1) for name in "ab"]
            self.both(lambda store, wanted=wanted: store.load(wanted))
            self.both(lambda store, address=address: store.commands(address))
            self.both(lambda store, address=address: store.late(address))
            self.both(lambda store, address=address: store.replies(address))
            turns = self.both(lambda store, address=address: store.journal(address))
            assert [turn.turn for turn in turns] == list(range(1, len(turns) + 1))
        self.both(lambda store: store.summaries(ended=True))
        self.both(lambda store: store.census())


TestSame = Same.TestCase
TestSame.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
