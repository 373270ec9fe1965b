"""`while busy merge within D`: messages that waited while a turn ran are taken as one."""

from collections.abc import Iterable

from flowc.runtime.engine.message import LONGEST_TEXT_BYTES
from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.stored import MessageBody


def merged(first: Pending, behind: Iterable[Pending], within_ms: int) -> Pending:
    """The first with those directly behind it that came within that time of it: their texts as lines, for the user that
    the last of them named. Anything that is no message ends it, and a text that would get too long."""
    assert isinstance(first.body, MessageBody)
    body, others, size = first.body, list[Pending](), len(first.body.text.encode())
    for each in behind:
        if not isinstance(each.body, MessageBody) or each.at_ms > first.at_ms + within_ms:
            break
        size += 1 + len(each.body.text.encode())
        if size > LONGEST_TEXT_BYTES:
            break
        body = MessageBody(
            f"{body.text}\n{each.body.text}",
            each.body.user or body.user,
            body.proved and each.body.proved,
            body.owner,
        )
        others.append(each)
    if not others:
        return first
    whole = Pending(first.hash, body, first.digest, first.at_ms, first.offered_s)
    whole.number, whole.tries, whole.merged = first.number, first.tries, tuple(others)
    return whole
