"""Diagnostics for other programs: SARIF 2.1.0 (OASIS), and the code quality report of GitLab.

Both want a mark by which a finding is known again after its line has moved: a digest of its code, file, message and
the text of its line.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity
from flowc.dsl.render_lines import inside
from flowc.dsl.source import SourceFile, Span

__all__ = ["render_gitlab", "render_sarif"]

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
GITLAB: Final = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}
Sources = Mapping[str, SourceFile]
Json = dict[str, object]


def render_sarif(diagnostics: Sequence[Diagnostic], sources: Sources, version: str) -> str:
    """One run of `flowc` of that version as a SARIF log."""
    rules = sorted({each.code for each in diagnostics}, key=lambda code: code.id)
    index = {code.id: at for at, code in enumerate(rules)}
    marks = _marks(diagnostics, sources)
    driver = {"name": "flowc", "version": version, "rules": [_rule(code) for code in rules]}
    results = [_result(each, index[each.code.id], mark, sources) for each, mark in zip(diagnostics, marks, strict=True)]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(code: Code) -> Json:
    return {
        "id": code.id,
        "name": "".join(word.capitalize() for word in code.name.split("-")),
        "shortDescription": {"text": code.name.replace("-", " ")},
        "help": {"text": f"flowc explain {code.id}"},
        "defaultConfiguration": {"level": LEVELS[code.severity]},
    }


def _result(each: Diagnostic, rule: int, mark: str, sources: Sources) -> Json:
    label = each.labels[0].text
    lines = [f"{each.message}{f' ({label})' if label else ''}", *each.notes]
    if each.help:
        lines.append(f"help: {each.help}")
    result: Json = {
        "ruleId": each.code.id,
        "ruleIndex": rule,
        "level": LEVELS[each.level],
        "message": {"text": "\n".join(lines)},
        "locations": [{"physicalLocation": _place(each.span, sources)}],
        "partialFingerprints": {"flowc/v1": mark},
    }
    if len(each.labels) > 1:
        result["relatedLocations"] = [_related(at, label, sources) for at, label in enumerate(each.labels[1:], 1)]
    if each.edits:
        words = {"text": each.help or each.message}
        result["fixes"] = [{"description": words, "artifactChanges": _changes(each, sources)}]
    return result


def _related(at: int, label: Label, sources: Sources) -> Json:
    return {"id": at, "message": {"text": label.text or "see here"}, "physicalLocation": _place(label.span, sources)}


def _place(span: Span, sources: Sources) -> Json:
    place: Json = {"artifactLocation": {"uri": quote(span.path)}}
    if span.path in sources:
        place["region"] = _region(*inside(sources[span.path], span), sources[span.path])
    return place


def _region(start: int, end: int, source: SourceFile) -> Json:
    first, last = source.place(start), source.place(end)
    return {"startLine": first.line, "startColumn": first.column, "endLine": last.line, "endColumn": last.column}


def _changes(each: Diagnostic, sources: Sources) -> list[Json]:
    paths = dict.fromkeys(edit.span.path for edit in each.edits)
    return [
        {
            "artifactLocation": {"uri": quote(path)},
            "replacements": [_replacement(edit, sources[path]) for edit in each.edits if edit.span.path == path],
        }
        for path in paths
        if path in sources
    ]


def _replacement(edit: Edit, source: SourceFile) -> Json:
    return {
        "deletedRegion": _region(edit.span.start, edit.span.end, source),
        "insertedContent": {"text": edit.replacement},
    }


def render_gitlab(diagnostics: Sequence[Diagnostic], sources: Sources) -> str:
    """A list of problems as GitLab's `codequality` artefact has it."""
    marks = _marks(diagnostics, sources)
    problems = [_problem(each, mark, sources) for each, mark in zip(diagnostics, marks, strict=True)]
    return json.dumps(problems, indent=2, ensure_ascii=False) + "\n"


def _problem(each: Diagnostic, mark: str, sources: Sources) -> Json:
    lines: dict[str, int] = {"begin": 1}
    if each.span.path in sources:
        start, end = inside(sources[each.span.path], each.span)
        lines = {"begin": sources[each.span.path].place(start).line, "end": sources[each.span.path].place(end).line}
    return {
        "description": f"{each.message}{f' ({each.help})' if each.help else ''}",
        "check_name": each.code.id,
        "fingerprint": mark,
        "severity": GITLAB[each.level],
        "location": {"path": each.span.path, "lines": lines},
    }


def _marks(diagnostics: Iterable[Diagnostic], sources: Sources) -> list[str]:
    """A mark for each; equal ones are numbered."""
    seen: Counter[tuple[str, ...]] = Counter()
    marks = []
    for each in diagnostics:
        source = sources.get(each.span.path)
        line = "" if source is None else source.line(source.place(inside(source, each.span)[0]).line).strip()
        facts = (each.code.id, each.span.path, each.message, line)
        marks.append(sha256("\0".join((*facts, str(seen[facts]))).encode("utf-8", "surrogatepass")).hexdigest()[:32])
        seen[facts] += 1
    return marks
