"""Removes what is older than an environment keeps, while the engine runs.

In slices with a pause after each, so that no turn waits for more than one; and once nothing old is left, not again for
a while.
"""

from typing import Final

from flowc.runtime.engine.surroundings import Surroundings
from flowc.runtime.errors import StoreUnavailable

SLICE: Final = 100  # turns, which take some milliseconds
PAUSE_S: Final = 0.05  # after a slice: 2,000 turns a second are removed at most
REST_S: Final = 600.0  # once nothing old is left
AGAIN_S: Final = 5.0  # at a store that did not answer


async def keep(around: Surroundings, keep_ms: int) -> None:
    """Never ends."""
    cursor = ""
    while True:
        try:
            removed = await around.store.prune(around.store.clock.now_ms() - keep_ms, cursor, SLICE)
        except StoreUnavailable as error:
            around.log("warning", "nothing removed", {"reason": error.reason})
            await around.time.sleep(AGAIN_S)
            continue
        cursor = removed.cursor
        for kind, count in (("turn", removed.turns), ("conversation", removed.conversations), ("late", removed.late)):
            if count:
                around.metrics.removed.add(kind, by=count)
        await around.time.sleep(REST_S if removed.is_over else PAUSE_S)
