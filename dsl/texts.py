"""What stands between quotes: characters with their escapes, `{{ }}` and `{% %}` parts, the indentation of a block.

Expressions inside a template are scanned in place, so that their spans are those of the file. A mistake inside a text
is reported here and leaves the statement around it whole.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity
from flowc.dsl.literals import BAD_LITERAL, TOO_LARGE
from flowc.dsl.nodes import (
    Chunk,
    Expression,
    Filter,
    Interpolation,
    Name,
    Text,
    TextBranch,
    TextFor,
    TextIf,
    TextPart,
)
from flowc.dsl.source import SourceFile, Span
from flowc.dsl.tokens import ALWAYS_RESERVED, Token

__all__ = ["ParsePart", "Report", "plain_text", "read_text"]

MAX_NESTING: Final = 32

Report = Callable[[Diagnostic], None]
# The value and filters of the template expression at `start..end` of the file, or None when it was reported.
ParsePart = Callable[[int, int, bool], tuple[Expression, tuple[Filter, ...]] | None]

SPECIAL: Final = re.compile(r"\\|\n|\{\{|\{%")
PLAIN_SPECIAL: Final = re.compile(r"\\|\n")
UNICODE: Final = re.compile(r"\\u\{([0-9A-Fa-f]{1,6})\}")
ESCAPES: Final = {'"': '"', "\\": "\\", "n": "\n", "t": "\t", "'": "'"}
QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
LEADING: Final = re.compile(r"[ \t]*")
TAG: Final = re.compile(r"\s*([A-Za-z_]*)")
FOR: Final = re.compile(r"\s*for\s+([a-z_][a-z0-9_]*)\s+in\b")


@dataclass(frozen=True, slots=True)
class Body:
    """Where the characters of a text are, and how many columns each of its later lines loses."""

    start: int
    end: int
    indent: int


def plain_text(source: SourceFile, token: Token, report: Report) -> Text:
    """A text in which `{{` is just characters."""
    if quick := simple(token, templates=False):
        return quick
    pieces = Reader(source, body_of(token), report, templates=False).pieces()
    return Text(tuple(piece for piece in pieces if isinstance(piece, Chunk)), token.span)


def read_text(source: SourceFile, token: Token, report: Report, parse_part: ParsePart) -> Text:
    """A text with its template parts."""
    if quick := simple(token, templates=True):
        return quick
    pieces = tuple(Reader(source, body_of(token), report, templates=True).pieces())
    return Text(Assembly(source, pieces, report, parse_part).parts(), token.span)


def simple(token: Token, *, templates: bool) -> Text | None:
    """The text of a token that needs no reading: one line, no escape, no template."""
    text = token.text
    if text.startswith('"""') or "\\" in text or (templates and ("{{" in text or "{%" in text)):
        return None
    span = token.span
    if len(text) < 2 or text[-1] not in "\"'\u201c\u201d":  # never closed, and reported
        inner, end = text[1:], span.end
    else:
        inner, end = text[1:-1], span.end - 1
    if not inner:
        return Text((), span)
    return Text((Chunk(inner, Span(span.path, span.start + 1, end)),), span)


def body_of(token: Token) -> Body:
    """The inside of the quotes. A block loses its first and last line break and its common indentation."""
    start, end, text = token.span.start, token.span.end, token.text
    if not text.startswith('"""'):
        closed = len(text) > 1 and text[-1] in "\"'\u201c\u201d"
        return Body(start + 1, end - 1 if closed else end, 0)
    inner = text[3:-3] if len(text) >= 6 and text.endswith('"""') else text[3:]
    start += 3
    end = start + len(inner)
    first, line_break, _rest = inner.partition("\n")
    skipped = len(first) + 1 if line_break and not first.strip() else 0
    start += skipped
    last = inner.rfind("\n")
    if last >= skipped - 1 and last >= 0 and not inner[last + 1 :].strip():
        end = max(start, end - (len(inner) - last))
        if inner[last - 1 : last] == "\r" and end > start:
            end -= 1
    lines = inner[skipped : len(inner) - (token.span.start + 3 + len(inner) - end)].split("\n")
    counted = lines if skipped else lines[1:]
    widths = [len(line) - len(line.lstrip(" \t")) for line in counted if line.strip()]
    return Body(start, end, min(widths, default=0))


@dataclass(frozen=True, slots=True)
class Tag:
    """`{{ … }}` or `{% … %}` as characters; `start..end` is the inside."""

    kind: Literal["value", "block"]
    start: int
    end: int
    span: Span


class Reader:
    """Cuts the body of a text into chunks and tags."""

    __slots__ = ("body", "chunk", "chunk_start", "path", "report", "special", "text")

    def __init__(self, source: SourceFile, body: Body, report: Report, *, templates: bool) -> None:
        self.text = source.text
        self.path = source.path
        self.body = body
        self.report = report
        self.special = SPECIAL if templates else PLAIN_SPECIAL
        self.chunk: list[str] = []
        self.chunk_start = body.start

    def pieces(self) -> Iterator[Chunk | Tag]:
        text, end = self.text, self.body.end
        at = self.chunk_start = self.margin(self.body.start) if self.body.indent else self.body.start
        while found := self.special.search(text, at, end):
            begin = found.start()
            self.chunk.append(text[at:begin])
            match found[0]:
                case "\\":
                    at = self.escape(begin)
                case "\n":
                    at = self.line_break(begin)
                case opening:
                    yield from self.flush(begin)
                    tag = self.tag(begin, "%}" if opening == "{%" else "}}")
                    if tag is None:
                        at = self.chunk_start = end
                        break
                    yield tag
                    at = self.chunk_start = tag.span.end
        self.chunk.append(text[at:end])
        yield from self.flush(end)

    def flush(self, end: int) -> Iterator[Chunk]:
        if characters := "".join(self.chunk):
            yield Chunk(characters, Span(self.path, self.chunk_start, end))
        self.chunk.clear()

    def margin(self, at: int) -> int:
        """Behind the part of a line's indentation that the block does not mean."""
        space = LEADING.match(self.text, at, min(at + self.body.indent, self.body.end))
        return space.end() if space else at

    def line_break(self, begin: int) -> int:
        if self.chunk and self.chunk[-1].endswith("\r"):
            self.chunk[-1] = self.chunk[-1][:-1]
        self.chunk.append("\n")
        return self.margin(begin + 1)

    def escape(self, begin: int) -> int:
        following = self.text[begin + 1 : begin + 2] if begin + 1 < self.body.end else ""
        if following in ESCAPES:
            self.chunk.append(ESCAPES[following])
            return begin + 2
        if self.text.startswith(("{{", "{%"), begin + 1, self.body.end):
            self.chunk.append(self.text[begin + 1 : begin + 3])
            return begin + 3
        if following == "u" and (code := UNICODE.match(self.text, begin, self.body.end)):
            value = int(code[1], 16)
            if value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF:
                self.chunk.append(chr(value))
            else:
                self.report(no_such_character(code[0], Span(self.path, begin, code.end())))
            return code.end()
        span = Span(self.path, begin, min(begin + 2, self.body.end))
        self.report(unknown_escape(self.text[span.start : span.end], span))
        return span.end

    def tag(self, begin: int, closing: str) -> Tag | None:
        """The tag that opens at `begin`; None, after a report, when it does not close."""
        at = begin + 2
        while at < self.body.end:
            if self.text.startswith(closing, at, self.body.end):
                kind: Literal["value", "block"] = "value" if closing == "}}" else "block"
                return Tag(kind, begin + 2, at, Span(self.path, begin, at + 2))
            quoted = QUOTED.match(self.text, at, self.body.end) if self.text[at] in "'\"" else None
            at = quoted.end() if quoted else at + 1
        opening = self.text[begin : begin + 2]
        self.report(unclosed_tag(opening, closing, Span(self.path, begin, begin + 2)))
        return None


@dataclass(slots=True)
class Opened:
    """A block tag that waits for its end: its finished branches, and the parts of the present one."""

    tag: Tag
    variable: Name | None  # of a `for`
    value: Expression | None  # its list, or the condition of the present branch; None after `else`
    readable: bool
    branch_span: Span
    branches: list[TextBranch]
    parts: list[TextPart]
    has_else: bool = False


class Assembly:
    """Nests the pieces of a text: `if` … `endif`, `for` … `endfor`."""

    __slots__ = ("opened", "parse_part", "pieces", "report", "source", "too_deep", "top", "was_too_deep")

    def __init__(
        self, source: SourceFile, pieces: tuple[Chunk | Tag, ...], report: Report, parse_part: ParsePart
    ) -> None:
        self.source = source
        self.pieces = pieces
        self.report = report
        self.parse_part = parse_part
        self.top: list[TextPart] = []
        self.opened: list[Opened] = []
        self.too_deep = 0  # open blocks that are left out
        self.was_too_deep = False

    def parts(self) -> tuple[TextPart, ...]:
        for piece in self.pieces:
            match piece:
                case Chunk():
                    self.inside().append(piece)
                case Tag("value"):
                    if read := self.parse_part(piece.start, piece.end, True):
                        self.inside().append(Interpolation(read[0], read[1], piece.span))
                case Tag():
                    self.block(piece)
        while self.opened:
            opened = self.opened.pop()
            if not self.was_too_deep:
                self.report(unclosed_block("for" if opened.variable else "if", opened.tag.span))
            self.inside().extend(opened.parts)
        return tuple(self.top)

    def inside(self) -> list[TextPart]:
        return self.opened[-1].parts if self.opened else self.top

    def block(self, tag: Tag) -> None:
        inner = self.source.text[tag.start : tag.end]
        word = (TAG.match(inner) or [""])[0].strip()
        after = tag.start + inner.find(word) + len(word)
        match word:
            case "if" | "for":
                self.open(tag, word, after)
            case "elif" | "else":
                self.branch(tag, word, after)
            case "endif" | "endfor":
                self.close(tag, word)
            case _:
                self.report(unknown_tag(word, tag.span))
        if word in ("else", "endif", "endfor") and (rest := self.source.text[after : tag.end].strip()):
            at = self.source.text.index(rest, after)
            self.report(extra_in_tag(word, Span(tag.span.path, at, at + len(rest))))

    def open(self, tag: Tag, word: str, after: int) -> None:
        if len(self.opened) == MAX_NESTING:
            if not self.was_too_deep:
                self.report(too_deep(tag.span))
            self.was_too_deep = True
            self.too_deep += 1
            return
        variable = self.loop_variable(tag) if word == "for" else None
        if variable:
            after = self.source.text.index("in", variable.span.end) + len("in")
        read = self.parse_part(after, tag.end, False) if word == "if" or variable else None
        if word == "for" and variable is None:
            variable = Name("_", tag.span)
        self.opened.append(Opened(tag, variable, read[0] if read else None, read is not None, tag.span, [], []))

    def loop_variable(self, tag: Tag) -> Name | None:
        """The x of `for x in LIST`; None after a report."""
        found = FOR.match(self.source.text, tag.start, tag.end)
        if found is None:
            self.report(bad_for(tag.span))
            return None
        name = Name(found[1], Span(tag.span.path, found.start(1), found.end(1)))
        if name.text in ALWAYS_RESERVED:
            self.report(reserved_loop_variable(name))
        return name

    def branch(self, tag: Tag, word: str, after: int) -> None:
        if self.too_deep:
            return
        opened = self.opened[-1] if self.opened else None
        if opened is None or opened.variable is not None or opened.has_else:
            self.report(stray_tag(word, "if", tag.span))
            return
        self.finish_branch(opened, tag.span.start)
        read = self.parse_part(after, tag.end, False) if word == "elif" else None
        opened.value = read[0] if read else None
        opened.readable = word == "else" or read is not None
        opened.has_else = word == "else"
        opened.branch_span = tag.span

    def finish_branch(self, opened: Opened, end: int) -> None:
        span = Span(opened.tag.span.path, opened.branch_span.start, end)
        if opened.readable:
            opened.branches.append(TextBranch(opened.value, tuple(opened.parts), span))
        opened.parts.clear()

    def close(self, tag: Tag, word: str) -> None:
        if self.too_deep:
            self.too_deep -= 1
            return
        wanted = "if" if word == "endif" else "for"
        opened = self.opened[-1] if self.opened else None
        if opened is None or (opened.variable is None) != (wanted == "if"):
            self.report(stray_tag(word, wanted, tag.span))
            return
        self.opened.pop()
        span = opened.tag.span.to(tag.span)
        if opened.variable is None:
            self.finish_branch(opened, tag.span.start)
            if opened.branches and opened.branches[0].condition is not None:
                self.inside().append(TextIf(tuple(opened.branches), span))
        elif opened.value is not None:
            self.inside().append(TextFor(opened.variable, opened.value, tuple(opened.parts), span))


# ------------------------------------------------------------------------------------------------------------- reports


def bad_template(message: str, span: Span, label: str, advice: str) -> Diagnostic:
    return Diagnostic(BAD_TEMPLATE, message, (Label(span, label),), help=advice)


def unclosed_tag(opening: str, closing: str, span: Span) -> Diagnostic:
    advice = f"write `{closing}`, or `\\{opening}` for the characters; texts inside have single quotes"
    return bad_template(f"`{opening}` is never closed in this text", span, "opened here", advice)


def unclosed_block(word: str, span: Span) -> Diagnostic:
    return bad_template(f"`{word}` has no `end{word}`", span, "opened here", f"write `{{% end{word} %}}` where it ends")


def stray_tag(word: str, wanted: str, span: Span) -> Diagnostic:
    return bad_template(f"`{word}` has no `{wanted}` before it", span, "not here", f"open it with `{{% {wanted} … %}}`")


def extra_in_tag(word: str, span: Span) -> Diagnostic:
    return bad_template(f"`{word}` takes nothing", span, "not here", f"write `{{% {word} %}}`")


def bad_for(span: Span) -> Diagnostic:
    return bad_template("`for` needs a name and a list", span, "not complete", "write `{% for x in LIST %}`")


def unknown_tag(word: str, span: Span) -> Diagnostic:
    message = f"`{word}` is no block of a text" if word else "an empty block in a text"
    return bad_template(message, span, "not known", "blocks are `if`, `elif`, `else`, `endif`, `for` and `endfor`")


def reserved_loop_variable(name: Name) -> Diagnostic:
    return bad_template(f"`{name.text}` is reserved", name.span, "reserved", "choose another name")


def too_deep(span: Span) -> Diagnostic:
    return Diagnostic(
        TOO_LARGE,
        f"a text is nested deeper than {MAX_NESTING}",
        (Label(span, f"level {MAX_NESTING + 1}"),),
        help="say it in several texts",
    )


def unknown_escape(found: str, span: Span) -> Diagnostic:
    return Diagnostic(
        BAD_LITERAL,
        f"`{found}` is no escape",
        (Label(span, "not known"),),
        help='write `\\"`, `\\\\`, `\\n`, `\\t`, `\\u{1F44B}` or `\\{{`; a backslash itself is `\\\\`',
        edits=(Edit(Span(span.path, span.start, span.start), "\\"),),
    )


def no_such_character(found: str, span: Span) -> Diagnostic:
    return Diagnostic(
        BAD_LITERAL,
        f"`{found}` is no character",
        (Label(span, "no such character"),),
        help="Unicode ends at `\\u{10FFFF}` and has no surrogates",
    )


BAD_TEMPLATE: Final = Code("FLW108", "bad-template", Severity.ERROR)
