"""Mistakes on purpose, each one of those that the simulator is there to find: functions that plant them by a
`MonkeyPatch`."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import pytest
from msgspec.structs import replace

from flowc.runtime.engine import chooser, turn
from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.perform import Made
from flowc.runtime.engine.stored import Body, TimerBody
from flowc.runtime.engine.taker import Taker
from flowc.runtime.kernel import Position
from flowc.runtime.kernel.events import CallFailure, CallResult
from flowc.runtime.kernel.running import Running
from flowc.runtime.policy import schedule
from flowc.runtime.policy.breaker import Breaker, Pass
from flowc.runtime.policy.bulkhead import Bulkhead, Ticket
from flowc.runtime.policy.dispatch import Dispatch
from flowc.runtime.policy.lanes import LANES, Queue
from flowc.runtime.policy.limiter import Limiter
from flowc.runtime.policy.places import is_high
from flowc.runtime.policy.schedule import Progress
from flowc.runtime.policy.verdict import RawAnswer, TimedOut
from flowc.runtime.program import Key, PriorityClass
from flowc.runtime.services.calls import Services, _WriteAttempt
from flowc.runtime.services.port import Call, Claim, Later
from flowc.runtime.store.memory import MemoryStore
from flowc.runtime.store.recent import EventHash, Recent
from flowc.runtime.store.remembered import Conversation
from flowc.runtime.store.rows import Direct, Outcome, Result, Row, Settled, Settlement, Unit
from flowc.runtime.store.writer import Job, Writer

Plant = Callable[[pytest.MonkeyPatch], None]


def lost_update(patch: pytest.MonkeyPatch) -> None:
    """A turn commits wherever its conversation stands by then."""
    lost = MemoryStore._lost

    def never_of_the_turn(self: MemoryStore, one: Conversation, unit: Unit) -> str | None:
        why = lost(self, one, unit)
        return None if why == "turn" else why

    patch.setattr(MemoryStore, "_lost", never_of_the_turn)


def effect_before_its_commit(patch: pytest.MonkeyPatch) -> None:
    """Commands begin with the turn, not after it."""
    commit = Taker._commit

    async def eager(self: Taker, pending: Pending, made: Made) -> None:
        if made.unit.commands:
            self.begin(made.unit)
        await commit(self, pending, made)

    patch.setattr(Taker, "_commit", eager)


def key_of_the_attempt(patch: pytest.MonkeyPatch) -> None:
    """Each attempt of a write has a key of its own."""
    make = _WriteAttempt.make

    async def renamed(self: _WriteAttempt) -> tuple[RawAnswer, Progress]:
        attempt = self.claim.attempts + self._sent
        if attempt > 0:
            object.__setattr__(self.claim, "key", f"{self.claim.key[:32]}-{attempt}")
        return await make(self)

    patch.setattr(_WriteAttempt, "make", renamed)


def key_used_twice(patch: pytest.MonkeyPatch) -> None:
    """All writes of a conversation draw the same key."""
    drawn = Running._drawn

    def same(self: Running, purpose: str) -> bytes:
        return drawn(self, purpose) if purpose != "key" else self.conversation.encode().ljust(16, b".")

    patch.setattr(Running, "_drawn", same)


def timer_without_generation(patch: pytest.MonkeyPatch) -> None:
    """A timer is taken wherever its conversation waits by then."""

    def verdict(row: Row, position: Position | None, body: Body) -> turn.Verdict:
        if isinstance(body, TimerBody) and position is not None and position.expects == "user":
            return "take"
        return turn.verdict(row, position, body)

    patch.setattr(chooser, "verdict", verdict)


def overtakes_the_inbox(patch: pytest.MonkeyPatch) -> None:
    """A message that comes directly is taken before those that wait."""
    commit = MemoryStore._commit

    def overtaking(self: MemoryStore, unit: Unit, now_ms: int) -> Outcome:
        if isinstance(unit.source, Direct):
            unit = replace(unit, source=replace(unit.source, awaited=True))
        return commit(self, unit, now_ms)

    patch.setattr(MemoryStore, "_commit", overtaking)


def goes_on_after_an_error(patch: pytest.MonkeyPatch) -> None:
    """What the disk did is taken for the mistake of a job, and the group goes on in the same connection."""

    def settle(self: Writer, group: list[Job[object]], error: BaseException | None) -> None:
        if error is not None:
            self._one_by_one(group, error)

    patch.setattr(Writer, "_settle", settle)
    patch.setattr(Writer, "_take_back", lambda _: None)


def double_probe(patch: pytest.MonkeyPatch) -> None:
    """A breaker that is half open lets everybody through."""

    def admit(self: Breaker, now: float) -> Pass | None:
        if self._open_until is None:
            return Pass(self._period, is_probe=False)
        return None if now < self._open_until else Pass(self._period, is_probe=True)

    patch.setattr(Breaker, "admit", admit)


def places_for_everybody(patch: pytest.MonkeyPatch) -> None:
    """A bulkhead keeps nobody out."""

    def enter(self: Bulkhead, priority: PriorityClass, wake: Callable[[], None]) -> Ticket:
        ticket = Ticket(is_high(priority), wake)
        self._seat(ticket)
        return ticket

    patch.setattr(Bulkhead, "enter", enter)


def limit_of_nobody(patch: pytest.MonkeyPatch) -> None:
    """A rate limit lets everybody through at once."""

    def wait_s(self: Limiter, now: float) -> float:
        return 0.0

    patch.setattr(Limiter, "wait_s", wait_s)


def a_starving_lane(patch: pytest.MonkeyPatch) -> None:
    """Work of the lowest lane goes when there is no other, which is what a claim that gives none looks like."""
    pick = Dispatch.pick

    def starving(self: Dispatch, queues: Mapping[Queue, Iterator[tuple[int, object]]], now: float) -> list[object]:
        return pick(self, {queue: items for queue, items in queues.items() if LANES[queue.priority] < 2}, now)

    patch.setattr(Dispatch, "pick", starving)


def ids_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A repetition is taken for a new message."""

    def find(self: Recent, wanted: EventHash) -> None:
        return None

    patch.setattr(Recent, "find", find)


def a_timeout_is_a_failure(patch: pytest.MonkeyPatch) -> None:
    """A write that nobody knows of is told as not done."""
    of_write = schedule.of_write

    def guessed(raw: RawAnswer, key: Key | None, *, in_doubt: bool) -> CallResult:
        if isinstance(raw, TimedOut):
            return CallFailure("unavailable", "guessed")
        return of_write(raw, key, in_doubt=in_doubt)

    patch.setattr(schedule, "of_write", guessed)


def a_write_without_key_is_repeated(patch: pytest.MonkeyPatch) -> None:
    """Recovery repeats a write whose backend knows no keys."""
    write = Services.write

    async def again(self: Services, call: Call, claim: Claim) -> CallResult | Later:
        return await write(self, call, dataclasses.replace(claim, in_doubt=False))

    patch.setattr(Services, "write", again)


def a_failed_commit_is_taken_for_done(patch: pytest.MonkeyPatch) -> None:
    """Whatever COMMIT says, the group is answered."""

    def settle(self: Writer, group: list[Job[object]], error: BaseException | None) -> None:
        if error is not None:
            self._drop()

    patch.setattr(Writer, "_settle", settle)


def a_result_is_dropped(patch: pytest.MonkeyPatch) -> None:
    """A command is done, and its result is not in the inbox."""

    def settle(self: MemoryStore, result: Result, holder: object) -> Settlement:
        del self._of(result.address).commands[result.key]
        return Settled(1, first=True)

    patch.setattr(MemoryStore, "_settle", settle)


PLANTED: tuple[Plant, ...] = (
    lost_update,
    effect_before_its_commit,
    key_of_the_attempt,
    key_used_twice,
    timer_without_generation,
    overtakes_the_inbox,
    goes_on_after_an_error,
    double_probe,
    a_starving_lane,
    places_for_everybody,
    limit_of_nobody,
    ids_are_forgotten,
    a_timeout_is_a_failure,
    a_write_without_key_is_repeated,
    a_failed_commit_is_taken_for_done,
    a_result_is_dropped,
)
