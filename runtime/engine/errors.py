"""Why the engine does not do what it was asked for. Each says whose fault it is, and what a channel needs to answer.

Nothing here means that a message was lost: a refusal is raised before anybody was told that we have it.
"""

import re
from typing import ClassVar, Final

from flowc.runtime.errors import Fault, FlowcError
from flowc.runtime.store.rows import INBOX_LIMIT

RETRY_AFTER_S: Final = 2.0  # of a conversation with a full inbox


class Refusal(FlowcError):  # noqa: N818 - named by the fact
    """The base of all refusals. `status` is what HTTP says for it."""

    fault: ClassVar[Fault] = "caller"
    status: ClassVar[int] = 500

    @classmethod
    def reason(cls) -> str:
        """In words, for metrics and the log: `too busy`."""
        return re.sub(r"(?<!^)(?=[A-Z])", " ", cls.__name__).lower()


class TooBusy(Refusal):
    """Not now: twenty messages of this conversation wait already, or more came than its token or user may send.
    Nothing was stored."""

    status: ClassVar[int] = 429

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(Refusal):
    """The store does not answer, or the engine stops. The same id may be sent again: it is answered once."""

    fault: ClassVar[Fault] = "environment"
    status: ClassVar[int] = 503

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(Refusal):
    """There is more to do than can be done in time. Nothing was stored; the same id may be sent again later."""

    fault: ClassVar[Fault] = "environment"
    status: ClassVar[int] = 503

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Conflict(Refusal):
    """The id came before, with another body."""

    status: ClassVar[int] = 422


class TooLong(Refusal):
    """The text or an event's fields are over the bound."""

    status: ClassVar[int] = 413


class Malformed(Refusal):
    """What came is no message or event of this bot; the text says which part is wrong."""

    status: ClassVar[int] = 422


class Erased(Refusal):
    """The conversation was erased; its address takes nothing any more."""

    status: ClassVar[int] = 410


class NotFound(Refusal):
    """No such conversation."""

    status: ClassVar[int] = 404


def conflict() -> Conflict:
    return Conflict("the id came before with another body")


def erased() -> Erased:
    return Erased("the conversation was erased")


def nobody() -> NotFound:
    """Also for who asks after the conversation of another token."""
    return NotFound("there is no such conversation")


def full() -> TooBusy:
    return TooBusy(f"{INBOX_LIMIT} messages of this conversation wait already", RETRY_AFTER_S)
