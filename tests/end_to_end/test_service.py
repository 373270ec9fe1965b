"""`flowc service`: a backend that is repaired while people go on talking."""

import re

import pytest
from command import Ran, flowc
from end_to_end.bot import Bot


def service(bot: Bot, *command: str) -> Ran:
    return flowc("service", *command, "--project", bot.project)


@pytest.mark.timeout(90)
def test_a_service_is_paused_listed_and_resumed_by_the_server_that_runs(bot: Bot) -> None:
    bot.serve()
    bot.say("a", "m1", "where is my order")
    assert service(bot).err == "no service is paused\n"
    assert service(bot, "pause", "orders").out == "orders is paused\n"
    assert re.fullmatch(r"orders paused since [-0-9]+ [0-9:]+ UTC by \S+\n", service(bot).out)
    paused = bot.say("a", "m2", "AB123456")
    assert "does not work just now" in str(paused["replies"])
    assert service(bot, "resume", "orders", "--rate", "20/s").out == "orders is resumed, its jobs come out at 20/s\n"
    bot.say("b", "m1", "where is my order")
    assert "does not work just now" not in str(bot.say("b", "m2", "AB123456"))
    assert service(bot, "resume", "orders").code == 0


def test_wrong_words_of_service_say_what_to_do(bot: Bot) -> None:
    ran = service(bot, "pause", "ordrs")
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: the bot calls no service `ordrs`")
    assert "did you mean `orders`?" in ran.err
    wrong = service(bot, "resume", "orders", "--rate", "30/m")
    assert (wrong.code, wrong.err.splitlines()[0]) == (2, "error: `30/m` is no rate")
    assert "such as --rate 20/s" in wrong.err
    assert service(bot, "pause", "orders", "--dry-run").out == "orders would be paused\n"
