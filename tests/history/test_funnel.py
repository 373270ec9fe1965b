"""What is counted of turns as they stand in the journal."""

from functools import cache

import pytest
from history.test_masks import clinic

from flowc.runtime.engine.causes import Cause, cause_of, place_of_end
from flowc.runtime.engine.stored import Notes, Recorded
from flowc.runtime.engine.turn import EPOCH
from flowc.runtime.history.funnel import Funnel, funnel
from flowc.runtime.kernel.events import Event, Faulted, Moment, SilenceFired, Transition
from flowc.runtime.program import Program
from flowc.runtime.store.reading import Journaled
from flowc.runtime.values import encode

MOMENT = Moment(EPOCH, 1)
SILENCE = SilenceFired(MOMENT, 1, 1000)
FAULT = Faulted(MOMENT, of_message=False, reason="x")


def state(place: str, left: str = "", flow: str = "clinic") -> Transition:
    return Transition("state", flow, place, left)


def end(place: str, outcome: str = "", flow: str = "clinic") -> Transition:
    return Transition("end", flow, place, outcome)


def called(kind: str, place: str = "who") -> Transition:
    return Transition("outcome", "clinic", place, f"records.find {kind}")


FELL = Transition("fallback", "clinic", "who.ask.name", "else")


@pytest.mark.parametrize(
    ("event", "passed", "outcome", "cause"),
    [
        (None, (end("goodbye"),), None, "done"),
        (SILENCE, (state("goodbye", "who"), end("goodbye")), None, "silence"),
        (FAULT, (), "fault", "fault"),
        (None, (called("ok"), end("who")), None, "done"),
        (None, (called("timeout"), end("who")), None, "backend failure"),
        (None, (called("unknown"), end("who")), None, "backend failure"),
        (None, (called("overloaded"), end("who")), None, "degraded"),
        (None, (called("not_found"), end("who")), None, "refused"),
        (None, (called("timeout"), called("ok"), end("who")), None, "backend failure"),  # of one group
        (None, (called("timeout"), state("b", "who"), called("ok"), end("b")), None, "done"),  # it went on
        (None, (FELL, end("who")), None, "not understood"),
        (None, (FELL, state("b", "who"), called("ok"), end("b")), None, "done"),
        (None, (called("timeout"), end("who", "fault")), "fault", "fault"),
    ],
)
def test_a_cause_is_what_the_last_turn_went_through(
    event: Event | None, passed: tuple[Transition, ...], outcome: str | None, cause: Cause
) -> None:
    assert cause_of(event, passed, outcome) == cause


def test_who_drops_off_does_so_where_it_was_felt() -> None:
    gone = (called("timeout", "who"), state("goodbye", "who"), end("goodbye"))
    assert place_of_end("backend failure", gone, "clinic/start.listen") == ("clinic", "who")
    assert place_of_end("silence", gone, "clinic/start.listen") == ("clinic", "start")
    assert place_of_end("done", gone, "clinic/start.listen") == ("clinic", "goodbye")
    assert place_of_end("fault", (), "") == ("", "")


def turn(
    address: str,
    *passed: Transition,
    event: Event | None = None,
    ended: bool = False,
    incarnation: int = 1,
    of: int = 1,
) -> Journaled:
    body = encode(Recorded(event)) if event is not None else b""
    return Journaled(address, incarnation, 1, 0, of, int(ended), body, encode(Notes(passed)))


def counted(*turns: Journaled, program: Program | None = None, name: str = "clinic") -> list[Funnel]:
    return funnel(turns, program or clinic(), name, {1: "1.0.0", 2: "2.0.0"})


def test_runs_are_counted_by_the_version_they_began_under() -> None:
    newer, older = counted(
        turn("a", state("start")),
        turn("b", state("start"), of=2),
        turn("a", state("who", "start"), of=2),
        turn("a", end("who"), ended=True, of=2),
    )
    assert (newer.version, newer.begun, newer.here) == ("2.0.0", 1, 1)
    assert (older.version, older.begun, older.here, older.ended) == ("1.0.0", 1, 0, {"done": 1})
    assert older.places["who"].ended == {"done": 1}


def test_a_state_is_reached_once_however_often_it_is_entered() -> None:
    [found] = counted(turn("a", state("start")), turn("a", state("who", "start")), turn("a", state("start", "who")))
    assert (found.places["start"].reached, found.places["who"].reached) == (1, 1)
    assert found.places["start"].here == 1


def test_the_next_conversation_at_an_address_is_another() -> None:
    [found] = counted(
        turn("a", state("start")),
        turn("a", state("goodbye", "start"), end("goodbye"), event=SILENCE, ended=True),
        turn("a", state("start"), incarnation=2),
    )
    assert (found.begun, found.here, found.ended) == (2, 1, {"silence": 1})
    assert found.places["start"].ended == {"silence": 1}


def test_what_began_before_the_period_is_not_counted() -> None:
    assert counted(turn("a", state("who", "start")), turn("a", end("who"), ended=True)) == []


def test_a_conversation_that_ends_without_a_word_of_the_flow_has_ended() -> None:
    silent = Journaled("a", 1, 2, 0, 1, ended=1, event=encode(Recorded(FAULT)), notes=b"")
    [found] = counted(turn("a", state("start")), silent)
    assert found.ended == {"fault": 1}
    [found] = counted(turn("a", state("start")), turn("a", end("x", "fault", flow="other"), event=FAULT, ended=True))
    assert found.ended == {"fault": 1}
    assert found.places["start"].ended == {"fault": 1}


@cache
def caller() -> Program:
    """The clinic as a flow that another one calls."""
    from msgspec.structs import replace

    from flowc.runtime.program import Do

    program = clinic()
    flow = program.flows["clinic"]
    main = replace(flow, name="main", code=(Do("start.do.clinic", "clinic", (), None, {}, 1),))
    return replace(program, main="main", flows={"main": main, "clinic": flow})


def test_a_flow_that_its_caller_took_the_user_out_of_was_left() -> None:
    [found] = counted(
        turn("a", state("start", flow="main"), state("start")),
        turn("a", state("help", "start", flow="main")),
        turn("b", state("start", flow="main"), state("start")),
        turn("b", end("start"), state("more", "start", flow="main")),
        program=caller(),
    )
    assert (found.begun, found.ended, found.here) == (2, {"left": 1, "done": 1}, 0)


def test_marks_whose_text_is_the_flows_alone_are_named() -> None:
    mark = Transition("mark", "clinic", "who.records.book", "booked")
    other = Transition("mark", "clinic", "who.records.book", "booked for Ada")
    [found] = counted(turn("a", state("start"), mark, other))
    assert found.marks == {"booked": 1, "mark in start": 1}
