"""What is marked `pii` or `secret` is looked for in all that a server and its commands tell."""

import asyncio
import json
from datetime import date
from pathlib import Path

import pytest
from command import flowc
from history.ward import Ward, ward

from flowc.runtime.engine.errors import Refusal
from flowc.runtime.kernel.events import User
from flowc.runtime.policy.verdict import Answered, Broken, Declared, Lost

NAME = "Zaphod Quixotelbrox"
BORN = date(1957, 3, 19)
PHONE = "+49 30 98765432"
PIN = "73919317"
BADGE = "BDG-77QX"
INSURANCE = "INS-4242-XYZ"
USER = User("patient-zq-42", name="Zapho Quix", locale="en", declared={"insurance": INSURANCE})
RECEIPT = "receipt-for-zq"

# None so short that it is part of an id or a time by chance.
NEEDLES = (
    *NAME.split(),
    *("19 March", "March 19", "1957-03-19", "1957, 3, 19"),
    *("98765432", "4930987"),
    *(PIN, BADGE, INSURANCE, "INS-4242", "patient-zq", "Zapho", "Quix", RECEIPT),
)


def leaks(told: str) -> list[str]:
    return [needle for needle in NEEDLES if needle.lower() in told.lower()]


async def talk(clinic: Ward) -> None:
    """Everything that is marked goes everywhere that it may."""
    clinic.user = USER
    patient = {"name": NAME, "born": BORN, "ward": "b"}
    clinic.records.script("find", Broken(f"no luck with {NAME}"), Answered(patient))
    clinic.records.script("book", Lost(f"lost {PHONE}"), Answered(RECEIPT))
    await clinic.say("hello")
    await clinic.say(f"book a visit for {NAME}")
    await clinic.say(NAME)
    await clinic.say(f"I will not say, {NAME}")
    await clinic.say("March 19, 1957")
    await clinic.say(PHONE)
    await clinic.event({"badge": BADGE, "door": 3})
    await clinic.say("unlock")
    await clinic.say(PIN)
    await clinic.event({"badge": BADGE, "door": 1}, id="e2")


async def fail(clinic: Ward) -> None:
    """Errors of all kinds, with marked values in their words."""
    clinic.user = USER
    clinic.records.script("find", Declared("not_found", {"hint": NAME}, f"nobody is {NAME}"))
    await clinic.say("book a visit", "c2")
    await clinic.say(NAME, "c2")
    await clinic.say("March 19, 1957", "c2")
    clinic.records.script("book", RuntimeError(f"cannot book {NAME} at {PHONE}"))
    clinic.records.script("find", Answered({"name": NAME, "born": BORN, "ward": "b"}))
    await clinic.say("book a visit", "c3")
    await clinic.say(NAME, "c3")
    await clinic.say("March 19, 1957", "c3")
    await clinic.say(PHONE, "c3")
    await clinic.say("hello", "c4")
    await clinic.say(f"poison {NAME}", "c4")
    with pytest.raises(Refusal) as refused:
        await clinic.event({"badge": [BADGE], "door": NAME}, "c4")
    assert not leaks(str(refused.value))


COMMANDS = (
    ("conversations", "--ended"),
    ("conversations", "--ended", "--json"),
    *(("conversations", "show", name, "--json") for name in ("c1", "c2", "c3", "c4")),
    ("conversations", "show", "c1"),
    *(("why", "c1", turn, "--json") for turn in ("3", "4", "6", "7", "8", "10", "12")),
    *(("why", name, "--json") for name in ("c2", "c3", "c4")),
    ("why", "c1", "5"),
    ("why", "c2"),
    ("funnel",),
    ("funnel", "--json"),
    ("dead", "list"),
    ("dead", "show", "c4", "1.2"),
)


@pytest.mark.timeout(90)
async def test_nothing_marked_is_told_by_anybody_but_the_bot_itself(tmp_path: Path) -> None:
    async with ward(tmp_path) as clinic:
        await talk(clinic)
        await fail(clinic)
        assert leaks(" ".join(clinic.said)), "the bot itself may say it to its user"
        told = {"metrics": await clinic.page(), "traces": clinic.spans, "log": clinic.log.getvalue()}
    assert '"turn failed"' in told["log"]
    assert "flowc.conversation" in told["traces"]
    for command in COMMANDS:
        ran = await asyncio.to_thread(flowc, *command, "--project", clinic.project)
        assert ran.code == 0, ran
        told[" ".join(command)] = ran.out + ran.err
    assert {name: found for name, text in told.items() if (found := leaks(text))} == {}
    assert '"name":"door","value":"3"' in told["why c1 8 --json"], "what is not marked is shown"
    assert "Welcome back to ward b, •••, born •••." in told["why c1 5"]
    assert json.loads(told["conversations show c1 --json"])["conversation"] == "c1"
