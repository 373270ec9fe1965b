"""An event loop whose time is simulated: it has no sockets and no threads, and passes to the next timer at once.

`asyncio` and `anyio` run on it as they are. Callbacks run in the order in which they were asked for, timers in the
order of their times, so a run depends on nothing but what runs.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from math import inf
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class Stuck(RuntimeError):  # noqa: N818 - what it says
    """Everything waits for something that cannot happen any more."""


class SimulatedLoop(asyncio.BaseEventLoop):
    """Begins at second 0. What goes round `most_rounds` times raises Stuck, whether time passes or not."""

    def __init__(self, most_rounds: float = inf) -> None:
        super().__init__()
        self._rounds = 0
        self._most_rounds = most_rounds
        self._now = 0.0
        self._selector = self  # what the base class polls for I/O, once a round
        self._scheduled: list[asyncio.TimerHandle]

    def time(self) -> float:
        return self._now

    def select(self, timeout: float | None) -> tuple[()]:
        """Lets time pass to the first timer. Raises Stuck where there is none."""
        self._rounds += 1
        if self._rounds > self._most_rounds:
            raise Stuck(f"it goes round and round, now in second {self._now:g}")
        if timeout is None:
            raise Stuck("nothing is left that could happen")
        if timeout > 0:
            self._now = max(self._now, self._scheduled[0].when())
        return ()

    def forgive(self) -> None:
        """From now it may go round as often as it likes."""
        self._most_rounds = inf

    def _process_events(self, _events: tuple[()]) -> None:
        """There is no I/O."""

    def _write_to_self(self) -> None:
        """Nobody else is there to be woken by."""

    def run_in_executor(
        self, _executor: Executor | None, work: Callable[[*Arguments], T], *arguments: *Arguments
    ) -> asyncio.Future[T]:
        """Work that others do in a thread is done at once."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(work(*arguments))
        except Exception as error:  # noqa: BLE001 - it is for who waits for the work
            done.set_exception(error)
        return done


def simulated(work: Coroutine[Any, Any, T], loop: SimulatedLoop | None = None) -> T:
    """The result of `work` in simulated time; what it leaves running is cancelled. Raises Stuck."""
    loop = loop or SimulatedLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.forgive()
        _cancel_rest(loop)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _cancel_rest(loop: SimulatedLoop) -> None:
    """Cancels again whoever took it for the end of its own time."""
    while rest := asyncio.all_tasks(loop):
        for task in rest:
            task.cancel()
        loop.run_until_complete(asyncio.wait(rest, timeout=1))
