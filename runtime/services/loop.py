"""The event loop's own clock, and the end of a block's time by one timer of the loop.

An anyio scope costs 13 µs an attempt and a message, mostly to keep its tree of scopes; a timer of the loop costs 2. As
with `asyncio.timeout`, a cancellation from elsewhere is told apart by the task's own count, so both kinds of scope may
stand inside each other.
"""

import asyncio
from math import inf
from types import TracebackType
from typing import Final

AGAIN_S: Final = 1.0  # for clearing up; what still waits then is cancelled again, for a deadline is hard


class LoopClock:
    """Seconds of the running loop."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float) -> "Timeout":
        return Timeout(seconds)


class Timeout:
    """Cancels its block after `seconds`; `cancelled_caught` says that it did."""

    __slots__ = ("_before", "_fired", "_loop", "_seconds", "_task", "_timer", "cancelled_caught")

    _loop: asyncio.AbstractEventLoop
    _task: asyncio.Task[object]
    _timer: asyncio.TimerHandle | None

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._fired = 0
        self.cancelled_caught = False

    def __enter__(self) -> "Timeout":
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(self._loop)
        assert task is not None, "only a task can be cancelled"
        self._task = task
        self._before = task.cancelling()
        self._timer = None if self._seconds == inf else self._loop.call_later(max(0.0, self._seconds), self._fire)
        return self

    def _fire(self) -> None:
        self._fired += 1
        self._task.cancel()
        self._timer = self._loop.call_later(AGAIN_S, self._fire)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> bool:
        if self._timer is not None:
            self._timer.cancel()
        if self._fired == 0:
            return False
        left = self._before
        for _ in range(self._fired):
            left = self._task.uncancel()
        # More cancellations than ours: somebody outside wants the task to end, and is to be heard.
        self.cancelled_caught = kind is not None and issubclass(kind, asyncio.CancelledError) and left <= self._before
        return self.cancelled_caught
