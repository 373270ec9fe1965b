"""Text to tree: `parse` for `.flow` files, `parse_chat` for `.chat` files, `parse_expression` for one expression.

The lexer of `layout` makes tokens, `reader` steps the tables of `grammar` and goes on behind every mistake, and the
rules of `build` make nodes. This module puts them together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from flowc.dsl.build import Builder, Tree
from flowc.dsl.diagnostic import Diagnostic, Label
from flowc.dsl.grammar import grammar
from flowc.dsl.layout import Scan, scan
from flowc.dsl.lexemes import scan_expression
from flowc.dsl.machine import Callback, Machine
from flowc.dsl.mistakes import UNEXPECTED
from flowc.dsl.nodes import ChatFile, Comment, Expression, Filter, FlowFile
from flowc.dsl.placement import placement
from flowc.dsl.reader import Reader
from flowc.dsl.source import SourceFile, Span
from flowc.dsl.texts import bad_template
from flowc.dsl.tokens import Token
from flowc.dsl.wording import expected

__all__ = ["Parsed", "ParsedChat", "parse", "parse_chat", "parse_expression"]

Wording = Callable[[frozenset[str], str, Span], Diagnostic]  # what would fit, what was found, where


@dataclass(frozen=True, slots=True)
class Parsed:
    """The tree of a `.flow` file and all that is wrong with its text.

    `whole` is false where a line had to be left out of the tree: that a name is missing then proves nothing.
    """

    file: FlowFile
    diagnostics: tuple[Diagnostic, ...]
    scan: Scan
    whole: bool

    @property
    def tokens(self) -> tuple[Token, ...]:
        return self.scan.tokens

    @property
    def comments(self) -> tuple[Comment, ...]:
        return self.scan.comments


@dataclass(frozen=True, slots=True)
class ParsedChat:
    """The same for a `.chat` file."""

    file: ChatFile
    diagnostics: tuple[Diagnostic, ...]
    scan: Scan
    whole: bool

    @property
    def tokens(self) -> tuple[Token, ...]:
        return self.scan.tokens

    @property
    def comments(self) -> tuple[Comment, ...]:
        return self.scan.comments


def parse(source: SourceFile) -> Parsed:
    """The tree of a `.flow` file with every mistake of its text, in source order."""
    scanned = scan(source)
    attempt = Attempt(source, list(scanned.diagnostics), templates=True)
    tree = attempt.read(scanned, "flow_file")
    file = FlowFile(source.path, tree.header, tree.declarations, scanned.comments, whole_span(source))
    attempt.diagnostics.extend(placement(file, attempt.lost_at))
    return Parsed(file, in_order(attempt.diagnostics), scanned, attempt.whole)


def parse_chat(source: SourceFile) -> ParsedChat:
    """The chats of a `.chat` file with every mistake of its text, in source order."""
    scanned = scan(source)
    attempt = Attempt(source, list(scanned.diagnostics), templates=False)
    tree = attempt.read(scanned, "chat_file")
    file = ChatFile(source.path, tree.chats, scanned.comments, whole_span(source))
    return ParsedChat(file, in_order(attempt.diagnostics), scanned, attempt.whole)


def parse_expression(text: str, path: str) -> tuple[Expression | None, tuple[Diagnostic, ...]]:
    """The expression that `text` is, or None and what is wrong with it. Spans are in `text`, under `path`."""
    source = SourceFile(path, text)
    attempt = Attempt(source, [], templates=True)
    tokens, diagnostics = scan_expression(source, 0, len(text))
    attempt.diagnostics.extend(diagnostics)
    value = None if diagnostics else attempt.value(tokens, "expression", Span(path, 0, len(text)), unexpected)
    return cast(Expression | None, value), in_order(attempt.diagnostics)


def whole_span(source: SourceFile) -> Span:
    return Span(source.path, 0, len(source.text))


def in_order(diagnostics: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """In source order, each once: a line that is read again may report again."""
    once = {(each.code.id, each.span.start, each.span.end): each for each in reversed(diagnostics)}
    return tuple(sorted(once.values(), key=lambda each: (each.span.start, each.span.end)))


@dataclass(slots=True)
class Attempt:
    """One text being read: the reports so far, and the rules bound to it."""

    source: SourceFile
    diagnostics: list[Diagnostic]
    templates: bool
    whole: bool = True
    lost_at: Sequence[int] = field(init=False)
    callbacks: list[Callback] = field(init=False)

    def __post_init__(self) -> None:
        builder = Builder(self.source, self.diagnostics.append, self.parse_part, self.templates)
        self.lost_at = builder.lost_at
        self.callbacks = grammar().callbacks(builder)

    def read(self, scanned: Scan, start: str) -> Tree:
        if scanned.diagnostics and not scanned.tokens:  # too large to be read
            self.whole = False
            return Tree(None, ())
        reader = Reader(grammar().tables, self.callbacks, self.diagnostics.append, self.source.path)
        tree = reader.read(scanned.tokens, scanned.spoiled, start)
        self.whole = reader.whole
        return tree if isinstance(tree, Tree) else Tree(None, ())

    def parse_part(self, start: int, end: int, filters: bool) -> tuple[Expression, tuple[Filter, ...]] | None:
        """The expression of a template at `start..end`, with its filters where it may have some."""
        tokens, diagnostics = scan_expression(self.source, start, end)
        self.diagnostics.extend(diagnostics)
        if diagnostics:
            return None
        where = Span(self.source.path, start, end)
        value = self.value(tokens, "template" if filters else "expression", where, unexpected_in_template)
        if value is None:
            return None
        if filters:
            return value.value, value.filters  # type: ignore[attr-defined]  # a `Template`
        return cast(Expression, value), ()

    def value(self, tokens: tuple[Token, ...], start: str, where: Span, wrong: Wording) -> object | None:
        """What `tokens` are as a whole `start`; None after a report."""
        machine = Machine(grammar().tables, self.callbacks, start)
        for token in tokens:
            before = tuple(machine.states)
            if not machine.step(token):
                self.diagnostics.append(wrong(machine.accepts(before), f"`{token.text}`", token.span))
                return None
        if machine.finish():
            return machine.result
        end = Span(where.path, max(where.start, where.end - 1), where.end)
        self.diagnostics.append(wrong(machine.accepts(machine.states), "its end", end))
        return None


def unexpected(accepts: frozenset[str], found: str, span: Span) -> Diagnostic:
    wanted = expected(accepts)
    return Diagnostic(UNEXPECTED, f"expected {wanted}, found {found}", (Label(span, f"expected {wanted}"),))


def unexpected_in_template(accepts: frozenset[str], found: str, span: Span) -> Diagnostic:
    wanted = expected(accepts, end="the end of the template")
    return bad_template(
        f"a template expects {wanted}, found {found}",
        span,
        f"expected {wanted}",
        "inside `{{ }}` stand expressions of the language, then filters",
    )
