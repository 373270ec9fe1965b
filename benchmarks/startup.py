"""How long commands take on a small project, start-up included: each in a process of its own, as an author waits.

Written bytecode is what an installation has, so a first run writes it, into a folder of its own, and is not counted.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import Final

HERE: Final = Path(__file__).parent
PROJECT: Final = str(HERE.parent / "flows" / "order_support")
COMMANDS: Final = (("--version",), ("check", PROJECT), ("fmt", "--check", PROJECT), ("test", PROJECT))


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians over the runs of one command: milliseconds by the clock and of the processor, MiB at most."""

    command: tuple[str, ...]
    elapsed_ms: float
    processor_ms: float
    memory_mib: float


def measure(command: tuple[str, ...], runs: int, environment: Mapping[str, str]) -> Timing:
    once(command, environment)
    each = [once(command, environment) for _ in range(runs)]
    elapsed, processor, memory = (statistics.median(values) for values in zip(*each, strict=True))
    return Timing(command, elapsed, processor, memory)


def once(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float, float]:
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "flowc.cli", *command], stdout=DEVNULL, stderr=DEVNULL, env=environment
    )
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"flowc {' '.join(command)} exits with {process.returncode}")
    peak = usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    return elapsed * 1000, (usage.ru_utime + usage.ru_stime) * 1000, peak


def table(timings: Sequence[Timing]) -> str:
    rows = ["| command | elapsed | processor | memory |", "|:--|--:|--:|--:|"]
    for timing in timings:
        command = " ".join(("flowc", *timing.command)).replace(PROJECT, "flows/order_support")
        rows.append(
            f"| `{command}` | {timing.elapsed_ms:.0f} ms | {timing.processor_ms:.0f} ms | {timing.memory_mib:.0f} MiB |"
        )
    return "\n".join(rows)


def main() -> None:
    options = argparse.ArgumentParser(description="The time of commands, start-up included.")
    options.add_argument("--runs", type=int, default=10, metavar="N", help="runs of each command; the median counts")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as bytecode:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        text = table([measure(command, chosen.runs, environment) for command in COMMANDS])
    print(text)
    from compile import machine  # not before: a child's peak of memory counts from that of this process

    results = HERE / "results"
    results.mkdir(exist_ok=True)
    heading = f"# Start-up\n\n`python benchmarks/startup.py`: medians of {chosen.runs} runs\n\n{machine()}\n"
    (results / "startup.md").write_text(f"{heading}\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
