"""Lengths of time as the language writes them."""

from typing import Final

__all__ = ["spelled_duration"]

UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms"))


def spelled_duration(ms: int) -> str:
    """A length of time in its largest whole unit: `10m`, `800ms`."""
    size, unit = next((size, unit) for size, unit in UNITS if ms % size == 0)
    return f"{ms // size}{unit}" if ms else "0s"
