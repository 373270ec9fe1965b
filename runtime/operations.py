"""What operators do to a store that may be served just now: one value an operation, and one place that performs them.

The process that has the store performs: the running server, which is asked over HTTP (`POST /admin/NAME`), or where
none runs the command itself, under the store's lock. So an operation is written once, and may be asked for again: done
twice it is done once.
"""

from collections.abc import Mapping
from typing import Final, Protocol, assert_never

from msgspec import Struct, to_builtins

from flowc.runtime.engine.errors import NotFound, full
from flowc.runtime.engine.quarantine import NOBODY, description, found, retried, summary
from flowc.runtime.engine.stored import DismissedBody, body_bytes
from flowc.runtime.store.overview import Pause
from flowc.runtime.store.port import Store
from flowc.runtime.store.recent import event_hash
from flowc.runtime.store.rows import Address, InboxFull, Incoming, Wanted

Told = dict[str, object]  # what an operation answers, ready for JSON


class Erase(Struct, frozen=True, forbid_unknown_fields=True):
    """Deletes all that is known of a conversation, for good. `conversation` is its address: with tokens, NAME/ID.
    `dry`: only tells what that is."""

    conversation: str
    dry: bool = False


class EndConversation(Struct, frozen=True, forbid_unknown_fields=True):
    """Ends a conversation where it stands, as soon as it waits for its user or for people. `dry`: only tells whether
    it lives."""

    conversation: str
    by: str
    dry: bool = False


class PauseService(Struct, frozen=True, forbid_unknown_fields=True):
    """Calls of the service are not sent, jobs wait, until it is resumed."""

    service: str
    by: str


class ResumeService(Struct, frozen=True, forbid_unknown_fields=True):
    """Ends a pause; with `rate`, at so many jobs a second."""

    service: str
    by: str
    rate: int | None = None


class ListPauses(Struct, frozen=True, forbid_unknown_fields=True):
    """The services that are paused, or let out slowly."""


class ListDead(Struct, frozen=True, forbid_unknown_fields=True):
    """The events that were set aside, at most `limit`."""

    limit: int = 100


class ShowDead(Struct, frozen=True, forbid_unknown_fields=True):
    """One of them, by the turn that set it aside."""

    conversation: str
    incarnation: int
    turn: int


class RetryDead(Struct, frozen=True, forbid_unknown_fields=True):
    """Gives one to its conversation again, as a new event. `dry`: only tells whether that could be."""

    conversation: str
    incarnation: int
    turn: int
    dry: bool = False


class SkipDead(Struct, frozen=True, forbid_unknown_fields=True):
    """Lets go of one."""

    conversation: str
    incarnation: int
    turn: int
    dry: bool = False


Operation = (
    Erase | EndConversation | PauseService | ResumeService | ListPauses | ListDead | ShowDead | RetryDead | SkipDead
)

OPERATIONS: Final[Mapping[str, type[Operation]]] = {
    "erase": Erase,
    "end-conversation": EndConversation,
    "pause-service": PauseService,
    "resume-service": ResumeService,
    "list-pauses": ListPauses,
    "list-dead": ListDead,
    "show-dead": ShowDead,
    "retry-dead": RetryDead,
    "skip-dead": SkipDead,
}
NAMES: Final[Mapping[type[Operation], str]] = {kind: name for name, kind in OPERATIONS.items()}


class Running(Protocol):
    """The engine over the store, where one runs."""

    def erased(self, address: Address) -> None:
        """All that the engine holds of the conversation is void."""
        ...

    def look(self, address: Address) -> None:
        """Something came into the conversation's inbox."""
        ...

    def sweep(self) -> None:
        """There may be something to do."""
        ...


async def perform(operation: Operation, store: Store, running: Running | None) -> Told:
    """What came of it. Raises a Refusal for what is not there, StoreUnavailable."""
    match operation:
        case Erase():
            return await _erase(operation, store, running)
        case EndConversation():
            return await _end(operation, store, running)
        case PauseService(service=service, by=by):
            await store.pause(Pause(service, by, store.clock.now_ms()))
            told: Told = {"service": service, "paused": True}
        case ResumeService(service=service, by=by, rate=rate):
            told = {"service": service, "paused": False, "rate": rate, "was_paused": await _resume(operation, store)}
        case ListPauses():
            return {"pauses": [to_builtins(pause) for pause in await store.pauses()]}
        case ListDead() | ShowDead() | RetryDead() | SkipDead():
            return await quarantine(operation, store, running)
        case _:
            assert_never(operation)
    if running is not None:
        running.sweep()
    return told


async def _erase(wanted: Erase, store: Store, running: Running | None) -> Told:
    address = Address(wanted.conversation)
    [loaded] = await store.load([Wanted(address)])
    if loaded.row.turn == 0 and not loaded.inbox and not loaded.row.erased:
        raise NotFound(f"there is no conversation {address}")
    outstanding = len(await store.commands(address))
    if not wanted.dry:
        await store.erase(address)
        if running is not None:
            running.erased(address)
    turns = 0 if loaded.row.erased else loaded.row.turn
    return {"conversation": address, "erased": not wanted.dry, "turns": turns, "commands": outstanding}


async def _end(wanted: EndConversation, store: Store, running: Running | None) -> Told:
    """Puts its end into its inbox, where it is one event of the incarnation, however often it is asked for."""
    address = Address(wanted.conversation)
    [loaded] = await store.load([Wanted(address)])
    if loaded.row.is_new or loaded.row.erased:
        raise NotFound(f"no conversation {address} is going on")
    if not wanted.dry:
        incarnation = loaded.row.incarnation
        body = body_bytes(DismissedBody(wanted.by))
        event = Incoming(address, event_hash("dismissed", str(incarnation)), "event", body, incarnation=incarnation)
        [receipt] = await store.receive([event], NOBODY)
        if isinstance(receipt, InboxFull):
            raise full()
        if running is not None:
            running.look(address)
    return {"conversation": address, "wait": loaded.row.wait}


async def _resume(wanted: ResumeService, store: Store) -> bool:
    if wanted.rate is None:
        return await store.resume(wanted.service)
    was_paused = any(pause.service == wanted.service for pause in await store.pauses())
    if was_paused:
        await store.pause(Pause(wanted.service, wanted.by, store.clock.now_ms(), wanted.rate))
    return was_paused


async def quarantine(
    operation: ListDead | ShowDead | RetryDead | SkipDead, store: Store, running: Running | None
) -> Told:
    """What is done about events that were set aside."""
    if isinstance(operation, ListDead):
        return {"dead": [summary(event) for event in await store.dead(operation.limit)]}
    address, incarnation, turn = Address(operation.conversation), operation.incarnation, operation.turn
    event = await found(store, address, incarnation, turn)
    match operation:
        case ShowDead():
            return {**summary(event), "event": description(event)}
        case RetryDead(dry=dry):
            await retried(store, event, dry=dry)
            if running is not None and not dry:
                running.look(address)
        case SkipDead(dry=dry):
            if not dry:
                await store.bury(address, incarnation, turn)
        case _:
            assert_never(operation)
    return summary(event)
