"""An event loop in which waiting takes no time: when nothing can run, the clock jumps to the next timer."""

import asyncio
import selectors


class _Jumping(selectors.SelectSelector):
    """Instead of waiting for a timeout, moves the clock to its end."""

    now = 1_000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everything waits, and nothing can wake it")
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now
