"""Aligned columns, as wide as what is in them."""

from collections.abc import Sequence
from dataclasses import dataclass

from wcwidth import wcswidth

from flowc.cli.terminal import DIM, Terminal

__all__ = ["Column", "table"]

WIDEST = 60  # of a cell, unless its column says more


@dataclass(frozen=True, slots=True)
class Column:
    """One cell a row. A column without any content is left out."""

    head: str
    cells: Sequence[str]
    code: int | None = None
    right: bool = False
    widest: int = WIDEST


def table(columns: Sequence[Column], terminal: Terminal) -> str:
    """The columns side by side, with a head; empty without rows."""
    kept = [column for column in columns if any(column.cells)]
    if not kept:
        return ""
    padded = [_padded(column, terminal) for column in kept]
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*padded, strict=True))


def _padded(column: Column, terminal: Terminal) -> list[str]:
    cells = [_short(cell, column.widest) for cell in column.cells]
    width = max(_width(column.head), *map(_width, cells))
    styled = [_aligned(cell, width, column.right) for cell in cells]
    if column.code is not None:
        styled = [terminal.style(cell, column.code) for cell in styled]
    return [terminal.style(_aligned(column.head, width, column.right), DIM), *styled]


def _aligned(cell: str, width: int, right: bool) -> str:
    space = " " * (width - _width(cell))
    return space + cell if right else cell + space


def _short(cell: str, widest: int) -> str:
    """Without control characters, which a terminal would obey, and not too long."""
    clean = "".join(each if each.isprintable() else "·" for each in cell)
    return clean if len(clean) <= widest else f"{clean[: widest - 1]}…"


def _width(text: str) -> int:
    return max(wcswidth(text), 0)
