"""What every test may use."""

import os
import shutil

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("golden")

# In CI the same examples each time, so that a change is judged by what it changes; elsewhere new ones each time.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many random edits of flows are tried: a few thousand in a test run, a million before a release."""
    parser.addoption("--edits", type=int, default=2_000, help="random edits of flows that are tried")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, which is what the server runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium. Without one a test is skipped, or fails where REQUIRE_BROWSER is set, as in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        give_up = pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip
        give_up("no chromium on PATH")
    return found
