"""The store of an environment, to be read only: beside its server or without one; and how its times are written."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flowc.cli.operate import store_file
from flowc.cli.terminal import FINDINGS, Stop

if TYPE_CHECKING:
    from flowc.compiler.project import Project
    from flowc.runtime.store.reading import Reader

__all__ = ["ago", "moment", "ms_of", "nobody", "now_ms", "store_of"]

UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
DURATION = re.compile(r"(\d{1,6})([smhdw])")


@contextmanager
def store_of(project: "Project", env: str) -> "Iterator[Reader]":
    """The store of the environment. Stops where there is none yet."""
    from flowc.runtime.store.reading import reading

    path = store_file(project, env)
    if not path.exists():
        raise Stop(f"there is no store at {path} yet", help="flowc serve makes it; --env names another environment")
    with reading(path) as reader:
        yield reader


def nobody(conversation: str) -> Stop:
    return Stop(
        f"there is no conversation {conversation}",
        help="flowc conversations lists them; with tokens an id is written NAME/ID, as in website/c1",
        code=FINDINGS,
    )


def ms_of(written: str, option: str) -> int:
    """A length of time such as 30m. Stops where it is none."""
    found = DURATION.fullmatch(written)
    if found is None:
        raise Stop(f"`{written}` is no length of time for {option}", help="write it as in 30s, 10m, 2h, 7d or 4w")
    return int(found[1]) * UNITS[found[2]]


def now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


def moment(at_ms: int) -> str:
    """A time, in UTC."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def ago(ms: int) -> str:
    """How long, in its two largest units: 3m 10s."""
    left = max(ms, 0)
    parts: list[str] = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, UNITS[unit])
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])
