"""The system's random bits, drawn 4 KiB at once. Every turn needs some, and a call of the system costs 2-5 µs."""

import os
from random import SystemRandom
from typing import Final

DRAWN_BYTES: Final = 4096


class _Pool:
    """Bytes that were drawn and not given out. Each is given out once, in this process only."""

    def __init__(self) -> None:
        self._drawn = b""
        self._at = 0
        os.register_at_fork(after_in_child=self._forget)

    def take(self, count: int) -> bytes:
        at = self._at
        end = at + count
        if end > len(self._drawn):
            self._drawn = os.urandom(max(DRAWN_BYTES, count))
            at, end = 0, count
        self._at = end
        return self._drawn[at:end]

    def _forget(self) -> None:
        self._drawn, self._at = b"", 0


random_bytes: Final = _Pool().take


class PooledRandom(SystemRandom):
    """`random.SystemRandom` over the pool. For one thread."""

    def random(self) -> float:
        return (int.from_bytes(random_bytes(7), "big") >> 3) * 2.0**-53

    def getrandbits(self, k: int, /) -> int:
        count = (k + 7) // 8
        return int.from_bytes(random_bytes(count), "big") >> (count * 8 - k)

    def randbytes(self, n: int) -> bytes:
        return random_bytes(n)
