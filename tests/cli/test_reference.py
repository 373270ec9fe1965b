"""docs/commands.md is what the commands say of themselves."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_reference_is_current(tmp_path: Path) -> None:
    made = tmp_path / "commands.md"
    arguments = ["utils", "docs", "--name", "flowc", "--title", "flowc commands", "--output", str(made)]
    subprocess.run([sys.executable, "-m", "typer", "flowc.cli.main", *arguments], cwd=ROOT, check=True)
    assert made.read_text() == (ROOT / "docs" / "commands.md").read_text(), "make docs"
