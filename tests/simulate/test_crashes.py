"""A server dies at every place where it crosses to its store, a backend or a client, and at every write and sync of
its disk, one place after the other; and a second time while it recovers."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Literal

import pytest
from seeds import SCENARIOS, game

from flowc.runtime.simulate.plan import Plan
from flowc.runtime.simulate.run import Ran, run_plan

pytestmark = pytest.mark.timeout(120)  # on a machine that has other things to do

QUIET = Plan(conversations=1, messages=8, think_s=2.0, patience=1.0)

Store = Literal["memory", "sqlite"]


def played(name: str, store: Store, crashes: Sequence[int] = ()) -> Ran:
    plan = replace(QUIET, store=store, crashes=tuple(crashes))
    return run_plan(game(name), 1, plan, Random(f"crashes {name}"))


def broken(name: str, store: Store, all_of: Iterator[tuple[int, ...]]) -> list[tuple[tuple[int, ...], str]]:
    runs = ((crashes, played(name, store, crashes)) for crashes in all_of)
    return [(crashes, ran.violation) for crashes, ran in runs if ran.violation is not None]


def places(name: str, store: Store, step: int) -> Iterator[tuple[int, ...]]:
    ran = played(name, store)
    assert ran.violation is None
    assert ran.deaths == 0
    assert ran.turns > 3
    assert ran.places > 20
    return ((place,) for place in range(1, ran.places + 1, step))


def pairs(name: str, store: Store, step: int, second: int) -> Iterator[tuple[int, ...]]:
    """Second deaths `second` places apart, from the first place of the recovery on."""
    for (first,) in places(name, store, step):
        last = played(name, store, (first,)).places
        yield from ((first, then) for then in range(first + 1, last + 1, second))


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_a_death_anywhere_breaks_no_promise(name: str) -> None:
    assert broken(name, "memory", places(name, "memory", 2)) == []


def test_a_death_at_a_write_of_the_disk_breaks_no_promise() -> None:
    assert broken("probe", "sqlite", places("probe", "sqlite", 11)) == []


def test_a_second_death_breaks_no_promise() -> None:
    assert broken("probe", "memory", pairs("probe", "memory", 13, 17)) == []


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize("name", list(SCENARIOS))
def test_a_death_at_every_place_breaks_no_promise(name: str, store: Store) -> None:
    assert broken(name, store, places(name, store, 1)) == []


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("store", "step", "second"), [("memory", 1, 3), ("sqlite", 3, 29)])
@pytest.mark.parametrize("name", list(SCENARIOS))
def test_second_deaths_break_no_promise(name: str, store: Store, step: int, second: int) -> None:
    assert broken(name, store, pairs(name, store, step, second)) == []
