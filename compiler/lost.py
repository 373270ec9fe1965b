"""Names that may be missing because the text around them could not be read.

The parser leaves a statement out of the tree where it cannot read it. Every word of such a line, and of the block under
it, may have been the declaration of something, so nothing is said about a name of that spelling in the whole file.
"""

import re
from collections.abc import Iterable
from typing import Final

from flowc.dsl.diagnostic import INTERNAL_ERROR, Diagnostic
from flowc.dsl.source import SourceFile

__all__ = ["lost_words"]

WORD: Final = re.compile(r"\w+")


def lost_words(source: SourceFile, diagnostics: Iterable[Diagnostic]) -> frozenset[str]:
    """The words of the lines that `diagnostics` are about, and of the deeper lines that follow each; after a fault of
    ours, all words."""
    reported = tuple(diagnostics)
    if any(each.code is INTERNAL_ERROR for each in reported):
        return frozenset(WORD.findall(source.text))
    found: set[str] = set()
    for number in {source.place(each.span.start).line for each in reported}:
        first = source.line(number)
        found.update(WORD.findall(first))
        depth = _depth(first)
        for following in range(number + 1, source.line_count + 1):
            line = source.line(following)
            if line.strip() and _depth(line) <= depth:
                break
            found.update(WORD.findall(line))
    return frozenset(found)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
