"""The order in which commands are claimed where nobody says another: by class, then by when they were ready."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice
from typing import TypeAlias

from flowc.runtime.policy.lanes import Queue
from flowc.runtime.program import PriorityClass
from flowc.runtime.store.rows import StoredCommand

Queues: TypeAlias = Mapping[Queue, Iterator[tuple[int, StoredCommand]]]

Pick: TypeAlias = Callable[[Queues], Sequence[StoredCommand]]
"""Which commands to claim, of queues that are each in order. Reads no further than it has to."""


def in_order(classes: Sequence[PriorityClass], limit: int) -> Pick:
    def pick(queues: Queues) -> Sequence[StoredCommand]:
        of_classes = (
            merge(*(queues[queue] for queue in queues if queue.priority == each), key=lambda found: found[0])
            for each in classes
        )
        return [command for _, command in islice((found for queue in of_classes for found in queue), limit)]

    return pick
