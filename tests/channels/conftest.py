from collections.abc import AsyncIterator

import pytest
from channels.serving import Desk, serving


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A server that asks for no token."""
    async with serving() as served:
        yield served
