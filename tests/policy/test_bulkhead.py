"""Places: how many, who waits, and what is kept for urgent and high."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flowc.runtime.policy.bulkhead import Bulkhead, Ticket
from flowc.runtime.program import PriorityClass


def enter(it: Bulkhead, priority: PriorityClass = "normal") -> Ticket | None:
    return it.enter(priority, lambda: None)


def test_a_fifth_is_kept_for_urgent_and_high() -> None:
    it = Bulkhead(10)
    places = [enter(it, "normal") for _ in range(9)]
    assert [each.place for each in places if each] == ["in"] * 8 + ["waiting"]
    assert [each.place for each in (enter(it, "urgent"), enter(it, "high"), enter(it, "high")) if each] == [
        "in",
        "in",
        "waiting",
    ]


def test_four_places_keep_none() -> None:
    it = Bulkhead(4)
    assert [each.place for each in (enter(it, "bulk") for _ in range(4)) if each] == ["in"] * 4


def test_at_most_as_many_wait_as_there_are_places() -> None:
    it = Bulkhead(2)
    tickets = [enter(it) for _ in range(5)]
    assert [each is not None for each in tickets] == [True, True, True, True, False]


def test_the_first_to_wait_is_the_first_to_go_but_high_before_normal() -> None:
    woken: list[str] = []
    it = Bulkhead(1)
    inside = enter(it)
    it.enter("normal", lambda: woken.append("first"))
    assert inside is not None
    it.leave(inside)
    assert woken == ["first"]
    it = Bulkhead(3)
    inside_all = [enter(it) for _ in range(3)]
    it.enter("low", lambda: woken.append("low"))
    it.enter("high", lambda: woken.append("high"))
    assert inside_all[0] is not None
    it.leave(inside_all[0])
    assert woken == ["first", "high"]


def test_who_stops_waiting_takes_no_place() -> None:
    woken: list[str] = []
    it = Bulkhead(2)
    inside, _ = enter(it), enter(it)
    gone = it.enter("normal", lambda: woken.append("gone"))
    it.enter("normal", lambda: woken.append("stays"))
    assert inside is not None
    assert gone is not None
    it.leave(gone)
    it.leave(inside)
    assert woken == ["stays"]


def test_leaving_twice_gives_one_place_back() -> None:
    it = Bulkhead(2)
    first, _ = enter(it), enter(it)
    assert first is not None
    it.leave(first)
    it.leave(first)
    assert it.used == 1


class Places(RuleBasedStateMachine):
    """Whatever happens, the counts hold and nobody waits who could go."""

    def __init__(self) -> None:
        super().__init__()
        self.it = Bulkhead(7)
        self.tickets: list[Ticket] = []

    @rule(priority=st.sampled_from(["urgent", "high", "normal", "low", "bulk"]))
    def enter(self, priority: PriorityClass) -> None:
        waiting = [each.is_high for each in self.tickets if each.place == "waiting"]
        ticket = enter(self.it, priority)
        if ticket is None:
            is_high = priority in ("urgent", "high")
            assert len(waiting) == 7 or (not is_high and waiting.count(False) == 6)
        else:
            self.tickets.append(ticket)

    @precondition(lambda self: self.tickets)
    @rule(choice=st.randoms())
    def leave(self, choice: "st.random.Random") -> None:  # type: ignore[name-defined]  # Hypothesis does not export it
        self.it.leave(self.tickets.pop(choice.randrange(len(self.tickets))))

    @invariant()
    def counts_hold(self) -> None:
        inside = [each for each in self.tickets if each.place == "in"]
        others = [each for each in inside if not each.is_high]
        waiting_high = [each for each in self.tickets if each.place == "waiting" and each.is_high]
        waiting_others = [each for each in self.tickets if each.place == "waiting" and not each.is_high]
        assert len(inside) <= 7
        assert len(others) <= 6
        assert len(waiting_high) + len(waiting_others) <= 7
        assert not waiting_high or len(inside) == 7
        assert not waiting_others or len(inside) == 7 or len(others) == 6


TestPlaces = Places.TestCase
TestPlaces.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
