"""Tokens to a tree, past every mistake.

The grammar is line by line, and so is going on after a mistake. Where a token does not fit, its line is repaired when
one small change makes the rest of it fit (`repair`); else the line becomes the token ERROR, for which the grammar has a
place in every block, and the lines under it are read for their own mistakes only. Blocks are repaired at their edges:
one that is missing, one too many, one that was not indented. Each mistake is reported once, and nothing that follows
from it; a line that the lexer repaired (`spoiled`) is not reported again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from flowc.dsl import blocks
from flowc.dsl.diagnostic import Diagnostic
from flowc.dsl.layout import MAX_NESTING
from flowc.dsl.machine import Callback, Machine, Tables
from flowc.dsl.repair import Repair, first_word, repair
from flowc.dsl.source import Span
from flowc.dsl.tokens import Token

__all__ = ["Reader"]

LAYOUT: Final = frozenset(("_NEWLINE", "_INDENT", "_DEDENT"))


class Level(Enum):
    OPEN = "open"
    IGNORED = "ignored"  # deeper lines that belong to the block around them
    NOT_INDENTED = "not indented"  # a block whose lines stand where their opener stands


@dataclass(slots=True)
class Reader:
    """Reads the tokens of one file. `whole` turns false when something is left out of the tree."""

    tables: Tables
    callbacks: Sequence[Callback]
    report: Callable[[Diagnostic], None]
    path: str
    tokens: Sequence[Token] = ()
    spoiled: frozenset[int] = frozenset()
    whole: bool = True

    def read(self, tokens: Sequence[Token], spoiled: frozenset[int], start: str) -> object | None:
        """What `tokens` are as a `start`; None when not even its frame can be seen."""
        self.tokens, self.spoiled = tokens, spoiled
        return Passage(self, start, 0, len(tokens), 0).read()

    def is_spoiled(self, index: int) -> bool:
        """Whether the lexer repaired the line of token `index`."""
        if not self.spoiled:
            return False
        begin = index
        while begin > 0 and self.tokens[begin - 1].type != "_NEWLINE":
            begin -= 1
        return any(each in self.spoiled for each in range(begin, index + 1))


class Passage:
    """The tokens `index..end` on their way through a machine."""

    __slots__ = ("base", "depth", "end", "index", "levels", "line", "machine", "reader", "start", "tokens")

    def __init__(self, reader: Reader, start: str, index: int, end: int, depth: int) -> None:
        self.reader = reader
        self.tokens = reader.tokens
        self.start = start
        self.machine = Machine(reader.tables, reader.callbacks, start)
        self.index = index
        self.end = end
        self.depth = depth  # of the blocks around the passage
        self.levels: list[Level] = []
        self.line: int | None = None  # the first token of the present line, once it is taken in
        self.base = 1  # how many states lie below the present line

    def read(self) -> object | None:
        tokens, end, step = self.tokens, self.end, self.machine.step
        states = self.machine.states
        while self.index < end:
            token = tokens[self.index]
            kind = token.type
            if kind == "_INDENT":
                self.indent(token)
            elif kind == "_DEDENT":
                self.dedent(token)
            elif kind == "_IGNORED":
                self.index += 1
            elif self.line is None:
                if step(token):
                    self.line = self.index
                    self.base = len(states) - 1
                    self.index += 1
                else:
                    self.first_refused(token)
            elif step(token):
                self.index += 1
                if kind == "_NEWLINE":
                    self.line = None
            else:
                self.refused()
        return self.finish()

    def finish(self) -> object | None:
        machine = self.machine
        while self.levels:
            if self.levels.pop() is not Level.IGNORED:
                self.close_block()
        if machine.finish():
            return machine.result
        if self.wants_block():
            self.missing_block()
        elif self.at_header():
            self.reader.whole = False
            self.reader.report(blocks.missing_header(None, self.reader.path))
            machine.step(self.stand_in("ERROR"))
        return machine.result if machine.finish() else None

    # --------------------------------------------------------------------------------------------- edges of a block

    def indent(self, token: Token) -> None:
        inside = self.tokens[self.index + 1]
        if self.depth + len(self.levels) >= MAX_NESTING:
            self.reader.report(blocks.too_deep(inside.span, MAX_NESTING))
            self.skip_block()
            if self.machine.step(token):
                self.close_block()
            return
        if self.machine.step(token):
            self.levels.append(Level.OPEN)
            self.index += 1
            return
        if not self.reader.is_spoiled(self.index):
            self.reader.report(self.unexpected_indent(self.index))
        if self.fits(self.machine.states, inside):
            self.levels.append(Level.IGNORED)
            self.index += 1
        else:
            self.reader.whole = False
            self.skip_block()

    def dedent(self, token: Token) -> None:
        while self.levels and self.levels[-1] is Level.NOT_INDENTED:
            self.levels.pop()
            self.close_block()
        if self.wants_block():
            self.missing_block()
        elif not self.levels or self.levels.pop() is Level.IGNORED:
            self.index += 1
        else:
            self.close_block(token)
            self.index += 1

    def close_block(self, token: Token | None = None) -> None:
        """Ends the innermost block, even an empty one."""
        machine = self.machine
        ending = token or self.stand_in("_DEDENT")
        if machine.step(ending):
            return
        if self.wants_block():
            self.missing_block()
        elif machine.step(self.stand_in("ERROR")):
            self.reader.whole = False
        machine.step(ending)

    def wants_block(self) -> bool:
        """Whether only a block can follow, since its opening line has ended."""
        return self.machine.actions[self.machine.states[-1]].keys() == {"_INDENT"}

    def missing_block(self, *, quiet: bool = False) -> None:
        """Reports a missing block. Lines that could only stand in it are it, as if they were indented."""
        head = self.head_before(self.index)
        if head and not quiet and not self.reader.is_spoiled(self.index - 1) and not self.reader.is_spoiled(self.index):
            self.reader.report(blocks.missing_block(head))
        machine = self.machine
        machine.step(self.stand_in("_INDENT"))
        if self.index < self.end and self.tokens[self.index].type not in LAYOUT:
            token = self.tokens[self.index]
            empty = machine.trial(machine.states, ("ERROR", "_DEDENT", token.type))
            if empty is None and self.fits(machine.states, token):
                self.levels.append(Level.NOT_INDENTED)
                return
        machine.step(self.stand_in("ERROR"))
        machine.step(self.stand_in("_DEDENT"))

    def head_before(self, index: int) -> tuple[Token, ...]:
        """The tokens of the line before token `index`."""
        stop = index
        while stop > 0 and self.tokens[stop - 1].type in LAYOUT:
            stop -= 1
        begin = stop
        while begin > 0 and self.tokens[begin - 1].type not in LAYOUT:
            begin -= 1
        return tuple(self.tokens[begin:stop])

    def unexpected_indent(self, index: int) -> Diagnostic:
        """The report of the INDENT at `index`, with edits that move its block to where it would fit."""
        outer = next((width_of(token) for token in self.open_indents(index)), 0)
        return blocks.unexpected_indent(self.tokens[index : self.block_end(index)], outer)

    def open_indents(self, index: int) -> tuple[Token, ...]:
        """The INDENT of each block around token `index`, the innermost first."""
        found = []
        closed = 0
        for token in reversed(self.tokens[:index]):
            if token.type == "_DEDENT":
                closed += 1
            elif token.type == "_INDENT":
                if closed == 0:
                    found.append(token)
                    break
                closed -= 1
        return tuple(found)

    def block_end(self, index: int) -> int:
        """The index behind the DEDENT that belongs to the INDENT at `index`."""
        open_blocks = 0
        for at in range(index, self.end):
            kind = self.tokens[at].type
            if kind == "_INDENT":
                open_blocks += 1
            elif kind == "_DEDENT":
                open_blocks -= 1
                if open_blocks == 0:
                    return at + 1
        return self.end

    def skip_block(self) -> None:
        self.index = self.block_end(self.index)

    # -------------------------------------------------------------------------------------------------- a refused line

    def first_refused(self, token: Token) -> None:
        """The first word of a line does not fit."""
        machine, levels = self.machine, self.levels
        if self.wants_block():
            self.missing_block()
        elif levels and levels[-1] is Level.NOT_INDENTED and machine.trial(machine.states, ("_DEDENT", token.type)):
            levels.pop()
            self.close_block()
        elif self.only_indented_too_far(token):
            if not self.reader.is_spoiled(self.index):
                self.reader.report(self.unexpected_indent(self.index - 1))
            machine.cut(len(machine.states) - 1)
            levels[-1] = Level.IGNORED
        elif self.at_header() and token.text in blocks.AFTER_HEADER:
            self.reader.report(blocks.missing_header(token, self.reader.path))
            self.reader.whole = False
            machine.step(self.stand_in("ERROR"))
        else:
            self.line, self.base = self.index, len(machine.states)
            self.settle(first_word(machine, machine.states, self.rest_of_line(), token))

    def only_indented_too_far(self, token: Token) -> bool:
        """Whether the line would fit but for the INDENT just before it."""
        states = self.machine.states
        indented = self.index > 0 and self.tokens[self.index - 1].type == "_INDENT"
        return indented and self.levels[-1:] == [Level.OPEN] and self.fits(states[:-1], token)

    def at_header(self) -> bool:
        return self.start == "flow_file" and len(self.machine.states) == 1

    def refused(self) -> None:
        """A token inside a line does not fit."""
        line = self.line if self.line is not None else self.index
        taken = self.tokens[line : self.index]
        before = self.machine.states[: self.base]
        rest = self.rest_of_line()
        after = self.index + len(rest)
        opens = after < self.end and self.tokens[after].type == "_INDENT"
        self.settle(repair(self.machine, before, taken, rest, opens=opens))

    def rest_of_line(self) -> Sequence[Token]:
        return self.tokens[self.index : self.line_end(self.index) + 1]

    def line_end(self, index: int) -> int:
        """The index of the NEWLINE that ends the line of token `index`."""
        while index < self.end - 1 and self.tokens[index].type != "_NEWLINE":
            index += 1
        return index

    def settle(self, found: Repair) -> None:
        """Reports, then takes the line in as `found` has it, or leaves it out."""
        line = self.line if self.line is not None else self.index
        stop = self.line_end(self.index) + 1
        if not self.reader.is_spoiled(self.index) and found.diagnostic:
            self.reader.report(found.diagnostic)
        self.machine.cut(self.base)
        self.line = None
        self.index = stop
        if found.line is not None and all(self.machine.step(token) for token in found.line):
            if self.wants_block() and self.tokens[stop : stop + 1] and self.tokens[stop].type != "_INDENT":
                self.missing_block(quiet=True)
            return
        self.machine.cut(min(self.base, len(self.machine.states)))
        self.leave_out(line)

    def leave_out(self, line: int) -> None:
        """Puts ERROR for the line at token `line`, and reads the block under it for its mistakes."""
        self.reader.whole = False
        machine = self.machine
        while not machine.step(self.stand_in("ERROR", line)) and len(machine.states) > 1:
            machine.cut(len(machine.states) - 1)
        if self.index >= self.end or self.tokens[self.index].type != "_INDENT":
            return
        stop = self.block_end(self.index)
        start = blocks.lines_under(self.tokens[line], self.tokens[self.index + 1])
        depth = self.depth + len(self.levels) + 1
        if start and depth <= MAX_NESTING:
            Passage(self.reader, start, self.index + 1, stop - 1, depth).read()
        self.index = stop

    # ---------------------------------------------------------------------------------------------------------- tokens

    def fits(self, states: Sequence[int], token: Token) -> bool:
        return self.machine.trial(states, (token.type,)) is not None

    def stand_in(self, kind: str, index: int | None = None) -> Token:
        """A token without text at token `index`, else behind the last line."""
        where = max(self.index - 1, 0) if index is None else index
        at = self.tokens[where].span if self.tokens else Span("", 0, 0)
        return Token(kind, "", Span(at.path, at.start, at.start))


def width_of(indent: Token) -> int:
    """The columns of an INDENT, a tab counted as a level."""
    return len(indent.text.replace("\t", "  "))
