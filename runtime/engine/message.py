"""What comes in from a channel and what goes back: the engine's public nouns."""

from dataclasses import dataclass, field
from typing import Final, Literal

from msgspec import Struct

from flowc.runtime.kernel.events import Reply, ReplyLink, User

Rest = Literal["waiting", "ended", "handoff"]

LONGEST_TEXT_BYTES: Final = 64 * 1024


class Message(Struct, frozen=True):
    """A user's message. `id` is the provider's or the sender's, unique in its conversation within `scope` (the
    channel and its token); without one each message is new. `user` None: whom the conversation knows, else its id is
    all that is known of them. `proved`: the channel vouches for the user (a limit per user counts by it)."""

    conversation: str
    text: str
    id: str | None = None
    user: User | None = None
    scope: str = ""
    proved: bool = False
    owner: str = ""


class Sent(Struct, frozen=True):
    """A reply with its id (incarnation, turn, index), which is the same in the response, the stream and a
    repetition."""

    id: str
    text: str
    buttons: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    links: tuple[ReplyLink, ...] = ()
    flow: str = ""
    state: str = ""


def sent(incarnation: int, turn: int, replies: tuple[Reply, ...]) -> tuple[Sent, ...]:
    """The replies of one turn with their ids, in order."""
    return tuple(
        [
            Sent(f"{incarnation}.{turn}.{index}", one.text, one.buttons, one.images, one.links, one.flow, one.state)
            for index, one in enumerate(replies)
        ]
    )


class Turn(Struct, frozen=True):
    """The answer to an event: the replies of all turns that it caused, and where the conversation is after the last
    of them.

    `duplicate`: the event was known. `queued`: it is stored, and taken when the conversation can. An external event
    that nobody was there for is recorded, and not `is_handled`.
    """

    conversation: str
    incarnation: int
    turn: int
    version: str
    replies: tuple[Sent, ...]
    state: Rest
    intent: str | None = None
    outcome: str | None = None
    duplicate: bool = False
    queued: bool = False
    is_handled: bool = True


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message is stored and will be taken; its replies come by the stream. `replies` are those that have left
    already; without any, `text` is the flow's word for the wait, if it has one."""

    conversation: str
    text: str | None = None
    replies: tuple[Sent, ...] = ()


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a conversation is. `waits` from the bottom to the top, as FLOW/WAIT."""

    conversation: str
    incarnation: int
    turn: int
    version: str
    state: Rest
    waits: tuple[str, ...]
    variables: dict[str, object] = field(default_factory=dict)
    owner: str = ""
