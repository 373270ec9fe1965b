"""Which lines stand under which, and the reports about blocks: missing, unexpected, too deep; a missing header."""

from collections.abc import Mapping, Sequence
from typing import Final

from flowc.dsl import tokens as words
from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity
from flowc.dsl.literals import TOO_LARGE
from flowc.dsl.mistakes import UNEXPECTED
from flowc.dsl.source import Span
from flowc.dsl.tokens import Token

__all__ = ["AFTER_HEADER", "lines_under", "missing_block", "missing_header", "too_deep", "unexpected_indent"]

AFTER_HEADER: Final = words.DECLARATIONS | {"chat"}

# The start symbol of the lines under a line that begins with the word.
LINES_UNDER: Final[Mapping[str, str]] = {
    "flow": "header_lines",
    "library": "header_lines",
    "type": "type_lines",
    "intent": "intent_lines",
    "slot": "slot_lines",
    "service": "service_lines",
    "migrate": "migrate_lines",
    "chat": "step_lines",
    "say": "say_lines",
    "choose": "choose_lines",
    **dict.fromkeys(words.words("read write"), "operation_lines"),
    **dict.fromkeys(words.words("anywhere ask listen call defer do match handoff"), "arm_lines"),
    **dict.fromkeys(words.words("state if else on"), "state_lines"),
}
FIRST_INSIDE: Final[Mapping[str, str]] = {
    **dict.fromkeys(words.STATEMENTS | {"->"}, "state_lines"),
    **dict.fromkeys(words.words("on else"), "arm_lines"),
    **dict.fromkeys(words.SAY_LINES, "say_lines"),
    **dict.fromkeys(words.words("bot user given"), "step_lines"),
}
BLOCK_OF: Final[Mapping[str, str]] = {
    "state_lines": "its statements",
    "arm_lines": "its arms (`on …`, `else`)",
    "type_lines": "its fields",
    "say_lines": "its texts",
    "migrate_lines": "its moves",
    "step_lines": "its steps",
}


def lines_under(head: Token, inside: Token) -> str | None:
    """The start symbol for the block under a line that begins with `head`, by its first token where the head tells
    nothing; None where nobody can say."""
    return LINES_UNDER.get(head.text) or FIRST_INSIDE.get(inside.text)


def missing_block(head: Sequence[Token]) -> Diagnostic:
    first = head[0].text
    below = BLOCK_OF.get(LINES_UNDER.get(first, ""), "its lines")
    return Diagnostic(
        MISSING_BLOCK,
        f"nothing stands under this `{first}`",
        (Label(head[0].span.to(head[-1].span), "opens a block"),),
        help=f"write {below} on the next lines, two spaces deeper",
    )


def unexpected_indent(block: Sequence[Token], outer: int) -> Diagnostic:
    """`block` begins with its INDENT; its lines belong `outer` columns from the margin."""
    surplus = len(block[0].text) - outer
    spaces = "at the margin" if outer == 0 else f"with {outer} spaces"
    return Diagnostic(
        UNEXPECTED_INDENT,
        "this line is deeper than its block",
        (Label(block[1].span, "deeper"),),
        help=f"indent it {spaces}" if outer else f"write it {spaces}",
        edits=tuple(
            Edit(Span(span.path, span.start, span.start + surplus), "")
            for span in line_starts(block)
            if 0 < surplus <= span.end - span.start
        ),
    )


def line_starts(block: Sequence[Token]) -> tuple[Span, ...]:
    """Where each line of `block` begins, from its indentation."""
    widths: list[int] = []
    found: list[Span] = []
    fresh = True
    for token in block:
        match token.type:
            case "_INDENT":
                widths.append(len(token.text))
            case "_DEDENT":
                widths.pop()
            case "_NEWLINE":
                fresh = True
            case _ if fresh and widths:
                start = token.span.start - widths[-1]
                found.append(Span(token.span.path, start, token.span.start))
                fresh = False
    return tuple(found)


def too_deep(span: Span, most: int) -> Diagnostic:
    return Diagnostic(
        TOO_LARGE,
        f"blocks are nested deeper than {most}",
        (Label(span, f"level {most + 1}"),),
        help="give the inner part a state of its own",
    )


def missing_header(token: Token | None, path: str) -> Diagnostic:
    """`token` is the first of the file at `path`, if it has one."""
    span = token.span if token else Span(path, 0, 0)
    return Diagnostic(
        UNEXPECTED,
        "the file does not begin with `flow` or `library`" if token else "the file says nothing",
        (Label(span, "expected `flow` or `library` before this" if token else "expected `flow` or `library`"),),
        help="write `flow NAME 1.0.0` on the first line, or `library NAME`",
    )


MISSING_BLOCK: Final = Code("FLW102", "missing-block", Severity.ERROR)
UNEXPECTED_INDENT: Final = Code("FLW103", "unexpected-indent", Severity.ERROR)
