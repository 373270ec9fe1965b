"""Every sample of the language on a page of docs/ parses; a `fragment` is declarations, or statements of a state."""

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

import pytest

from flowc.dsl.format import format_source
from flowc.dsl.parse import Parsed, ParsedChat, parse, parse_chat
from flowc.dsl.source import SourceFile

ROOT = Path(__file__).parent.parent
PAGES = ("language.md", "formatting.md")
FENCE = re.compile(r"^```(flow|chat)( fragment)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DECLARATIONS = {"type", "service", "intent", "slot", "event", "state", "anywhere", "migrate"}


@dataclass(frozen=True, slots=True)
class Sample:
    page: str
    line: int
    source: SourceFile

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def samples(page: str) -> list[Sample]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [
        Sample(page, text.count("\n", 0, found.start()) + 1, SourceFile(f"{page}.{found[1]}", whole(found)))
        for found in FENCE.finditer(text)
    ]


def whole(found: re.Match[str]) -> str:
    if not found[2]:
        return found[3]
    if found[3].split(maxsplit=1)[0] in DECLARATIONS:
        return f"flow sample 1.0.0\n\n{found[3]}"
    return f"flow sample 1.0.0\n\nstate sample\n{indent(found[3], '  ')}"


def parsed(source: SourceFile) -> Parsed | ParsedChat:
    return parse_chat(source) if source.path.endswith(".chat") else parse(source)


@pytest.mark.parametrize("sample", [sample for page in PAGES for sample in samples(page)], ids=str)
def test_sample_parses(sample: Sample) -> None:
    found = parsed(sample.source).diagnostics
    assert [(each.code.id, each.message, sample.source.place(each.span.start)) for each in found] == []


@pytest.mark.parametrize("sample", [sample for page in PAGES for sample in samples(page)], ids=str)
def test_sample_is_written_as_the_formatter_writes(sample: Sample) -> None:
    assert format_source(sample.source).text == sample.source.text


def test_the_whole_flow_is_the_example_program() -> None:
    whole_flow = samples("language.md")[0].source.text
    assert whole_flow == (ROOT / "tests" / "programs" / "order_support.flow").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_no_sample_escapes_the_test(page: str) -> None:
    """A fence with a language that is not spelled as above would not be parsed."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    fences = re.findall(r"^```(\S.*)$", text, re.MULTILINE)
    assert len([fence for fence in fences if fence.startswith(("flow", "chat"))]) == len(samples(page)) > 0
