"""What goes wrong in one simulated world, drawn from its seed.

Each kind of fault is there in some seeds and absent in others: a world with everything at once never gets far, and
one with a little of everything hides what needs much of one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final, Literal

from flowc.runtime.services.port import AttemptRequest
from flowc.runtime.simulate.backends import Behaviour, Fate

Trouble = Literal["", "before", "after"]

FATES: tuple[tuple[Fate, float], ...] = (
    ("refuses", 3.0),
    ("unsent", 1.0),
    ("rejected", 0.5),
    ("busy", 1.0),
    ("broken", 1.5),
    ("lost", 1.5),
    ("nonsense", 1.0),
    ("raises", 0.5),
    ("hangs", 1.0),
)


MOST_DEATHS: Final = 12  # by chance, of a seed: servers that only ever die take no turns
MOST_CROSSINGS: Final = 100_000  # of a seed, where a thousand is usual


@dataclass(frozen=True, slots=True)
class Plan:
    """Chances are of one occasion each. `crashes` are numbers of places where a server stands still for good: the
    places of a run are counted from 1, whichever server passes them."""

    store: Literal["memory", "sqlite"] = "memory"
    servers: int = 1
    conversations: int = 1
    messages: int = 6
    think_s: float = 4.0
    edges: float = 0.0  # a user speaks when a silence ends
    patience: float = 0.7  # a user waits for the answer before the next message
    crash: float = 0.0
    crashes: Sequence[int] = ()
    stops: float = 0.0  # a server is stopped in order, and started again
    store_troubles: float = 0.0
    slow_store: float = 0.0
    backends: float = 0.0  # an attempt fares otherwise than well
    slow_backends: float = 0.0
    lost: float = 0.0  # a request or a response of a client
    doubled: float = 0.0
    delayed: float = 0.0
    bells: float = 0.0  # a wake-up that is lost, late or doubled
    jumps: float = 0.0  # of the clock, between two messages
    poison: float = 0.0
    erases: float = 0.0
    disk: float = 0.0  # a write or sync of the disk that fails
    fates: tuple[tuple[Fate, float], ...] = field(default=FATES)

    def calm(self) -> "Plan":
        """The same world after its last fault."""
        return Plan(self.store, self.servers, self.conversations, self.messages, self.think_s)


def planned(rng: Random, *, store: Literal["memory", "sqlite"] | None = None) -> Plan:
    """A plan from a seed."""

    def some(chance: float, most: float) -> float:
        return rng.random() * most if rng.random() < chance else 0.0

    kept = store or ("sqlite" if rng.random() < 0.2 else "memory")
    is_crowded = rng.random() < 0.06  # then limits and places are few
    plan = Plan(
        store=kept,
        servers=2 if kept == "memory" and rng.random() < 0.5 else 1,
        conversations=10 if is_crowded else rng.choice((1, 1, 2, 3)),
        messages=6 if is_crowded else rng.randint(3, 14),
        think_s=0.1 if is_crowded else rng.choice((0.1, 2.0, 10.0, 120.0)),
        patience=rng.choice((1.0, 0.8, 0.3)),
        edges=some(0.3, 0.5),
        crash=some(0.4, 0.03),
        stops=some(0.2, 0.2),
        store_troubles=some(0.3, 0.1),
        slow_store=some(0.5, 0.5),
        backends=some(0.7, 0.8),
        slow_backends=some(0.4, 0.5),
        lost=some(0.4, 0.4),
        doubled=some(0.4, 0.4),
        delayed=some(0.4, 0.5),
        bells=some(0.3, 0.5),
        jumps=some(0.2, 0.2),
        poison=some(0.15, 0.2),
        erases=some(0.1, 0.05),
    )
    fates = tuple([(fate, weight) for fate, weight in FATES if rng.random() < 0.6]) or FATES
    return replace(plan, fates=fates, disk=some(0.5, 0.02) if kept == "sqlite" else 0.0)


@dataclass(slots=True)
class Faults:
    """Draws what goes wrong, until `end`."""

    plan: Plan
    rng: Random
    is_over: bool = False
    places: int = 0
    crossings: int = 0
    crashed_at: list[int] = field(default_factory=list)
    endless: Callable[[], object] | None = None  # told of a server that goes round and round

    def cross(self) -> None:
        """A server crosses to the outside."""
        self.crossings += 1
        if self.crossings == MOST_CROSSINGS and self.endless is not None:
            self.endless()

    def end(self) -> None:
        """The last fault was."""
        self.plan, self.is_over = self.plan.calm(), True

    def crashes(self, share: float = 1.0) -> bool:
        """Whether a server dies at this place; counts it. `share` of the chance, where places are many."""
        if self.is_over:
            return False
        self.places += 1
        may_die = len(self.crashed_at) < MOST_DEATHS
        dies = self.places in self.plan.crashes or (may_die and self.happens(self.plan.crash * share))
        if dies:
            self.crashed_at.append(self.places)
        return dies

    def happens(self, chance: float) -> bool:
        return chance > 0 and self.rng.random() < chance

    def store(self) -> Trouble:
        if not self.happens(self.plan.store_troubles):
            return ""
        return "before" if self.rng.random() < 0.5 else "after"

    def store_delay_s(self) -> float | None:
        """None: at once. 0: others may run before."""
        if not self.happens(self.plan.slow_store):
            return None
        return 0.0 if self.rng.random() < 0.5 else self.rng.random() * 0.3

    def behaviour(self, request: AttemptRequest) -> Behaviour:
        """How an attempt fares."""
        rng, plan, timeout_s = self.rng, self.plan, request.timeout_s
        quick_s = rng.random() * min(0.05, timeout_s / 4)
        before_s = rng.random() * 2.5 * timeout_s if self.happens(plan.slow_backends) else quick_s
        after_s = rng.random() * 2 * timeout_s if self.happens(plan.slow_backends / 2) else 0.0
        if not self.happens(plan.backends):
            return Behaviour("answers", before_s=before_s, after_s=after_s)
        [fate] = rng.choices([fate for fate, _ in plan.fates], [weight for _, weight in plan.fates])
        key = request.operation.key
        if fate == "rejected" and key is not None and key.keeps_refusals:
            fate = "refuses"  # its backend has to know what it refused
        does = fate in ("answers", "refuses") or rng.random() < 0.6
        retry_after_s = rng.choice((None, 0.5, 5.0, 60.0)) if fate == "busy" else None
        return Behaviour(fate, does, before_s, after_s, retry_after_s)
