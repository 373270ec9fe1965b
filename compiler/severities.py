"""What a project says about findings: severities of `flowc.toml`, and `# flowc: allow FLW407 because …` on the line
before."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from flowc.compiler.settings import UNKNOWN_SETTING, Settings, key_span
from flowc.compiler.suggest import nearest
from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity, sort
from flowc.dsl.source import SourceFile, Span

__all__ = ["with_severities"]

ALLOW: Final = re.compile(r"^[ ]*(#[ ]*flowc:[ ]*allow[ ]+(FLW\d{3})(?:[ ]+because[ ]+(\S.*?))?)[ ]*$", re.MULTILINE)
LEVELS: Final = {"error": Severity.ERROR, "warning": Severity.WARNING, "info": Severity.INFO}
VERSIONS: Final = "FLW7"  # begins what is found only against an older version
ORDER: Final = (Severity.INFO, Severity.WARNING, Severity.ERROR)


def with_severities(
    diagnostics: tuple[Diagnostic, ...],
    sources: Mapping[str, SourceFile],
    settings: Settings | None,
    *,
    versions: bool = False,
) -> tuple[Diagnostic, ...]:
    """`diagnostics` as the project wants them, with a finding for each allowance that does nothing. `versions`: they
    are those against an older version, and only allowances of such are looked at; else only the others."""
    wanted = settings.check.severity if settings is not None else {}
    kept = [*_levelled(diagnostics, wanted), *(() if versions else _refused(wanted, sources))]
    for source in sources.values():
        if "flowc:" in source.text:
            kept = _allowed(kept, source, versions=versions)
    return sort(kept)


def _levelled(diagnostics: Iterable[Diagnostic], wanted: Mapping[str, str]) -> Iterable[Diagnostic]:
    """Severities may be raised, and lowered only where the code is not fixed."""
    for each in diagnostics:
        name = wanted.get(each.code.id)
        if name is None:
            yield each
            continue
        level = LEVELS.get(name)
        lowered = level is None or ORDER.index(level) < ORDER.index(each.level)
        if lowered and each.code.fixed and each.code.severity is Severity.ERROR:
            yield each
        elif level is not None:
            yield replace(each, severity=level)


def _refused(wanted: Mapping[str, str], sources: Mapping[str, SourceFile]) -> Iterable[Diagnostic]:
    """What is wanted of a code that there is not, or below its floor."""
    source = sources.get("flowc.toml")
    if not wanted or source is None:
        return
    from flowc.compiler.codes import all_codes  # loads everything, for settings that have such a table only

    codes = {code.id: code for code in all_codes()}
    for name, word in wanted.items():
        span = key_span(source, ("check", "severity", name))
        code, level = codes.get(name), LEVELS.get(word)
        if code is None:
            yield no_such_code(span, name, nearest(name, codes))
        elif code.fixed and (level is None or ORDER.index(level) < ORDER.index(code.severity)):
            yield below_floor(span, code, word)


def _allowed(diagnostics: list[Diagnostic], source: SourceFile, *, versions: bool) -> list[Diagnostic]:
    """`diagnostics` without those that a comment of `source` allows, one for each comment."""
    comments = (each for each in ALLOW.finditer(source.text) if each[2].startswith(VERSIONS) == versions)
    for comment in comments:
        line = source.place(comment.start(1)).line + 1
        span = Span(source.path, comment.start(1), comment.end(1))
        silenced = [each for each in diagnostics if _matches(each, comment[2], source, line)]
        if comment[3] is None:
            diagnostics.append(allow_without_reason(span, comment[2]))
        elif silenced:
            diagnostics = [each for each in diagnostics if each is not silenced[0]]
        else:
            whole = Span(source.path, comment.start(), min(comment.end() + 1, len(source.text)))
            diagnostics.append(useless_allow(span, whole, comment[2]))
    return diagnostics


def _matches(each: Diagnostic, code: str, source: SourceFile, line: int) -> bool:
    lowerable = not (each.code.fixed and each.code.severity is Severity.ERROR)
    at_line = each.span.path == source.path and source.place(each.span.start).line == line
    return each.code.id == code and at_line and lowerable


# ------------------------------------------------------------------------------------------------------- diagnostics


def no_such_code(span: Span, name: str, near: str | None) -> Diagnostic:
    return Diagnostic(
        UNKNOWN_SETTING,
        f"no finding has the code `{name}`",
        (Label(span, "nothing to set"),),
        help=f"did you mean `{near}`?" if near else "codes look like `FLW407`; docs/diagnostics has them all",
        edits=(Edit(span, near),) if near else (),
    )


def below_floor(span: Span, code: Code, word: str) -> Diagnostic:
    return Diagnostic(
        UNKNOWN_SETTING,
        f"{code.id} cannot be `{word}`: it is always at least `{code.severity.value}`",
        (Label(span, "below its floor"),),
        help=f"take it out, and mend what it finds: flowc explain {code.id}",
    )


USELESS_ALLOW: Final = Code("FLW904", "useless-allow", Severity.WARNING, fixed=False)


def allow_without_reason(span: Span, code: str) -> Diagnostic:
    return Diagnostic(
        USELESS_ALLOW,
        f"this allowance of {code} says no reason",
        (Label(span, "silences nothing"),),
        help=f"write `# flowc: allow {code} because …`",
    )


def useless_allow(span: Span, line: Span, code: str) -> Diagnostic:
    return Diagnostic(
        USELESS_ALLOW,
        f"the next line has no {code} to silence",
        (Label(span, "silences nothing"),),
        help="remove it",
        edits=(Edit(line, ""),),
    )
