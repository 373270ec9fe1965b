"""Did you mean: the declared name that is near enough to be what was meant. A misspelled name is read on as that, so
that one mistake hides no other.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from flowc.dsl import mistakes

__all__ = ["meant", "nearest"]

T = TypeVar("T")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of `known`, other than `name` itself, that it is a slip of the pen of; None where none is near."""
    return mistakes.nearest(name, {each for each in known if each != name})


def meant(name: str, known: Mapping[str, T]) -> T | None:
    """What the one of `known` that is nearest to `name` stands for."""
    near = nearest(name, known)
    return None if near is None else known[near]
