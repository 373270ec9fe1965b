"""What this process knows of a conversation's inbox, and the tries of its events. The store has it; this only saves
loads.
"""

from collections.abc import Callable, Iterator, Sequence

from flowc.runtime.engine.pending import Pending, pending_of
from flowc.runtime.engine.seal import SealBroken
from flowc.runtime.engine.stored import Body, DamagedBody, SealedBody, body_of
from flowc.runtime.engine.surroundings import Surroundings
from flowc.runtime.store.recent import EventHash
from flowc.runtime.store.rows import Address, InboxEvent, Incoming, Wanted


class Inbox:
    """`is_whole`: there are no events behind those that are known."""

    def __init__(self, address: Address, around: Surroundings) -> None:
        self._address = address
        self._around = around
        self._events: Sequence[InboxEvent] | None = None
        self._counted: dict[int, int] = {}  # by number
        self.is_whole = False

    @property
    def is_known(self) -> bool:
        return self._events is not None

    @property
    def is_empty(self) -> bool:
        return self._events is not None and self.is_whole and not self._events

    def forget(self) -> None:
        self._events = None

    def learn(self, events: Sequence[InboxEvent], *, is_whole: bool) -> None:
        self._events = events
        self.is_whole = is_whole

    async def look(self) -> None:
        """What is behind the first one."""
        if not self.is_whole:
            loaded = (await self._around.store.load([Wanted(self._address)]))[0]
            self.learn(loaded.inbox, is_whole=True)

    async def counted(self, pending: Pending) -> bool:
        """Counts a try before it is made, in the store where the event is there. False: it is consumed."""
        if pending.number is None:
            return await self._counted_in_hand(pending)
        if pending.tries < self._counted.pop(pending.number, pending.tries + 1):
            self._counted[pending.number] = pending.tries + 1  # should the store not say whether it did
            tries = await self._around.store.tried(self._address, pending.number, self._around.holder)
            del self._counted[pending.number]
            if tries is None:
                return False
            pending.tries = tries
        return True

    async def _counted_in_hand(self, pending: Pending) -> bool:
        """A timer's tries stand in its row, those of an event that nobody was promised here only."""
        if pending.alarm is None:
            pending.tries += 1
        elif not pending.is_counted:
            assert pending.incarnation is not None
            store = self._around.store
            tries = await store.tried_timer(self._address, pending.incarnation, *pending.alarm)
            if tries is None:
                return False
            pending.tries = tries
        pending.is_counted = False
        return True

    def uncount(self, pending: Pending) -> None:
        """A try that came to nothing by no fault of ours: the next one is the same."""
        if pending.alarm is not None:
            pending.is_counted = True
        elif pending.number is None:
            pending.tries -= 1
        else:
            self.count(pending.number, pending.tries)

    def count(self, number: int, tries: int) -> None:
        """The next try of the event is counted already, where the store has that many."""
        self._counted[number] = tries

    def events(self, known: Callable[[EventHash], Pending | None]) -> Iterator[Pending]:
        """The events in order: those in hand as they are, with who waits for them."""
        for event in self._events or ():
            pending = known(event.event.hash)
            if pending is None:
                pending = pending_of(event, self._opened(_read(event.event)))
            pending.number, pending.tries = event.number, event.tries
            yield pending

    def _opened(self, body: Body) -> Body:
        """What is in a sealed body; the body itself where another process sealed it."""
        if not isinstance(body, SealedBody):
            return body
        try:
            return body_of(self._around.seal.open(body.sealed))
        except SealBroken:
            return body


def _read(event: Incoming) -> Body:
    try:
        return body_of(event.body)
    except Exception:  # noqa: BLE001 - whatever is wrong with it: it must not stop those behind it
        return DamagedBody(event.kind, event.hash, event.body)
