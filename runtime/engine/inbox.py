"""What this process knows of a conversation's inbox. The store has it; this only saves loads."""

from collections.abc import Callable, Iterator, Sequence

from flowc.runtime.engine.pending import Pending, pending_of
from flowc.runtime.engine.seal import Seal, SealBroken
from flowc.runtime.engine.stored import Body, SealedBody, body_of
from flowc.runtime.store.recent import EventHash
from flowc.runtime.store.rows import InboxEvent


class Inbox:
    """`is_whole`: there are no events behind those that are known."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal
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

    def count(self, number: int, tries: int) -> None:
        """The next try of the event is counted already where the store has that many: by the commit before it, or
        before a try that came to nothing through the store."""
        self._counted[number] = tries

    def uncount(self, number: int) -> None:
        """The store has said what it counted."""
        self._counted.pop(number, None)

    def is_counted(self, number: int, tries: int) -> bool:
        """Whether the next try is counted; said once, the one after it is another."""
        return tries >= self._counted.pop(number, tries + 1)

    def events(self, known: Callable[[EventHash], Pending | None]) -> Iterator[Pending]:
        """The events in order: those in hand as they are, with who waits for them."""
        for event in self._events or ():
            pending = known(event.event.hash)
            if pending is None:
                pending = pending_of(event, self._opened(body_of(event.event.body)))
            pending.number, pending.tries = event.number, event.tries
            yield pending

    def _opened(self, body: Body) -> Body:
        """What is in a sealed body; the body itself where another process sealed it."""
        if not isinstance(body, SealedBody):
            return body
        try:
            return body_of(self._seal.open(body.sealed))
        except SealBroken:
            return body
