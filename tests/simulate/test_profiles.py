"""Each wrong profile is answered with one sentence, which stands beside it."""

from pathlib import Path

import pytest
from command import ROOT, flowc
from golden import compare
from syrupy.assertion import SnapshotAssertion

PROFILES = Path(__file__).parent / "profiles"


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_wrong_profile_is_one_sentence(path: Path, snapshot: SnapshotAssertion) -> None:
    ran = flowc("simulate", "--profile", path.relative_to(ROOT), "--users", "3", "--project", "flows/order_support")
    assert ran.code == 2
    assert ran.out == ""
    compare(path.with_suffix(".txt"), ran.err, snapshot)


def test_each_sentence_has_its_profile() -> None:
    assert {path.stem for path in PROFILES.glob("*.txt")} == {path.stem for path in PROFILES.glob("*.toml")}


def test_a_profile_that_is_not_there() -> None:
    ran = flowc("simulate", "--profile", "nowhere.toml", "--project", "flows/order_support")
    assert ran.code == 2
    assert ran.err == "error: `nowhere.toml` cannot be read: No such file or directory\n"
