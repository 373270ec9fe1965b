"""One diagnostic as text: header, a picture of each file, notes and help. Colours are rustc's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from flowc.dsl.cells import visible
from flowc.dsl.diagnostic import Diagnostic, Label, Severity
from flowc.dsl.render_lines import Ink, Row, inside, picture
from flowc.dsl.source import SourceFile

__all__ = ["BOLD", "draw", "painted"]

BOLD: Final = "1"
BLUE: Final = "1;34"
LEVEL: Final = {Severity.ERROR: "1;31", Severity.WARNING: "1;33", Severity.INFO: "1;32"}


def painted(text: str, style: str | None) -> str:
    """`text` in the colour `style` (the numbers of an ANSI sequence), or as it is."""
    return f"\x1b[{style}m{text}\x1b[0m" if style and text else text


def draw(diagnostic: Diagnostic, sources: Mapping[str, SourceFile], *, colour: bool, width: int) -> str:
    """The whole text of one diagnostic, with a final newline."""
    styles = Styles(diagnostic.level, colour)
    gutter = _gutter(diagnostic, sources)
    lines = [
        styles.level(f"{diagnostic.level.value}[{diagnostic.code.id}]")
        + styles.bold(f": {visible(diagnostic.message)}")
    ]
    for at, (path, labels) in enumerate(_by_file(diagnostic).items()):
        lines += _file_lines(path, labels, sources.get(path), Frame(gutter, width, styles, first=at == 0))
    lines += _remarks(diagnostic, gutter, styles)
    return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Styles:
    """What each part is painted with; without colour nothing."""

    severity: Severity
    colour: bool

    def level(self, text: str) -> str:
        return painted(text, LEVEL[self.severity] if self.colour else None)

    def bold(self, text: str) -> str:
        return painted(text, BOLD if self.colour else None)

    def blue(self, text: str) -> str:
        return painted(text, BLUE if self.colour else None)

    def ink(self, text: str, ink: Ink) -> str:
        match ink:
            case Ink.SOURCE:
                return text
            case Ink.PRIMARY:
                return self.level(text)
            case Ink.SECONDARY:
                return self.blue(text)


@dataclass(frozen=True, slots=True)
class Frame:
    """The gutter around the picture of one file; `first` is the file of the primary place."""

    gutter: int
    width: int
    styles: Styles
    first: bool

    def bar(self, number: int | None = None) -> str:
        return self.styles.blue(f"{'' if number is None else number:>{self.gutter}} |")


def _gutter(diagnostic: Diagnostic, sources: Mapping[str, SourceFile]) -> int:
    """How many cells the largest line number takes."""
    lines = (
        source.place(inside(source, label.span)[1]).line
        for label in diagnostic.labels
        if (source := sources.get(label.span.path)) is not None
    )
    return len(str(max(lines, default=1)))


def _by_file(diagnostic: Diagnostic) -> dict[str, list[Label]]:
    """The labels of each file, that of the primary place first."""
    files: dict[str, list[Label]] = {}
    for label in diagnostic.labels:
        files.setdefault(label.span.path, []).append(label)
    return files


def _file_lines(path: str, labels: list[Label], source: SourceFile | None, frame: Frame) -> Iterator[str]:
    if not frame.first:
        yield frame.bar()
    arrow = frame.styles.blue(" " * frame.gutter + ("-->" if frame.first else ":::"))
    if source is None:
        yield f"{arrow} {visible(path)}"
        return
    place = source.place(inside(source, labels[0].span)[0])
    yield f"{arrow} {visible(path)}:{place.line}:{place.column}"
    yield frame.bar()
    for row in picture(source, labels, max(40, frame.width - frame.gutter - 3)):
        yield _row(row, frame)


def _row(row: Row, frame: Frame) -> str:
    drawn = "".join(frame.styles.ink(text, ink) for text, ink in row.pieces)
    if row.gap:
        return frame.styles.blue("...") + (" " * frame.gutter + drawn).rstrip()
    return f"{frame.bar(row.number)} {drawn}".rstrip()


def _remarks(diagnostic: Diagnostic, gutter: int, styles: Styles) -> Iterator[str]:
    yield styles.blue(f"{'':>{gutter}} |")
    texts = [("note", note) for note in diagnostic.notes]
    if diagnostic.help:
        texts.append(("help", diagnostic.help))
    texts.append(("for more", f"flowc explain {diagnostic.code.id}"))
    for word, text in texts:
        first, *others = text.splitlines() or [""]
        yield f"{'':>{gutter}} {styles.blue('=')} {styles.bold(word)}: {visible(first)}"
        indent = " " * (gutter + len(word) + 5)
        yield from (f"{indent}{visible(line)}" for line in others)
