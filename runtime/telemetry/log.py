"""The log: one line for what was refused or went wrong, nothing for a turn that went well.

Facts are bounded words, ids and numbers: never a text of a user, never a variable, never an argument of a call. So a
record takes only `str`, `int`, `float`, `bool` and `None`, and the callers pass names of things, not things.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final, Literal, Protocol, TextIO

import structlog

MOST_A_SECOND: Final = 100  # lines of one event

Fact = str | int | float | bool | None
Severity = Literal["debug", "info", "warning", "error"]


class Log(Protocol):
    """Takes a record. Must not raise and must not wait."""

    def __call__(self, severity: Severity, event: str, facts: Mapping[str, Fact], /) -> None: ...


def silent(severity: Severity, event: str, facts: Mapping[str, Fact], /) -> None:
    """The log of tests and of embedded engines that have none."""


class Flood:
    """Lets MOST_A_SECOND records of one event through each second, and counts the rest: thousands of refusals a second
    must not make it worse."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._seen: dict[str, tuple[int, int]] = {}  # event: its last second, and records in it

    def passes(self, event: str) -> tuple[bool, int]:
        """Whether the record is written, and how many were left out before it."""
        second = int(self._now())
        last, count = self._seen.get(event, (second, 0))
        left_out = 0
        if second != last:
            left_out, count = max(0, count - MOST_A_SECOND), 0
        self._seen[event] = (second, count + 1)
        return count < MOST_A_SECOND, left_out


def log_to(
    stream: TextIO,
    *,
    json: bool,
    least: Severity = "info",
    colour: bool = False,
    now: Callable[[], float] = time.monotonic,
) -> Log:
    """A log of one line a record; of a flood of one event the first in each second."""
    flood = Flood(now)
    ranks: dict[Severity, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
    logger = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=colour),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(ranks[least]),
        context_class=dict,
        cache_logger_on_first_use=True,
    )

    def record(severity: Severity, event: str, facts: Mapping[str, Fact], /) -> None:
        if ranks[severity] < ranks[least]:
            return
        is_written, left_out = flood.passes(event)
        if left_out:
            logger.log(ranks[severity], "more of it", of=event, left_out=left_out)
        if is_written:
            logger.log(ranks[severity], event, **facts)

    return record
