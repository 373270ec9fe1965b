"""The journal taken again: what was recorded, through the same kernel, gives the same positions."""

from collections.abc import Iterable

from flowc.runtime.engine.seal import Seal
from flowc.runtime.engine.stored import Reads, Recorded, state_hash
from flowc.runtime.engine.turn import position_bytes, without_secret
from flowc.runtime.kernel import LoadedProgram, Position, advance
from flowc.runtime.kernel.events import EventReceived, Faulted, MessageReceived, Opened, ReadsDone
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
    event = decode(row.entry.event, Recorded)
    was_sealed = event.event is None
    if was_sealed:
        event = decode(seal.open(event.sealed), Recorded)
    reads = decode(row.entry.reads, Reads) if row.entry.reads else Reads()
    if reads.sealed:
        reads = decode(seal.open(reads.sealed), Reads)
    assert event.event is not None
    is_over = row.turn > 1 and (position is None or position.ended)
    if is_over and isinstance(event.event, MessageReceived | Opened | EventReceived):
        return position  # it is recorded only
    step = advance(loaded, position, event.event)
    for read in reads.steps:
        step = advance(loaded, step.position, ReadsDone(event.event.moment, read.results))
    if isinstance(event.event, Faulted) and step.fault is not None:
        return position
    return without_secret(step.position, event.event) if was_sealed else step.position
