"""The machine's clock as the store's time."""

import pytest

from flowc.runtime.store import clock
from flowc.runtime.store.clock import SystemClock


def test_time_goes_on_when_the_machine_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    wall_ms, passed_ms = [1_000_000], [50]
    monkeypatch.setattr(clock, "time_ns", lambda: wall_ms[0] * 1_000_000)
    monkeypatch.setattr(clock, "monotonic_ns", lambda: passed_ms[0] * 1_000_000)
    told = SystemClock()
    assert told.now_ms() == 1_000_000
    wall_ms[0] -= 3_600_000
    passed_ms[0] += 250
    assert told.now_ms() == 1_000_250
    wall_ms[0] += 7_200_000
    assert told.now_ms() == 1_000_000 + 3_600_000
