"""The bound that FLW606 proves holds: no simulated conversation waits longer for its first reply, whatever its calls
come to, when each takes all the time that it may."""

import random
import re
from datetime import timedelta
from pathlib import Path

import pytest

from flowc.compiler.compile import compile_project, model_of
from flowc.compiler.explore import explore
from flowc.compiler.graph import build_graphs
from flowc.compiler.project import Project
from flowc.compiler.rules.budget import first_words_ms
from flowc.runtime.kernel import load

ROOT = Path(__file__).parents[2]
BOTS = ("flows/order_support", "flows/table_booking", "flows/employee_helpdesk", "tests/compiler/budgets")
ANY_TIME = '\n[check.severity]\nFLW606 = "info"\nFLW607 = "info"\nFLW504 = "warning"\n'


def texts_of(folder: str) -> dict[str, str]:
    files = sorted((ROOT / folder).iterdir())
    return {path.name: path.read_text(encoding="utf-8") for path in files if path.suffix in (".flow", ".toml")}


def with_other_times(texts: dict[str, str], choose: random.Random) -> dict[str, str]:
    """The project where every `within` of a call is another time, and no finding about that is an error."""

    def other(found: re.Match[str]) -> str:
        return f"{found[1]}within {choose.choice((200, 700, 1500, 4000, 9000))}ms\n"

    changed = {path: re.sub(r"(?m)^( {2,4})within \w+\n", other, text) for path, text in texts.items()}
    return {**changed, "flowc.toml": texts["flowc.toml"] + ANY_TIME}


def measured(texts: dict[str, str], seed: int, turns: int) -> tuple[timedelta, timedelta]:
    """The longest wait of any simulated conversation, and the bound."""
    project = Project.of_texts(texts)
    program = compile_project(project).program
    assert program is not None
    model = model_of(project)
    bound = timedelta(milliseconds=first_words_ms(model, build_graphs(model)))
    return explore(program, load(program), depth=10, turns=turns, seed=seed).slowest, bound


@pytest.mark.parametrize("folder", BOTS)
@pytest.mark.parametrize("seed", range(3))
def test_no_conversation_waits_longer_than_the_bound(folder: str, seed: int) -> None:
    texts = with_other_times(texts_of(folder), random.Random(seed))
    slowest, bound = measured(texts, seed, 1_500)
    assert timedelta() < slowest <= bound


@pytest.mark.parametrize("folder", BOTS)
def test_the_bound_is_met(folder: str) -> None:
    """It is the longest path, not only more than that."""
    slowest, bound = measured(texts_of(folder), 0, 6_000)
    assert slowest == bound
