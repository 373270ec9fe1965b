"""Tokens to a tree, past every mistake.

The grammar is line by line, and so is going on after a mistake. Where a token does not fit, its line is repaired when
one small change makes the rest of it fit (a word misspelt, a sign left out, one too many); else the line becomes the
token ERROR, for which the grammar has a place in every block, and the lines under it are read for their own mistakes
only. Blocks are repaired at their edges: one that is missing, one too many, one that was not indented. Each mistake is
reported once, and nothing that follows from it; a line that the lexer repaired (`spoiled`) is not reported again.
"""

from collections.abc import Callable, Sequence

from flowc.dsl.diagnostic import Diagnostic, Label
from flowc.dsl.machine import Callback, Machine, Tables
from flowc.dsl.mistakes import UNEXPECTED
from flowc.dsl.tokens import Token
from flowc.dsl.wording import expected, found

__all__ = ["Reader"]


class Reader:
    __slots__ = ("callbacks", "report", "tables", "whole")

    def __init__(self, tables: Tables, callbacks: Sequence[Callback], report: Callable[[Diagnostic], None]) -> None:
        self.tables = tables
        self.callbacks = callbacks
        self.report = report
        self.whole = True

    def read(self, tokens: Sequence[Token], spoiled: frozenset[int], start: str) -> object:
        machine = Machine(self.tables, self.callbacks, start)
        step = machine.step
        for token in tokens:
            if not step(token):
                wanted = expected(machine.accepts(machine.states))
                label = Label(token.span, f"expected {wanted}")
                self.report(Diagnostic(UNEXPECTED, f"expected {wanted}, found {found(token)}", (label,)))
                self.whole = False
                return None
        return machine.result if machine.finish() else None
