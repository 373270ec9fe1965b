"""Carries one turn from an event to the unit that is to be committed: understanding, `advance`, reads.

Nothing is stored here, so all of it can be done again.
"""

import asyncio
from typing import Final, Protocol

from msgspec import Struct, structs

from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.place import Place
from flowc.runtime.engine.stored import (
    Body,
    DamagedBody,
    MessageBody,
    ResultBody,
    SealedBody,
    Spoken,
    body_bytes,
    state_hash,
    tried_of,
)
from flowc.runtime.engine.surroundings import Deployed, Surroundings
from flowc.runtime.engine.turn import (
    Taken,
    closed,
    commands_of,
    event_of,
    key_of,
    moment_at,
    notes_of,
    opens,
    position_bytes,
    recorded,
    spoken_of,
    timers_of,
    without_secret,
)
from flowc.runtime.kernel import asking
from flowc.runtime.kernel.answer import Asking, Step
from flowc.runtime.kernel.events import (
    CallResult,
    CommandKey,
    Continued,
    Faulted,
    Moment,
    ReadRequest,
    Reply,
    Timer,
    Transition,
    Understood,
)
from flowc.runtime.kernel.position import Position
from flowc.runtime.services.port import Call, Seen
from flowc.runtime.store.rows import Dead, Entry, Row, Source, Unit
from flowc.runtime.understanding.port import Heard
from flowc.runtime.values import decode, encode

STORED_AFTER_S: Final = 0.05  # reads that take longer store their message first
NOT_UNDERSTOOD: Final = Understood()
APOLOGY: Final = "Something on our side does not work just now."


class Taking(Protocol):
    """The conversation that takes the turn. `place` is given up while the turn waits for somebody else."""

    place: Place

    def source(self, pending: Pending) -> Source: ...

    async def store_now(self, pending: Pending) -> None: ...


class Stand(Struct, frozen=True):
    """Where a conversation is: its row with the position read, and the version that it runs. `is_earlier`: a later
    incarnation has begun, so that nobody can be waited for any more in this one."""

    row: Row
    position: Position | None
    deployed: Deployed
    is_earlier: bool = False

    @property
    def continues(self) -> bool:
        """Turns follow by themselves: a write or a group of reads is under way."""
        return self.position is not None and self.position.expects in ("write", "reads")

    @property
    def reads(self) -> bool:
        """The turn of a call that follows a reply must be next."""
        return self.position is not None and self.position.expects == "reads"

    def is_foreign(self, pending: Pending) -> bool:
        """The conversation belongs to another token."""
        return self.row.owner != "" and pending.owner not in ("", self.row.owner)


class Begun(Struct, frozen=True):
    """A turn up to its first reads."""

    stand: Stand
    taken: Taken
    step: Step
    opens: bool


class Made(Struct, frozen=True):
    """A turn that only has to be committed: `unit`, from a source that is known when it is."""

    stand: Stand
    position: Position | None
    unit: Unit
    spoken: Spoken
    taken: Taken


class Performer:
    def __init__(self, around: Surroundings) -> None:
        self._around = around

    async def stand(self, row: Row) -> Stand:
        deployed = await self._around.version(row.deployment) if row.deployment else self._around.current
        return Stand(row, decode(row.position, Position) if row.position else None, deployed)

    # --------------------------------------------------------------------------------------------------------- the turn

    async def turn(self, stand: Stand, pending: Pending, taking: Taking) -> Made:
        """Raises Fault, and whatever else a mistake of ours raises."""
        begins, stand = self._opened(stand, pending)
        taken = await self._taken(stand, pending.body, taking)
        return await self.completed(self._begun(stand, pending, taken, opens=begins), pending, taking)

    def begin(self, stand: Stand, pending: Pending, body: MessageBody) -> Begun | None:
        """The turn of a message up to its first reads; None where understanding has to be waited for. Raises as
        `turn`."""
        begins, stand = self._opened(stand, pending)
        now_ms, moment = self._moment(stand.row)
        understood, secret = NOT_UNDERSTOOD, False
        if stand.position is None or stand.position.expects == "user":
            wanted = asking(stand.deployed.loaded, stand.position)
            heard = self._around.understanding.hear(Heard(body.text, moment.now), wanted)
            if heard is None:
                return None
            understood = heard
            secret = self._is_secret(stand, wanted, understood)
        event = event_of(body, moment, stand.row.address, stand.position, understood)
        return self._begun(stand, pending, Taken(event, moment, now_ms, secret), opens=begins)

    def _opened(self, stand: Stand, pending: Pending) -> tuple[bool, Stand]:
        """Whether the event begins an incarnation, and where it finds the conversation then."""
        if pending.body is None or not opens(stand.row, pending.body):
            return False, stand
        return True, structs.replace(stand, position=None, deployed=self._around.current)

    def _begun(self, stand: Stand, pending: Pending, taken: Taken, *, opens: bool) -> Begun:
        if stand.row.ended and not opens and not _is_result(pending):
            step = _unhandled(stand)
        else:
            step = self._around.advance(stand.deployed.loaded, stand.position, taken.event)
        taken.add(step)
        return Begun(stand, taken, step, opens)

    async def completed(self, begun: Begun, pending: Pending, taking: Taking) -> Made:
        """With all that the turn reads."""
        stand, taken, step = begun.stand, begun.taken, begun.step
        while step.reads:
            seen: list[Seen] = []
            results = await self._read(stand, pending, step, taking, seen)
            taken.tried += tried_of(seen)
            taken.secret_reads |= self._are_secret(stand, step.reads)
            step = self._around.advance(stand.deployed.loaded, step.position, taken.add_reads(results))
            taken.add(step)
        if stand.is_earlier and step.position is not None and step.position.expects != "write":
            step = structs.replace(step, position=closed(step.position), timers=(), continues=False, ended=True)
        return self._made(pending, taking.source(pending), stand, taken, step, opens=begun.opens)

    def made(self, begun: Begun, pending: Pending, source: Source) -> Made:
        """A turn that reads nothing."""
        return self._made(pending, source, begun.stand, begun.taken, begun.step, opens=begun.opens)

    async def _taken(self, stand: Stand, body: Body | None, taking: Taking) -> Taken:
        now_ms, moment = self._moment(stand.row)
        if body is None:
            return Taken(Continued(moment), moment, now_ms)
        understood, secret = NOT_UNDERSTOOD, isinstance(body, SealedBody)
        if isinstance(body, MessageBody) and (stand.position is None or stand.position.expects == "user"):
            wanted = asking(stand.deployed.loaded, stand.position)
            heard = Heard(body.text, moment.now)
            understood = await self._understood(heard, wanted, taking)
            secret = self._is_secret(stand, wanted, understood)
        event = event_of(body, moment, stand.row.address, stand.position, understood)
        tried = body.tried if isinstance(body, ResultBody) else ()
        return Taken(event, moment, now_ms, secret, tried=tried)

    async def _understood(self, heard: Heard, wanted: Asking, taking: Taking) -> Understood:
        if not self._around.is_remote:
            return await self._around.understanding.understand(heard, wanted)
        taking.place.rest()
        try:
            return await self._around.understanding.understand(heard, wanted)
        finally:
            taking.place.go_on()

    def _moment(self, row: Row) -> tuple[int, Moment]:
        """The turn's time: the store's, but never before the conversation's last turn."""
        now_ms = max(self._around.store.clock.now_ms(), row.at_ms)
        return now_ms, Moment(moment_at(now_ms), self._around.seed())

    def _is_secret(self, stand: Stand, wanted: Asking, understood: Understood) -> bool:
        """Whether the message has, or was asked for, a secret."""
        slots = stand.deployed.secrets.slots
        if not slots:
            return False
        names = {wanted.asked.name} if wanted.asked is not None else set()
        for found in understood.found:
            names.update(found.slots, () if found.slot is None else (found.slot,))
        return any((wanted.flow, name) in slots for name in names)

    def _are_secret(self, stand: Stand, reads: tuple[ReadRequest, ...]) -> bool:
        results = stand.deployed.secrets.results
        return bool(results) and any((read.service, read.operation) in results for read in reads)

    # ------------------------------------------------------------------------------------------------------------ reads

    async def _read(
        self, stand: Stand, pending: Pending, step: Step, taking: Taking, seen: list[Seen]
    ) -> tuple[CallResult, ...]:
        """The results of one group, all together, and in `seen` the attempts."""
        position = step.position
        assert position is not None
        user = position.user.id if isinstance(pending.body, MessageBody) and pending.body.proved else None
        tasks = [
            asyncio.ensure_future(
                self._around.caller.read(
                    Call(read.service, read.operation, read.arguments, priority=position.priority, user=user, seen=seen)
                )
            )
            for read in step.reads
        ]
        try:
            await asyncio.sleep(0)  # what is answered at once needs no clock
            if not all(task.done() for task in tasks):
                taking.place.rest()
                try:
                    await self._wait_for(tasks, pending, taking)
                finally:
                    taking.place.go_on()
            return tuple([await task for task in tasks])
        finally:
            for task in tasks:
                task.cancel()

    async def _wait_for(self, tasks: list[asyncio.Task[CallResult]], pending: Pending, taking: Taking) -> None:
        """Long reads store their message first, so that it is not lost with us."""
        if pending.kind in ("message", "event") and not pending.is_accepted:
            with self._around.time.timeout(STORED_AFTER_S):
                await asyncio.wait(tasks)
            if not all(task.done() for task in tasks):
                await taking.store_now(pending)
        await asyncio.wait(tasks)

    # ----------------------------------------------------------------------------------------------------------- faults

    def fault(self, stand: Stand, pending: Pending, source: Source, reason: str) -> Made:
        """The turn that sets an event aside."""
        of_message = pending.kind == "message"
        begins, stand = self._opened(stand, pending)
        now_ms, moment = self._moment(stand.row)
        taken = Taken(Faulted(moment, of_message, reason, _key_of(stand, pending)), moment, now_ms)
        dead = Dead(pending.kind, self._set_aside(stand, pending.body), reason, pending.tries)
        try:
            step = self._around.advance(stand.deployed.loaded, stand.position, taken.event)
            taken.add(step)
            if of_message and not taken.replies:
                taken.replies = (Reply(APOLOGY),)
            return self._made(pending, source, stand, taken, step, opens=begins, dead=dead)
        except Exception:  # noqa: BLE001 - the fault reaches the handling of faults: what is left needs no kernel
            step = _last_resort(stand, of_message=of_message)
            taken.replies = step.replies
            return self._made(pending, source, stand, taken, step, opens=begins, dead=dead)

    def _set_aside(self, stand: Stand, body: Body | None) -> bytes:
        """The body of a dead event."""
        if isinstance(body, DamagedBody):
            return body.stored
        return b"" if body is None else body_bytes(self.sealed(stand, body))

    # ------------------------------------------------------------------------------------------------------------- rows

    def _made(
        self,
        pending: Pending,
        source: Source,
        stand: Stand,
        taken: Taken,
        step: Step,
        *,
        opens: bool = False,
        dead: Dead | None = None,
    ) -> Made:
        around, deployed = self._around, stand.deployed
        position = without_secret(step.position, taken.event) if taken.secret else step.position
        packed = position_bytes(position)
        event, reads = recorded(taken, around.seal)
        spoken = spoken_of(taken, step, deployed.program.version)
        entry = Entry(
            event,
            taken.now_ms,
            taken.moment.seed,
            reads,
            encode(spoken),
            len(taken.replies),
            state_hash(packed),
            notes_of(taken, step),
        )
        ended = position is None or position.ended
        unit = Unit(
            stand.row,
            source,
            entry,
            packed,
            "" if position is None else position.wait,
            deployed.number,
            around.holder,
            pending.hash if pending.kind in ("message", "event") else pending.cause,
            "normal" if position is None else position.priority,
            0 if position is None else len(position.deferred),
            opens,
            ended,
            pending.owner,
            commands_of(taken, deployed.program.services, around.holder, deployed.secrets, around.seal),
            timers_of(step, taken.now_ms, around.holder.lease_ms),
            pending.settles,
            pending.attempt,
            takes_next=True,
            dead=dead,
        )
        return Made(stand, position, unit, spoken, taken)

    def sealed(self, stand: Stand | None, body: Body) -> Body:
        """A body as it may be stored. A message is sealed where a secret is asked for, or that cannot be known."""
        slots = self._around.current.secrets.slots
        if not slots or not isinstance(body, MessageBody):
            return body
        if stand is not None:
            wanted = asking(stand.deployed.loaded, stand.position)
            if wanted.asked is None or (wanted.flow, wanted.asked.name) not in slots:
                return body
        return SealedBody(self._around.seal.close(body_bytes(body)), body.user)


def with_source(unit: Unit, source: Source) -> Unit:
    return unit if unit.source == source else structs.replace(unit, source=source)


def _key_of(stand: Stand, pending: Pending) -> CommandKey | None:
    """The command whose result it is."""
    if isinstance(pending.body, DamagedBody):
        return key_of(stand.position, pending.body)
    return pending.body.key if isinstance(pending.body, ResultBody | SealedBody) else None


def _is_result(pending: Pending) -> bool:
    return pending.kind == "result" and pending.body is not None


def _unhandled(stand: Stand) -> Step:
    """An event for a conversation that is over is recorded, and changes nothing."""
    return Step(stand.position, transitions=(Transition("unhandled", "", ""),), ended=True)


def _last_resort(stand: Stand, *, of_message: bool) -> Step:
    if of_message and stand.position is not None:
        timers = [Timer(timer.generation, timer.after_ms, moment_at(timer.due_ms)) for timer in stand.row.timers]
        return Step(stand.position, (Reply(APOLOGY),), timers=tuple(timers))
    return Step(None, (Reply(APOLOGY),) if of_message else (), ended=True, outcome="fault")
