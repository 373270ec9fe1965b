"""The engine: conversations of one bot over one store. Opened for as long as a server runs; every face talks to it.

Turns, calls and commits run in tasks of the engine. Who asked may go away, which changes nothing.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Final, Literal

import anyio

from flowc.runtime.engine.answers import answer_of
from flowc.runtime.engine.census import Standing
from flowc.runtime.engine.commands import Commands
from flowc.runtime.engine.counts import Counts
from flowc.runtime.engine.errors import Malformed, NotFound, Overloaded, Refusal, TooLong, Unavailable
from flowc.runtime.engine.gate import Gate
from flowc.runtime.engine.keeper import keep
from flowc.runtime.engine.message import LONGEST_TEXT_BYTES, Accepted, Message, Sent, Turn, Whereabouts
from flowc.runtime.engine.opening import Given, surroundings_of
from flowc.runtime.engine.pending import Pending, hash_of
from flowc.runtime.engine.perform import Performer
from flowc.runtime.engine.randomness import PooledRandom
from flowc.runtime.engine.session import Session
from flowc.runtime.engine.stored import (
    ExternalBody,
    HandoffBody,
    MessageBody,
    OpenedBody,
    Spoken,
    digest_of,
    digest_of_event,
)
from flowc.runtime.engine.surroundings import Surroundings, Understanding
from flowc.runtime.engine.sweeper import EVERY_S, Sweeper
from flowc.runtime.engine.turn import rest_of
from flowc.runtime.environment import Environment
from flowc.runtime.errors import StoreUnavailable, named
from flowc.runtime.kernel.events import User
from flowc.runtime.kernel.position import Position
from flowc.runtime.operations import Operation, Told, perform
from flowc.runtime.program import Program, Words
from flowc.runtime.services.port import Caller, Clock, LoopClock
from flowc.runtime.store.port import ALL_SHARDS, Store
from flowc.runtime.store.rows import Address, Loaded, Unit, Wanted
from flowc.runtime.telemetry import Log, silent
from flowc.runtime.telemetry.metrics import Metrics
from flowc.runtime.telemetry.tracing import Tracing
from flowc.runtime.values import Malformed as MalformedValue
from flowc.runtime.values import Shapes, Value, decode, from_json

MOST_SESSIONS: Final = 10_000  # held in memory, 10 KB each; idle ones beyond go first. 50,000 made turns a tenth slower
DEFAULT_REPLY_WITHIN_MS: Final = 10_000
DRAIN_S: Final = 30.0

Place = tuple[int, int, int]  # incarnation, turn, index


class Engine:
    """Made by `Engine.open`."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._performer = Performer(around)
        self._counts = Counts(around.metrics)
        self._standing = Standing(around)
        self._kind_of_session = _kind_of_session(around)
        self._sessions: OrderedDict[Address, Session] = OrderedDict()
        self._commands = Commands(around, self._session, self._look_for_commands)
        self._sweeper = Sweeper(around, self._commands, self._session)
        self._gate = Gate(around)
        self._is_draining = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        bundle: bytes | Program,
        environment: Environment,
        *,
        store: Store | None = None,
        services: Caller | None = None,
        understanding: Understanding | None = None,
        clock: Clock | None = None,
        rng: Random | None = None,
        log: Log = silent,
        metrics: Metrics | None = None,
        tracing: Tracing | None = None,
        sweep_every_s: float = EVERY_S,
        drain_s: float = DRAIN_S,
    ) -> AsyncIterator["Engine"]:
        """A running engine; what is not given is opened as `environment` says. Raises what that raises."""
        given = Given(
            store,
            services,
            understanding,
            clock or LoopClock(),
            rng or PooledRandom(),
            log,
            metrics or Metrics(),
            tracing,
        )
        async with (
            surroundings_of(bundle, environment, given) as around,
            cls.over(around, sweep_every_s=sweep_every_s, drain_s=drain_s) as engine,
        ):
            if environment.keep_ms is not None:
                around.start(keep(around, environment.keep_ms))
            yield engine

    @classmethod
    @asynccontextmanager
    async def over(
        cls, around: Surroundings, *, sweep_every_s: float = EVERY_S, drain_s: float = DRAIN_S
    ) -> AsyncIterator["Engine"]:
        """A running engine over what is open already."""
        engine = cls(around)
        await around.store.delay_overdue(ALL_SHARDS)
        around.start(engine._sweeper.run(sweep_every_s))
        try:
            yield engine
        finally:
            with anyio.move_on_after(drain_s, shield=True):
                await engine.drain()

    @property
    def is_quiet(self) -> bool:
        """Nothing is under way."""
        is_idle = not any(session.is_running for session in self._sessions.values())
        return is_idle and not self._commands.is_busy and self._sweeper.is_waiting

    @property
    def tracing(self) -> Tracing | None:
        """Traces, where somebody wants them."""
        return self._around.tracing

    def refused(self, refusal: Refusal) -> None:
        """Counts and logs what a channel was refused; never its text."""
        reason = refusal.reason()
        self._around.metrics.refusals.add(reason)
        if isinstance(refusal, Overloaded):
            return  # there are many, and the gate has told
        self._around.log("info" if refusal.fault == "caller" else "warning", "refused", {"reason": reason})

    def failed(self, error: Exception) -> None:
        """Logs a mistake of ours that a channel met: its kind and place; its message may have a value in it."""
        self._around.log("error", "request failed", {"error": named(error)})

    async def counted(self) -> Metrics:
        """What it counts, with what the store knows."""
        await self._standing.count()
        return self._around.metrics

    def sweep(self) -> None:
        """Looks now for what is due, not only when it is time to."""
        self._sweeper.poke()

    # ---------------------------------------------------------------------------------------------------- what comes in

    async def handle(self, message: Message) -> Turn:
        """The answer to a message, when all turns that it causes are over. Raises a Refusal."""
        return await self._offer(message.conversation, _pending_message(message))

    async def accept(self, message: Message) -> Turn | Accepted:
        """As `handle`, for a channel with a stream: what outlives `reply within`, or has to wait for so long that its
        calls could, is stored and answered there."""
        pending = _pending_message(message)
        session = self._session(Address(message.conversation))
        is_open = self._is_draining or self._gate.is_open
        decision = "admit" if is_open else await self._gate.pass_in(session, pending)
        answer = self._offered(session, pending)
        if decision == "admit":
            await self._first_words(session, pending, answer)
        if not answer.done():
            await session.intake.store_now(pending)
        if answer.done():
            return answer.result()
        answer.add_done_callback(_heard_by_nobody)
        said = session.said(pending)
        return Accepted(message.conversation, None if said else self._word_for_the_wait(), said)

    async def _first_words(self, session: Session, pending: Pending, answer: asyncio.Future[Turn]) -> None:
        """Until the answer is there, or words have to leave: at the end of `reply within`, and of a message that is not
        begun when only the time of its calls is left. Who waits may go away, the turn goes on."""
        program = self._around.current.program
        within_s = self._reply_within_s()
        if not session.has_begun(pending):
            slack_s = max(0.0, within_s - program.first_words_ms / 1000)
            with self._around.time.timeout(slack_s):
                await asyncio.shield(answer)
            within_s -= slack_s
            if answer.done() or not session.has_begun(pending):
                return
        with self._around.time.timeout(within_s):
            await asyncio.shield(answer)

    async def open_conversation(
        self, conversation: str, user: User | None = None, *, id: str | None = None, owner: str = ""
    ) -> Turn:
        """The channel begins the conversation; one that runs stays where it is."""
        pending = Pending(hash_of("open", id), OpenedBody(user, owner), digest_of(conversation))
        return await self._offer(conversation, pending)

    async def send_event(
        self,
        conversation: str,
        name: str,
        fields: Mapping[str, object],
        id: str,
        *,
        user: User | None = None,
        scope: str = "",
        owner: str = "",
    ) -> Turn:
        """Something that the outside world tells a conversation. `fields` as JSON."""
        values = self._fields(name, fields)
        pending = Pending(
            hash_of(f"event {scope}", id), ExternalBody(name, values, user, owner), digest_of_event(name, values)
        )
        return await self._offer(conversation, pending)

    async def answer_handoff(
        self, conversation: str, answer: Literal["returned", "unavailable"], *, id: str | None = None
    ) -> Turn:
        """People give the conversation back, or are not there."""
        return await self._offer(conversation, Pending(hash_of("handoff", id), HandoffBody(answer), digest_of(answer)))

    async def erase(self, conversation: str) -> bool:
        """Deletes all that is known of it, for good; False where nobody was."""
        address = Address(conversation)
        row = await self._around.store.erase(address)
        if row is not None:
            self.erased(address)
        return row is not None

    def erased(self, address: Address) -> None:
        """Forgets what is held of a conversation that the store no longer has."""
        self._session(address).erase()

    def look(self, address: Address) -> None:
        """Something came into the conversation's inbox that no session put there."""
        self._session(address).look()

    async def operate(self, operation: Operation) -> Told:
        """Does what an operator asks for. Raises a Refusal."""
        try:
            return await perform(operation, self._around.store, self)
        except StoreUnavailable as error:
            raise Unavailable(str(error)) from error

    # ---------------------------------------------------------------------------------------------------------- looking

    async def not_ready(self) -> tuple[str, ...]:
        """Why no message can be taken now; empty where one can."""
        if self._is_draining:
            return ("the server stops",)
        try:
            await self._around.store.deployments(1)
        except StoreUnavailable as error:
            return (str(error),)
        return ()

    async def conversation(self, conversation: str) -> Whereabouts:
        """Where it is. Raises NotFound, Unavailable."""
        row = (await self._loaded(conversation)).row
        if row.turn == 0 or row.erased:
            raise NotFound(f"there is no conversation {conversation}")
        position = decode(row.position, Position) if row.position else None
        deployed = await self._around.version(row.deployment)
        return Whereabouts(
            conversation,
            row.incarnation,
            row.turn,
            deployed.program.version,
            "ended" if row.ended else rest_of(position),
            () if position is None else position.waits,
            {} if position is None or not position.frames else _variables(position),
            row.owner,
        )

    async def replies(self, conversation: str, after: str | None = None) -> AsyncIterator[Sent]:
        """Every reply after the one with that id, as they leave; ends with the engine."""
        address, last = Address(conversation), _place_of(after)
        session = self._session(address)
        woken = asyncio.Event()
        session.watchers.add(woken)
        try:
            while not self._is_draining:
                woken.clear()
                async for reply in self._recorded(address, last):
                    last = _place_of(reply.id)
                    yield reply
                await woken.wait()
        finally:
            session.watchers.discard(woken)

    async def recorded(self, conversation: str, after: str | None = None) -> tuple[Sent, ...]:
        """The replies so far after the one with that id."""
        return tuple([reply async for reply in self._recorded(Address(conversation), _place_of(after))])

    async def _recorded(self, address: Address, last: Place) -> AsyncIterator[Sent]:
        """In the order of their commits, which is not always that of their ids: the jobs of a conversation that is over
        may speak when the next one has begun."""
        incarnation, turn, index = last
        is_past = turn == 0
        after = (incarnation, turn - 1)
        while found := await self._around.store.replies(address, after):
            for each in found:
                answer = answer_of(address, each.incarnation, each.turn, decode(each.replies, Spoken))
                if is_past:
                    for reply in answer.replies:
                        yield reply
                elif (each.incarnation, each.turn) == (incarnation, turn):
                    is_past = True
                    for reply in answer.replies[index + 1 :]:
                        yield reply
            after = (found[-1].incarnation, found[-1].turn)

    async def drain(self) -> None:
        """Takes nothing more, and waits for what is under way. What waits stays in the store."""
        self._is_draining = self._around.is_stopping = True
        for session in self._sessions.values():
            session.stop()
            for watcher in session.watchers:
                watcher.set()
        while not all(session.is_idle for session in self._sessions.values()) or self._commands.is_busy:  # noqa: ASYNC110  # rare
            await anyio.sleep(0.01)

    # ----------------------------------------------------------------------------------------------------------- inside

    async def _offer(self, conversation: str, pending: Pending) -> Turn:
        session = self._session(Address(conversation))
        if not self._gate.is_open and not self._is_draining:
            await self._gate.pass_in(session, pending)
        return await self._offered(session, pending)

    def _offered(self, session: Session, pending: Pending) -> asyncio.Future[Turn]:
        if self._is_draining:
            raise Unavailable("the server stops")
        pending.at_ms, pending.offered_s = self._around.store.clock.now_ms(), self._around.time.now()
        return session.offer(pending)

    def _session(self, address: Address) -> Session:
        session = self._sessions.get(address)
        if session is None:
            session = self._sessions[address] = self._kind_of_session(
                address, self._around, self._performer, self._counts, self._begin
            )
            if len(self._sessions) > MOST_SESSIONS:
                self._let_go()
        else:
            self._sessions.move_to_end(address)
        return session

    def _let_go(self) -> None:
        """Forgets the conversation that was idle longest; the store has it."""
        for address, session in self._sessions.items():
            if session.is_idle:
                del self._sessions[address]
                return

    def _look_for_commands(self) -> None:
        self._sweeper.poke_commands()

    def _begin(self, unit: Unit) -> None:
        self._commands.begin(unit)

    async def _loaded(self, conversation: str) -> Loaded:
        try:
            return (await self._around.store.load([Wanted(Address(conversation))]))[0]
        except StoreUnavailable as error:
            raise Unavailable(str(error)) from error

    def _fields(self, name: str, fields: Mapping[str, object]) -> dict[str, Value]:
        program = self._around.current.program
        declared = next((flow.events[name] for flow in program.flows.values() if name in flow.events), None)
        if declared is None:
            raise Malformed(f"{program.bot} has no event `{name}`")
        unknown = fields.keys() - {field.name for field in declared.fields}
        if unknown:
            raise Malformed(f"event `{name}` has no field `{min(unknown)}`")
        shapes = Shapes(program.records, program.zone, program.currency)
        values: dict[str, Value] = {}
        for field in declared.fields:
            try:
                values[field.name] = from_json(field.type, fields.get(field.name), shapes)
            except MalformedValue as error:
                raise Malformed(f"`{field.name}` of event `{name}`: {error}") from error
        return values

    def _reply_within_s(self) -> float:
        program = self._around.current.program
        return (program.flows[program.main].reply_within_ms or DEFAULT_REPLY_WITHIN_MS) / 1000

    def _word_for_the_wait(self) -> str | None:
        program = self._around.current.program
        template = program.flows[program.main].reply_within_text
        if template is None:
            return None
        return "".join(part.text for part in template.parts if isinstance(part, Words))


def _kind_of_session(around: Surroundings) -> type[Session]:
    if around.tracing is None:
        return Session
    from flowc.runtime.engine.traced import TracedSession

    return TracedSession


def _heard_by_nobody(answer: asyncio.Future[Turn]) -> None:
    """Whoever asked has gone with words; the stream has the rest."""
    if not answer.cancelled():
        answer.exception()


def _pending_message(message: Message) -> Pending:
    """Raises TooLong, Malformed."""
    if len(message.text.encode()) > LONGEST_TEXT_BYTES:
        raise TooLong(f"a message may have {LONGEST_TEXT_BYTES // 1024} KiB at most")
    if not message.conversation:
        raise Malformed("a message needs the id of its conversation")
    body = MessageBody(message.text, message.user, message.proved, message.owner)
    return Pending(hash_of(message.scope, message.id), body, digest_of(message.text))


def _variables(position: Position) -> dict[str, object]:
    run = next(run for run in position.runs if run.serial == position.frames[-1].run)
    return dict(run.variables)


def _place_of(id: str | None) -> Place:
    """Incarnation, turn and index of a reply's id. Raises Malformed."""
    if id is None:
        return (0, 0, 0)
    parts = id.split(".")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise Malformed(f"`{id}` is no id of a reply")
    return (int(parts[0]), int(parts[1]), int(parts[2]))
