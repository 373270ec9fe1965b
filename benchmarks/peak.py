"""The story this project began with: a bot whose every message asks the CRM, then the inventory; at a peak of three
times what they can bear, against the same shop as a flow. The same backends, the same arrivals.

Everything is real: the backends are HTTP services in a process of their own with a limited number of places
(`shop/backends.py`), the coupled bot is an async handler behind uvicorn (`shop/coupled.py`), the flow
(`shop/shop.flow`) runs under `flowc serve` with SQLite and full sync. The load is open (`shop/load.py`).

`python benchmarks/peak.py [--quick]` writes `benchmarks/results/peak.md` and `peak.svg`. With `--simulated` both bots
run in simulated time before backends that are queues, and `peak_simulated.md` is written: what the two architectures
do, whatever else the machine is doing.
"""

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import uvloop
from shop.arrivals import Phase, arrivals
from shop.backends import SPEEDS
from shop.figures import Bot, Ran, goodput
from shop.imagined import coupled_in_simulation, flowc_in_simulation
from shop.load import READ, Load, asked
from shop.processes import HOST, cpu_s, free_port, running
from shop.report import Results, class_rows, picture, report, summary_row

from flowc.runtime.simulate.summary import percentile

FOLDER: Final = Path(__file__).parent
SHOP: Final = FOLDER / "shop"
CAPACITY: Final = min(speed.per_s for speed in SPEEDS.values())  # messages a second
CALM: Final = 0.6  # of the capacity, before and after the peak
LONGEST_DRAIN_S: Final = 300.0
SAMPLED: Final = 100  # conversations whose promises are looked after
STREAM_S: Final = 2.0
BOTS: Final[tuple[Bot, ...]] = ("coupled", "flowc")
LOADS: Final = (0.5, 1.0, 2.0, 3.0, 4.0)
IMAGINED: Final = {"coupled": coupled_in_simulation, "flowc": flowc_in_simulation}

# ------------------------------------------------------------------------------------------------------------ processes


@contextmanager
def backends(seed: int, *, notices: bool) -> Iterator[dict[str, int]]:
    """The ports of the services."""
    ports = {name: free_port() for name in SPEEDS}
    command = [sys.executable, str(SHOP / "backends.py"), "--seed", str(seed), *["--notice"] * notices]
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


def run(bot: Bot, phases: Sequence[Phase], seed: int, *, drain: bool = True, notices: bool = False) -> Ran:
    """One bot against the arrivals of `seed`, with fresh backends and a fresh store."""
    with (
        tempfile.TemporaryDirectory() as folder,
        backends(seed, notices=notices) as ports,
        serving(bot, ports, folder) as (port, pid),
    ):
        before = cpu_s(pid)
        ran = asyncio.run(played(bot, tuple(phases), seed, port, ports["inventory"], drain=drain))
        return replace(ran, cpu_s=cpu_s(pid) - before, name=f"{bot}, noticing" if notices else bot)


async def played(bot: Bot, phases: tuple[Phase, ...], seed: int, port: int, inventory: int, *, drain: bool) -> Ran:
    began_at = (await ledger(inventory))["began_at"]
    load = Load(port, began_at)
    await load.run(arrivals(phases, seed))
    promised = Counter(each.conversation for each in load.answers if each.ending == "later")
    ended = time.monotonic()
    done = await ledger(inventory)
    while drain and len(done["enquiries"]) < promised.total() and time.monotonic() < ended + LONGEST_DRAIN_S:
        await asyncio.sleep(1)
        done = await ledger(inventory)
    drained_s, offset = time.monotonic() - ended, load.began_at - began_at
    sample = list(promised)[:SAMPLED] if drain else []
    at_once = Counter(each.conversation for each in load.answers if each.ending in ("fresh", "cached"))
    said = await asyncio.gather(*(answers_said(port, conversation) for conversation in sample))
    told = sum(
        min(promised[conversation], count - at_once[conversation])  # an answer may be repeated when its wait goes on
        for conversation, count in zip(sample, said, strict=True)
    )
    return Ran(
        bot,
        phases,
        tuple(load.answers),
        tuple(sorted(at - offset for _, at in done["enquiries"])),
        promised.total(),
        drained_s,
        told,
        sum(promised[conversation] for conversation in sample),
        late_s=percentile(load.late_s, 95),
    )


async def ledger(port: int) -> dict[str, Any]:
    return cast(dict[str, Any], await asked(port, "/ledger"))


async def answers_said(port: int, conversation: str) -> int:
    """How many answers were said in the conversation, by its stream."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(f"GET /v1/conversations/{conversation}/stream HTTP/1.1\r\nhost: {HOST}\r\n\r\n".encode())
    received = b""
    try:
        async with asyncio.timeout(STREAM_S):
            while part := await reader.read(65536):
                received += part
    except TimeoutError:
        pass
    writer.close()
    said = [line for line in received.decode().splitlines() if line.startswith("data:")]
    return sum(READ.search(line) is not None for line in said)


# ----------------------------------------------------------------------------------------------------------------- main


def swept(bot: Bot, seconds: float, seed: int, *, simulated: bool) -> dict[float, float]:
    """Goodput at each load, once it has settled."""
    found = {}
    for each in LOADS:
        phases = [Phase(seconds, CAPACITY * each)]
        ran = IMAGINED[bot](phases, seed) if simulated else run(bot, phases, seed, drain=False)
        found[each] = goodput(ran, seconds / 3, seconds)
        print(f"{bot} at {each:g} times the capacity: {found[each]:.0f} true answers a second", flush=True)
    return found


def show(ran: Ran) -> None:
    """On the way."""
    print("\n".join([*class_rows(ran), summary_row(ran), f"put off, done after {ran.drained_s:.0f} s"]))
    print(f"told {ran.told} of {ran.asked_whether_told}; the load was late by {ran.late_s * 1000:.0f} ms (p95)")
    print(f"{goodput(ran, *ran.peak):.0f} true answers a second at the peak", flush=True)


def machine() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False).stdout.strip()
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} when it ended"
    return f"{load}, {platform.machine()}, Python {platform.python_version()}, commit {commit}."


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a third of the time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bot", choices=BOTS, help="one of them only, without results")
    parser.add_argument(
        "--simulated", action="store_true", help="both in simulated time: what the machine adds is not in it"
    )
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
        show(run(arguments.bot, phases, arguments.seed))
        return
    if arguments.simulated:
        coupled, flowc = (IMAGINED[bot](phases, arguments.seed) for bot in BOTS)
        noticing = foreseen = None
    else:
        coupled = run("coupled", phases, arguments.seed)
        show(coupled)
        noticing = run("coupled", phases, arguments.seed, notices=True)
        show(noticing)
        flowc = run("flowc", phases, arguments.seed)
        show(flowc)
        foreseen = flowc_in_simulation(phases, arguments.seed)
    sweep = {bot: swept(bot, 45 * scale, arguments.seed, simulated=arguments.simulated) for bot in BOTS}
    found = Results(coupled, noticing, flowc, foreseen, sweep, CAPACITY, arguments.seed)
    text = report(found, machine())
    print(text)
    if not arguments.dry:
        name = FOLDER / "results" / ("peak_simulated" if arguments.simulated else "peak")
        name.with_suffix(".md").write_text(text, encoding="utf-8")
        name.with_suffix(".svg").write_text(picture(coupled, flowc), encoding="utf-8")


if __name__ == "__main__":
    main()
