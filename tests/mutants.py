"""Mutants of flows: what an author gets wrong, made by meaning and not by chance, every one of them by name.

An operator yields all its mutants of a file in the order of the text; a seed only chooses among them. A mutant knows
the lines that it touched, as they are afterwards.
"""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from flowc.compiler.walk import arms_of, statements_in
from flowc.dsl.layout import scan
from flowc.dsl.nodes import (
    AnywhereDeclaration,
    Arm,
    Call,
    Defer,
    Do,
    FlowFile,
    ServiceDeclaration,
    StateDeclaration,
    Statement,
)
from flowc.dsl.parse import parse
from flowc.dsl.source import SourceFile, Span


@dataclass(frozen=True, slots=True)
class Mutant:
    """`lines` are the numbers of the lines touched, in `text`; `before` is what stood there."""

    path: str
    operator: str
    what: str
    text: str
    lines: tuple[int, ...]
    before: str

    def __str__(self) -> str:
        return f"{self.operator}: {self.path}:{self.lines[0]} {self.what}"


@dataclass(frozen=True, slots=True)
class Page:
    """A file to make mutants of."""

    path: str
    source: SourceFile
    file: FlowFile
    lines: tuple[str, ...]

    def statements(self) -> Iterator[Statement]:
        for declaration in self.file.declarations:
            match declaration:
                case StateDeclaration(body=body):
                    yield from statements_in(body)
                case AnywhereDeclaration(arms):
                    for arm in arms:
                        yield from statements_in(arm.body)
                case _:
                    pass

    def arms(self) -> Iterator[Arm]:
        for declaration in self.file.declarations:
            if isinstance(declaration, AnywhereDeclaration):
                yield from declaration.arms
        for statement in self.statements():
            yield from arms_of(statement)

    def without_lines(self, first: int, last: int, operator: str, what: str) -> Mutant:
        """Without the lines `first..last`, from 1; touched is what stands there then, and the line above."""
        kept = (*self.lines[: first - 1], *self.lines[last:])
        touched = tuple(dict.fromkeys((min(first, len(kept)), max(1, first - 1))))
        return Mutant(self.path, operator, what, "".join(kept), touched, "".join(self.lines[first - 1 : last]))

    def with_line(self, number: int, line: str, operator: str, what: str) -> Mutant:
        lines = (*self.lines[: number - 1], line, *self.lines[number:])
        return Mutant(self.path, operator, what, "".join(lines), (number,), self.lines[number - 1])

    def with_text(self, span: Span, text: str, operator: str, what: str) -> Mutant:
        whole, first = self.source.text, self.source.place(span.start).line
        last = self.source.place(span.end).line
        changed = whole[: span.start] + text + whole[span.end :]
        before = "".join(self.lines[first - 1 : last])
        return Mutant(self.path, operator, what, changed, (first,), before)

    def span_lines(self, span: Span) -> tuple[int, int]:
        """The first and the last line of what stands under `span`."""
        end = span.end
        while end > span.start and self.source.text[end - 1] in " \n":
            end -= 1
        return self.source.place(span.start).line, self.source.place(end).line


def page(path: str, text: str) -> Page:
    source = SourceFile(path, text)
    return Page(path, source, parse(source).file, tuple(text.splitlines(keepends=True)))


# ----------------------------------------------------------------------------------------------------------- operators


def deleted_arms(at: Page) -> Iterator[Mutant]:
    """An arm is not there."""
    for arm in at.arms():
        first, last = at.span_lines(arm.span)
        yield at.without_lines(first, last, "delete an arm", at.lines[first - 1].strip())


def renamed_states(at: Page) -> Iterator[Mutant]:
    """A state is called something else where it is declared."""
    for each in at.file.declarations:
        if isinstance(each, StateDeclaration):
            yield at.with_text(each.name.span, f"{each.name.text}_again", "rename a state", each.name.text)


def deleted_states(at: Page) -> Iterator[Mutant]:
    for each in at.file.declarations:
        if isinstance(each, StateDeclaration):
            first, last = at.span_lines(each.span)
            yield at.without_lines(first, last, "delete a state", each.name.text)


def dropped_keys(at: Page) -> Iterator[Mutant]:
    """A write that is no longer safe to repeat."""
    for each in at.file.declarations:
        if isinstance(each, ServiceDeclaration):
            for operation in each.operations:
                if operation.key is not None:
                    first, last = at.span_lines(operation.key.span)
                    yield at.without_lines(first, last, "drop a key", operation.name.text)


TYPES: Final = ("text", "integer", "date", "boolean", "datetime", "time", "number")
TYPED: Final = re.compile(r"(?<=: |> )(?:pii |list of )?(\w+)(\??)")


def changed_types(at: Page) -> Iterator[Mutant]:
    """A parameter, field, slot or result has another type, or may be none, or must not be."""
    for number, line in enumerate(at.lines, 1):
        if re.match(r"\s*(?:type|slot|read|write|takes|gives|event)\b|\s+\w+: [\w ]+\??$", line):
            for found in TYPED.finditer(line.split('"')[0]):
                other = TYPES[(TYPES.index(found[1]) + 1) % len(TYPES)] if found[1] in TYPES else "integer"
                for new in (f"{other}{found[2]}", found[1] if found[2] else f"{found[1]}?"):
                    start, end = found.start(1), found.end(2)
                    changed = line[:start] + new + line[end:]
                    yield at.with_line(
                        number, changed, "change a type", f"{found[1]}{found[2]} to {new} in {line.strip()}"
                    )


def swapped_lines(at: Page) -> Iterator[Mutant]:
    """Two lines that follow each other at one level are the other way round."""
    for number, (one, other) in enumerate(zip(at.lines, at.lines[1:], strict=False), 1):
        if one.strip() and other.strip() and indent(one) == indent(other) and one != other:
            lines = (*at.lines[: number - 1], other, one, *at.lines[number + 1 :])
            yield Mutant(at.path, "swap two lines", one.strip(), "".join(lines), (number, number + 1), one + other)


def indented_lines(at: Page) -> Iterator[Mutant]:
    """A line stands a level deeper, a level higher, or in between."""
    for number, line in enumerate(at.lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            for change in (2, -2, 1):
                if indent(line) + change >= 0:
                    moved = " " * (indent(line) + change) + line.lstrip()
                    yield at.with_line(number, moved, "re-indent a line", f"{change:+} {line.strip()}")


def dropped_lines(at: Page) -> Iterator[Mutant]:
    """A line that opens no block is not there."""
    for number, line in enumerate(at.lines, 1):
        following = next((each for each in at.lines[number:] if each.strip()), "")
        if line.strip() and indent(following) <= indent(line):
            yield at.without_lines(number, number, "drop a line", line.strip())


def repeated_lines(at: Page) -> Iterator[Mutant]:
    """A line that opens no block is there twice."""
    for number, line in enumerate(at.lines, 1):
        following = next((each for each in at.lines[number:] if each.strip()), "")
        if line.strip() and indent(following) <= indent(line):
            lines = (*at.lines[:number], line, *at.lines[number:])
            yield Mutant(at.path, "repeat a line", line.strip(), "".join(lines), (number, number + 1), line)


def misspelled_words(at: Page) -> Iterator[Mutant]:
    """A name or a keyword with two letters the other way round, or one too few."""
    for token in scan(at.source).tokens:
        word = token.text
        if re.fullmatch(r"[A-Za-z_]{4,}", word):
            middle = len(word) // 2
            for wrong in (
                word[: middle - 1] + word[middle] + word[middle - 1] + word[middle + 1 :],
                word[:middle] + word[middle + 1 :],
            ):
                if wrong != word:
                    yield at.with_text(token.span, wrong, "misspell a word", f"{word} as {wrong}")


def dropped_arguments(at: Page) -> Iterator[Mutant]:
    """A call without one of its arguments."""
    for statement in at.statements():
        match statement:
            case Call(arguments=arguments) | Defer(arguments=arguments) | Do(arguments=arguments):
                for index, argument in enumerate(arguments):
                    start = arguments[index - 1].span.end if index else argument.span.start
                    end = argument.span.end if index or len(arguments) == 1 else arguments[1].span.start
                    yield at.with_text(Span(at.path, start, end), "", "drop an argument", argument.name.text)
            case _:
                pass


def unclosed_texts(at: Page) -> Iterator[Mutant]:
    """A quote or a bracket is not closed."""
    for token in scan(at.source).tokens:
        if token.text[-1:] in ('"', ")", "]", "}") and not token.text.startswith('"""'):
            end = Span(at.path, token.span.end - 1, token.span.end)
            yield at.with_text(end, "", "leave out an end", token.text[-30:])


OPERATORS: Final[tuple[Callable[[Page], Iterator[Mutant]], ...]] = (
    deleted_arms,
    renamed_states,
    deleted_states,
    dropped_keys,
    changed_types,
    swapped_lines,
    indented_lines,
    dropped_lines,
    repeated_lines,
    misspelled_words,
    dropped_arguments,
    unclosed_texts,
)


def indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def mutants_of(path: str, text: str) -> Iterator[Mutant]:
    """Every mutant of a file."""
    at = page(path, text)
    for operator in OPERATORS:
        yield from (each for each in operator(at) if each.text != text)


def some(mutants: list[Mutant], each_operator: int, seed: int) -> list[Mutant]:
    """So many of each operator, as far as there are."""
    choose = random.Random(seed)
    by_operator: dict[str, list[Mutant]] = {}
    for each in mutants:
        by_operator.setdefault(each.operator, []).append(each)
    chosen: list[Mutant] = []
    for group in by_operator.values():
        chosen += choose.sample(group, min(each_operator, len(group)))
    return chosen
