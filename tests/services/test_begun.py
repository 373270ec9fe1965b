"""A coroutine that was begun by hand goes on as any other: what it waits for, raises and is told."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from flowc.runtime.services.loop import begun


async def asks(question: "asyncio.Future[int]") -> int:
    try:
        return await question + 1
    except ValueError:
        return await asyncio.sleep(0, -1)


@pytest.fixture
async def question() -> "asyncio.Future[int]":
    return asyncio.get_running_loop().create_future()


async def test_it_goes_on_where_it_waits(question: "asyncio.Future[int]") -> None:
    work = asks(question)
    rest = asyncio.ensure_future(_rest(work))
    await asyncio.sleep(0)
    question.set_result(1)
    assert await rest == 2


async def test_what_it_waits_for_may_fail(question: "asyncio.Future[int]") -> None:
    rest = asyncio.ensure_future(_rest(asks(question)))
    await asyncio.sleep(0)
    question.set_exception(ValueError())
    assert await rest == -1


async def test_it_can_be_cancelled(question: "asyncio.Future[int]") -> None:
    rest = asyncio.ensure_future(_rest(asks(question)))
    await asyncio.sleep(0)
    rest.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rest
    assert question.cancelled()


async def _rest(work: Coroutine[Any, Any, int]) -> int:
    return await begun(work, work.send(None))
