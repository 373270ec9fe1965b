"""Both bots in simulated time, before the same arrivals and backends that are queues."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from math import exp
from pathlib import Path
from random import Random
from typing import Final

from shop.arrivals import Arrival, Phase, arrivals
from shop.backends import SPEEDS, Speed
from shop.figures import Ran
from shop.load import Answer, Ending

from flowc.compiler.compile import compile_project
from flowc.compiler.project import open_project
from flowc.runtime.kernel.events import User
from flowc.runtime.program import Program
from flowc.runtime.services.port import AttemptRequest, LoopClock
from flowc.runtime.simulate.crowd import Visit
from flowc.runtime.simulate.forecast import Heard, forecast
from flowc.runtime.simulate.loop import simulated
from flowc.runtime.simulate.profile import Delay, Operating
from flowc.runtime.simulate.queueing import QueueingBackend
from flowc.runtime.values import Shapes

Z95: Final = 1.6448536269514722  # of the normal distribution
CONNECTIONS: Final = 100  # of an HTTP client as it comes
TIMEOUT_S: Final = 5.0  # for a connection, and again for the answer
PROMISES: Final = frozenset({"noted", "look_around", "write_report"})  # states whose words are that an answer will come
FIRST: Final = {"crm": "customer", "inventory": "article"}


def shop() -> Program:
    program = compile_project(open_project(Path(__file__).parent)).program
    assert program is not None
    return program


def delay(speed: Speed) -> Delay:
    return Delay(speed.median_s, speed.median_s * exp(Z95 * speed.spread))


# ---------------------------------------------------------------------------------------------------------------- flowc


def flowc_in_simulation(phases: Sequence[Phase], seed: int) -> Ran:
    """What `flowc simulate` says of these arrivals."""
    program = shop()
    messages: dict[str, list[Arrival]] = {}
    for each in arrivals(phases, seed):
        messages.setdefault(each.conversation, []).append(each)
    operations = {
        (service.name, operation): Operating(delay(SPEEDS[service.name]))
        for service in program.services.values()
        for operation in service.operations
    }
    at_once = {name: speed.places for name, speed in SPEEDS.items()}
    visits = [visit(of_one) for of_one in messages.values()]
    found = forecast(program, visits, operations, at_once, turn_s=0.0003, seed=seed)
    answers = [answer(each, messages[each.conversation][0].priority) for each in found.heard]
    promised = sum(each.ending == "later" for each in answers)
    done = tuple(sorted(job.at_s for job in found.jobs if job.outcome == "ok"))
    ended = max(each.at_s + each.done_s for each in answers)
    return Ran("flowc", tuple(phases), tuple(answers), done, promised, max(0.0, done[-1] - ended) if done else 0.0)


def visit(messages: Sequence[Arrival]) -> Visit:
    waits = [0.0, *(later.at_s - earlier.at_s for earlier, later in pairwise(messages))]
    said = tuple(zip(waits, (each.text for each in messages), strict=True))
    first = messages[0]
    return Visit(first.at_s, first.conversation, User(id=first.customer), said, is_open=True)


def answer(heard: Heard, priority: str) -> Answer:
    ending: Ending = "later" if PROMISES & set(heard.states) else "fresh"
    if heard.ending != "answered":
        ending = heard.ending
    return Answer(heard.at_s, heard.conversation, priority, ending, heard.first_s, heard.done_s, 200)


# -------------------------------------------------------------------------------------------------------------- coupled


def coupled_in_simulation(phases: Sequence[Phase], seed: int) -> Ran:
    """The handler of `coupled.py`, whose own work takes no time."""
    program, clock = shop(), LoopClock()
    shapes = Shapes(program.records)
    backends = {
        name: QueueingBackend(
            {FIRST[name]: Operating(delay(speed))},
            speed.places,
            shapes,
            clock,
            Random(f"{seed} {name}"),
        )
        for name, speed in SPEEDS.items()
    }
    requests = {
        name: AttemptRequest(program.services[name].operations[operation], {}, TIMEOUT_S)
        for name, operation in FIRST.items()
    }
    answers: list[Answer] = []

    async def played() -> None:
        connections = asyncio.Semaphore(CONNECTIONS)

        async def call(name: str) -> None:
            """Raises TimeoutError."""
            async with asyncio.timeout(TIMEOUT_S):
                await connections.acquire()
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await backends[name].attempt(requests[name])
            finally:
                connections.release()

        async def handle(message: Arrival) -> None:
            await clock.sleep(message.at_s)
            ending: Ending = "fresh"
            try:
                await call("crm")
                await call("inventory")
            except TimeoutError:
                ending = "failed"
            took = clock.now() - message.at_s
            answers.append(Answer(message.at_s, message.conversation, message.priority, ending, took, took, 200))

        await asyncio.gather(*(handle(each) for each in arrivals(phases, seed)))

    simulated(played())
    return Ran("coupled", tuple(phases), tuple(answers))
