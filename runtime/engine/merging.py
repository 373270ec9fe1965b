"""`while busy merge within D`: messages that waited while a turn ran are taken as one."""

from collections.abc import Callable, Iterable
from itertools import dropwhile

from flowc.runtime.engine.inbox import Inbox
from flowc.runtime.engine.message import LONGEST_TEXT_BYTES
from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.perform import Stand
from flowc.runtime.engine.stored import MessageBody
from flowc.runtime.store.recent import EventHash


async def with_those_behind(
    inbox: Inbox, known: Callable[[EventHash], Pending | None], stand: Stand, first: Pending
) -> Pending:
    """The first of the inbox, with those that its flow takes together with it."""
    program = stand.deployed.program
    within_ms = program.flows[program.main].merge_within_ms
    if within_ms is None or not isinstance(first.body, MessageBody):
        return first
    await inbox.look()
    behind = dropwhile(lambda each: each.number is not None and each.number <= (first.number or 0), inbox.events(known))
    return merged(first, behind, within_ms)


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
