"""Family 6, secrets: what must not stand in a flow, because everybody who reviews it reads it."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from flowc.compiler.graph import FlowGraph
from flowc.compiler.model import Model
from flowc.compiler.walk import texts_in
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import Chunk, Expression, HeaderLine, ServiceDeclaration, Text
from flowc.dsl.source import SourceFile, Span

__all__ = ["SECRET_IN_FLOW", "secret_in_flow"]

Graphs = Mapping[str, FlowGraph]

# Tokens with a well-known beginning, private keys, and words that announce a secret with a long value behind them.
CREDENTIAL: Final = re.compile(
    r"""
      (?:AKIA|ASIA)[0-9A-Z]{16}
    | gh[pousr]_[A-Za-z0-9]{36}
    | github_pat_[A-Za-z0-9_]{22,}
    | glpat-[A-Za-z0-9_-]{20,}
    | (?:sk|rk|pk)_(?:live|test)_[0-9A-Za-z]{16,}
    | sk-[A-Za-z0-9_-]{20,}
    | xox[abeoprs]-[0-9A-Za-z-]{10,}
    | AIza[0-9A-Za-z_-]{35}
    | eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----
    | (?<![A-Za-z])(?:Bearer|Basic)\ +[A-Za-z0-9._~+/-]{16,}=*
    | (?<=://)[^\s/:@"{}]+:[^\s/@"{}]+(?=@)
    | (?i:(?:api[_-]?key|access[_-]?token|secret|passw(?:or)?d|token)\s*[=:]\s*)(?=[^\s"]*[0-9])(?=[^\s"]*[A-Za-z])
      [A-Za-z0-9+/_.-]{16,}
    """,
    re.VERBOSE,
)
SECRET_HEADER: Final = re.compile(r"(?i)authorization|cookie|.*(?:api[_-]?key|token|secret|password).*")
ADDRESS: Final = re.compile(r"(?i)^\s*[a-z][a-z0-9+.-]*://\S*|^\s*//\S+")


def secret_in_flow(model: Model, graphs: Graphs) -> Iterator[Diagnostic]:
    """FLW609: credentials anywhere in a file, comments included, and addresses in its services."""
    for path, file in model.files.items():
        source = model.project.source(path)
        found = list(_credentials(source)) if source is not None else []
        yield from (credential(span) for span in found)
        for declaration in file.declarations:
            if isinstance(declaration, ServiceDeclaration):
                yield from _of_service(declaration, found)


def _credentials(source: SourceFile) -> Iterator[Span]:
    for match in CREDENTIAL.finditer(source.text):
        yield Span(source.path, match.start(), match.end())


def _of_service(service: ServiceDeclaration, found: list[Span]) -> Iterator[Diagnostic]:
    for operation in service.operations:
        for header in operation.headers:
            if _is_literal_secret(header) and not _overlaps(header.value.span, found):
                yield credential(header.value.span)
        if operation.request is not None:
            yield from _addresses((operation.request.path,), service)
        yield from _addresses(tuple(line.value for line in operation.adapter_lines), service)
    yield from _addresses(tuple(line.value for line in service.adapter_lines), service)


def _is_literal_secret(header: HeaderLine) -> bool:
    value = header.value
    named = SECRET_HEADER.fullmatch(header.name.plain or "") is not None
    return named and isinstance(value, Text) and bool(value.plain)


def _overlaps(span: Span, found: list[Span]) -> bool:
    return any(each.start < span.end and span.start < each.end for each in found)


def _addresses(expressions: tuple[Expression, ...], service: ServiceDeclaration) -> Iterator[Diagnostic]:
    for text in texts_in(*expressions):
        match text.parts:
            case (Chunk(words), *_) if ADDRESS.match(words):
                yield address(text, service)
            case _:
                pass


# --------------------------------------------------------------------------------------------------------- diagnostics

SECRET_IN_FLOW: Final = Code("FLW609", "secret-in-flow", Severity.ERROR)


def credential(span: Span) -> Diagnostic:
    return Diagnostic(
        SECRET_IN_FLOW,
        "this looks like a credential",
        (Label(span, "everybody who can read the flow can use it"),),
        help='name it in `flowc.toml`, as `bearer = { env = "NAME" }` of the service, and have this one revoked',
    )


def address(text: Text, service: ServiceDeclaration) -> Diagnostic:
    name = service.name.text
    return Diagnostic(
        SECRET_IN_FLOW,
        f"service `{name}` says where it is",
        (Label(text.span, "an absolute address"),),
        help=f"write the path only, and `url` in `[environments.NAME.services.{name}]` of `flowc.toml`",
    )
