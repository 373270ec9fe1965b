"""The simulator finds what it is there to find: bugs planted on purpose break a promise within a few seeds."""

from collections.abc import Iterator

import pytest
from seeds import game
from simulate.planted import PLANTED, Plant

from flowc.runtime.simulate.run import run_seed

pytestmark = pytest.mark.timeout(120)  # on a machine that has other things to do

PLAYED_BY = {
    "double_probe": "depot",
    "overtakes_the_inbox": "depot",
    "a_starving_lane": "depot",
    "places_for_everybody": "depot",
    "limit_of_nobody": "depot",
}
MOST = 1000  # seeds; each is found within a hundred as things are


def violations(name: str, most: int) -> Iterator[str]:
    runs = (run_seed(game(name), seed) for seed in range(most))
    return (ran.violation for ran in runs if ran.violation is not None)


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert next(violations(PLAYED_BY.get(plant.__name__, "probe"), MOST), None) is not None
