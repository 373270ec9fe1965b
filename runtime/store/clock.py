"""The clock of a store that lives in this process: the machine's."""

from time import time_ns


class SystemClock:
    """The machine's clock, kept from going back."""

    def __init__(self) -> None:
        self._latest_ms = 0

    def now_ms(self) -> int:
        now_ms = time_ns() // 1_000_000
        if now_ms > self._latest_ms:
            self._latest_ms = now_ms
        return self._latest_ms
