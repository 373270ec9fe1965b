"""How fast the compiler is, and how its time grows: parse, check and lower of the projects of generated.py.

Each size is measured in a fresh process, after a small project has loaded what is loaded once. `parse` is scan and
parse of every file; `check` is all that `flowc check` does, parse included; `lower` makes the program of a checked
model. The growth is the time of a line compared with the size before: 1.00 is linear.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TypeVar

from generated import project as generated

from flowc.compiler.collector import collector_paused
from flowc.compiler.compile import check_project
from flowc.compiler.lower import lower
from flowc.compiler.project import Project
from flowc.dsl.parse import parse

T = TypeVar("T")

HERE: Final = Path(__file__).parent
SIZES: Final = (1_000, 10_000, 100_000)
STAGES: Final = ("parse", "check", "lower")


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of the processor for each stage of a project of `lines` lines, and the process's most memory in MiB."""

    lines: int
    parse: float
    check: float
    lower: float
    memory_mib: int

    def per_line(self, stage: str) -> float:
        seconds: float = getattr(self, stage)
        return seconds / self.lines


def measure(size: int) -> Timing:
    """The times of one project in this process."""
    stages(Project.of_texts(generated(200)))
    texts = generated(size)
    parsed, checked, lowered = stages(Project.of_texts(texts))
    lines = sum(text.count("\n") for path, text in texts.items() if path.endswith(".flow"))
    return Timing(lines, parsed, checked, lowered, peak_memory_mib())


def stages(project: Project) -> tuple[float, float, float]:
    parsed, trees = timed(lambda: [parse(source) for source in project.sources.values()])
    del trees
    checked, outcome = timed(lambda: check_project(project))
    if outcome.diagnostics or outcome.model is None:
        first = outcome.diagnostics[0]
        raise SystemExit(f"the generated project has findings: {first.code.id} {first.message} ({first.span})")
    model = outcome.model
    lowered, _ = timed(lambda: lower(model))
    return parsed, checked, lowered


@collector_paused()  # as `flowc check` does
def timed(work: Callable[[], T]) -> tuple[float, T]:
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def peak_memory_mib() -> int:
    try:
        import resource
    except ImportError:  # no such count on Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform != "darwin" else peak // 1024**2


def in_fresh_process(size: int, runs: int) -> Timing:
    """The best time of each stage over `runs` processes."""
    command = [sys.executable, __file__, "--measure", str(size)]
    timings = []
    for _ in range(runs):
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if run.returncode:
            raise SystemExit(run.returncode)
        timings.append(Timing(**json.loads(run.stdout)))
    best = {stage: min(getattr(timing, stage) for timing in timings) for stage in STAGES}
    return Timing(timings[0].lines, **best, memory_mib=max(timing.memory_mib for timing in timings))


def table(timings: Sequence[Timing]) -> str:
    rows = [
        "| lines | parse, lines/s | check, lines/s | lower, lines/s | growth of parse | of check | of lower | memory |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for before, timing in zip((None, *timings), timings, strict=False):
        speeds = (f"{1 / timing.per_line(stage):,.0f}" for stage in STAGES)
        growths = (f"{timing.per_line(stage) / before.per_line(stage):.2f}" if before else "" for stage in STAGES)
        rows.append(f"| {' | '.join((f'{timing.lines:,}', *speeds, *growths, f'{timing.memory_mib:,} MiB'))} |")
    return "\n".join(rows)


def machine() -> str:
    """The processor, its cores, Python and the commit."""
    return f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}; commit {commit()}"


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def commit() -> str:
    run = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return run.stdout.strip() or "unknown"


def main() -> None:
    options = argparse.ArgumentParser(description="Lines a second of the compiler.")
    options.add_argument("--lines", type=int, nargs="+", default=SIZES, metavar="N", help="sizes of the projects")
    options.add_argument("--runs", type=int, default=2, metavar="N", help="processes for each size; the best counts")
    options.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.measure:
        print(json.dumps(asdict(measure(chosen.measure))))
        return
    timings = [in_fresh_process(size, chosen.runs) for size in chosen.lines]
    text = table(timings)
    print(text)
    if tuple(chosen.lines) == SIZES:
        results = HERE / "results"
        results.mkdir(exist_ok=True)
        heading = f"# Speed of the compiler\n\n`python benchmarks/compile.py`\n\n{machine()}\n"
        (results / "compile.md").write_text(f"{heading}\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
