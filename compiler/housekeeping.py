"""Family 9: files that `flowc fmt` would change. Only of files without an error, whose repair would change them
anyway."""

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from itertools import accumulate
from typing import Final

from flowc.compiler.project import STD
from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity
from flowc.dsl.format import canonical, format_source
from flowc.dsl.parse import Parsed
from flowc.dsl.source import SourceFile, Span

__all__ = ["not_formatted"]


def not_formatted(parsed: Mapping[str, Parsed], mistaken: frozenset[str]) -> Iterator[Diagnostic]:
    """FLW903: one for each file of the project that is not in its canonical form. `mistaken` files are left out."""
    for path, each in parsed.items():
        source = each.scan.source
        if path in mistaken or path.startswith(STD) or not each.whole or canonical(each.scan) == source.text:
            continue
        formatted = format_source(source)
        if formatted.changed:
            yield other_form(source, tuple(_edits(source, formatted.text)))


def _edits(source: SourceFile, text: str) -> Iterator[Edit]:
    """What makes `text` of the source: an edit for each run of lines that differ."""
    before, after = source.text.splitlines(keepends=True), text.splitlines(keepends=True)
    starts = [0, *accumulate(map(len, before))]
    for kind, first, last, new_first, new_last in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            yield Edit(Span(source.path, starts[first], starts[last]), "".join(after[new_first:new_last]))


# ------------------------------------------------------------------------------------------------------- diagnostics

NOT_FORMATTED: Final = Code("FLW903", "not-formatted", Severity.WARNING, fixed=False)


def other_form(source: SourceFile, edits: tuple[Edit, ...]) -> Diagnostic:
    first = edits[0].span
    line = source.text[first.start : first.end].splitlines()[:1] or [""]
    begin = first.start + len(line[0]) - len(line[0].lstrip(" \t"))
    places = "one place" if len(edits) == 1 else f"{len(edits)} places"
    return Diagnostic(
        NOT_FORMATTED,
        f"`flowc fmt` would change this file in {places}",
        (Label(Span(source.path, begin, max(begin, first.start + len(line[0].rstrip()))), "the first of them"),),
        help="run `flowc fmt`, so that a change shows only what was meant",
        edits=edits,
    )
