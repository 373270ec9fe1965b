"""The loop's clock: a block ends in time, and a cancellation from elsewhere is never taken for its end."""

import asyncio
from collections.abc import Callable, Coroutine
from math import inf

import anyio
import pytest
from services.virtual import VirtualLoop

from flowc.runtime.services.loop import LoopClock

CLOCK = LoopClock()


def run(main: Callable[[], Coroutine[object, object, None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


def test_a_block_ends_when_its_time_is_up() -> None:
    async def main() -> None:
        began = CLOCK.now()
        with CLOCK.timeout(2) as scope:
            await CLOCK.sleep(5)
            pytest.fail("it went on")
        assert scope.cancelled_caught
        assert CLOCK.now() - began == pytest.approx(2)
        await asyncio.sleep(0)  # and the task is no longer cancelled

    run(main)


@pytest.mark.parametrize("seconds", [2, inf])
def test_a_block_in_time_is_left_alone(seconds: float) -> None:
    async def main() -> None:
        with CLOCK.timeout(seconds) as scope:
            await CLOCK.sleep(1)
        await CLOCK.sleep(5)
        assert not scope.cancelled_caught

    run(main)


@pytest.mark.parametrize("seconds", [0, -1])
def test_no_time_is_no_wait(seconds: float) -> None:
    async def main() -> None:
        began = CLOCK.now()
        with CLOCK.timeout(seconds) as scope:
            await CLOCK.sleep(5)
        assert scope.cancelled_caught
        assert CLOCK.now() == pytest.approx(began)

    run(main)


def test_of_two_blocks_that_end_the_outer_is_left_too() -> None:
    async def main() -> None:
        began = CLOCK.now()
        with CLOCK.timeout(1) as outer:
            with CLOCK.timeout(1):
                await CLOCK.sleep(5)
            await CLOCK.sleep(5)
            pytest.fail("the outer went on")
        assert outer.cancelled_caught
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]  # there is one
        assert CLOCK.now() == pytest.approx(began + 1)

    run(main)


def test_what_waits_again_after_the_end_is_cancelled_again() -> None:
    async def main() -> None:
        began = CLOCK.now()
        with CLOCK.timeout(1) as scope:
            try:
                await CLOCK.sleep(5)
            finally:
                await CLOCK.sleep(50)
        assert scope.cancelled_caught
        assert CLOCK.now() - began == pytest.approx(2)

    run(main)


def test_a_cancellation_from_elsewhere_goes_through() -> None:
    async def waits() -> None:
        with CLOCK.timeout(1):
            try:
                await CLOCK.sleep(5)
            finally:
                asyncio.current_task().cancel()  # type: ignore[union-attr]  # there is one

    async def main() -> None:
        task = asyncio.ensure_future(waits())
        await asyncio.wait([task])
        assert task.cancelled()

    run(main)


def test_a_scope_of_anyio_around_it_ends_it() -> None:
    async def main() -> None:
        with anyio.move_on_after(1) as outer, CLOCK.timeout(3) as inner:
            await CLOCK.sleep(5)
        assert outer.cancelled_caught
        assert not inner.cancelled_caught

    run(main)


def test_it_ends_scopes_of_anyio_inside_it() -> None:
    async def main() -> None:
        with CLOCK.timeout(1) as outer, anyio.move_on_after(3) as inner:
            await CLOCK.sleep(5)
        assert outer.cancelled_caught
        assert not inner.cancelled_caught

    run(main)


def test_an_error_of_the_block_is_no_end() -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError), CLOCK.timeout(1) as scope:
            raise ZeroDivisionError
        assert not scope.cancelled_caught

    run(main)
