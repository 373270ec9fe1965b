"""Runs seeds of the simulator: the real engine, kernel, policies and stores in a world where everything may go wrong.

    python scripts/seeds.py                                  # some seeds of each scenario
    python scripts/seeds.py --scenario probe --seed 17 --log # one, with what happened
    python scripts/seeds.py --seeds 100000 --jobs 2          # many, in that many processes
    python scripts/seeds.py --scenario probe --seed 17 --exhaust 5   # dies at each of its places, and at pairs

A seed that breaks a promise is named with the one command that repeats it; the exit status is 1.
"""

import argparse
import gc
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

from flowc.compiler.compile import compile_project
from flowc.compiler.project import open_project
from flowc.runtime.simulate.game import Game, game_of
from flowc.runtime.simulate.run import Ran, run_seed

ROOT = Path(__file__).parent.parent
SCENARIOS = {
    "order_support": ROOT / "flows" / "order_support",
    "table_booking": ROOT / "flows" / "table_booking",
    "employee_helpdesk": ROOT / "flows" / "employee_helpdesk",
    "probe": ROOT / "tests" / "engine" / "probe",
    "depot": ROOT / "tests" / "simulate" / "depot",
}
PIECE = 50  # seeds that a process is given at once


@cache
def game(name: str) -> Game:
    """The compiled scenario."""
    outcome = compile_project(open_project(SCENARIOS[name]))
    if outcome.program is None:
        raise SystemExit(f"{SCENARIOS[name]} has mistakes: flowc check {SCENARIOS[name]}")
    return game_of(name, outcome.program)


def command(name: str, ran: Ran, crashes: tuple[int, ...] | None = None) -> str:
    """What repeats a run."""
    at = "" if crashes is None else f" --crash {','.join(map(str, crashes))}"
    return f"python scripts/seeds.py --scenario {name} --seed {ran.seed}{at} --log"


def run_piece(name: str, first: int, count: int) -> list[Ran]:
    played = game(name)
    gc.freeze()  # what is there before is not looked at again
    gc.disable()  # a seed leaves little behind; it is cleared after each piece
    try:
        return [run_seed(played, seed) for seed in range(first, first + count)]
    finally:
        gc.enable()
        gc.collect()


def exhaust(name: str, seed: int, pairs: int) -> Iterator[tuple[tuple[int, ...], Ran]]:
    """The seed with a death at each place of it, then with `pairs` second deaths after each, spread over the rest."""
    places = run_seed(game(name), seed, crashes=()).places
    for first in range(1, places + 1):
        once = run_seed(game(name), seed, crashes=(first,))
        yield (first,), once
        step = max(1, (once.places - first) // pairs) if pairs else 1
        for second in range(first + 1, min(once.places + 1, first + 1 + pairs * step), step):
            yield (first, second), run_seed(game(name), seed, crashes=(first, second))


def pieces(names: list[str], first: int, seeds: int, jobs: int) -> Iterator[tuple[str, Ran]]:
    """Each scenario has its share of the seeds."""
    share = -(-seeds // len(names))
    work = [(name, at, min(PIECE, first + share - at)) for at in range(first, first + share, PIECE) for name in names]
    if jobs == 1:
        for name, at, count in work:
            yield from ((name, ran) for ran in run_piece(name, at, count))
        return
    with ProcessPoolExecutor(jobs) as pool:
        for (name, _, _), found in zip(work, pool.map(run_piece, *zip(*work, strict=True)), strict=True):
            yield from ((name, ran) for ran in found)


def numbers(text: str) -> tuple[int, ...]:
    """Places, with commas between them."""
    return tuple(int(each) for each in text.split(","))


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--scenario", choices=list(SCENARIOS), help="only this one")
    asked.add_argument("--seed", type=int, help="only this one")
    asked.add_argument("--seeds", type=int, default=400, help="how many, over all scenarios")
    asked.add_argument("--first", type=int, default=0, help="the first of them")
    asked.add_argument("--jobs", type=int, default=1, help="processes")
    asked.add_argument("--crash", type=numbers, help="where servers die, such as 17 or 17,42, and nowhere else")
    asked.add_argument("--exhaust", type=int, metavar="PAIRS", help="die at each place of --seed, and at PAIRS more")
    asked.add_argument("--log", action="store_true", help="what happened, line by line")
    given = asked.parse_args()
    names = [given.scenario] if given.scenario else list(SCENARIOS)
    if given.seed is not None and given.exhaust is None:
        return one(names, given.seed, given.crash, log=given.log)
    all_: Iterator[tuple[str, tuple[int, ...] | None, Ran]]
    if given.exhaust is not None:
        seed = given.first if given.seed is None else given.seed
        all_ = ((name, at, ran) for name in names for at, ran in exhaust(name, seed, given.exhaust))
    else:
        all_ = ((name, None, ran) for name, ran in pieces(names, given.first, given.seeds, given.jobs))
    return many(all_)


def many(all_: Iterator[tuple[str, tuple[int, ...] | None, Ran]]) -> int:
    """Names those that break a promise, and counts; also when it is interrupted."""
    began, runs, turns, effects, deaths, broken = time.perf_counter(), 0, 0, 0, 0, 0
    try:
        for name, at, ran in all_:
            runs, turns, effects, deaths = runs + 1, turns + ran.turns, effects + ran.effects, deaths + ran.deaths
            if ran.violation is not None:
                broken += 1
                print(f"{name} {ran.seed}: {ran.violation}\n    {command(name, ran, at)}", flush=True)
    except KeyboardInterrupt:
        print("interrupted")
    took_s = time.perf_counter() - began
    print(
        f"{runs:,} runs in {took_s:.0f} s ({runs / took_s:.1f} a second): {turns:,} turns, {effects:,} effects, "
        f"{deaths:,} deaths of servers, {broken} broken promises"
    )
    return 1 if broken else 0


def one(names: list[str], seed: int, crashes: tuple[int, ...] | None, *, log: bool) -> int:
    """Runs a seed of each scenario and says how it went."""
    status = 0
    for name in names:
        ran = run_seed(game(name), seed, crashes=crashes, logs=log)
        print(*ran.log, sep="\n", end="\n" if ran.log else "")
        print(f"{name} {seed}: {ran.violation or 'all held'} ({ran.turns} turns, {ran.places} places, {ran.trace})")
        status |= ran.violation is not None
    return status


if __name__ == "__main__":
    sys.exit(main())
