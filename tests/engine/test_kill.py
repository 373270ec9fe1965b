"""`kill -9` at every place where a server crosses to its store or a backend: nothing lost, nothing doubled."""

import subprocess
import sys
from pathlib import Path

import pytest
from engine.world import probe

from flowc.runtime.bundle import to_bytes


@pytest.mark.timeout(120)
def test_a_server_killed_anywhere_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    bundle = tmp_path / "probe.bundle"
    bundle.write_bytes(to_bytes(probe()))
    script = Path(__file__).with_name("killing.py")
    done = subprocess.run(
        [sys.executable, script, bundle], capture_output=True, text=True, timeout=100, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    places = done.stdout.splitlines()
    assert len(places) > 40
    assert [line for line in places if not line.endswith(" ok")] == []
