"""The layout of a file: its logical lines, and the blocks that indentation makes of them. Never fails, reports.

`scan` answers tokens with NEWLINE, INDENT and DEDENT among them, and the comments apart from them, so that a comment at
any column changes nothing. A level is two spaces. A line of another width is given the level it most likely has; the
edits of its report move it there with everything under it. A file that is too large is not read at all.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from flowc.dsl import tokens as words
from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity
from flowc.dsl.lexemes import INVISIBLE, MAX_NESTING, Lexemes, invisible, scan_line
from flowc.dsl.literals import TOO_LARGE
from flowc.dsl.nodes import Comment
from flowc.dsl.source import SourceFile, Span
from flowc.dsl.tokens import Token

__all__ = ["MAX_NESTING", "Scan", "scan"]

STEP: Final = 2
MAX_LINE: Final = 4_096
MAX_BYTES: Final = 4 * 1024 * 1024

INDENTATION: Final = re.compile(rf"(?:[^\S\r\n]|[{''.join(INVISIBLE)}])*")
WITHOUT_WIDTH: Final = dict.fromkeys(map(ord, INVISIBLE))
FIRST_WORD: Final = re.compile(r"[a-z_]+|\"|->")
LONG_LINE: Final = re.compile(rf"^[^\n]{{{MAX_LINE + 1},}}", re.MULTILINE)

MUST_OPEN: Final = words.words("state listen match anywhere migrate")
MAY_OPEN: Final = words.words(
    "flow library service read write intent slot say ask choose call defer do handoff type chat"
)
OPEN_WITHOUT_ARROW: Final = words.words("on else if")
UNDER: Final = {
    "say": words.SAY_LINES | {'"'},
    **dict.fromkeys(("ask", "call", "defer", "do", "handoff"), words.words("on else")),
    "choose": words.words("on else show"),
    "flow": words.HEADER_LINES | {'"'},
    "library": words.HEADER_LINES | {'"'},
}


@dataclass(frozen=True, slots=True)
class Scan:
    """The tokens of one file in order; `spoiled`: the index of the first token of each line that was repaired."""

    source: SourceFile
    tokens: tuple[Token, ...]
    comments: tuple[Comment, ...]
    diagnostics: tuple[Diagnostic, ...]
    spoiled: frozenset[int]


def scan(source: SourceFile) -> Scan:
    """Tokens, comments and reports of `source`. Linear in its length."""
    size = len(source.text) if source.text.isascii() else len(source.text.encode("utf-8", "replace"))
    if size > MAX_BYTES:
        return Scan(source, (), (), (too_large_file(source, size),), frozenset())
    found = Lexemes(source)
    blocks = Blocks(found)
    text, end = source.text, len(source.text)
    at = 0
    while at < end:
        content = INDENTATION.match(text, at).end()  # type: ignore[union-attr]  # matches anywhere
        if not text[at:content].isspace() and content > at:
            drop_invisible(found, at, content)
        first = text[content : content + 1]
        if first in ("", "\n", "\r") or first == "#":
            at = blank(found, content)
            continue
        blocks.line(at, content)
        at = scan_line(found, content, end)
    blocks.close()
    found.diagnostics.extend(long_lines(source))
    found.diagnostics.extend(blocks.reports())
    return Scan(source, tuple(found.tokens), tuple(found.comments), tuple(found.diagnostics), frozenset(found.spoiled))


def drop_invisible(found: Lexemes, start: int, content: int) -> None:
    """Reports the characters without width between the spaces of an indentation."""
    for at in range(start, content):
        if found.source.text[at] in INVISIBLE:
            found.diagnostics.append(invisible(found.source.text[at], found.add("_IGNORED", at, at + 1).span))


def blank(found: Lexemes, at: int) -> int:
    """Passes a blank line or one with only a comment; the offset of the next line."""
    text = found.source.text
    stop = text.find("\n", at)
    end = stop if stop >= 0 else len(text)
    comment = text[at:end].rstrip()
    if comment.startswith("#"):
        found.comments.append(Comment(comment, True, found.span(at, at + len(comment))))
    elif comment:  # a lone carriage return, and more behind it
        return at + 1
    return end + 1


@dataclass(slots=True)
class Block:
    """An open block: how wide its lines are, how wide they should be, and the report its first line gave, if any."""

    width: int
    level: int
    report: int | None


class Blocks:
    """The open blocks above the line under the scanner."""

    __slots__ = ("edits", "found", "messages", "open", "opener")

    def __init__(self, found: Lexemes) -> None:
        self.found = found
        self.open = [Block(0, 0, None)]
        self.opener = ""  # the last line, when it can have a block
        self.messages: list[Diagnostic] = []
        self.edits: list[list[Edit]] = []

    def line(self, start: int, content: int) -> None:
        """Opens and closes blocks for a line whose white space is `start..content`."""
        found, text = self.found, self.found.source.text
        space = text[start:content].translate(WITHOUT_WIDTH)
        width = len(space.replace("\t", " " * STEP))
        bad = space.strip(" ") != ""
        top = self.open[-1]
        if bad and width <= top.width and self.opener in MUST_OPEN | OPEN_WITHOUT_ARROW:
            width = top.width + STEP  # how wide a tab is nobody knows, but that a block begins
        if width > top.width:
            self.deeper(start, content, width)
        elif width < top.width:
            self.shallower(start, content, width)
        block = self.open[-1]
        wanted = block.level * STEP
        if bad:
            self.report(foreign_indentation(space, found.span(start, content)), start, content, wanted)
        elif block.report is not None and content - start != wanted:
            self.edits[block.report].append(Edit(found.span(start, content), " " * wanted))
        self.remember(content)

    def remember(self, content: int) -> None:
        text = self.found.source.text
        word = FIRST_WORD.match(text, content)
        first = word[0] if word else ""
        if first in OPEN_WITHOUT_ARROW:
            stop = text.find("\n", content)
            first = "" if " -> " in text[content : stop if stop >= 0 else len(text)] else first
        self.opener = first if first in MUST_OPEN or first in MAY_OPEN or first in OPEN_WITHOUT_ARROW else ""

    def deeper(self, start: int, content: int, width: int) -> None:
        top = self.open[-1]
        step = width - top.width
        if step == 1 and not self.opens(content):
            self.wrong_width(start, content, width, top)
            return
        if step == STEP or (top.report is not None and step == top.width - self.open[-2].width):
            report = top.report
        elif not self.opens(content):  # the parser reports it, and moves it back
            self.open.append(Block(width, top.level, None))
            self.add_indent(start, content)
            return
        else:
            wanted = (top.level + 1) * STEP
            report = self.report(wrong_width(width, wanted, self.found.span(start, content)))
        self.open.append(Block(width, top.level + 1, report))
        self.add_indent(start, content)

    def add_indent(self, start: int, content: int) -> None:
        visible = self.found.source.text[start:content].isspace()
        self.found.add("_INDENT", start if visible else content, content)

    def opens(self, content: int) -> bool:
        """Whether the line at `content` can be the first of a block of the line before it."""
        if self.opener not in UNDER:
            return self.opener != ""
        word = FIRST_WORD.match(self.found.source.text, content)
        return word is not None and word[0] in UNDER[self.opener]

    def shallower(self, start: int, content: int, width: int) -> None:
        found = self.found
        while width < self.open[-1].width:
            inner = self.open[-1]
            outer = self.open[-2]
            if outer.width < width and inner.width - width <= width - outer.width:
                self.wrong_width(start, content, width, inner)
                return
            self.open.pop()
            found.add("_DEDENT", content, content)
        if width != self.open[-1].width:
            self.wrong_width(start, content, width, self.open[-1])

    def wrong_width(self, start: int, content: int, width: int, block: Block) -> None:
        """A line that belongs to the open `block` and has another width."""
        wanted = block.level * STEP
        if width == wanted and block.report is not None:
            return  # it is right: the line that began the block was not
        span = self.found.span(start, content)
        inside = [each.level * STEP for each in self.open if abs(each.width - width) == abs(block.width - width)]
        tie = len(inside) > 1
        if self.found.source.text[start:content].strip(" ") == "":
            if tie:
                self.report(wrong_width(width, wanted, span))
            else:
                self.report(wrong_width(width, wanted, span), start, content, wanted)

    def report(self, message: Diagnostic, start: int = 0, content: int = -1, wanted: int = 0) -> int:
        self.messages.append(message)
        self.edits.append([Edit(self.found.span(start, content), " " * wanted)] if content >= 0 else [])
        self.found.spoiled.add(len(self.found.tokens))
        return len(self.messages) - 1

    def close(self) -> None:
        end = len(self.found.source.text)
        for _ in self.open[1:]:
            self.found.add("_DEDENT", end, end)

    def reports(self) -> list[Diagnostic]:
        return [replace(message, edits=tuple(edits)) for message, edits in zip(self.messages, self.edits, strict=True)]


def long_lines(source: SourceFile) -> list[Diagnostic]:
    return [
        Diagnostic(
            TOO_LARGE,
            f"a line has {len(line[0]):,} characters",
            (Label(Span(source.path, line.start() + MAX_LINE, line.end()), f"more than {MAX_LINE:,}"),),
            help='break it inside brackets, or write its text as a `"""` block',
        )
        for line in LONG_LINE.finditer(source.text)
    ]


def too_large_file(source: SourceFile, size: int) -> Diagnostic:
    return Diagnostic(
        TOO_LARGE,
        f"the file has {size:,} bytes, more than {MAX_BYTES:,}",
        (Label(Span(source.path, 0, 0), "this file"),),
        help="split it: a library shares intents, slots, types and services",
    )


def foreign_indentation(space: str, span: Span) -> Diagnostic:
    names = {"\t": "a tab", "\u00a0": "a non-breaking space"}
    sign = next(sign for sign in space if sign != " ")
    name = names.get(sign, f"the white space U+{ord(sign):04X}")
    return Diagnostic(
        BAD_INDENTATION,
        f"the line is indented with {name}",
        (Label(span, "not spaces"),),
        help="indent with two spaces a level",
    )


def wrong_width(width: int, wanted: int, span: Span) -> Diagnostic:
    spaces = "1 space" if width == 1 else f"{width} spaces"
    return Diagnostic(
        BAD_INDENTATION,
        f"the line is indented with {spaces}",
        (Label(span, f"expected {wanted}"),),
        help="indent with two spaces a level",
    )


BAD_INDENTATION: Final = Code("FLW101", "bad-indentation", Severity.ERROR)
