from collections.abc import Iterator
from pathlib import Path

import pytest
from end_to_end.bot import Bot, made_bot, order_bot


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    with order_bot(tmp_path) as made:
        yield made


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Bot]:
    """The bot without its backends, for talk that needs none."""
    made = made_bot(tmp_path)
    yield made
    if made.server is not None:
        made.stop()
