"""One seed, and what came of it."""

from dataclasses import dataclass, replace
from random import Random
from typing import Final, Literal

from flowc.runtime.simulate.book import Violation
from flowc.runtime.simulate.game import Game
from flowc.runtime.simulate.loop import SimulatedLoop, Stuck, simulated
from flowc.runtime.simulate.plan import Plan, planned
from flowc.runtime.simulate.world import World

MOST_ROUNDS: Final = 400_000  # of the loop; a usual seed has a few thousand


@dataclass(frozen=True, slots=True)
class Ran:
    """`violation` None: everything held. `places` where a server could have died; `trace` is the same for the same
    seed, bit for bit."""

    seed: int
    violation: str | None
    plan: Plan
    trace: str
    places: int
    turns: int
    effects: int
    fired: int
    deaths: int
    log: tuple[str, ...] = ()


def run_seed(
    game: Game,
    seed: int,
    *,
    store: Literal["memory", "sqlite"] | None = None,
    crashes: tuple[int, ...] | None = None,
    logs: bool = False,
) -> Ran:
    """What a seed does. With `crashes` the servers die at those places and nowhere else."""
    rng = Random(f"{game.name} {seed}")
    plan = planned(rng, store=store)
    if crashes is not None:
        plan = replace(plan, crashes=crashes, crash=0.0, stops=0.0)
    return run_plan(game, seed, plan, rng, logs=logs)


def run_plan(game: Game, seed: int, plan: Plan, rng: Random, *, logs: bool = False) -> Ran:
    worlds: list[World] = []

    async def play() -> None:
        world = World(game, plan, rng, log=[] if logs else None)
        worlds.append(world)
        await world.run()

    violation = None
    try:
        simulated(play(), SimulatedLoop(MOST_ROUNDS))
    except (Violation, Stuck) as error:
        violation = str(error)
    finally:
        for world in worlds:
            world.close()
    [world] = worlds
    if world.book.violations:
        violation = world.book.violations[0]
    return Ran(
        seed,
        violation,
        plan,
        world.trace.hexdigest(),
        world.faults.places,
        world.book.turns,
        len(world.ledger.effects),
        world.book.fired,
        len(world.faults.crashed_at),
        tuple(world.log or ()),
    )
