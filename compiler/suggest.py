"""Did you mean: the name that is near enough to be what was meant."""

from collections.abc import Iterable

__all__ = ["nearest"]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that differs from `name` by the fewest edits, if they are few for its length; else None."""
    from rapidfuzz.distance import DamerauLevenshtein

    limit = max(1, len(name) // 3)
    best: tuple[int, str] | None = None
    for candidate in sorted(known):
        distance = DamerauLevenshtein.distance(name, candidate, score_cutoff=limit)
        if distance <= limit and candidate != name and (best is None or distance < best[0]):
            best = (distance, candidate)
    return best[1] if best else None
