"""Results as JUnit's XML, which every build server reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from flowc.dsl.cells import visible

__all__ = ["Result", "junit"]


@dataclass(frozen=True, slots=True)
class Result:
    """One test: `failure` in a sentence where it did not hold, and `details` of it."""

    file: str
    name: str
    failure: str | None = None
    details: str = ""
    line: int | None = None


def junit(name: str, results: Sequence[Result]) -> str:
    """A suite for each file, in the order of their first results."""
    failures = sum(each.failure is not None for each in results)
    root = Element("testsuites", name=name, tests=str(len(results)), failures=str(failures))
    for file in dict.fromkeys(each.file for each in results):
        inside = [each for each in results if each.file == file]
        failed = str(sum(each.failure is not None for each in inside))
        suite = SubElement(root, "testsuite", name=file, tests=str(len(inside)), failures=failed)
        for each in inside:
            _case(suite, each)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _case(suite: Element, result: Result) -> None:
    case = SubElement(suite, "testcase", classname=result.file, name=visible(result.name), file=result.file)
    if result.line is not None:
        case.set("line", str(result.line))
    if result.failure is not None:
        failure = SubElement(case, "failure", message=visible(result.failure))
        failure.text = _lines(result.details)
    elif result.details:
        SubElement(case, "system-out").text = _lines(result.details)


def _lines(text: str) -> str:
    """`text` without the characters that XML cannot have."""
    return "\n".join(visible(line) for line in text.split("\n"))
