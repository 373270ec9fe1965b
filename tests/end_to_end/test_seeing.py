"""A server looked at from outside: its metrics and log, and the commands that read its store while it runs, after it
was killed, and after it has ended."""

import json
import signal
import urllib.request

import pytest
from command import flowc
from end_to_end.bot import Bot


@pytest.mark.timeout(90)
def test_a_server_is_looked_at_while_it_runs_when_it_was_killed_and_when_it_has_ended(bot: Bot) -> None:
    bot.serve()
    bot.say("c1", "m1", "where is my order")
    bot.say("c1", "m2", "AB123456")
    with urllib.request.urlopen(f"http://127.0.0.1:{bot.port}/metrics") as answer:
        page = answer.read().decode()
    assert 'flowc_turn_duration_seconds_count{kind="message"} 2.0' in page
    assert "flowc_store_commits_total" in page
    assert "process_resident_memory_bytes" in page

    def seen() -> tuple[object, str]:
        listed = flowc("conversations", "--json", "--project", bot.project)
        why = flowc("why", "c1", "2", "--project", bot.project)
        assert (listed.code, why.code) == (0, 0), (listed, why)
        told = json.loads(listed.out)
        return (told["conversation"], told["turn"], told["wait"]), why.out

    running = seen()
    assert running[0] == ("c1", 2, "order_support/anything_else.listen")
    assert "orders.get ok" in running[1]
    bot.stop()  # killed: the log of the store is left behind, with nobody who has it open
    assert seen() == running
    bot.serve()
    bot.say("c2", "m1", "hello")
    code, log = bot.stop(signal.SIGTERM)
    assert (code, log) == (0, ""), "nothing is logged of turns that went well"
    listed = flowc("conversations", "--project", bot.project)
    assert [line.split()[0] for line in listed.out.splitlines()] == ["conversation", "c1", "c2"]
    assert flowc("funnel", "--json", "--project", bot.project).code == 0
