"""Who says what when: the same seed, the same arrivals, whatever the server does.

The load is open: a message comes at its time, whether or not the one before it was answered. Messages come as a
Poisson process; a third of them begin a conversation, the others go on with one that was silent for a few seconds.
"""

from bisect import bisect
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Final

CLASSES: Final = ("urgent", "high", "normal", "low", "bulk")
SHARES: Final = (5, 15, 40, 25, 15)  # of all conversations, in percent
TEXTS: Final = {
    "urgent": "my {} is broken",
    "high": "i want to buy {}",
    "normal": "is {} in stock",
    "low": "what is like {}",
    "bulk": "send me everything about {}",
}
MESSAGES: Final = 3  # of a conversation
SILENCE_S: Final = (4.0, 12.0)  # between two of them
CUSTOMERS: Final = 5_000
ARTICLES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Phase:
    """So many messages a second, for so many seconds."""

    seconds: float
    per_s: float


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message, `at_s` after the beginning. The class is that of its conversation."""

    at_s: float
    conversation: str
    number: int
    customer: str
    priority: str
    text: str


def arrivals(phases: Sequence[Phase], seed: int) -> Iterator[Arrival]:
    """All messages in the order of their times."""
    rng = Random(seed)
    articles = list(accumulate(1 / rank for rank in range(1, ARTICLES + 1)))  # some are asked for more than others
    silent: deque[tuple[float, str, int, str, str]] = deque()
    count = 0
    for at_s in times(phases, rng):
        if silent and silent[0][0] <= at_s and rng.random() >= 1 / MESSAGES:
            _, conversation, number, customer, priority = silent.popleft()
        else:
            count += 1
            priority = rng.choices(CLASSES, SHARES)[0]
            conversation, number, customer = f"{seed}-{count}", 0, f"c{rng.randrange(CUSTOMERS)}"
        if number + 1 < MESSAGES:
            silent.append((at_s + rng.uniform(*SILENCE_S), conversation, number + 1, customer, priority))
        article = f"A{bisect(articles, rng.random() * articles[-1]):04d}"
        yield Arrival(at_s, conversation, number, customer, priority, TEXTS[priority].format(article))


def times(phases: Sequence[Phase], rng: Random) -> Iterator[float]:
    """A Poisson process whose rate is that of the phase."""
    began = 0.0
    for phase in phases:
        at = began + rng.expovariate(phase.per_s)
        while at < began + phase.seconds:
            yield at
            at += rng.expovariate(phase.per_s)
        began += phase.seconds
