"""The lines of a service and of its operations that do not fit its adapter, or a read or write."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from flowc.dsl.diagnostic import Diagnostic, Edit, Label
from flowc.dsl.lexemes import METHODS
from flowc.dsl.mistakes import UNKNOWN_STATEMENT, duplicate, misplaced, missing, nearest
from flowc.dsl.nodes import AdapterLine, Operation, ServiceDeclaration
from flowc.dsl.source import Span
from flowc.dsl.tokens import POLICY_LINES, words

__all__ = ["service_lines"]

Report = Callable[[Diagnostic], None]

BUILT_IN: Final = words("http python queue")
HTTP_LINES: Final = words("header body answer fails key") | METHODS
HTTP_ONLY: Final = "it belongs in a service `via http`"


def service_lines(service: ServiceDeclaration, lost: Sequence[int], report: Report) -> None:
    """Reports each line of `service` that its adapter, or a read or a write, cannot have, and what an operation lacks.

    Nothing is missed in an operation with a line that is not in the tree; `lost` has where such lines begin.
    """
    adapter = service.adapter.text
    for line in service.adapter_lines:
        if adapter in BUILT_IN:
            report(unknown_line(line, POLICY_LINES | words("read write")))
    for index, operation in enumerate(service.operations):
        following = service.operations[index + 1 :]
        end = following[0].span.start if following else None
        whole = not any(operation.span.start < at and (end is None or at < end) for at in lost)
        for line in operation.adapter_lines:
            if adapter in BUILT_IN:
                report(unknown_line(line, POLICY_LINES | HTTP_LINES))
        if adapter == "http":
            for diagnostic in http_lines(operation, whole):
                report(diagnostic)
        elif adapter in BUILT_IN:
            for diagnostic in foreign_lines(operation, adapter):
                report(diagnostic)
        for diagnostic in lines_of_kind(operation):
            report(diagnostic)


def http_lines(operation: Operation, whole: bool) -> Iterator[Diagnostic]:
    if operation.request is None and whole and not operation.adapter_lines:
        method = "GET" if operation.kind == "read" else "POST"
        yield missing(
            f"the operation `{operation.name.text}` has no method and path",
            operation.name.span,
            "sends nothing",
            f'write `{method} "/path"` under it',
        )
    seen: dict[str, Span] = {}
    for header in operation.headers:
        name = (header.name.plain or "").lower()
        if name in seen:
            yield duplicate(f"header {header.name.plain}", header.name.span, seen[name])
        seen.setdefault(name, header.name.span)


def foreign_lines(operation: Operation, adapter: str) -> Iterator[Diagnostic]:
    """Lines of `via http` under an operation of another adapter."""
    if operation.request:
        span = operation.request.span
        method = operation.request.method
        yield misplaced(method, Span(span.path, span.start, span.start + len(method)), HTTP_ONLY)
    for header in operation.headers:
        yield misplaced("header", header.name.span, HTTP_ONLY)
    if operation.body is not None:
        yield misplaced("body", operation.body.span, HTTP_ONLY)
    if operation.answer is not None:
        yield misplaced("answer", operation.answer.span, HTTP_ONLY)
    for line in operation.fails:
        if line.status is not None:
            yield misplaced("a status", line.span, f"a service `via {adapter}` fails by name, without `on`")


def lines_of_kind(operation: Operation) -> Iterator[Diagnostic]:
    """Lines that only a read, or only a write, has."""
    if operation.kind == "read" and operation.key:
        belongs = "a read has no key: it may be repeated anyway"
        yield misplaced("key", word_of(operation.key.span, "key"), belongs)
    if operation.kind == "write" and operation.policy.cache:
        yield misplaced("cache", operation.policy.cache.span, "only a read may be answered from a cache")


def word_of(span: Span, word: str) -> Span:
    return Span(span.path, span.start, span.start + len(word))


def unknown_line(line: AdapterLine, known: frozenset[str]) -> Diagnostic:
    """A line `WORD value` of an adapter that has none."""
    word = line.word.text
    near = word.upper() if word.upper() in METHODS and word.upper() in known else nearest(word, known)
    return Diagnostic(
        UNKNOWN_STATEMENT,
        f"no line begins with `{word}`",
        (Label(line.word.span, "not known"),),
        help=f"did you mean `{near}`?" if near else "the built-in adapters have no such line",
        edits=(Edit(line.word.span, near),) if near else (),
    )
