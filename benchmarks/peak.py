"""The story this project began with: a bot whose every message asks the CRM, then the inventory; at a peak of three
times what they can bear, against the same shop as a flow. The same backends, the same arrivals.

Everything is real: the backends are HTTP services in a process of their own with a limited number of places
(`shop/backends.py`), the coupled bot is an async handler behind uvicorn (`shop/coupled.py`), the flow
(`shop/shop.flow`) runs under `flowc serve` with SQLite and full sync. The load is open (`shop/load.py`).

`python benchmarks/peak.py [--quick]` writes `benchmarks/results/peak.md` and `peak.svg`.
"""

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

import uvloop
from shop.arrivals import CLASSES, Phase, arrivals
from shop.backends import SPEEDS
from shop.load import Answer, Load, asked
from shop.processes import HOST, cpu_s, free_port, running

from flowc.runtime.simulate.plot import Curve, Panel, Span, plot

FOLDER: Final = Path(__file__).parent
SHOP: Final = FOLDER / "shop"
CAPACITY: Final = min(speed.per_s for speed in SPEEDS.values())  # messages a second
CALM: Final = 0.6  # of the capacity, before and after the peak
PATIENCE_S: Final = 5.0  # an answer that comes later is none
SOONEST_S: Final = ("urgent", "high", "normal")  # whose latency says that all is as before
MARGIN_S: Final = 0.1
LONGEST_DRAIN_S: Final = 300.0

Bot = Literal["coupled", "flowc"]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run came to. `enquiries`: when, of the run's seconds, deferred work was done. `cpu_s` of the bot."""

    bot: Bot
    phases: tuple[Phase, ...]
    answers: tuple[Answer, ...]
    enquiries: tuple[float, ...]
    deferred: int
    drained_s: float
    cpu_s: float
    longest: dict[str, int]

    @property
    def seconds(self) -> float:
        return sum(phase.seconds for phase in self.phases)


# ------------------------------------------------------------------------------------------------------------ processes


@contextmanager
def backends(seed: int) -> Iterator[dict[str, int]]:
    """The ports of the services."""
    ports = {name: free_port() for name in SPEEDS}
    command = [sys.executable, str(SHOP / "backends.py"), "--seed", str(seed)]
    for name, port in ports.items():
        command += [f"--{name}", str(port)]
    with running(command, *ports.values()):
        yield ports


@contextmanager
def serving(bot: Bot, ports: dict[str, int], folder: str) -> Iterator[tuple[int, int]]:
    """The port of the bot, and its process id."""
    port = free_port()
    environment = dict(os.environ)
    if bot == "flowc":
        command = [sys.executable, "-m", "flowc.cli", "serve", "--project", str(SHOP), "--port", str(port), "--quiet"]
        environment["FLOWC_STORE"] = f"sqlite:///{folder}/shop.db"
        for name, each in ports.items():
            environment[f"FLOWC_SERVICE_{name.upper()}_URL"] = f"http://{HOST}:{each}"
    else:
        command = [sys.executable, str(SHOP / "coupled.py"), "--port", str(port)]
        for name, each in ports.items():
            command += [f"--{name}", str(each)]
    with running(command, port, environment=environment) as process:
        yield port, process.pid


# ----------------------------------------------------------------------------------------------------------------- runs


def run(bot: Bot, phases: Sequence[Phase], seed: int, *, drain: bool = True) -> Ran:
    """One bot against the arrivals of `seed`, with fresh backends and a fresh store."""
    with tempfile.TemporaryDirectory() as folder, backends(seed) as ports, serving(bot, ports, folder) as (port, pid):
        before = cpu_s(pid)
        return asyncio.run(played(bot, tuple(phases), seed, port, ports, lambda: cpu_s(pid) - before, drain=drain))


async def played(
    bot: Bot,
    phases: tuple[Phase, ...],
    seed: int,
    port: int,
    ports: dict[str, int],
    used: Callable[[], float],
    *,
    drain: bool,
) -> Ran:
    ledgers = {name: await ledger(each) for name, each in ports.items()}
    began_at = ledgers["inventory"]["began_at"]
    load = Load(port, began_at)
    await load.run(arrivals(phases, seed))
    spent = used()
    deferred = sum(answer.ending == "later" for answer in load.answers)
    ended = time.monotonic()
    done = await ledger(ports["inventory"])
    while drain and len(done["enquiries"]) < deferred and time.monotonic() < ended + LONGEST_DRAIN_S:
        await asyncio.sleep(1)
        done = await ledger(ports["inventory"])
    offset = load.began_at - began_at
    return Ran(
        bot,
        phases,
        tuple(load.answers),
        tuple(sorted(at - offset for _, at in done["enquiries"])),
        deferred,
        time.monotonic() - ended,
        spent,
        {name: (await ledger(each))["longest"] for name, each in ports.items()},
    )


async def ledger(port: int) -> dict[str, Any]:
    return cast(dict[str, Any], await asked(port, "/ledger"))


# -------------------------------------------------------------------------------------------------------------- figures


def percentile(values: Sequence[float], percent: float) -> float:
    """0 where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def within(ran: Ran, begins_s: float, ends_s: float) -> list[Answer]:
    """What was asked in that time."""
    return [each for each in ran.answers if begins_s <= each.at_s < ends_s]


def good_times(ran: Ran) -> list[float]:
    """When a true answer was given: in time, or as it was promised."""
    answered = [
        each.at_s + each.done_s
        for each in ran.answers
        if each.ending in ("fresh", "cached") and each.done_s <= PATIENCE_S
    ]
    return answered + list(ran.enquiries)


def goodput(ran: Ran, begins_s: float, ends_s: float) -> float:
    """True answers a second."""
    return sum(begins_s <= at < ends_s for at in good_times(ran)) / (ends_s - begins_s)


def failed_conversations(ran: Ran) -> tuple[int, int, int]:
    """Conversations in which something failed, of those that were admitted, and those that were refused."""
    endings: dict[str, set[str]] = {}
    for each in ran.answers:
        endings.setdefault(each.conversation, set()).add(each.ending)
    admitted = [each for each in endings.values() if "refused" not in each]
    return sum("failed" in each for each in admitted), len(admitted), len(endings) - len(admitted)


def recovery_s(ran: Ran) -> float | None:
    """After how many seconds of calm the p95 of the last 5 s is, for good, what it was before the peak."""
    calm, peak, after = (phase.seconds for phase in ran.phases)
    usual = p95_of_soonest(ran, calm / 4, calm)
    limit = max(2 * usual, usual + MARGIN_S)
    late = [at for at in range(int(after) - 5) if p95_of_soonest(ran, calm + peak + at, calm + peak + at + 5) > limit]
    recovered = late[-1] + 1 if late else 0
    return recovered if recovered < int(after) - 5 else None


def p95_of_soonest(ran: Ran, begins_s: float, ends_s: float) -> float:
    return percentile([each.done_s for each in within(ran, begins_s, ends_s) if each.priority in SOONEST_S], 95)


# --------------------------------------------------------------------------------------------------------------- report


def class_rows(ran: Ran) -> Iterator[str]:
    calm, peak = ran.phases[0].seconds, ran.phases[1].seconds
    asked_then = within(ran, calm, calm + peak)
    for name in CLASSES:
        mine = [each for each in asked_then if each.priority == name]
        waits = [each.first_s for each in mine if each.ending != "refused"]
        counts = [sum(each.ending == ending for each in mine) for ending in ("fresh", "cached", "later")]
        bad = [sum(each.ending == ending for each in mine) for ending in ("failed", "refused")]
        shown = [f"{percentile(waits, percent) * 1000:,.0f}" for percent in (50, 95, 99)]
        yield f"| {ran.bot} | {name} | {len(mine)} | " + " | ".join([*shown, *map(str, [*counts, *bad])]) + " |"


def average_s(ran: Ran) -> float:
    """Of the first words to everybody who was not refused, at the peak."""
    calm, peak = ran.phases[0].seconds, ran.phases[1].seconds
    waits = [each.first_s for each in within(ran, calm, calm + peak) if each.ending != "refused"]
    return sum(waits) / len(waits)


def summary_row(ran: Ran) -> str:
    failed, admitted, refused = failed_conversations(ran)
    back = recovery_s(ran)
    cells = [
        f"{average_s(ran) * 1000:,.0f}",
        f"{failed} of {admitted}",
        f"{refused}",
        f"{len(ran.enquiries)} of {ran.deferred}",
        "not" if back is None else f"{back:.0f} s",
        f"{ran.cpu_s / max(1, len(ran.answers)) * 1e6:,.0f}",
    ]
    return f"| {ran.bot} | " + " | ".join(cells) + " |"


def p95_row(coupled: Ran, flowc: Ran, name: str) -> str:
    calm, peak = coupled.phases[0].seconds, coupled.phases[1].seconds
    both = [
        percentile([each.first_s for each in within(ran, calm, calm + peak) if each.priority == name], 95)
        for ran in (coupled, flowc)
    ]
    share = f"1/{both[0] / max(both[1], 1e-9):.0f}"
    return f"- p95 of {name} at the peak: {both[1] * 1000:,.0f} ms, {share} of {both[0]:.1f} s"


def report(coupled: Ran, flowc: Ran, sweep: dict[Bot, dict[float, float]], seed: int) -> str:
    phases = ", ".join(f"{phase.seconds:.0f} s at {phase.per_s:.0f}/s" for phase in coupled.phases)
    less = 100 * (1 - average_s(flowc) / average_s(coupled))
    loads = sorted(sweep["flowc"])
    kept = {bot: sweep[bot][loads[-1]] / max(sweep[bot].values()) * 100 for bot in sweep}
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False).stdout.strip()
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} when it ended"
    machine = f"{load}, {platform.machine()}, Python {platform.python_version()}, commit {commit}."
    good = f"- goodput at {loads[-1]:g} times the load: {kept['flowc']:.0f} % of its best; "
    return "\n".join(
        [
            "# A peak of three times the capacity",
            "",
            "`python benchmarks/peak.py`: each message needs one answer of the CRM and one of the inventory, each of",
            f"which can give {CAPACITY:.0f} a second. The coupled bot asks one after the other; the flow asks both at",
            "once, answers from a cache when there is no place in time, puts off what is low or bulk, and keeps places",
            f"for urgent and high. Messages come at {phases}, Poisson, seed {seed}, whether or not the last was",
            "answered. Real processes and HTTP on one machine; backends queue without a bound and do not notice that a",
            "caller has gone.",
            "",
            f"- average wait at the peak: {less:.0f} % lower",
            *[p95_row(coupled, flowc, name) for name in ("urgent", "high", "normal")],
            f"{good}the coupled one keeps {kept['coupled']:.0f} %",
            "",
            "At the peak, milliseconds until the first words. `cached`: read more than a second before, when there was",
            "no place for the call; `later`: promised, and told when it is done.",
            "",
            "| bot | class | messages | p50 | p95 | p99 | fresh | cached | later | failed | refused |",
            "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
            *class_rows(coupled),
            *class_rows(flowc),
            "",
            "| bot | average ms | failed conversations | refused | put off, done | back to normal | CPU µs a message |",
            "|---|--:|--:|--:|--:|--:|--:|",
            summary_row(coupled),
            summary_row(flowc),
            "",
            f"Goodput: true answers a second, in {PATIENCE_S:.0f} s or as promised, at so many times {CAPACITY:.0f}/s.",
            "",
            "| bot | " + " | ".join(f"{each:g}×" for each in loads) + " |",
            "|---|" + "--:|" * len(loads),
            *[f"| {bot} | " + " | ".join(f"{sweep[bot][each]:.0f}" for each in loads) + " |" for bot in sweep],
            "",
            "![latency and goodput over time](peak.svg)",
            "",
            machine,
            "",
        ]
    )


def picture(coupled: Ran, flowc: Ran) -> str:
    """Latency by class and goodput over time, of both."""
    calm, peak = coupled.phases[0].seconds, coupled.phases[1].seconds
    panels = [
        Panel(f"{ran.bot}: p95 until the first words, in seconds", curves(ran), logarithmic=True)
        for ran in (coupled, flowc)
    ]
    good = [Curve(ran.bot, rates(good_times(ran), ran.seconds)) for ran in (coupled, flowc)]
    came = Curve("messages that came", rates([each.at_s for each in flowc.answers], flowc.seconds))
    panels.append(Panel("true answers a second, in time or as promised", [*good, came]))
    return plot("A peak of three times the capacity", panels, [Span(calm, calm + peak, "peak")])


def curves(ran: Ran) -> list[Curve]:
    step = 2
    found = []
    for name in CLASSES:
        points: list[tuple[float, float | None]] = []
        for at in range(0, int(ran.seconds), step):
            waits = [
                each.first_s
                for each in within(ran, at, at + step)
                if each.priority == name and each.ending != "refused"
            ]
            points.append((at + step / 2, percentile(waits, 95) if waits else None))
        found.append(Curve(name, points))
    return found


def rates(times: Sequence[float], seconds: float, step: int = 2) -> list[tuple[float, float | None]]:
    counts = [0] * (int(seconds) // step + 1)
    for at in times:
        if 0 <= at < len(counts) * step:
            counts[int(at) // step] += 1
    return [(number * step + step / 2, count / step) for number, count in enumerate(counts[:-1])]


# ----------------------------------------------------------------------------------------------------------------- main


def swept(bot: Bot, times: Sequence[float], seconds: float, seed: int) -> dict[float, float]:
    """Goodput at each load, once it has settled."""
    found = {}
    for each in times:
        ran = run(bot, [Phase(seconds, CAPACITY * each)], seed, drain=False)
        found[each] = goodput(ran, seconds / 3, seconds)
        print(f"{bot} at {each:g} times the capacity: {found[each]:.0f} true answers a second", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a third of the time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bot", choices=("coupled", "flowc"), help="one of them only, without results")
    parser.add_argument("--dry", action="store_true", help="write no results")
    arguments = parser.parse_args()
    uvloop.install()
    scale = 1 / 3 if arguments.quick else 1.0
    phases = [
        Phase(30 * scale, CAPACITY * CALM),
        Phase(60 * scale, CAPACITY * 3),
        Phase(60 * scale, CAPACITY * CALM),
    ]
    if arguments.bot:
        ran = run(arguments.bot, phases, arguments.seed)
        print("\n".join([*class_rows(ran), summary_row(ran), str(ran.longest), f"drained after {ran.drained_s:.0f} s"]))
        print(f"goodput at the peak {goodput(ran, phases[0].seconds, phases[0].seconds + phases[1].seconds):.0f}/s")
        return
    coupled, flowc = (run(bot, phases, arguments.seed) for bot in ("coupled", "flowc"))
    times = (0.5, 1.0, 2.0, 3.0, 4.0)
    sweep: dict[Bot, dict[float, float]] = {
        bot: swept(bot, times, 45 * scale, arguments.seed) for bot in ("coupled", "flowc")
    }
    text = report(coupled, flowc, sweep, arguments.seed)
    print(text)
    if not arguments.dry:
        results = FOLDER / "results"
        (results / "peak.md").write_text(text, encoding="utf-8")
        (results / "peak.svg").write_text(picture(coupled, flowc), encoding="utf-8")


if __name__ == "__main__":
    main()
