"""What understanding is to the rest of the runtime: a message and what its conversation waits for in, `Understood` out.

A provider calls no backend of the flow and knows no state: what the conversation waits for comes to it as `Asking`.
When nothing answers in time, the message is not understood; that is an answer too, so a provider's trouble never stops
a turn.
"""

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from flowc.runtime.errors import FlowcError
from flowc.runtime.kernel.answer import Asking
from flowc.runtime.kernel.events import Understood

__all__ = ["Asking", "Heard", "Provider", "Undecided"]


class Heard(Struct, frozen=True):
    """A message as its channel gave it. `now` is the turn's, aware."""

    text: str
    now: datetime


class Undecided(FlowcError):  # noqa: N818 - named like the other leaves, for what is the case
    """The provider could not answer: no connection, a wrong answer. The next one of the chain is asked."""


class Provider(Protocol):
    """`within_s` is the longest the chain waits for it. `understand` is cancelled then."""

    name: str
    within_s: float

    async def understand(self, heard: Heard, asking: Asking) -> Understood: ...
