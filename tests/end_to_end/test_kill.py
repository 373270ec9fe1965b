"""A server of the order bot is killed with SIGKILL wherever it hurts, and another one goes on with its file. The
backends' own ledger says what really happened; the stream says what the user read.

The client of these tests does what docs/http.md asks of one: it sends again, with the same id, what was not answered.
"""

import signal
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from end_to_end.bot import Bot, Unanswered

GREETING = "Hello Ann! I can track an order or cancel it."
MORE = "Is there anything else?"
TALK: Sequence[tuple[str, list[str]]] = (
    (
        "where is AB123456",
        [
            GREETING,
            "It is on its way, and should arrive on Dec 1, 2026.",
            "As a gold customer you can still change the delivery address.",
            MORE,
        ],
    ),
    ("yes", [GREETING]),
    ("cancel my order", ["What is your order number?"]),
    ("AB123457", ["Shall I cancel AB123457?"]),
    ("yes", ["Done: AB123457 is cancelled.", MORE]),
)
ALL = [text for _, texts in TALK for text in texts]


def texts(answer: dict[str, Any]) -> list[str]:
    return [reply["text"] for reply in answer["replies"]]


def in_order(bot: Bot, expected: list[str]) -> None:
    """Each reply was said once, in order, with an id of its own. A goodbye is the last of them: nothing is behind."""
    goodbye = texts(bot.say("c", "bye", "no"))
    said = bot.said("c", len(expected) + 1)
    assert [text for _, text in said] == expected + goodbye
    assert len({id for id, _ in said}) == len(said)


def cancelled_once(bot: Bot) -> None:
    assert bot.effects() == [("cancel", "AB123457")]


@pytest.mark.timeout(90)
def test_a_kill_after_every_turn_loses_and_doubles_nothing(bot: Bot) -> None:
    bot.serve()
    for number, (text, expected) in enumerate(TALK):
        first = bot.say("c", f"m{number}", text)
        assert texts(first) == expected
        bot.replace()
        again = bot.say("c", f"m{number}", text)  # as a client that was killed, too, before it noted the answer
        assert again == {**first, "duplicate": True}
    in_order(bot, ALL)
    cancelled_once(bot)


@pytest.mark.timeout(90)
def test_a_kill_while_a_turn_waits_for_a_backend_loses_and_doubles_nothing(bot: Bot) -> None:
    """The reads of the first message, and the write of the last, are under way when the server dies."""
    bot.serve()
    for number, (text, expected) in enumerate(TALK):
        if number in (0, len(TALK) - 1):
            bot.control("orders", delay_ms=600)
            with pytest.raises(Unanswered):
                killed_in_the_middle(bot, f"m{number}", text, 0.25)
            bot.control("orders", delay_ms=0)
        assert texts(bot.say("c", f"m{number}", text)) == expected
    in_order(bot, ALL)
    cancelled_once(bot)


def killed_in_the_middle(bot: Bot, id: str, text: str, after_s: float) -> dict[str, Any]:
    """Sends, and kills the server a moment later. Raises Unanswered."""
    bot.say("warm", "w", "hello")  # so that the moment is one of the turn, not of the start
    killing = threading.Timer(after_s, bot.replace)
    killing.start()
    try:
        return bot.send("c", id, text)
    finally:
        killing.join()


@pytest.mark.timeout(60)
def test_a_write_whose_answer_is_lost_with_the_server_is_asked_for_with_the_same_key(bot: Bot) -> None:
    """The backend did it, its answer never came, and then the server died: the ledger has one line and the user one
    word for it."""
    bot.serve()
    for number, (text, _) in enumerate(TALK[:-1]):
        bot.say("c", f"m{number}", text)
    bot.control("orders", mode="lose", delay_ms=100)
    with pytest.raises(Unanswered):
        killed_in_the_middle(bot, "last", "yes", 0.2)
    bot.control("orders", mode="ok", delay_ms=0)
    assert texts(bot.say("c", "last", "yes")) == TALK[-1][1]
    in_order(bot, ALL)
    cancelled_once(bot)


@pytest.mark.timeout(60)
def test_a_job_that_is_under_way_when_the_server_is_killed_is_done_once(bot: Bot) -> None:
    """Nobody can confirm the cancellation, so that a ticket is made; the server dies while it is."""
    bot.serve()
    for number, (text, _) in enumerate(TALK[:-1]):
        bot.say("c", f"m{number}", text)
    bot.control("orders", mode="lose")
    bot.control("tickets", delay_ms=400)
    told = ["I have asked for it, and will tell you here when it is confirmed.", MORE]
    assert texts(bot.say("c", "last", "yes")) == told
    bot.replace()
    bot.control("tickets", delay_ms=0)
    in_order(bot, [*ALL[:-2], *told])
    while len(bot.effects()) < 2:
        time.sleep(0.02)
    bot.stop(signal.SIGTERM)
    assert bot.effects() == [("cancel", "AB123457"), ("ticket", "Check the cancellation of AB123457")]


@pytest.mark.timeout(60)
def test_sigterm_answers_the_turn_that_runs(bot: Bot) -> None:
    server = bot.serve()
    for number, (text, _) in enumerate(TALK[:-1]):
        bot.say("c", f"m{number}", text)
    bot.control("orders", delay_ms=600)
    stopping = threading.Timer(0.2, lambda: server.send_signal(signal.SIGTERM))
    stopping.start()
    assert texts(bot.send("c", "last", "yes")) == TALK[-1][1]
    stopping.join()
    complaints = server.communicate(timeout=20)[1]
    assert (server.returncode, complaints) == (0, "")
    bot.serve()
    assert bot.say("c", "last", "yes")["duplicate"]
    cancelled_once(bot)


@pytest.mark.timeout(90)
def test_a_kill_right_after_a_request_was_sent(bot: Bot) -> None:
    killed_in_turns(bot, (0.008, None, 0.0, None, 0.016))


@pytest.mark.soak
@pytest.mark.timeout(120)
@pytest.mark.parametrize("moment_ms", range(0, 120, 4))
def test_a_kill_at_any_moment_of_a_turn(bot: Bot, moment_ms: int) -> None:
    killed_in_turns(bot, [moment_ms / 1000] * len(TALK))


def killed_in_turns(bot: Bot, moments_s: Sequence[float | None]) -> None:
    """The server dies that long after each message was sent; None: it lives on."""
    bot.serve()
    bot.control("orders", delay_ms=20)
    for number, ((text, expected), moment_s) in enumerate(zip(TALK, moments_s, strict=True)):
        bot.say("warm", f"w{number}", "hello")
        killing = threading.Timer(moment_s or 0, bot.replace if moment_s is not None else lambda: None)
        killing.start()
        assert texts(bot.say("c", f"m{number}", text)) == expected
        killing.join()
    in_order(bot, ALL)
    cancelled_once(bot)
