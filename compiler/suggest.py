"""Did you mean: the declared name that is near enough to be what was meant."""

from collections.abc import Iterable

from flowc.dsl import mistakes

__all__ = ["nearest"]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of `known`, other than `name` itself, that it is a slip of the pen of; None where none is near."""
    return mistakes.nearest(name, {each for each in known if each != name})
