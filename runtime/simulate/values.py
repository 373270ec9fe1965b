"""Values drawn for a type: what simulated backends answer, and simulated users say."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import assert_never

from flowc.runtime.services.samples import sample
from flowc.runtime.types import Basic, Choice, Integer, ListOf, Marked, Number, Optional, Record, Text, Type
from flowc.runtime.values import Shapes, Value

MOST_ITEMS = 3
DEEPEST = 4  # of records inside of each other
DAYS = 40  # around now, of a date


def drawn(type: Type, shapes: Shapes, rng: Random, now: datetime, name: str = "text", depth: int = 0) -> Value:
    """A value of `type`. Raises NoSample for a pattern without an obvious text."""
    match type:
        case Marked(inner=inner):
            return drawn(inner, shapes, rng, now, name, depth)
        case Optional(inner=inner):
            return None if depth > DEEPEST or rng.random() < 0.3 else drawn(inner, shapes, rng, now, name, depth)
        case ListOf(item=item):
            count = 0 if depth > DEEPEST else rng.randint(0, MOST_ITEMS)
            return tuple([drawn(item, shapes, rng, now, f"{name}{place}", depth + 1) for place in range(count)])
        case Record(name=record):
            fields = shapes.records[record]
            return {each.name: drawn(each.type, shapes, rng, now, each.name, depth + 1) for each in fields}
        case Choice(values=values):
            return rng.choice(values)
        case Integer(low=low, high=high):
            least = low if low is not None else 0
            return rng.randint(least, high if high is not None else least + 20)
        case Basic(name="boolean"):
            return rng.random() < 0.7
        case Basic(name="date"):
            return (now + timedelta(days=rng.randint(-DAYS // 8, DAYS))).date()
        case Basic(name="datetime"):
            return datetime.fromtimestamp(int(now.timestamp()) + rng.randint(-86_400, 86_400 * DAYS), UTC)
        case Text(pattern=None):
            return rng.choice((f"{name} {rng.randint(0, 9)}", str(rng.randint(1000, 9999))))
        case Text() | Number() | Basic():
            return sample(type, shapes, name)
        case _:
            assert_never(type)
