"""SIGTERM to a real server: it says so, answers the turns that run, leaves the rest as rows, and ends in time."""

import http.client
import json
import signal
import threading
import time
from contextlib import suppress
from typing import Any

import pytest
from end_to_end.bot import Bot, Unanswered

TOLD = "Done: AB123457 is cancelled."
ENDS_S = 14.0  # 10 s for what runs, 2 s for answers on their way, 1 s for what is left, and closing the store


def ready(bot: Bot) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", bot.port, timeout=5)
    connection.request("GET", "/readyz")
    answer = connection.getresponse()
    told = answer.status, json.load(answer)
    connection.close()
    return told


def unanswered(bot: Bot) -> None:
    with suppress(Unanswered, AssertionError):  # a server that is told twice may still say 500
        bot.send("c", "last", "yes")


def slow(bot: Bot) -> None:
    """The flow waits for its backends as long as it takes."""
    flow = bot.project / "order_support.flow"
    text = flow.read_text().replace("timeout 800ms", "timeout 30s").replace("within 2s", "within 100s")
    flow.write_text(text.replace("reply within 3s", "reply within 200s"))


def before_the_write(bot: Bot) -> None:
    """The conversation where the next "yes" cancels the order."""
    for number, text in enumerate(("hello", "cancel my order", "AB123457")):
        bot.say("c", f"m{number}", text)


@pytest.mark.timeout(60)
def test_a_server_that_stops_is_not_ready_refuses_and_answers_the_turn_that_runs(bot: Bot) -> None:
    server = bot.serve()
    before_the_write(bot)
    assert ready(bot)[0] == 200
    bot.control("orders", delay_ms=500)
    answers: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: answers.append(bot.send("c", "last", "yes")))
    asking.start()
    time.sleep(0.2)  # the write is under way
    server.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    assert ready(bot) == (503, {"ready": False, "reasons": ["the server stops"]})
    with pytest.raises(Unanswered, match="503"):
        bot.send("other", "m1", "hello")
    asking.join()
    assert answers[0]["replies"][0]["text"] == TOLD
    assert "Traceback" not in server.communicate(timeout=ENDS_S)[1]
    assert server.returncode == 0
    bot.serve()
    assert bot.say("c", "last", "yes")["duplicate"]
    assert bot.effects() == [("cancel", "AB123457")]


@pytest.mark.soak  # it takes the 10 s that a turn has
@pytest.mark.timeout(90)
def test_what_takes_too_long_is_left_to_the_next_server(bot: Bot) -> None:
    """A backend that does not answer must not keep a server alive."""
    slow(bot)
    server = bot.serve()
    before_the_write(bot)
    bot.control("orders", delay_ms=15_000)
    asking = threading.Thread(target=lambda: unanswered(bot))
    asking.start()
    bot.say("other", "m1", "hello")
    time.sleep(0.3)
    began = time.monotonic()
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=ENDS_S + 5)
    assert time.monotonic() - began < ENDS_S
    asking.join()
    assert server.returncode == 0
    bot.control("orders", delay_ms=0)
    bot.serve()
    assert bot.say("c", "last", "yes")["replies"][0]["text"] == TOLD
    assert bot.effects() == [("cancel", "AB123457")]


@pytest.mark.timeout(60)
def test_a_second_signal_ends_at_once(bot: Bot) -> None:
    slow(bot)
    server = bot.serve()
    before_the_write(bot)
    bot.control("orders", delay_ms=3_000)
    asking = threading.Thread(target=lambda: unanswered(bot))
    asking.start()
    time.sleep(0.3)
    server.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=4)
    asking.join()
