"""Source text and places in it: the one module that turns an offset into a line and a column."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

__all__ = ["Place", "SourceFile", "Span"]

NEWLINE: Final = "\n"


class Span(Struct, frozen=True, gc=False):
    """The half-open range `start..end` of character offsets in the file at `path`."""

    path: str
    start: int
    end: int

    def to(self, other: "Span") -> "Span":
        """The span from the beginning of this one to the end of `other`, in the same file."""
        return Span(self.path, self.start, other.end)


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column, both from 1; columns count characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, eq=False)
class SourceFile:
    """The text of one file. `path` is what reports print: relative to the project, with `/`."""

    path: str
    text: str
    _line_starts: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        starts = [0]
        at = self.text.find(NEWLINE)
        while at >= 0:
            starts.append(at + 1)
            at = self.text.find(NEWLINE, at + 1)
        object.__setattr__(self, "_line_starts", tuple(starts))

    def place(self, offset: int) -> Place:
        """Line and column of `offset`; offsets past the end are at the end. O(log lines)."""
        bounded = max(0, min(offset, len(self.text)))
        line = bisect_right(self._line_starts, bounded)
        return Place(line, bounded - self._line_starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """The text of line `number` (from 1) without its newline."""
        start = self._line_starts[number - 1]
        end = self._line_starts[number] - 1 if number < len(self._line_starts) else len(self.text)
        return self.text[start:end].removesuffix("\r")

    @property
    def line_count(self) -> int:
        return len(self._line_starts)

    def slice(self, span: Span) -> str:
        """The text under `span`."""
        return self.text[span.start : span.end]
