"""The clock of a store that lives in this process: the machine's."""

from time import monotonic_ns, time_ns


class SystemClock:
    """The machine's clock, kept from going back. When that is set back, time goes on from where it was: if it stood
    still until the machine has caught up, no silence and no retry would be due meanwhile, and the age of a key that a
    backend forgets would not grow."""

    def __init__(self) -> None:
        self._latest_ms = 0
        self._passed_ms = monotonic_ns() // 1_000_000

    def now_ms(self) -> int:
        passed_ms = monotonic_ns() // 1_000_000
        self._latest_ms = max(self._latest_ms + passed_ms - self._passed_ms, time_ns() // 1_000_000)
        self._passed_ms = passed_ms
        return self._latest_ms
