"""Compares a store with the book, and clears up what nobody learned: a server that died while it asked, a disk that
failed. What was asked for is there whole, or not at all."""

from collections.abc import Collection, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, assert_never

from flowc.runtime.engine.seal import Seal
from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.simulate.book import Book
from flowc.runtime.store.port import Store
from flowc.runtime.store.rows import (
    Address,
    Direct,
    Incoming,
    Loaded,
    Received,
    Result,
    Settled,
    StoredCommand,
    Unit,
    Wanted,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Promise:
    """What a store was asked for without anybody hearing its answer: a turn, an event for the inbox, a result, the
    number of an event to discard, or an erasure."""

    address: Address
    asked: Unit | Incoming | Result | int | Literal["erasure"]
    seal: Seal


@dataclass(slots=True)
class Doubts:
    """`store` is what there is: None while nobody has it open."""

    book: Book
    store: Store | None = None
    _open: dict[Address, list[Promise]] = field(default_factory=dict)
    _asked: dict[Address, int] = field(default_factory=dict)

    @contextmanager
    def asking(self, addresses: Collection[Address]) -> Iterator[None]:
        """While a store is asked for something: it may be there before the answer is."""
        for address in addresses:
            self._asked[address] = self._asked.get(address, 0) + 1
        try:
            yield
        finally:
            for address in addresses:
                self._asked[address] -= 1

    def is_asked(self, address: Address) -> bool:
        """The store may have more than the book knows."""
        return bool(self._asked.get(address) or self._open.get(address))

    def doubt(self, promise: Promise) -> None:
        self._open.setdefault(promise.address, []).append(promise)

    def look(self, addresses: Collection[Address]) -> None:
        """Compares what is stored of these addresses with the book. Raises Violation."""
        if self.store is None:
            return
        for address in addresses:
            if self._asked.get(address):
                continue
            try:
                [loaded] = at_once(self.store.load([Wanted(address)]))
                commands = at_once(self.store.commands(address))
                for promise in self._open.get(address, ()):
                    self._clear(self.store, promise, loaded, commands)
                self._open.pop(address, None)
            except StoreUnavailable:
                return
            self.book.matches(loaded.row, [event.number for event in loaded.inbox], commands)

    def look_everywhere(self) -> None:
        self.look(tuple(self.book.of))

    def _clear(self, store: Store, promise: Promise, loaded: Loaded, commands: Collection[StoredCommand]) -> None:
        """Tells the book of a promise that is kept."""
        one, numbers = self.book.kept(promise.address), {each.event.hash: each.number for each in loaded.inbox}
        match promise.asked:
            case Unit() as unit:
                if one.turns.get(unit.incarnation, 0) == unit.turn - 1 and _is_there(store, unit):
                    self.book.turn(unit, None, promise.seal, store.clock.now_ms())
                elif isinstance(unit.source, Direct):
                    self._stored(unit.source.event, numbers.get(unit.source.event.hash))
            case Incoming() as event:
                self._stored(event, numbers.get(event.hash))
            case Result() as result:
                known, number = self.book.commands.get(result.key), numbers.get(result.event.hash)
                is_done = all(command.key != result.key for command in commands)
                if known is not None and known.result is None and is_done and number is not None:
                    self.book.settled(result, Settled(number, first=False), promise.seal)
            case int(number):
                if number not in numbers.values():
                    self.book.discarded(promise.address, number)
            case "erasure":
                if loaded.row.erased and not one.is_erased:
                    self.book.erased(promise.address)
            case _:
                assert_never(promise.asked)

    def _stored(self, event: Incoming, number: int | None) -> None:
        if number is not None and number not in self.book.kept(event.address).inbox:
            self.book.received(event, Received(number, first=False))


def _is_there(store: Store, unit: Unit) -> bool:
    rows = at_once(store.journal(unit.base.address, unit.incarnation, unit.turn - 1, 1))
    return bool(rows) and rows[0].turn == unit.turn and rows[0].entry.seed == unit.entry.seed


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of work that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # of the coroutine
    work.close()
    raise RuntimeError("a look at the store had to wait")
