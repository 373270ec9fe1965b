"""Python's garbage collector, for a process that does nothing but serve.

What a server holds (programs, sessions) lives long, what a turn makes is freed by its last reference. A full
collection would look at all of the former and stop every conversation for tens of milliseconds, to find next to
nothing.
"""

import gc
from typing import Final

YOUNG: Final = 100_000  # objects made and not freed, before the youngest are looked at
OLD: Final = 1_000  # such looks, before everything is


def spare_turns() -> None:
    """To be called once, when everything is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 50, OLD)
