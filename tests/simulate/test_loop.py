"""Time that is simulated."""

import asyncio

import anyio
import pytest

from flowc.runtime.simulate.loop import Stuck, simulated


def test_a_day_passes_at_once_and_in_order() -> None:
    woken: list[tuple[float, str]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await anyio.sleep(seconds)
        woken.append((asyncio.get_running_loop().time(), name))

    async def all_of_them() -> None:
        async with anyio.create_task_group() as tasks:
            for name, seconds in (("late", 86_400.0), ("soon", 1.5), ("too", 1.5)):
                tasks.start_soon(sleeper, name, seconds)

    simulated(all_of_them())
    assert woken == [(1.5, "soon"), (1.5, "too"), (86_400.0, "late")]


def test_a_deadline_is_met_exactly() -> None:
    async def late() -> float:
        with anyio.move_on_after(3600) as scope:
            await anyio.sleep_forever()
        assert scope.cancelled_caught
        return asyncio.get_running_loop().time()

    assert simulated(late()) == 3600


def test_what_others_do_in_a_thread_is_done_in_its_turn() -> None:
    async def work() -> int:
        return await asyncio.get_running_loop().run_in_executor(None, max, 3, 4)

    assert simulated(work()) == 4


def test_who_waits_for_nothing_is_told() -> None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck):
        simulated(wait())
