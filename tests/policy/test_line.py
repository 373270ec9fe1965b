"""The line in front of the places to run."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flowc.runtime.policy.lanes import LANES
from flowc.runtime.policy.line import Line
from flowc.runtime.policy.places import Places, is_high
from flowc.runtime.program import PriorityClass

CLASSES: tuple[PriorityClass, ...] = ("urgent", "high", "normal", "low", "bulk")
SERVICE_MS = 10


def test_who_comes_while_there_is_a_place_runs_at_once_and_a_fifth_is_kept() -> None:
    line: Line[str] = Line(Places(5))
    assert [line.places.enter(each) for each in ("bulk", "normal", "low", "normal", "normal")] == [True] * 4 + [False]  # type: ignore[arg-type]
    assert (line.places.enter("high"), line.places.enter("urgent")) == (True, False)


def test_who_gives_a_place_back_hands_it_to_the_next() -> None:
    line: Line[str] = Line(Places(1))
    assert line.places.enter("normal")
    line.wait("normal", "normal", "", 0)
    line.wait("urgent", "urgent", "", 5)
    assert line.next() is None
    line.places.leave("normal")
    assert line.next() == ("urgent", "urgent")
    assert line.next() is None
    line.places.leave("urgent")
    assert line.next() == ("normal", "normal")
    assert line.depths() == (0, 0, 0)


def test_the_places_that_are_kept_are_not_handed_to_others() -> None:
    line: Line[str] = Line(Places(5))
    assert all(line.places.enter("normal") for _ in range(4))
    line.wait("normal", "normal", "", 0)
    line.wait("high", "high", "", 0)
    assert line.next() == ("high", "high")
    assert line.next() is None


def test_what_waits_is_lent_a_class_once() -> None:
    line: Line[str] = Line(Places(1))
    line.places.enter("normal")
    line.wait("first", "normal", "", 0)
    number = line.wait("lent", "bulk", "", 0)
    line.lend(number, "lent", "low", 0)
    line.lend(number, "lent", "urgent", 1)
    line.lend(number, "lent", "bulk", 1)
    assert line.depths() == (1, 1, 0)
    line.places.leave("normal")
    assert line.next() == ("lent", "urgent")
    line.places.leave("urgent")
    assert line.next() == ("first", "normal")
    line.places.leave("normal")
    assert line.next() is None
    assert line.waiting == 0


def test_tenants_take_turns() -> None:
    line: Line[str] = Line(Places(1))
    line.places.enter("normal")
    for number in range(10):
        line.wait("big", "normal", "big", number)
    line.wait("small", "normal", "small", 100)
    line.places.leave("normal")
    served = []
    while (found := line.next()) is not None:
        served.append(found[0])
        line.places.leave("normal")
    assert served.index("small") <= 1


class Lining(RuleBasedStateMachine):
    """No place is taken twice, nobody waits beside a place that it may have, and everybody is served once."""

    def __init__(self) -> None:
        super().__init__()
        self.line: Line[int] = Line(Places(7))
        self.running: list[tuple[int, PriorityClass]] = []
        self.waiting: dict[int, tuple[PriorityClass, int]] = {}
        self.came = 0

    @rule(priority=st.sampled_from(CLASSES), tenant=st.sampled_from(["", "a", "b"]))
    def come(self, priority: PriorityClass, tenant: str) -> None:
        self.came += 1
        if self.line.places.enter(priority):
            self.running.append((self.came, priority))
        else:
            self.waiting[self.came] = (priority, self.line.wait(self.came, priority, tenant, self.came))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        _, priority = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.line.places.leave(priority)
        while (found := self.line.next()) is not None:
            assert self.waiting.pop(found[0])[0] == found[1]
            self.running.append(found)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), priority=st.sampled_from(CLASSES))
    def lend(self, data: st.DataObject, priority: PriorityClass) -> None:
        item = data.draw(st.sampled_from(sorted(self.waiting)))
        before, number = self.waiting[item]
        self.line.lend(number, item, priority, self.came)
        if CLASSES.index(priority) < CLASSES.index(before):
            self.waiting[item] = (priority, number)
        while (found := self.line.next()) is not None:
            assert self.waiting.pop(found[0])[0] == found[1]
            self.running.append(found)

    @invariant()
    def places_hold(self) -> None:
        others = sum(not is_high(priority) for _, priority in self.running)
        assert len(self.running) <= 7
        assert others <= 6
        depths = Counter(LANES[priority] for priority, _ in self.waiting.values())
        assert self.line.depths() == (depths[0], depths[1], depths[2])
        if depths[0]:
            assert len(self.running) == 7
        if depths[1] or depths[2]:
            assert len(self.running) == 7 or others == 6


TestLining = Lining.TestCase
TestLining.settings = settings(max_examples=60, stateful_step_count=40)


@dataclass
class Day:
    """Turns of one length on so many places, in simulated time."""

    line: Line[int] = field(default_factory=lambda: Line(Places(5)))
    began: dict[int, int] = field(default_factory=dict)
    ends: list[tuple[int, PriorityClass]] = field(default_factory=list)

    def pass_to(self, now: int) -> None:
        while self.ends and min(self.ends)[0] <= now:
            end, priority = min(self.ends)
            self.ends.remove((end, priority))
            self.line.places.leave(priority)
            while (found := self.line.next()) is not None:
                self.run(found[0], found[1], end)

    def run(self, item: int, priority: PriorityClass, now: int) -> None:
        self.began[item] = now
        self.ends.append((now + SERVICE_MS, priority))

    def come(self, item: int, priority: PriorityClass, now: int) -> None:
        self.pass_to(now)
        if self.line.places.enter(priority):
            self.run(item, priority, now)
        else:
            self.line.wait(item, priority, "", now)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(CLASSES)), min_size=1, max_size=150))
def test_everybody_is_served_and_an_urgent_one_within_a_turn(mix: list[tuple[int, PriorityClass]]) -> None:
    """On top of a backlog of low and bulk."""
    day, now = Day(), 0
    for item in range(-200, 0):
        day.come(item, "low" if item % 2 else "bulk", now)
    urgent: dict[int, int] = {}
    for item, (gap, priority) in enumerate(mix):
        now += gap * SERVICE_MS
        day.come(item, "low" if priority in ("normal", "high") else priority, now)
        if priority == "urgent":
            urgent[item] = now
    day.pass_to(10**9)
    assert len(day.began) == 200 + len(mix)
    alone = [item for item in urgent if sum(abs(urgent[item] - at) <= SERVICE_MS for at in urgent.values()) == 1]
    assert all(day.began[item] - urgent[item] <= SERVICE_MS for item in alone)
