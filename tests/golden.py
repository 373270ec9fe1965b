"""Expected texts that stand as files beside what they are expected of; `make update` rewrites them."""

from pathlib import Path

import pytest


def compare(path: Path, text: str, config: pytest.Config) -> None:
    """Fails where `text` is not what the file at `path` holds."""
    if config.getoption("update_snapshots"):
        path.write_text(text, encoding="utf-8", newline="")
    assert path.exists(), f"{path.name} is missing: make update"
    with path.open(encoding="utf-8", newline="") as file:
        assert text == file.read()
