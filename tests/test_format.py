"""The formatter: what it makes of a text, and that it changes white space only."""

from pathlib import Path
from random import Random

import pytest
from golden import compare
from hypothesis import given, settings
from hypothesis import strategies as st
from kept import STRUCTURE, formatted, keeps_everything, parsed
from syrupy.assertion import SnapshotAssertion

from flowc.dsl.diagnostic import Severity
from flowc.dsl.format import format_source
from flowc.dsl.layout import scan
from flowc.dsl.source import SourceFile, Span

TESTS = Path(__file__).parent
SUFFIXES = (".flow", ".chat")
LOOSE = {"(", ")", "[", "]", "{", "}", ",", ":", ".", "?"}  # what white space may stand before
PIECES = [
    "",
    " ",
    "\n",
    "\n  ",
    "# x\n",
    '"',
    '"""',
    "(",
    ")",
    "[",
    "{",
    ",",
    ":",
    "-",
    ".",
    "\r\n",
    "\t",
    "say",
    "{{",
    "é",
    "a",
]


def texts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.stem.count(".") == 0)


CASES = texts(TESTS / "format")


def source(path: Path, text: str | None = None) -> SourceFile:
    return SourceFile(path.name, path.read_text(encoding="utf-8") if text is None else text)


def is_sound(text: SourceFile) -> bool:
    return all(each.level is not Severity.ERROR for each in parsed(text).diagnostics)


FOLDERS = (TESTS.parent / "flows", TESTS / "syntax", TESTS / "programs", TESTS / "format")
SOUND = [path for folder in FOLDERS for path in texts(folder) if is_sound(source(path))]


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_canonical_text(case: Path, snapshot: SnapshotAssertion) -> None:
    compare(case.with_suffix(f".formatted{case.suffix}"), formatted(source(case)), snapshot)


def test_every_formatted_text_has_its_source() -> None:
    named = {case.with_suffix(f".formatted{case.suffix}") for case in CASES}
    assert {path for path in (TESTS / "format").iterdir() if path not in CASES} == named


@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.name)
def test_formatting_keeps_everything(path: Path) -> None:
    keeps_everything(source(path))


@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.name)
def test_line_endings_of_windows_become_newlines(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert formatted(source(path, text.replace("\n", "\r\n"))) == formatted(source(path, text))


@settings(max_examples=60, deadline=None)
@given(path=st.sampled_from(SOUND), seed=st.integers(0, 2**32))
def test_formatting_keeps_everything_of_an_untidy_file(path: Path, seed: int) -> None:
    keeps_everything(source(path, disturbed(source(path), Random(seed))))


@settings(max_examples=60, deadline=None)
@given(path=st.sampled_from(SOUND), seed=st.integers(0, 2**32))
def test_spacing_of_the_author_does_not_matter(path: Path, seed: int) -> None:
    tidy = formatted(source(path))
    assert formatted(source(path, respaced(source(path, tidy), Random(seed)))) == tidy


@settings(max_examples=150, deadline=None)
@given(path=st.sampled_from(SOUND), seed=st.integers(0, 2**32))
def test_a_broken_file_is_formatted_or_refused(path: Path, seed: int) -> None:
    """Random edits: where the file still parses its canonical text is one, else it says what is wrong."""
    broken = source(path, damaged(path.read_text(encoding="utf-8"), Random(seed)))
    answer = format_source(broken)
    assert "FLW199" not in {each.code.id for each in answer.diagnostics}
    if answer.diagnostics:
        assert answer.text == broken.text
    else:
        assert formatted(source(path, answer.text)) == answer.text


def damaged(text: str, chance: Random) -> str:
    """The first lines of `text`, or some from its middle, with characters put in or taken out."""
    lines = text.splitlines(keepends=True)
    start = chance.randrange(len(lines))
    text = "".join((lines[0], *lines[start : start + 30]))
    for _ in range(chance.choice([1, 1, 2, 5])):
        at = chance.randrange(len(text) + 1)
        keep = at if chance.random() < 0.7 else at + chance.randrange(6)
        text = text[:at] + chance.choice(PIECES) + text[keep:]
    return text


def respaced(text: SourceFile, chance: Random) -> str:
    """`text` with other spaces between the words of its lines: more where there is one, some where there is none."""
    pieces: list[str] = []
    done = 0
    for token in scan(text).tokens:
        gap = text.text[done : token.span.start]
        if gap == " " and not text.text.startswith("/", token.span.start):  # a pattern stands one space behind its word
            gap = " " * chance.randint(1, 3)
        elif gap == "" and token.text in LOOSE and token.type not in STRUCTURE:
            gap = " " * chance.randint(0, 2)
        pieces += (gap, text.text[token.span.start : token.span.end])
        done = token.span.end
    return "".join((*pieces, text.text[done:]))


def disturbed(text: SourceFile, chance: Random) -> str:
    """`text` with other spaces, blank lines, and comments wherever they may stand."""
    spaced = SourceFile(text.path, respaced(text, chance))
    whole = {
        line
        for token in scan(spaced).tokens
        for line in range(spaced.place(token.span.start).line, spaced.place(token.span.end).line)
        if token.type not in STRUCTURE
    }  # the lines whose end is inside a text
    result: list[str] = []
    for number in range(1, spaced.line_count + 1):
        line = spaced.line(number)
        if number - 1 not in whole:
            result += ["" if chance.random() < 0.8 else "   " for _ in range(chance.choice([0, 0, 0, 0, 1, 2]))]
            if chance.random() < 0.1:
                result.append(" " * chance.randint(0, 8) + chance.choice(["# above", "#", "#close "]))
        behind = chance.choice([" ", "   # behind", "#behind"]) if chance.random() < 0.2 else ""
        result.append(line if number in whole or "#" in line else line + behind)
    return "\n".join(result)


def test_a_file_that_does_not_parse_is_refused_with_its_errors() -> None:
    broken = SourceFile("a.flow", 'flow a 1.0.0\n\nstate start\n  say "hello\n  end\n')
    answer = format_source(broken)
    assert (answer.text, answer.changed) == (broken.text, False)
    assert answer.diagnostics[0].code.id == "FLW107"


def test_a_canonical_text_that_says_something_else_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    text = SourceFile("a.flow", 'flow a 1.0.0\n\nstate start\n  say   "hello"\n  end\n')
    assert format_source(text).changed
    monkeypatch.setattr("flowc.dsl.format.canonical", lambda scanned: scanned.source.text.replace("hello", "bye"))
    answer = format_source(text)
    assert (answer.text, answer.changed) == (text.text, False)
    assert [(each.code.id, each.span) for each in answer.diagnostics] == [("FLW199", Span("a.flow", 34, 41))]


def test_comments_count_as_content(monkeypatch: pytest.MonkeyPatch) -> None:
    text = SourceFile("a.flow", "flow a 1.0.0  # about a\n\nstate start\n  end\n")
    monkeypatch.setattr("flowc.dsl.format.canonical", lambda scanned: scanned.source.text.replace("about", "of"))
    assert [each.code.id for each in format_source(text).diagnostics] == ["FLW199"]


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_chat_file_stays_empty(text: str) -> None:
    assert formatted(SourceFile("a.chat", text)) == ""


def test_the_bots_and_every_case_are_among_what_is_disturbed() -> None:
    assert {path.name for path in SOUND} >= {"order_support.flow", "table_booking.flow", *(case.name for case in CASES)}
