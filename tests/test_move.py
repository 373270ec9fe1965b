"""What moving one conversation does, case by case. That it is right at random is for `test_moving`."""

import pytest
from test_compatibility import FOLDERS, version

from flowc.compiler.play import CONVERSATION, START, Playing
from flowc.runtime.kernel import load
from flowc.runtime.kernel.events import (
    Found,
    MessageReceived,
    Moment,
    Opened,
    RankedIntent,
    SilenceFired,
    Succeeded,
    Understood,
)
from flowc.runtime.moving.move import Moved, Stays, crossing, move
from flowc.runtime.values import Value

OFFERS = ({"name": "Funghi", "price": 8}, {"name": "Salame", "price": 9})


def talk(case: str, which: str = "old") -> Playing:
    """A conversation of one of the versions of a folder, opened."""
    program = version(FOLDERS / case, which)
    playing = Playing(program, load(program), lambda text, asking, now: Understood())
    playing.stubs["kitchen", "offers"] = [(Succeeded(OFFERS), 0)]
    playing.feed(Opened(playing.moment(), CONVERSATION, playing.user))
    return playing


def say(playing: Playing, text: str, intent: str | None = None, **values: Value) -> None:
    understood = Understood(
        () if intent is None else (RankedIntent(intent, 1.0),), tuple(Found(v, name) for name, v in values.items())
    )
    playing.replies.clear()
    playing.feed(MessageReceived(playing.moment(), CONVERSATION, playing.user, text, understood))


def moved(playing: Playing, case: str, there: tuple[str, str] = ("old", "new")) -> Moved:
    """Goes on in the other version."""
    before, after = (version(FOLDERS / case, which) for which in there)
    assert playing.position is not None
    outcome = move(crossing(before, after), playing.position, START)
    assert isinstance(outcome, Moved), outcome
    playing.program, playing.loaded, playing.position = after, load(after), outcome.position
    return outcome


def stays(playing: Playing, case: str) -> Stays:
    assert playing.position is not None
    outcome = move(crossing(version(FOLDERS / case, "old"), version(FOLDERS / case, "new")), playing.position, START)
    assert isinstance(outcome, Stays), outcome
    return outcome


def to_confirm(playing: Playing) -> Playing:
    say(playing, "order", "order_pizza")
    say(playing, "large", size="large")
    say(playing, "1")
    say(playing, "3", count=3)
    assert playing.position is not None
    assert playing.position.wait == "shop/confirm.listen"
    return playing


def known(playing: Playing) -> dict[str, Value]:
    assert playing.position is not None
    return playing.position.runs[0].variables


def test_it_goes_on_at_the_wait_of_the_same_name() -> None:
    playing = to_confirm(talk("a-renamed-state-with-migrate"))
    moved(playing, "a-renamed-state-with-migrate")
    assert playing.position is not None
    assert (playing.position.wait, playing.position.state) == ("shop/check_order.listen", "check_order")
    say(playing, "yes", "yes")
    assert playing.replies[0].text.startswith("Your order has number")
    assert playing.writes[0].arguments == {"size": "large", "offer": "Funghi", "count": 3}


def test_a_rollback_turns_the_migration_round() -> None:
    case = "a-renamed-state-with-migrate"
    playing = talk(case, "new")
    say(playing, "order", "order_pizza")
    say(playing, "large", size="large")
    say(playing, "1")
    say(playing, "3", count=3)
    assert playing.position is not None
    assert playing.position.wait == "shop/check_order.listen"
    moved(playing, case, ("new", "old"))
    assert playing.position.wait == "shop/confirm.listen"
    say(playing, "yes", "yes")
    assert playing.replies[0].text.startswith("Your order has number")


def test_a_state_runs_from_its_top_at_the_next_message() -> None:
    case = "a-state-is-gone-with-migrate-to-the-top-of-another"
    playing = to_confirm(talk(case))
    assert moved(playing, case).at_top
    say(playing, "the second", None)
    assert [reply.text for reply in playing.replies] == ["Which one?"]
    say(playing, "2")
    assert playing.writes[0].arguments == {"size": "large", "offer": "Salame", "count": 3}


def test_what_is_set_from_nothing_has_no_value() -> None:
    case = "another-type-with-migrate"
    playing = talk(case)
    moved(playing, case)
    assert "count" not in known(playing)
    other = to_confirm(talk(case))
    moved(other, case)
    assert known(other)["count"] == "3"


def test_a_timer_is_told_as_the_silence_of_the_new_version() -> None:
    case = "a-longer-silence"
    playing = talk(case)
    say(playing, "order", "order_pizza")
    assert sorted(playing.timers) == [300_000, 1_800_000]
    way = moved(playing, case)
    assert playing.position is not None
    event = SilenceFired(Moment(START, 1), playing.position.generation, 300_000)
    assert way.told(event) == SilenceFired(Moment(START, 1), playing.position.generation, 480_000)
    playing.replies.clear()
    playing.feed(way.told(event))
    assert [reply.text for reply in playing.replies] == ["Goodbye!"]


def test_a_job_moves_with_its_state() -> None:
    case = "a-renamed-state-with-a-job-and-migrate"
    playing = talk(case)
    playing.stubs["kitchen", "cancel"] = [(Succeeded(True), 60_000)]
    say(playing, "where", "where_is_it")
    say(playing, "1234", number="1234")
    say(playing, "yes", "yes")
    moved(playing, case)
    assert playing.position is not None
    assert [job.place for job in playing.position.deferred] == ["stop_order.defer.kitchen.cancel"]
    playing.replies.clear()
    playing.now = playing.jobs[0].at
    playing.deliver()
    assert playing.replies[0].text == "Order 1234 is stopped."


def test_a_job_whose_arm_is_gone_keeps_its_conversation() -> None:
    case = "an-arm-of-a-job-is-gone"
    playing = talk(case)
    playing.stubs["kitchen", "cancel"] = [(Succeeded(True), 60_000)]
    say(playing, "where", "where_is_it")
    say(playing, "1234", number="1234")
    moved(playing, case)  # before there is a job
    playing = talk(case)
    playing.stubs["kitchen", "cancel"] = [(Succeeded(True), 60_000)]
    say(playing, "where", "where_is_it")
    say(playing, "1234", number="1234")
    say(playing, "yes", "yes")
    assert "has no arm `on done` any more" in stays(playing, case).reason


def test_who_is_with_people_stays_for_now() -> None:
    case = "a-text"
    playing = talk(case)
    say(playing, "a human", "agent")
    outcome = stays(playing, case)
    assert outcome.for_now
    assert "people" in outcome.reason


@pytest.mark.parametrize("case", ["a-silence-is-gone", "a-narrower-choice", "an-event-is-gone"])
def test_a_pinned_place_says_why(case: str) -> None:
    playing = talk(case)
    say(playing, "order", "order_pizza")
    if case == "a-narrower-choice":
        say(playing, "medium", size="medium")
    outcome = stays(playing, case)
    assert not outcome.for_now
    assert outcome.reason.startswith("at `shop/choose_size.")
