"""Events that were set aside, as operators look at them, give them to their conversations again, or let go of them."""

from typing import Final, assert_never

from flowc.runtime.engine.errors import Conflict, NotFound, erased, full
from flowc.runtime.engine.stored import (
    Body,
    DamagedBody,
    DismissedBody,
    ExternalBody,
    HandoffBody,
    MessageBody,
    OpenedBody,
    ResultBody,
    SealedBody,
    TimerBody,
    body_of,
)
from flowc.runtime.store.overview import DeadEvent
from flowc.runtime.store.port import Store
from flowc.runtime.store.recent import event_hash
from flowc.runtime.store.rows import Address, Gone, Holder, InboxFull, Incoming, ServerId

NOBODY: Final = Holder(ServerId("operator"), 0)  # whoever looks next takes what is given to a conversation again
EVERY: Final = 1_000_000


async def found(store: Store, address: Address, incarnation: int, turn: int) -> DeadEvent:
    """Raises NotFound."""
    for event in await store.dead(EVERY):
        if (event.address, event.incarnation, event.turn) == (address, incarnation, turn):
            return event
    raise NotFound(f"nothing was set aside by turn {incarnation}.{turn} of {address}")


def summary(event: DeadEvent) -> dict[str, object]:
    """What may be told of it: never a text or a value."""
    return {
        "conversation": event.address,
        "turn": f"{event.incarnation}.{event.turn}",
        "at_ms": event.at_ms,
        "kind": event.dead.kind,
        "tries": event.dead.tries,
        "reason": event.dead.reason,
    }


def description(event: DeadEvent) -> str:
    """What it names, without texts and values."""
    body = _body_of(event)
    match body:
        case MessageBody(text=text):
            return f"a message of {len(text)} characters"
        case ExternalBody(name=name, fields=fields):
            return f"the event {name}({', '.join(fields)})"
        case OpenedBody():
            return "the channel opens the conversation"
        case HandoffBody(answer=answer):
            return f"people answer: {answer}"
        case ResultBody(key=key):
            return f"the result of the command {key}"
        case TimerBody(after_ms=after_ms):
            return f"a silence of {after_ms / 1000:g} s"
        case DismissedBody():
            return "an operator ends the conversation"
        case SealedBody():
            return "it has a secret"
        case DamagedBody():
            return "what was stored of it cannot be read"
        case None:
            return "the turn that follows the one before"
        case _:
            assert_never(body)


async def retried(store: Store, event: DeadEvent, *, dry: bool) -> None:
    """Given to its conversation again, as a new event. Raises a Refusal."""
    kind, body = event.dead.kind, _body_of(event)
    if kind not in ("message", "event"):
        raise Conflict(f"a {kind} cannot be taken again: its conversation has left the wait that it was for")
    if isinstance(body, DamagedBody):
        raise Conflict("what was stored of it cannot be read: let go of it with `flowc dead skip`")
    if dry:
        return
    again = event_hash("dead", f"{event.incarnation}.{event.turn}")
    incoming = Incoming(event.address, again, kind, event.dead.body)
    receipt = await store.revive(event.address, event.incarnation, event.turn, incoming, NOBODY)
    match receipt:
        case InboxFull():
            raise full()
        case Gone():
            raise erased()
        case None:
            raise NotFound(f"nothing was set aside by turn {event.incarnation}.{event.turn} of {event.address}")
        case _:
            pass


def _body_of(event: DeadEvent) -> Body | None:
    if not event.dead.body:
        return None
    try:
        return body_of(event.dead.body)
    except Exception:  # noqa: BLE001 - that it cannot be read is why it is here
        return DamagedBody(event.dead.kind, event_hash("", ""), event.dead.body)
