"""A thread beside the event loop that does one thing after the other, for what waits outside of Python.

Half the price of a pool of threads: one queue there, one wake of the loop back, no future.
"""

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

Work = Callable[[], None]
Then = Callable[[BaseException | None], None]


class Beside:
    def __init__(self, name: str) -> None:
        self._asked: SimpleQueue[tuple[Work, Then, asyncio.AbstractEventLoop] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def do(self, work: Work, then: Then, loop: asyncio.AbstractEventLoop) -> None:
        """`work` in the thread; afterwards `then` on the loop, with what `work` raised."""
        self._asked.put((work, then, loop))

    def end(self) -> None:
        """Waits for what was asked."""
        self._asked.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (asked := self._asked.get()) is not None:
            work, then, loop = asked
            error: BaseException | None = None
            try:
                work()
            except BaseException as raised:  # noqa: BLE001 - who asked has to know, whatever it is
                error = raised
            loop.call_soon_threadsafe(then, error)
