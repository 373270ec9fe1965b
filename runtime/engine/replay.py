"""The journal taken again: what was recorded, through the same kernel, gives the same positions."""

from collections.abc import Iterable

from msgspec import Struct

from flowc.runtime.engine.seal import Seal
from flowc.runtime.engine.stored import Reads, Recorded, state_hash
from flowc.runtime.engine.turn import closed, position_bytes, without_secret
from flowc.runtime.kernel import LoadedProgram, Position, Step, advance
from flowc.runtime.kernel.events import (
    CallResult,
    Event,
    EventReceived,
    Faulted,
    MessageReceived,
    Opened,
    ReadsDone,
)
from flowc.runtime.store.rows import JournalRow
from flowc.runtime.values import decode


class Differs(Exception):  # noqa: N818 - what it says
    """A turn that gives another state than was stored."""

    def __init__(self, turn: int) -> None:
        super().__init__(f"turn {turn} gives another state than was stored")
        self.turn = turn


def replay(loaded: LoadedProgram, rows: Iterable[JournalRow], seal: Seal) -> Position | None:
    """The position after the turns of one incarnation, each checked against its recorded state. Raises Differs, and
    SealBroken where a secret was sealed by another process."""
    position: Position | None = None
    for row in rows:
        position = again(loaded, position, row, seal)
        if state_hash(position_bytes(position)) != row.entry.state_hash:
            raise Differs(row.turn)
    return position


def again(loaded: LoadedProgram, position: Position | None, row: JournalRow, seal: Seal) -> Position | None:
    """The position after one turn more. Raises SealBroken."""
    return retake(loaded, position, row, seal).position


class Retaken(Struct, frozen=True):
    """A turn taken again: its event, the results of the reads after each step, and the steps. None for an event that
    came when the conversation was over: it is recorded only."""

    event: Event
    reads: tuple[tuple[CallResult, ...], ...]
    steps: tuple[Step, ...]
    position: Position | None


def retake(loaded: LoadedProgram, position: Position | None, row: JournalRow, seal: Seal) -> Retaken:
    """One turn more, from the position before it. Raises SealBroken."""
    event, was_sealed = event_of(row, seal)
    reads = tuple([each.results for each in _reads_of(row, seal).steps])
    is_over = row.turn > 1 and (position is None or position.ended)
    if is_over and isinstance(event, MessageReceived | Opened | EventReceived):
        return Retaken(event, (), (), position)
    steps = [advance(loaded, position, event)]
    for results in reads:
        steps.append(advance(loaded, steps[-1].position, ReadsDone(event.moment, results)))
    after = steps[-1].position
    if isinstance(event, Faulted) and steps[-1].fault is not None:
        after = position
    elif was_sealed:
        after = without_secret(after, event)
    return Retaken(event, reads, tuple(steps), closed(after) if row.ended else after)


def event_of(row: JournalRow, seal: Seal) -> tuple[Event, bool]:
    """The event of a turn, and whether it was sealed. Raises SealBroken."""
    recorded = decode(row.entry.event, Recorded)
    was_sealed = recorded.event is None
    if was_sealed:
        recorded = decode(seal.open(recorded.sealed), Recorded)
    assert recorded.event is not None
    return recorded.event, was_sealed


def _reads_of(row: JournalRow, seal: Seal) -> Reads:
    reads = decode(row.entry.reads, Reads) if row.entry.reads else Reads()
    return decode(seal.open(reads.sealed), Reads) if reads.sealed else reads
