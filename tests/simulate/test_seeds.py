"""Seeds of the simulator: whatever goes wrong, what runtime.md promises holds."""

import subprocess
import sys
from pathlib import Path

import pytest
from seeds import SCENARIOS, command, game, run_piece

from flowc.runtime.simulate.run import run_seed

pytestmark = pytest.mark.timeout(120)  # on a machine that has other things to do

ROOT = Path(__file__).parents[2]
SEEDS = 25
FOUND = Path(__file__).with_name("found.txt").read_text().splitlines()


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_promises_hold(name: str) -> None:
    broken = [(ran.violation, command(name, ran)) for ran in run_piece(name, 0, SEEDS) if ran.violation is not None]
    assert broken == []


@pytest.mark.parametrize("line", [line for line in FOUND if not line.startswith("#")])
def test_what_was_found_is_mended(line: str) -> None:
    name, seed = line.split()
    assert run_seed(game(name), int(seed)).violation is None


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_a_seed_does_the_same_again(name: str) -> None:
    runs = [run_seed(game(name), 7, logs=True) for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0].turns > 0


def test_a_seed_does_the_same_in_another_process() -> None:
    told = [
        subprocess.run(
            [sys.executable, "scripts/seeds.py", "--scenario", "probe", "--seed", "11", "--log"],
            cwd=ROOT,
            env={"PYTHONHASHSEED": hashing},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hashing in ("1", "2")
    ]
    assert told[0] == told[1]
    assert "all held" in told[0]
