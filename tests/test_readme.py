"""The README shows what really happens: its findings, its picture and its transcript are the output of the commands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from command import ROOT, flowc

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```text\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def same_each_time(transcript: str) -> list[str]:
    """The lines of a transcript without what differs from run to run: times, ports, keys, and what is drawn by lot."""
    text = re.sub(r"\(\d+ ms\)", "(… ms)", transcript)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:…", text)
    text = re.sub(r"key [0-9a-f]+…", "key …", text)
    text = re.sub(r"Goodbye!|Have a nice day!", "…", text)
    return text.strip().splitlines()


def test_the_findings_are_what_check_prints() -> None:
    assert BLOCKS[0].strip() == flowc("check", "tests/readme/shop.flow").out.strip()


def test_the_picture_is_what_graph_draws(tmp_path: Path) -> None:
    drawn = tmp_path / "drawn.svg"
    assert flowc("graph", "--format", "svg", "-o", drawn, "--project", "flows/order_support").code == 0
    assert drawn.read_text() == (ROOT / "docs/order_support.svg").read_text()


@pytest.mark.timeout(60)
def test_the_transcript_is_what_the_demo_plays() -> None:
    played = subprocess.run(
        [sys.executable, "scripts/demo.py"], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert played.returncode == 0, played.stderr
    assert same_each_time(played.stdout) == same_each_time(BLOCKS[1])
