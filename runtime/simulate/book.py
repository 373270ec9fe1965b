"""What must hold, whatever happens: the book of a simulated world, written by who sees everything and forgets nothing.

It is told of each thing that a store did, a backend did and a client got, and checks at once what runtime.md promises.
It knows no fault: what it believes of the store it reads from the answers of the store itself, and where nobody
learned the answer (a crash, a failing disk) it looks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from flowc.runtime.engine.message import Accepted, Sent, Turn
from flowc.runtime.engine.replay import again
from flowc.runtime.engine.seal import Seal
from flowc.runtime.engine.stored import (
    CommandBody,
    ResultBody,
    SealedBody,
    Spoken,
    TimerBody,
    body_of,
    state_hash,
)
from flowc.runtime.engine.turn import position_bytes
from flowc.runtime.kernel import LoadedProgram, Position
from flowc.runtime.kernel.events import CallFailure, CallResult, CommandKey, Succeeded
from flowc.runtime.program import Operation
from flowc.runtime.simulate.backends import Effect
from flowc.runtime.store.recent import EventHash
from flowc.runtime.store.rows import (
    Address,
    Behind,
    Committed,
    Continuing,
    Direct,
    FromInbox,
    Incoming,
    JournalRow,
    Known,
    Outcome,
    Receipt,
    Received,
    Result,
    Row,
    Settled,
    Settlement,
    SilenceTimer,
    StoredCommand,
    Unit,
)
from flowc.runtime.values import decode, encode

LIMITED: Final = ("message", "event")  # kinds whose ids are remembered


class Violation(AssertionError):  # noqa: N818 - what it says
    """A promise was broken."""


@dataclass(slots=True)
class KeptCommand:
    """A write, from its commit on. `wait_ms`: when somebody may next look at it."""

    address: Address
    incarnation: int
    service: str
    operation: str
    arguments: bytes
    wait_ms: int
    result: CallResult | None = None
    effect: Effect | None = None
    attempts: int = 0


@dataclass(slots=True)
class Said:
    """A turn's replies, and whether no other turn follows by itself."""

    replies: tuple[tuple[str, str], ...]
    rests: bool


@dataclass(slots=True)
class Kept:
    """All that is known of a conversation."""

    address: Address
    current: int = 0
    is_erased: bool = False
    turns: dict[int, int] = field(default_factory=dict)
    positions: dict[int, Position | None] = field(default_factory=dict)
    timers: dict[int, tuple[SilenceTimer, ...]] = field(default_factory=dict)
    inbox: dict[int, Incoming] = field(default_factory=dict)
    taken: set[tuple[str, EventHash, int | None]] = field(default_factory=set)
    replies: list[tuple[str, str]] = field(default_factory=list)
    caused: dict[EventHash, list[Said]] = field(default_factory=dict)
    dropped: set[EventHash] = field(default_factory=set)
    merged: dict[EventHash, EventHash] = field(default_factory=dict)  # the message in whose turn one was taken

    @property
    def position(self) -> Position | None:
        return self.positions.get(self.current)


@dataclass(slots=True)
class Book:
    """`operations` of the program, by service and name."""

    loaded: LoadedProgram
    operations: dict[tuple[str, str], Operation]
    of: dict[Address, Kept] = field(default_factory=dict)
    commands: dict[CommandKey, KeptCommand] = field(default_factory=dict)
    turns: int = 0
    fired: int = 0
    violations: list[str] = field(default_factory=list)
    told: Callable[[], None] | None = None  # of a violation
    changed: Callable[[], None] | None = None  # what is due may be due at another time

    def moved(self) -> None:
        if self.changed is not None:
            self.changed()

    def broken(self, sentence: str) -> Violation:
        """Notes a promise that was broken: whoever is interrupted by it may take it for a mistake of its own."""
        self.violations.append(sentence)
        if self.told is not None:
            self.told()
        return Violation(sentence)

    def kept(self, address: Address) -> Kept:
        found = self.of.get(address)
        if found is None:
            found = self.of[address] = Kept(address)
        return found

    # ------------------------------------------------------------------------------------------------------------ turns

    def committed(self, unit: Unit, outcome: Outcome, seal: Seal, now_ms: int) -> None:
        """What the store answered to a unit."""
        match outcome:
            case Committed(row=row):
                self.turn(unit, row, seal, now_ms)
            case Behind(number=number) if isinstance(unit.source, Direct):
                self._stored(unit.source.event, number)
            case _:
                pass

    def turn(self, unit: Unit, row: Row | None, seal: Seal, now_ms: int) -> None:
        """A turn is there. `row` as the store gave it, where it did."""
        one, incarnation = self.kept(unit.base.address), unit.incarnation
        if one.is_erased:
            raise self.broken(f"{one.address}: a turn after its erasure")
        if unit.opens:
            self._opens(one, incarnation)
        last = one.turns.get(incarnation, 0)
        if unit.turn != last + 1:
            raise self.broken(f"{one.address}: turn {unit.turn} after turn {last} of incarnation {incarnation}")
        event = self._consumed(one, unit, now_ms)
        one.turns[incarnation] = unit.turn
        one.timers[incarnation] = unit.timers
        self.turns += 1
        self._replayed(one, unit, row, seal)
        self._spoken(one, unit, event)
        for new in unit.commands:
            if new.key in self.commands:
                raise self.broken(f"{one.address}: the key {new.key} for two effects")
            wait_ms = now_ms + new.holder.lease_ms if new.holder is not None else new.due_ms
            self.commands[new.key] = KeptCommand(
                one.address, incarnation, new.service, new.operation, new.body, wait_ms
            )
        if unit.settles is not None:
            assert event is not None
            self._told(unit.settles, event, seal)
        self.moved()

    def _opens(self, one: Kept, incarnation: int) -> None:
        if incarnation != one.current + 1:
            raise self.broken(f"{one.address}: incarnation {incarnation} after {one.current}")
        if one.position is not None and not one.position.ended:
            raise self.broken(f"{one.address}: an incarnation begins where one lives")
        one.current = incarnation

    def _consumed(self, one: Kept, unit: Unit, now_ms: int) -> Incoming | None:
        match unit.source:
            case Continuing():
                before = one.positions.get(unit.incarnation)
                if before is None or before.expects != "reads":
                    raise self.broken(f"{one.address}: a turn without an event")
                return None
            case Direct(event=event, awaited=awaited):
                if not awaited and one.inbox:
                    raise self.broken(f"{one.address}: a {event.kind} overtakes the inbox {sorted(one.inbox)}")
            case FromInbox(number=number, merged=merged):
                if number not in one.inbox:
                    raise self.broken(f"{one.address}: event {number} is not in the inbox")
                event = one.inbox.pop(number)
                before_it = [each for each, other in one.inbox.items() if each < number and other.kind == "message"]
                if event.kind != "result" and before_it:
                    raise self.broken(f"{one.address}: event {number} overtakes the messages {before_it}")
                self._merged(one, unit, event, merged)
            case _:
                assert_never(unit.source)
        self._once(one, event, unit.incarnation)
        if event.kind == "timer":
            self._due(one, unit, event, now_ms)
        return event

    def _merged(self, one: Kept, unit: Unit, first: Incoming, merged: tuple[int, ...]) -> None:
        """Messages that one turn takes with the first: all that are behind it up to the last of them."""
        if not merged:
            return
        behind = [each for each, other in sorted(one.inbox.items()) if other.kind == "message" and each <= merged[-1]]
        if tuple(behind) != merged:
            raise self.broken(f"{one.address}: {merged} are merged, where {behind} wait")
        for number in merged:
            event = one.inbox.pop(number)
            self._once(one, event, unit.incarnation)
            one.merged[event.hash] = first.hash

    def _once(self, one: Kept, event: Incoming, incarnation: int) -> None:
        name = (event.kind, event.hash, None if event.kind in LIMITED else incarnation)
        if name in one.taken:
            raise self.broken(f"{one.address}: the {event.kind} {event.hash.hex()} is consumed twice")
        one.taken.add(name)

    def _due(self, one: Kept, unit: Unit, event: Incoming, now_ms: int) -> None:
        body = body_of(event.body)
        assert isinstance(body, TimerBody)
        timers = one.timers.get(unit.incarnation, ())
        found = [each for each in timers if (each.generation, each.after_ms) == (body.generation, body.after_ms)]
        if not found:
            raise self.broken(f"{one.address}: a timer of a wait that was left, generation {body.generation}")
        if found[0].due_ms > now_ms:
            raise self.broken(f"{one.address}: a timer {found[0].due_ms - now_ms} ms early")
        self.fired += 1

    def _replayed(self, one: Kept, unit: Unit, row: Row | None, seal: Seal) -> None:
        """The journal replays to the stored state."""
        incarnation, entry = unit.incarnation, unit.entry
        before = None if unit.opens else one.positions.get(incarnation)
        journal = JournalRow(
            one.address, incarnation, unit.turn, unit.deployment, unit.wait, unit.ended, unit.cause, entry
        )
        position = again(self.loaded, before, journal, seal)
        packed = position_bytes(position)
        if packed != unit.position or state_hash(packed) != entry.state_hash:
            raise self.broken(f"{one.address}: turn {unit.turn} replays to another state")
        if row is not None and row.position != (b"" if unit.ended and not unit.jobs else unit.position):
            raise self.broken(f"{one.address}: the row of turn {unit.turn} has another state")
        one.positions[incarnation] = position

    def _spoken(self, one: Kept, unit: Unit, event: Incoming | None) -> None:
        spoken = decode(unit.entry.replies, Spoken)
        said = tuple(
            [(f"{unit.incarnation}.{unit.turn}.{index}", each.text) for index, each in enumerate(spoken.replies)]
        )
        one.replies.extend(said)
        if unit.cause is not None:
            one.caused.setdefault(unit.cause, []).append(Said(said, spoken.rests))

    # ------------------------------------------------------------------------------------------------------------ inbox

    def received(self, event: Incoming, receipt: Receipt) -> None:
        match receipt:
            case Received(number=number):
                self._stored(event, number)
            case Known(number=int() as number):
                if number not in self.kept(event.address).inbox:
                    raise self.broken(f"{event.address}: it is said to wait under {number}, and does not")
            case _:
                pass

    def _stored(self, event: Incoming, number: int) -> None:
        one = self.kept(event.address)
        known = one.inbox.get(number)
        if known is not None and known.hash != event.hash:
            raise self.broken(f"{one.address}: number {number} of the inbox for two events")
        if event.kind in LIMITED and (event.kind, event.hash, None) in one.taken:
            raise self.broken(f"{one.address}: an event that was consumed is in the inbox again")
        one.inbox[number] = event
        self.moved()

    def discarded(self, address: Address, number: int) -> None:
        """Only what can never be taken may go without a turn."""
        one = self.kept(address)
        gone = one.inbox.pop(number, None)
        if gone is not None and gone.kind == "message":
            raise self.broken(f"{address}: an accepted message is dropped")
        if gone is not None:
            one.dropped.add(gone.hash)

    def erased(self, address: Address) -> None:
        one = self.of[address] = Kept(address, self.kept(address).current, is_erased=True)
        for key in [key for key, command in self.commands.items() if command.address == one.address]:
            self.commands[key].wait_ms = -1

    # --------------------------------------------------------------------------------------------------------- commands

    def outstanding(self, one: Kept) -> set[CommandKey]:
        return {
            key
            for key, command in self.commands.items()
            if command.address == one.address and command.result is None and not one.is_erased
        }

    def settled(self, result: Result, settlement: Settlement, seal: Seal) -> None:
        key, event = result.key, result.event
        if isinstance(settlement, Settled):
            self._told(key, event, seal)
            self._stored(event, settlement.number)
        elif result.attempt is None and self.commands[key].result is None and not self.kept(event.address).is_erased:
            raise self.broken(f"{event.address}: the result of {key} is taken for a second one")

    def waits(self, key: CommandKey, until_ms: int) -> None:
        """A command that was started, claimed or given back."""
        self.commands[key].wait_ms = until_ms
        self.moved()

    def _told(self, key: CommandKey, event: Incoming, seal: Seal) -> None:
        """The result of a command: one, and true."""
        command = self.commands.get(key)
        if command is None:
            raise self.broken(f"{event.address}: a result of no command, {key}")
        if command.result is not None:
            raise self.broken(f"{event.address}: a second result of {key}")
        command.result = _result_of(event, seal)
        match command.result:
            case Succeeded(value=value):
                if command.effect is None:
                    raise self.broken(f"{event.address}: {command.operation} is told as done, and is not")
                if encode(value) != encode(command.effect.value):
                    raise self.broken(f"{event.address}: {command.operation} is told with another value")
            case CallFailure(kind="unknown"):
                pass
            case CallFailure(kind=kind):
                if command.effect is not None:
                    raise self.broken(f"{event.address}: {command.operation} is told as {kind}, and is done")
            case _:
                assert_never(command.result)

    # --------------------------------------------------------------------------------------------------------- backends

    def attempted(self, service: str, operation: str, key: str | None, command: str | None) -> None:
        """A write left for its backend."""
        known = self.commands.get(CommandKey(command or ""))
        if known is None:
            raise self.broken(f"{service}.{operation} leaves before its commit")
        known.attempts += 1
        declared = self.operations[service, operation].key
        if (service, operation) != (known.service, known.operation):
            raise self.broken(f"{command} is attempted as {service}.{operation}")
        if declared is not None and key != command:
            raise self.broken(f"{service}.{operation}: another key in attempt {known.attempts}")

    def done(self, effect: Effect) -> None:
        """A backend did something."""
        command = self.commands.get(CommandKey(effect.command or ""))
        if command is None:
            raise self.broken(f"{effect.service}.{effect.operation} is done before its commit")
        if command.effect is not None:
            raise self.broken(f"{command.address}: {effect.operation} is done twice")
        body = decode(command.arguments, CommandBody)
        if not body.sealed and encode(dict(effect.arguments)) != encode(dict(body.arguments)):
            raise self.broken(f"{command.address}: {effect.operation} is done with other arguments")
        command.effect = effect
        if isinstance(command.result, CallFailure) and command.result.kind != "unknown":
            raise self.broken(
                f"{command.address}: {effect.operation} was told as {command.result.kind}, and is done later"
            )

    # ---------------------------------------------------------------------------------------------------------- clients

    def answered(self, name: EventHash, answer: Turn | Accepted) -> None:
        """A client has an answer: what it was told is there, whole and in order."""
        one = self.kept(Address(answer.conversation))
        if one.is_erased:
            return
        waits = any(event.hash == name for event in one.inbox.values())
        if isinstance(answer, Accepted):
            if not waits and one.merged.get(name, name) not in one.caused:
                raise self.broken(f"{one.address}: it is said to be accepted, and is not stored")
            return
        said = tuple([(reply.id, reply.text) for reply in answer.replies])
        turns = one.caused.get(one.merged.get(name, name))
        if answer.queued and (waits or turns is not None):
            return  # it is told that it is stored, no more
        if turns is None:
            if said:
                raise self.broken(f"{one.address}: replies to an event that was not taken")
            return
        if said not in _whole(turns):
            raise self.broken(f"{one.address}: the answer {said} is none of {_whole(turns)}")

    def streamed(self, address: Address, heard: Sequence[Sent]) -> None:
        """What a stream has given so far: all replies from the first on, in order."""
        one = self.kept(address)
        got = [(reply.id, reply.text) for reply in heard]
        if not one.is_erased and got != one.replies[: len(got)]:
            raise self.broken(f"{address}: a stream gives {got}, said was {one.replies}")

    # -------------------------------------------------------------------------------------------------------- the state

    def matches(self, row: Row, inbox: Sequence[int], commands: Sequence[StoredCommand]) -> None:
        """What the store has of an address is what was promised: nothing lost, nothing more. And it can move."""
        one = self.kept(row.address)
        if one.is_erased:
            if not row.erased or inbox or commands:
                raise self.broken(f"{one.address}: something is left after its erasure")
            return
        if (row.incarnation, row.turn) != (one.current, one.turns.get(one.current, 0)):
            raise self.broken(
                f"{one.address}: stored is turn {row.incarnation}.{row.turn}, promised was "
                f"{one.current}.{one.turns.get(one.current, 0)}"
            )
        if list(inbox) != sorted(one.inbox):
            raise self.broken(f"{one.address}: in the inbox is {list(inbox)}, promised was {sorted(one.inbox)}")
        stored, promised = {command.key for command in commands}, self.outstanding(one)
        if stored != promised:
            raise self.broken(f"{one.address}: stored commands {sorted(stored)}, promised {sorted(promised)}")
        self._moves(one, row)

    def _moves(self, one: Kept, row: Row) -> None:
        """Every live conversation has a reason to move."""
        coming = self.outstanding(one) | {
            key for event in one.inbox.values() if event.kind == "result" and (key := _key_of(event)) is not None
        }
        for incarnation, position in one.positions.items():
            if position is None:
                continue
            if incarnation != one.current and position.expects in ("user", "people", "reads"):
                raise self.broken(f"{one.address}: incarnation {incarnation} is over, and waits for {position.expects}")
            for key in position.jobs:
                if key not in coming:
                    raise self.broken(f"{one.address}: nothing will ever end job {key} of incarnation {incarnation}")
            if position.expects == "write" and position.frames and position.frames[-1].key not in coming:
                raise self.broken(f"{one.address}: nothing will ever end its write")
        position = one.position
        if position is not None and position.expects == "reads" and not row.timers:
            raise self.broken(f"{one.address}: nothing will ever continue it")


def _whole(turns: Sequence[Said]) -> list[tuple[tuple[str, str], ...]]:
    """All that may be answered: replies up to a turn after which none follows by itself."""
    said: tuple[tuple[str, str], ...] = ()
    found = []
    for turn in turns:
        said += turn.replies
        if turn.rests:
            found.append(said)
    return found


def _result_of(event: Incoming, seal: Seal) -> CallResult:
    body = body_of(event.body)
    if isinstance(body, SealedBody):
        body = body_of(seal.open(body.sealed))
    assert isinstance(body, ResultBody)
    return body.result


def _key_of(event: Incoming) -> CommandKey | None:
    body = body_of(event.body)
    return body.key if isinstance(body, ResultBody | SealedBody) else None
