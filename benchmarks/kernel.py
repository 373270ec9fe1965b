"""What one turn costs beside the store: each step of it by itself, in microseconds of this process.

`python benchmarks/kernel.py [--profile PART]` writes `benchmarks/results/kernel.md`; the best of many short rounds, so
that what else the machine does hardly shows.
"""

import argparse
import asyncio
import cProfile
import pstats
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import uvloop
from compile import machine
from msgspec.structs import replace

from flowc.compiler.compile import compile_project
from flowc.compiler.project import open_project
from flowc.runtime.kernel import advance, asking, load
from flowc.runtime.kernel.events import MessageReceived, Moment, RankedIntent, ReadsDone, Succeeded, Understood, User
from flowc.runtime.kernel.position import Position
from flowc.runtime.policy.verdict import Answered, RawAnswer
from flowc.runtime.program import Program
from flowc.runtime.services.calls import Services
from flowc.runtime.services.port import AttemptRequest, Call, LoopClock
from flowc.runtime.understanding.port import Heard
from flowc.runtime.understanding.rules import Rules
from flowc.runtime.values import Value, decode, encode

ROOT = Path(__file__).parent.parent
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MOMENT = Moment(NOW, 1234567890123)
USER = User("u-1", name="Ada", locale="en-GB")
ORDER: Value = {"id": "AB123456", "status": "shipped", "eta": date(2026, 12, 1)}
CUSTOMER: Value = {"id": "c", "name": "Ada", "tier": "gold"}
RESULTS = (Succeeded(ORDER), Succeeded(CUSTOMER))
ANSWERS = {"get": ORDER, "customer": CUSTOMER}
ROUNDS, TIMES = 400, 50

Part = Callable[[], object]


class Instant:
    """A backend that answers at once."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield

    async def attempt(self, request: AttemptRequest) -> RawAnswer:
        return Answered(ANSWERS[request.operation.name])


def parts(program: Program) -> dict[str, Part]:
    """What is measured, by its name."""
    loaded, rules = load(program), Rules(program)

    def understood(position: Position | None, text: str) -> Understood:
        return rules.hear(Heard(text, NOW), asking(loaded, position))

    def said(position: Position | None, text: str) -> MessageReceived:
        return MessageReceived(MOMENT, "c-1", USER, text, understood(position, text))

    def after(position: Position | None, text: str) -> Position:
        step = advance(loaded, position, said(position, text))
        if step.reads:
            step = advance(loaded, step.position, ReadsDone(MOMENT, RESULTS))
        assert step.position is not None, step.fault
        return step.position

    number = after(None, "where is my order")
    more = after(number, "AB123456")
    start = after(more, "yes")
    assert [each.state for each in (number, more, start)] == ["track", "anything_else", "start"]
    yes, answer = said(more, "yes"), said(number, "AB123456")
    first = MessageReceived(MOMENT, "c-1", USER, "where is my order", Understood((RankedIntent("track_order", 1.0),)))
    at_number, at_more, at_start = (asking(loaded, each) for each in (number, more, start))
    packed = encode(more)

    def with_reads() -> object:
        step = advance(loaded, number, answer)
        return advance(loaded, step.position, ReadsDone(MOMENT, RESULTS))

    assert advance(loaded, more, yes).replies
    return {
        "advance: listen, say, listen": lambda: advance(loaded, more, yes),
        "advance: answer, two reads, listen": with_reads,
        "advance: first message": lambda: advance(loaded, None, first),
        "asking: at a listen": lambda: asking(loaded, more),
        "asking: at a question": lambda: asking(loaded, number),
        "hear: an example, heard before": lambda: rules.hear(Heard("where is my order", NOW), at_start),
        "hear: an answer": lambda: rules.hear(Heard("AB123456", NOW), at_number),
        "hear: yes, heard before": lambda: rules.hear(Heard("yes", NOW), at_more),
        "encode: a position": lambda: encode(more),
        "encode: an event": lambda: encode(answer),
        "encode: results of reads": lambda: encode(ReadsDone(MOMENT, RESULTS)),
        "decode: a position": lambda: decode(packed, Position),
    }


@contextmanager
def profiled(*, wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    profile = cProfile.Profile()
    profile.enable()
    yield
    profile.disable()
    pstats.Stats(profile).sort_stats("tottime").print_stats(40)


def measured(part: Part) -> float:
    """The microseconds of one time."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(TIMES):
            part()
        best = min(best, time.perf_counter() - began)
    return best / TIMES * 1e6


async def measured_async(part: Callable[[], Awaitable[object]]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(TIMES):
            await part()
        best = min(best, time.perf_counter() - began)
    return best / TIMES * 1e6


def limitless(program: Program) -> Program:
    """Without rate limits: the calls of a benchmark would wait for them."""
    services = {
        name: replace(service, policy=replace(service.policy, limit=None)) for name, service in program.services.items()
    }
    return replace(program, services=services)


async def reads(program: Program, profiled_part: str) -> dict[str, float]:
    """Reads through the policies, awaited here and as tasks at the same time."""
    services = Services(program, {name: Instant() for name in program.services}, clock=LoopClock(), draw=random.random)
    order = Call("orders", "get", {"id": "AB123456"})
    customer = Call("crm", "customer", {"id": "c"})

    async def two() -> None:
        await services.read(order)
        await services.read(customer)

    async def two_tasks() -> None:
        tasks = [asyncio.ensure_future(services.read(each)) for each in (order, customer)]
        await asyncio.sleep(0)
        for task in tasks:
            await task

    with profiled(wanted=profiled_part == "reads"):
        return {
            "reads: one": await measured_async(lambda: services.read(order)),
            "reads: two": await measured_async(two),
            "reads: two tasks": await measured_async(two_tasks),
        }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", default="", help="the part to profile, by the beginning of its name")
    parser.add_argument("--dry", action="store_true", help="write no results")
    arguments = parser.parse_args()
    program = compile_project(open_project(ROOT / "flows" / "order_support")).program
    assert program is not None
    figures = {}
    for name, part in parts(program).items():
        with profiled(wanted=bool(arguments.profile) and name.startswith(arguments.profile)):
            figures[name] = measured(part)
    uvloop.install()
    figures |= asyncio.run(reads(limitless(program), arguments.profile))
    rows = [f"| {name} | {us:.1f} |" for name, us in figures.items()]
    text = "\n".join(["| part of a turn | µs |", "|:--|--:|", *rows])
    print(text)
    if not (arguments.dry or arguments.profile):
        heading = (
            f"# A turn beside the store\n\n`python benchmarks/kernel.py`: the best of {ROUNDS} rounds\n\n{machine()}\n"
        )
        (ROOT / "benchmarks" / "results" / "kernel.md").write_text(f"{heading}\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
