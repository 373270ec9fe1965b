"""The `check` lines of a slot."""

from collections.abc import Mapping

from flowc.runtime.kernel.loaded import LoadedCheck, LoadedSlot
from flowc.runtime.kernel.running import LiveRun, Running
from flowc.runtime.values import Value


def failed_check(running: Running, run: LiveRun, slot: LoadedSlot, value: Value) -> LoadedCheck | None:
    """The first check that a new value does not pass."""
    for check in slot.checks:
        if not running.evaluate(check.condition, run.variables, {slot.name: value}):
            return check
    return None


def passing(running: Running, run: LiveRun, values: Mapping[str, Value]) -> dict[str, Value]:
    """The values that pass the checks of their slots."""
    slots = run.flow.slots
    return {
        name: value
        for name, value in values.items()
        if not slots[name].checks or failed_check(running, run, slots[name], value) is None
    }
