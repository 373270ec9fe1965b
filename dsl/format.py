"""The canonical text of a file, from its tokens: docs/formatting.md says the rules.

White space between tokens is chosen here, and nothing else: the answer is scanned again, and where its tokens or its
comments are not those of the source it is withheld. So a mistake in this file can make text ugly, never wrong.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from flowc.dsl.diagnostic import Diagnostic, Severity, internal_error
from flowc.dsl.layout import Scan, scan
from flowc.dsl.nodes import Comment
from flowc.dsl.parse import parse, parse_chat
from flowc.dsl.source import SourceFile, Span
from flowc.dsl.spacing import spaced
from flowc.dsl.texts import plain_text
from flowc.dsl.tokens import Token

__all__ = ["Formatted", "canonical", "format_source"]

STRUCTURE: Final = frozenset({"_NEWLINE", "_INDENT", "_DEDENT"})
STEP: Final = "  "
OPENING: Final = frozenset("([{")
CLOSING: Final = frozenset(")]}")
BLOCK: Final = '"""'
ALLOWANCE: Final = "# flowc:"  # speaks of the line below, so it stays above it


@dataclass(frozen=True, slots=True)
class Formatted:
    """The canonical text, and whether it is another one than the source.

    With `diagnostics` it was refused and `text` is the source: the file does not parse, or the fault is ours.
    """

    text: str
    changed: bool
    diagnostics: tuple[Diagnostic, ...] = ()


def format_source(source: SourceFile) -> Formatted:
    """The canonical text of `source`, or why there is none."""
    parsed = parse_chat(source) if source.path.endswith(".chat") else parse(source)
    errors = tuple(each for each in parsed.diagnostics if each.level is Severity.ERROR)
    if errors:
        return Formatted(source.text, changed=False, diagnostics=errors)
    before = parsed.scan
    text = canonical(before)
    if text == source.text:
        return Formatted(text, changed=False)
    place = _first_difference(before, scan(SourceFile(source.path, text)))
    if place is not None:
        fault = internal_error(place, "formatting would change more than white space here")
        return Formatted(source.text, changed=False, diagnostics=(fault,))
    return Formatted(text, changed=True)


def _first_difference(before: Scan, after: Scan) -> Span | None:
    """Where the first token or comment stands in `before` that `after` does not have, if any."""
    end = Span(before.source.path, len(before.source.text), len(before.source.text))
    for one, other in zip_longest(before.tokens, after.tokens):
        if one is None or other is None or not _is_same(one, other):
            return one.span if one else end
    for left, right in zip_longest(before.comments, after.comments):
        if left is None or right is None or left.text != right.text:
            return left.span if left else end
    if after.diagnostics:  # white space of ours that the language refuses
        return end
    return None


def _is_same(one: Token, other: Token) -> bool:
    if one.type != other.type:
        return False
    if one.text == other.text or one.type in STRUCTURE:
        return True
    return one.text.startswith(BLOCK) and block_value(one.text) == block_value(other.text)


@dataclass(frozen=True, slots=True)
class Line:
    """One logical line with the comments in it and after it, or (without tokens) a comment on a line of its own.

    `gap` says whether the author left a blank line before it.
    """

    level: int
    tokens: tuple[Token, ...]
    comments: tuple[Comment, ...]
    gap: bool


def canonical(layout: Scan) -> str:
    """The text that the rules make of these tokens and comments. O(tokens)."""
    pieces: list[str] = []
    before: Line | None = None
    for line in _lines(layout):
        if before is not None and _is_parted(before, line):
            pieces.append("\n")
        pieces.append(_drawn(layout.source.text, line) if line.tokens else _own_line(line))
        before = line
    return "".join(pieces)


def _is_parted(before: Line, line: Line) -> bool:
    """Whether a blank line stands between the two."""
    if line.level == 0 and (before.level > 0 or before.tokens):
        return True  # a declaration, or the comments above it
    opens = line.level > before.level and before.tokens
    return line.gap and not opens


def _own_line(line: Line) -> str:
    return f"{STEP * line.level}{line.comments[0].text.rstrip()}\n"


def _lines(layout: Scan) -> Iterator[Line]:
    """Everything in the file that gets a line, in order."""
    text, comments = layout.source.text, layout.comments
    columns = [0]  # of the open blocks, as the author indented them
    at = done = 0
    for level, tokens in _logical_lines(layout.tokens):
        start, end = tokens[0].span.start, tokens[-1].span.end
        first = at
        while at < len(comments) and comments[at].span.start < start:
            at += 1
        yield from _own_lines(text, comments[first:at], Place(done, tuple(columns), level))
        gap = _is_gap(text, comments[at - 1].span.end if at > first else done, start)
        first = at
        while at < len(comments) and (comments[at].span.start < end or "\n" not in text[end : comments[at].span.start]):
            at += 1
        yield Line(level, tokens, comments[first:at], gap)
        columns[level:] = [_column(text, start)]
        done = max(end, comments[at - 1].span.end) if at > first else end
    yield from _own_lines(text, comments[at:], Place(done, tuple(columns), 0))


@dataclass(frozen=True, slots=True)
class Place:
    """Between two lines: where the first ends, the columns of the blocks open there, and the level of the second."""

    done: int
    columns: tuple[int, ...]
    level: int


def _own_lines(text: str, comments: Sequence[Comment], place: Place) -> Iterator[Line]:
    """The comments between two lines.

    One stands at the level of the line below, except where the author put it deeper, into a block that ends here; after
    one that has left a block, none is in that block.
    """
    deepest = len(place.columns) - 1
    done = place.done
    for comment in comments:
        column = _column(text, comment.span.start)
        is_about_next = comment.text.startswith(ALLOWANCE)
        deepest = place.level if is_about_next else min(deepest, bisect_right(place.columns, column) - 1)
        level = max(place.level, deepest)
        yield Line(level, (), (comment,), _is_gap(text, done, comment.span.start))
        done = comment.span.end


def _logical_lines(tokens: Sequence[Token]) -> Iterator[tuple[int, tuple[Token, ...]]]:
    """The tokens of each line with the level of its block."""
    level = 0
    line: list[Token] = []
    for token in tokens:
        match token.type:
            case "_INDENT":
                level += 1
            case "_DEDENT":
                level -= 1
            case "_NEWLINE":
                if line:
                    yield level, tuple(line)
                line = []
            case _:
                line.append(token)
    if line:
        yield level, tuple(line)


def _is_gap(text: str, start: int, end: int) -> bool:
    return text.count("\n", start, end) > 1


def _column(text: str, offset: int) -> int:
    return offset - text.rfind("\n", 0, offset) - 1


def _drawn(text: str, line: Line) -> str:
    """The line as it is written, over several lines of text where the author broke it inside brackets."""
    indent = STEP * line.level
    opened: list[str] = []  # for each open bracket, the indentation of the line it was opened on
    pieces = [indent]
    done = line.tokens[0].span.start
    comments = list(reversed(line.comments))
    for at, token in enumerate(line.tokens):
        is_broken = False
        while comments and comments[-1].span.start < token.span.start:
            comment = comments.pop()
            is_own = "\n" in text[done : comment.span.start]
            pieces.append((f"\n{_inner(opened)}" if is_own else "  ") + comment.text.rstrip())
            done = comment.span.end
            is_broken = True
        if opened and (is_broken or "\n" in text[done : token.span.start]):
            closed = _closed_at_once(text, line.tokens, at)
            indent = opened[-closed] if closed else _inner(opened)
            pieces.append(f"\n{indent}")
        elif at > 0 and spaced(line.tokens, at):
            pieces.append(" ")
        pieces.append(reindented(token.text, indent) if token.text.startswith(BLOCK) else token.text)
        done = token.span.end
        if token.text in OPENING:
            opened.append(indent)
        elif token.text in CLOSING and opened:
            opened.pop()
    pieces += (f"  {comment.text.rstrip()}" for comment in reversed(comments))
    return "".join((*pieces, "\n"))


def _inner(opened: Sequence[str]) -> str:
    return opened[-1] + STEP


def _closed_at_once(text: str, tokens: Sequence[Token], first: int) -> int:
    """How many brackets are closed at the beginning of the line of text that begins with the token `first`."""
    at = first
    done = tokens[at].span.start
    while at < len(tokens) and tokens[at].text in CLOSING and "\n" not in text[done : tokens[at].span.start]:
        done = tokens[at].span.end
        at += 1
    return at - first


def reindented(block: str, indent: str) -> str:
    """The text block moved to one level below `indent`, where that keeps its value; else only line ends are changed."""
    first, *lines = block.replace("\r\n", "\n").split("\n")
    closing = [lines.pop().strip()] if lines and lines[-1].strip() == BLOCK else []
    margin = min((len(line) - len(line.lstrip(" \t")) for line in lines if line.strip()), default=0)
    inner = indent + STEP
    moved = [f"{inner}{line[margin:]}" if len(line) > margin or line.strip() else "" for line in lines]
    text = "\n".join((first, *moved, *(inner + each for each in closing)))
    return text if block_value(text) == block_value(block) else block.replace("\r\n", "\n")


def block_value(block: str) -> str | None:
    """The characters that a text block stands for, where templates are characters too."""
    token = Token("TEXT", block, Span("", 0, len(block)))
    return plain_text(SourceFile("", block), token, lambda _: None).plain
