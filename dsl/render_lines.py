"""The picture of some labels in one file, as rows of cells: source lines, what is drawn under them, gaps.

The drawing is rustc's. A label within a line is underlined; the rightmost one has its text beside the underline, the
others hang below it, each on a row of its own. A label over several lines has a rail to the left of the source, from
its first line to its last. Knows no colour codes and no severity: a stroke only says for which label it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from flowc.dsl.cells import Cells, cells, visible
from flowc.dsl.diagnostic import Label
from flowc.dsl.source import SourceFile, Span

__all__ = ["Ink", "Row", "inside", "picture"]

WHOLE: Final = 6  # a label over more lines than this is drawn without those in the middle
LEAD: Final = 16  # cells kept before a label when its line is cut
CUT: Final = "..."


class Ink(Enum):
    SOURCE = "source"
    PRIMARY = "primary"
    SECONDARY = "secondary"


@dataclass(frozen=True, slots=True)
class Row:
    """One row right of the gutter. `number` stands on a source line; `gap` is the row for lines left out."""

    number: int | None
    pieces: tuple[tuple[str, Ink], ...]
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A label in lines, and in character offsets within its first and last line; `rail` only over several lines."""

    first: int
    start: int
    last: int
    end: int
    text: str
    ink: Ink
    rail: int = -1

    @property
    def is_long(self) -> bool:
        return self.first != self.last

    @property
    def stroke(self) -> str:
        return "^" if self.ink is Ink.PRIMARY else "-"


@dataclass(frozen=True, slots=True)
class Canvas:
    """The row being drawn: one stroke a cell, where a later one covers an earlier one, then text at the right end."""

    strokes: dict[int, tuple[str, Ink]] = field(default_factory=dict)
    tail: list[tuple[str, Ink]] = field(default_factory=list)

    def put(self, at: int, stroke: str, ink: Ink) -> None:
        self.strokes[at] = (stroke, ink)

    def row(self, number: int | None = None, *, gap: bool = False) -> Row:
        end = max(self.strokes, default=-1) + 1
        drawn = [self.strokes.get(at, (" ", Ink.SOURCE)) for at in range(end)]
        return Row(number, _runs((*drawn, *self.tail)), gap)


@dataclass(frozen=True, slots=True)
class View:
    """One source line: its cells, and which of them are shown."""

    number: int
    line: Cells
    left: int
    width: int
    offset: int  # cells of the rails before it

    def cell(self, character: int) -> int:
        """The cell of the row in which `character` stands, or the nearest one that is shown."""
        at = self.line.columns[min(character, len(self.line.columns) - 1)]
        past = max(0, character - len(self.line.columns) + 1)
        return self.offset + max(0, min(at + past - self.left, self.width))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The cells of the characters `start..end`, at least one."""
        first = self.cell(start)
        return first, max(self.cell(end), first + 1)

    def text(self) -> str:
        shown = self.line.window(self.left, self.width)
        if self.left > 0:
            shown = CUT + self.line.window(self.left + len(CUT), self.width - len(CUT))
        if self.line.width > self.left + self.width:
            shown = shown[: -len(CUT)] + CUT if shown.isascii() else self._cut_right(shown)
        return shown.rstrip()

    def _cut_right(self, shown: str) -> str:
        return cells(shown).window(0, self.width - len(CUT)) + CUT


def inside(source: SourceFile, span: Span) -> tuple[int, int]:
    """`span` within the text, where the end of the file is the end of its last line and not the empty one after it."""
    size = len(source.text)
    body = size - 1 if source.text.endswith("\n") else size
    if body > 0 and source.text[body - 1] == "\r":
        body -= 1
    start = min(span.start, size)
    start = body if start == size else start
    return start, max(start, min(span.end, size))


def picture(source: SourceFile, labels: Sequence[Label], width: int) -> tuple[Row, ...]:
    """The rows that show `labels`, all in `source`; no row has more than about `width` cells of source."""
    marks = _on_rails(tuple(_mark(source, label) for label in labels))
    rails = max((mark.rail for mark in marks), default=-1) + 1
    offset = rails + 1 if rails else 0
    rows: list[Row] = []
    before = None
    for number in _numbers(marks):
        if before is not None and number > before + 1:
            rows.append(_gap(marks, before, number))
        here = tuple(mark for mark in marks if mark.first <= number <= mark.last)
        view = _view(number, source.line(number), here, width - offset, offset)
        rows += _line_rows(view, here)
        before = number
    return tuple(rows)


def _mark(source: SourceFile, label: Label) -> Mark:
    start, end = inside(source, label.span)
    while end > start + 1 and source.text[end - 1] in "\r\n":  # a span up to the next line does not reach into it
        end -= 1
    first, last = source.place(start), source.place(end)
    ink = Ink.SECONDARY if label.secondary else Ink.PRIMARY
    if last.line > first.line and last.column == 1:  # one newline, and nothing else
        return Mark(first.line, first.column - 1, first.line, first.column, visible(label.text), ink)
    return Mark(first.line, first.column - 1, last.line, last.column - 1, visible(label.text), ink)


def _on_rails(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    """The marks with a rail for each long one; those that overlap have different ones, the longest outermost."""
    placed: dict[int, Mark] = {}
    longest = sorted(
        (at for at, mark in enumerate(marks) if mark.is_long), key=lambda at: _lines(marks[at]), reverse=True
    )
    for at in longest:
        mark = marks[at]
        taken = {each.rail for each in placed.values() if each.first <= mark.last and mark.first <= each.last}
        rail = next(rail for rail in range(len(marks)) if rail not in taken)
        placed[at] = Mark(mark.first, mark.start, mark.last, mark.end, mark.text, mark.ink, rail)
    return tuple(placed.get(at, mark) for at, mark in enumerate(marks))


def _lines(mark: Mark) -> int:
    return mark.last - mark.first + 1


def _numbers(marks: Iterable[Mark]) -> tuple[int, ...]:
    """The lines to show, in order; a single line between two of them is shown rather than left out."""
    shown: set[int] = set()
    for mark in marks:
        shown.update(range(mark.first, mark.last + 1) if _lines(mark) <= WHOLE else (mark.first, mark.last))
    return tuple(sorted(shown | {number + 1 for number in shown if number + 2 in shown}))


def _view(number: int, text: str, marks: Sequence[Mark], width: int, offset: int) -> View:
    """`text` as it is shown: from its beginning where everything marked fits, else around the primary place."""
    line = cells(text)
    ends: list[int] = []
    starts: list[int] = []
    for mark in sorted(marks, key=lambda each: each.ink is not Ink.PRIMARY):
        if mark.first == number:
            starts.append(line.columns[min(mark.start, len(text))])
        if mark.last == number:
            ends.append(line.columns[min(mark.end, len(text))] + 1 + min(len(mark.text), width // 2))
    end = max((*starts, *ends), default=0)
    if line.width <= width or end <= width - len(CUT):
        return View(number, line, 0, width, offset)
    start = starts[0] if starts else end
    return View(number, line, max(0, min(start - LEAD, line.width)), width, offset)


def _gap(marks: Iterable[Mark], before: int, after: int) -> Row:
    canvas = Canvas()
    for mark in marks:
        if mark.is_long and mark.first <= before and after <= mark.last:
            canvas.put(mark.rail, "|", mark.ink)
    return canvas.row(gap=True)


def _line_rows(view: View, marks: Sequence[Mark]) -> list[Row]:
    """The line itself, the labels within it, the beginnings of long ones, the ends of long ones."""
    number = view.number
    opened = {mark.rail: mark for mark in marks if mark.is_long and mark.first < number}
    source = Canvas()
    for rail, mark in opened.items():
        source.put(rail, "|", mark.ink)
    beginning = [mark for mark in marks if mark.is_long and mark.first == number]
    for mark in [each for each in beginning if _begins_line(view, each)]:
        source.put(mark.rail, "/", mark.ink)
        opened[mark.rail] = mark
        beginning.remove(mark)
    source.tail.append((_padded(source, view) + view.text(), Ink.SOURCE))
    rows = [source.row(number)]
    rows += _short_rows(view, [mark for mark in marks if not mark.is_long], opened)
    for mark in beginning:
        rows.append(_corner(view, mark, view.cell(mark.start), opened, ""))
        opened[mark.rail] = mark
    for mark in sorted((each for each in opened.values() if each.last == number), key=lambda each: -each.rail):
        rows.append(_corner(view, mark, max(view.cell(mark.end) - 1, view.offset), opened, mark.text))
        del opened[mark.rail]
    return rows


def _padded(canvas: Canvas, view: View) -> str:
    return " " * (view.offset - max(canvas.strokes, default=-1) - 1)


def _begins_line(view: View, mark: Mark) -> bool:
    before = view.line.columns[min(mark.start, len(view.line.columns) - 1)]
    return view.left == 0 and not view.line.window(0, before).strip()


def _corner(view: View, mark: Mark, column: int, opened: Mapping[int, Mark], text: str) -> Row:
    canvas = _rails(opened)
    for at in range(mark.rail + 1, column):
        canvas.put(at, "_", mark.ink)
    if mark.rail in opened:
        canvas.put(mark.rail, "|", mark.ink)
    canvas.put(column, mark.stroke, mark.ink)
    if text:
        canvas.tail.append((f" {text}", mark.ink))
    return canvas.row()


def _rails(opened: Mapping[int, Mark]) -> Canvas:
    canvas = Canvas()
    for rail, mark in opened.items():
        canvas.put(rail, "|", mark.ink)
    return canvas


def _short_rows(view: View, marks: Sequence[Mark], opened: Mapping[int, Mark]) -> list[Row]:
    if not marks:
        return []
    spans = {mark: view.span(mark.start, mark.end) for mark in marks}
    underline = _rails(opened)
    for mark in sorted(marks, key=lambda each: each.ink is Ink.PRIMARY):
        for at in range(*spans[mark]):
            underline.put(at, mark.stroke, mark.ink)
    ordered = sorted(marks, key=lambda each: (spans[each][0], each.ink is Ink.PRIMARY))
    rightmost = ordered[-1]
    if spans[rightmost][1] == max(end for _, end in spans.values()) and rightmost.text:
        underline.tail.append((f" {rightmost.text}", rightmost.ink))
        ordered.pop()
    hanging = [mark for mark in ordered if mark.text]
    rows = [underline.row()]
    if hanging:
        rows.append(_threads(hanging, spans, opened).row())
    while hanging:
        mark = hanging.pop()
        canvas = _threads([each for each in hanging if spans[each][0] < spans[mark][0]], spans, opened)
        gap = spans[mark][0] - max(canvas.strokes, default=-1) - 1
        canvas.tail.append((" " * gap + mark.text, mark.ink))
        rows.append(canvas.row())
    return rows


def _threads(hanging: Sequence[Mark], spans: Mapping[Mark, tuple[int, int]], opened: Mapping[int, Mark]) -> Canvas:
    canvas = _rails(opened)
    for mark in hanging:
        canvas.put(spans[mark][0], "|", mark.ink)
    return canvas


def _runs(pieces: Iterable[tuple[str, Ink]]) -> tuple[tuple[str, Ink], ...]:
    """Neighbours of one ink joined."""
    joined: list[tuple[str, Ink]] = []
    for text, ink in pieces:
        if joined and (joined[-1][1] is ink or not text.strip()):
            joined[-1] = (joined[-1][0] + text, joined[-1][1])
        else:
            joined.append((text, ink))
    return tuple(joined)
