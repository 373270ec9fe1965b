"""A finding of the checker as a value: its code, its places, what to do, and the edits that do it.

Codes are constants beside the pass that reports them; `flowc.compiler.codes` gathers them. This module knows
no wording and no drawing (`flowc.dsl.render` draws).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from flowc.dsl.source import Span

__all__ = ["INTERNAL_ERROR", "Code", "Diagnostic", "Edit", "Label", "Severity", "internal_error", "sort"]


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Code:
    """A stable number such as `FLW201`, its name in kebab-case, and its severity. `fixed` ones cannot be lowered."""

    id: str
    name: str
    severity: Severity
    fixed: bool = True


@dataclass(frozen=True, slots=True)
class Label:
    """A place and what is wrong there (`secondary`: what the primary place has to do with it)."""

    span: Span
    text: str
    secondary: bool = False


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces the text under `span`. Only where the repair is certain."""

    span: Span
    replacement: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake. `labels[0]` is the primary place, at most two more follow; `notes` are lines under the picture."""

    code: Code
    message: str
    labels: tuple[Label, ...]
    help: str | None = None
    notes: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    severity: Severity | None = None  # where one finding differs from its code (FLW607)

    @property
    def span(self) -> Span:
        """The primary place."""
        return self.labels[0].span

    @property
    def level(self) -> Severity:
        """How serious it is."""
        return self.severity or self.code.severity


def sort(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """In source order: by file, place, code."""
    return tuple(sorted(diagnostics, key=_order))


def _order(diagnostic: Diagnostic) -> tuple[str, int, int, str, str]:
    span = diagnostic.span
    return span.path, span.start, span.end, diagnostic.code.id, diagnostic.message


def internal_error(span: Span, message: str, notes: tuple[str, ...] = ()) -> Diagnostic:
    """A fault of ours at `span`."""
    return Diagnostic(
        INTERNAL_ERROR,
        f"this is a bug in flowc: {message}",
        (Label(span, "at work here"),),
        help="please report it, with this text and the file",
        notes=notes,
    )


INTERNAL_ERROR: Final = Code("FLW199", "internal-error", Severity.ERROR)
