"""Turns and replies as JSON objects: the same from every face, as docs/http.md shows them."""

from flowc.runtime.engine.message import Sent, Turn, Whereabouts
from flowc.runtime.kernel.events import Reply

__all__ = ["content_json", "reply_json", "turn_json", "whereabouts_json"]


def turn_json(turn: Turn, conversation: str) -> dict[str, object]:
    """A turn; what is not there is left out."""
    body: dict[str, object] = {
        "conversation": conversation,
        "turn": turn.turn,
        "version": turn.version,
        "replies": [reply_json(sent) for sent in turn.replies],
        "state": turn.state,
    }
    optional = {"intent": turn.intent, "outcome": turn.outcome, "duplicate": turn.duplicate, "queued": turn.queued}
    body.update((key, value) for key, value in optional.items() if value)
    return body


def reply_json(sent: Sent) -> dict[str, object]:
    """One reply with its id."""
    return {"id": sent.id, **content_json(sent)}


def content_json(said: Sent | Reply) -> dict[str, object]:
    """What is said; buttons, images and links only where there are some."""
    body: dict[str, object] = {"text": said.text}
    if said.buttons:
        body["buttons"] = list(said.buttons)
    if said.images:
        body["images"] = list(said.images)
    if said.links:
        body["links"] = [{"label": link.label, "url": link.url} for link in said.links]
    return body


def whereabouts_json(found: Whereabouts, conversation: str) -> dict[str, object]:
    """Where a conversation is. What it knows is not told here: it may be private."""
    return {
        "conversation": conversation,
        "turn": found.turn,
        "version": found.version,
        "state": found.state,
        "waits": list(found.waits),
    }
