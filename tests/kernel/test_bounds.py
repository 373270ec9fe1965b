"""What a chat cannot say: bounds, keys, classes, generations of timers, faults, and what understanding is asked for."""

from datetime import timedelta
from decimal import Decimal

import pytest
from kernel.playing import CONVERSATION, START, Playing, new, opened, says
from kernel.programs import compiled, unchecked
from msgspec import structs

from flowc.runtime.kernel import advance, asking, load
from flowc.runtime.kernel.events import (
    CallFailure,
    CommandDone,
    CommandKey,
    Faulted,
    Found,
    MessageReceived,
    Moment,
    RankedIntent,
    ReadsDone,
    SilenceFired,
    Succeeded,
    Understood,
    User,
)
from flowc.runtime.kernel.functions import FUNCTIONS
from flowc.runtime.kernel.words import words_for

CIRCLE = """flow bot 1.0.0
  "Goes in a circle."

intent go
  "go"

state start
  listen
    on go -> one

state one
  -> two

state two
  -> one
"""

LARGE = """flow bot 1.0.0
  "Keeps a text."

slot note: text
  ask "Note?"

intent go
  "go"

state start
  ask note
  listen
    on go -> two

state two
  say "{{ note }}"
  end
"""


def started(name: str) -> Playing:
    return opened(load(compiled(name)))


def bot(text: str) -> Playing:
    return opened(load(unchecked(text)))


def message(play: Playing, text: str, *intents: str, found: tuple[Found, ...] = ()) -> MessageReceived:
    ranked = tuple(RankedIntent(name, 1.0) for name in intents)
    return MessageReceived(play.moment(), CONVERSATION, play.user, text, Understood(ranked, found))


def test_a_circle_without_a_wait_is_a_fault_and_the_position_stays() -> None:
    play = bot(CIRCLE)
    step = advance(play.loaded, play.position, message(play, "go", "go"))
    assert step.fault == "more than 1,000 steps in one turn"
    assert step.position is play.position
    assert step.replies == ()


def test_a_state_over_256_kib_is_a_fault() -> None:
    play = bot(LARGE)
    step = advance(play.loaded, play.position, message(play, "x" * 300_000))
    assert step.fault == "the state of the conversation is larger than 256 KiB"
    assert step.position is play.position


def test_numbers_do_not_grow_without_bound() -> None:
    with pytest.raises(Exception, match=r"10\^30"):
        FUNCTIONS["multiply"](Decimal(10) ** 20, Decimal(10) ** 20)


def test_the_key_of_a_command_comes_from_the_seed_alone() -> None:
    play = started("calling")
    buy = message(play, "buy", "buy")
    one, same, other = (
        advance(play.loaded, play.position, structs.replace(buy, moment=Moment(START, seed))) for seed in (1, 1, 2)
    )
    assert one.commands == same.commands
    assert one.commands[0].key != other.commands[0].key


def test_while_a_write_is_outstanding_only_its_own_result_is_taken() -> None:
    play = started("calling")
    step = advance(play.loaded, play.position, message(play, "buy", "buy"))
    assert step.position is not None
    assert step.position.expects == "write"
    for event in (message(play, "x"), CommandDone(play.moment(), CommandKey("other"), Succeeded("R"))):
        assert advance(play.loaded, step.position, event).position == step.position
    done = advance(play.loaded, step.position, CommandDone(play.moment(), step.commands[0].key, Succeeded("R")))
    assert [reply.text for reply in done.replies] == ["Bought R."]


def test_a_timer_of_an_older_generation_changes_nothing() -> None:
    play = started("silence")
    before = play.position
    assert before is not None
    says(play, "x")
    assert play.position is not None
    step = advance(play.loaded, play.position, SilenceFired(play.moment(), before.generation, 300_000))
    assert step.position == play.position
    assert step.replies == ()
    assert {timer.after_ms for timer in step.timers} == set(play.timers)


def test_silence_timers_are_due_from_the_last_message() -> None:
    play = started("silence")
    play.now += timedelta(minutes=2)
    says(play, "x")
    assert play.timers == {minutes * 60_000: play.now + timedelta(minutes=minutes) for minutes in (5, 10, 30)}


def test_a_value_that_only_its_type_identifies_is_for_the_one_slot_of_that_type_else_for_none() -> None:
    play = started("values")
    found = (Found("AA11", None, ("first", "second")), Found("small", None, ("size",)))
    play.feed(message(play, "AA11", "show", found=found))
    assert play.replies[1].text == "- - small -"


def test_a_value_that_only_its_type_identifies_is_for_the_slot_being_asked() -> None:
    play = started("values")
    play.feed(message(play, "forget", "forget"))
    play.feed(message(play, "BB22 then", found=(Found("BB22", None, ("first", "second")),)))
    assert [reply.text for reply in play.replies][1:] == ["First?", "BB22 none", "Hello."]


def test_the_class_is_that_of_the_state_then_of_the_flow() -> None:
    play = started("doing")
    assert play.position is not None
    assert play.position.priority == "low"
    says(play, "order", "order")
    assert play.position.priority == "urgent"
    vip = opened(load(compiled("doing")), User("u", channel="vip"))
    assert vip.position is not None
    assert vip.position.priority == "low", "rules are tried from the top"


def test_of_a_message_that_failed_the_position_stays_and_the_user_is_told() -> None:
    play = started("calling")
    step = advance(play.loaded, play.position, Faulted(play.moment(), True, "bug"))
    assert step.position is play.position
    assert [reply.text for reply in step.replies] == [words_for("en").fault]


def test_another_event_that_failed_goes_to_on_failure() -> None:
    play = started("calling")
    step = advance(play.loaded, play.position, Faulted(play.moment(), False, "bug"))
    assert [reply.text for reply in step.replies] == ["Sorry:  fault.", "Failing."]
    assert (step.ended, step.outcome) == (True, "broken")


def test_the_job_whose_result_failed_is_over() -> None:
    play = started("calling")
    queued = advance(play.loaded, play.position, message(play, "later", "later")).position
    assert queued is not None
    [key] = queued.jobs
    step = advance(play.loaded, queued, Faulted(play.moment(), False, "bug", key))
    assert [reply.text for reply in step.replies] == ["Sorry:  fault.", "Failing."]
    assert step.position is None or step.position.jobs == ()
    of_another = advance(play.loaded, queued, Faulted(play.moment(), False, "bug"))
    assert of_another.position is not None
    assert of_another.position.jobs == (key,)


def test_without_on_failure_it_ends_as_a_fault() -> None:
    play = started("handing")
    step = advance(play.loaded, play.position, Faulted(play.moment(), False, "bug"))
    assert (step.ended, step.outcome) == (True, "fault")


def test_results_that_do_not_belong_to_the_reads_are_a_fault() -> None:
    play = started("calling")
    step = advance(play.loaded, play.position, message(play, "group", "group"))
    assert len(step.reads) == 2
    wrong = advance(play.loaded, step.position, ReadsDone(play.moment(), (CallFailure("timeout"),)))
    assert wrong.fault is not None
    assert wrong.position is step.position


def test_understanding_is_asked_for_the_intents_in_reach_and_the_slot() -> None:
    play = started("doing")
    says(play, "order", "order")
    asked = asking(play.loaded, play.position)
    assert (asked.flow, asked.wait) == ("desk", "start.ask.code")
    assert asked.asked is not None
    assert asked.asked.name == "code"
    assert [(each.flow, each.intent.name, each.distance) for each in asked.candidates] == [
        ("desk", "enough", 0),
        ("doing", "help", 2),
        ("doing", "bye", 2),
    ]


def test_one_of_several_texts_depends_on_the_seed_alone() -> None:
    said = set()
    for seed in range(20):
        play = new(load(compiled("varying")))
        play.feed(MessageReceived(Moment(START, seed), "c", User("u"), "x", Understood()))
        again = new(load(compiled("varying")))
        again.feed(MessageReceived(Moment(START, seed), "c", User("u"), "x", Understood()))
        assert play.replies == again.replies
        said.add(play.replies[0].text)
    assert said == {"One.", "Two.", "Three."}
