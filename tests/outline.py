"""A syntax tree as text: a line for each node, with its place in the file."""

from collections.abc import Iterator

from flowc.dsl.nodes import Node
from flowc.dsl.source import SourceFile, Span


def outline(node: object, source: SourceFile) -> str:
    return "".join(f"{line}\n" for line in lines(node, source, "", ""))


def lines(node: object, source: SourceFile, label: str, margin: str) -> Iterator[str]:
    if isinstance(node, tuple):
        for item in node:
            yield from lines(item, source, label, margin)
    elif isinstance(node, Node):
        values = [(name, getattr(node, name)) for name in node.__struct_fields__]
        own = [
            f"{name}={value!r}" for name, value in values if is_plain(value) and value is not None and name != "path"
        ]
        span = getattr(node, "span", None)
        place = [places(span, source)] if isinstance(span, Span) else []
        yield margin + label + " ".join([type(node).__name__, *own, *place])
        for name, value in values:
            if not is_plain(value) and not isinstance(value, Span):
                yield from lines(value, source, f"{name}: ", margin + "  ")
    elif node is not None:
        yield f"{margin}{label}{node!r}"


def is_plain(value: object) -> bool:
    return not isinstance(value, tuple | Span | Node)


def places(span: Span, source: SourceFile) -> str:
    start, end = source.place(span.start), source.place(span.end)
    return f"{start.line}:{start.column}-{end.line}:{end.column}"
