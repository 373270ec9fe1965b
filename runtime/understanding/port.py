"""What understanding is to the rest of the runtime: a message and what its conversation waits for in, `Understood` out.

A provider calls no backend of the flow and knows no state: what the conversation waits for comes to it as `Asking`. When nothing
answers in time, the message is not understood; that is an answer too, so a provider's trouble never stops a turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flowc.runtime.kernel.events import Understood
from flowc.runtime.program import Intent, Slot

__all__ = ["Asking", "Heard", "Provider", "Undecided"]


class Asking(Protocol):
    """What a conversation waits for (`flowc.runtime.kernel` answers it for a position)."""

    @property
    def flow(self) -> str: ...

    @property
    def intents(self) -> Sequence[Intent]:
        """Candidates, nearest scope first."""
        ...

    @property
    def slots(self) -> Sequence[Slot]:
        """All slots of the asking flow."""
        ...

    @property
    def asked(self) -> str | None:
        """The slot being asked."""
        ...

    @property
    def choices(self) -> Sequence[str]:
        """The labels that a `choose` offers."""
        ...


@dataclass(frozen=True, slots=True)
class Heard:
    """A message as its channel gave it. `now` is the turn's (aware); `zone` and `locale` are the user's, else the bot's."""

    text: str
    now: datetime
    zone: str = "UTC"
    locale: str = "en"


class Undecided(Exception):
    """The provider could not answer: no connection, a wrong answer. The next one of the chain is asked."""


class Provider(Protocol):
    """`within_s` is the longest the chain waits for it. `understand` is cancelled then."""

    name: str
    within_s: float

    async def understand(self, heard: Heard, asking: Asking) -> Understood: ...
