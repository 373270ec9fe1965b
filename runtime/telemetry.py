"""What operators see: the log. The only importer of logging libraries, so that what may not be logged is decided in
one place.

Facts are bounded words, ids and numbers: never a text of a user, never a variable, never an argument of a call. So a
record takes only `str`, `int`, `float`, `bool` and `None`, and the callers pass names of things, not things.
"""

from collections.abc import Mapping
from typing import Literal, Protocol, TextIO

import structlog

Fact = str | int | float | bool | None
Severity = Literal["debug", "info", "warning", "error"]


class Log(Protocol):
    """Takes a record. Must not raise and must not wait."""

    def __call__(self, severity: Severity, event: str, facts: Mapping[str, Fact], /) -> None: ...


def silent(severity: Severity, event: str, facts: Mapping[str, Fact], /) -> None:
    """The log of tests and of embedded engines that have none."""


def log_to(stream: TextIO, *, json: bool, least: Severity = "info", colour: bool = False) -> Log:
    """A log of one line a record."""
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
        logger.log(ranks[severity], event, **facts)

    return record
