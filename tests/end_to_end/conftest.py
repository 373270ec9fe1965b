from collections.abc import Iterator
from pathlib import Path

import pytest
from end_to_end.bot import Bot, order_bot


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    with order_bot(tmp_path) as made:
        yield made
