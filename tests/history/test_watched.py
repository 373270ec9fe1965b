"""A turn taken again through a program that tells its decisions is the same turn."""

from datetime import date
from pathlib import Path

from history.ward import START_MS, ward

from flowc.runtime.engine.replay import retake
from flowc.runtime.history.explain import NO_SEAL
from flowc.runtime.history.programs import Programs
from flowc.runtime.kernel import Position
from flowc.runtime.kernel.watched import Decision, watched
from flowc.runtime.policy.verdict import Answered
from flowc.runtime.simulate.clock import SimulatedClock
from flowc.runtime.store.reading import reading
from flowc.runtime.store.rows import Address


async def test_the_steps_are_the_same_and_every_condition_is_told(tmp_path: Path) -> None:
    async with ward(tmp_path, SimulatedClock(START_MS)) as clinic:
        clinic.records.script("find", Answered({"name": "Ada", "born": date(1815, 12, 10), "ward": "a"}))
        for text in ("hello", "book a visit", "Al", "Ada", "no date", "December 10, 1815", "+49 30 98765432", "what"):
            await clinic.say(text)
        await clinic.event({"badge": "b", "door": 9})
    told: list[Decision] = []
    with reading(clinic.project / ".flowc" / "dev.db") as reader:
        rows = reader.journal(Address("c1"), 1)
        loaded = Programs(reader)(rows[0].deployment)
    watching = watched(loaded, told.append)
    position: Position | None = None
    for row in rows:
        plain, seen = retake(loaded, position, row, NO_SEAL), retake(watching, position, row, NO_SEAL)
        assert seen == plain
        position = plain.position
    assert [(each.kind, each.name, each.value) for each in told] == [
        ("check", "name", False),
        ("check", "name", False),
        ("check", "name", True),
        ("if", "", False),
        ("guard", "on arrived", True),
    ]
