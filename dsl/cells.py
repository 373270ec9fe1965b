"""Text as a terminal shows it: which cell each character stands in. Knows no source and no diagnostic.

A tab reaches the next multiple of four, a wide character takes two cells, a combining one shares the cell of its base.
What a terminal would obey or hide (escape sequences, direction marks, zero-width characters) is shown as U+FFFD, so
that a file can neither disguise itself nor drive the terminal.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["Cells", "cells", "visible"]

TAB: Final = 4
STAND_IN: Final = "\ufffd"
HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Cells:
    """`pieces` are printed, each with its width. `columns[i]` is the cell of character i; one more is the end."""

    pieces: tuple[tuple[str, int], ...]
    columns: tuple[int, ...]

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.pieces)

    @property
    def width(self) -> int:
        return self.columns[-1]

    def window(self, start: int, width: int) -> str:
        """The cells `start..start + width`; half of a wide character at an end is a space."""
        shown: list[str] = []
        at = 0
        for text, size in self.pieces:
            inside = min(at + size, start + width) - max(at, start)
            if inside == size:
                shown.append(text)
            elif inside > 0:
                shown.append(" " * inside)
            at += size
        return "".join(shown)


def cells(line: str) -> Cells:
    """Where each character of `line` stands."""
    if line.isascii() and line.isprintable():
        return Cells(tuple((character, 1) for character in line), tuple(range(len(line) + 1)))
    pieces: list[tuple[str, int]] = []
    columns: list[int] = []
    at = 0
    for cluster in _clusters(line):
        text, width = _shown(cluster, at)
        pieces.append((text, width))
        columns.extend([at] * len(cluster))
        at += width
    return Cells(tuple(pieces), (*columns, at))


def visible(text: str) -> str:
    """`text` on one line with nothing in it that a terminal would obey."""
    return cells(text.replace("\n", " ").replace("\t", " ")).text


def _clusters(line: str) -> Iterator[str]:
    if line.isascii():
        return iter(line)
    from wcwidth import iter_graphemes  # its tables take 20 ms to load, and most files are plain

    return iter_graphemes(line)


def _shown(cluster: str, at: int) -> tuple[str, int]:
    if cluster == "\t":
        width = TAB - at % TAB
        return " " * width, width
    if cluster.isascii() and cluster.isprintable():
        return cluster, len(cluster)
    from wcwidth import wcswidth

    width = wcswidth(cluster)
    if width == 2:  # a joiner inside an emoji belongs to it
        return cluster, 2
    shown = "".join(STAND_IN if unicodedata.category(each) in HIDDEN else each for each in cluster)
    width = wcswidth(shown)
    return (shown, width) if width > 0 else (STAND_IN, 1)
