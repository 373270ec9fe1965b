"""Family 8, translations: the catalogues beside each file, and what of its texts they lack or have differently.

A flow's texts are in the locale of its header. For every other locale of `[bot] locales` the texts of `NAME.flow` are
translated in `NAME.LOCALE.po` beside it, the format of gettext: `msgid` is the text as it is written between its
quotes, with its `{{ }}`. Catalogues are read with Babel; of a project with one locale nothing is read.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from flowc.compiler.project import STD, Project
from flowc.compiler.walk import statements_in
from flowc.dsl.diagnostic import Code, Diagnostic, Label, Severity
from flowc.dsl.nodes import (
    AnywhereDeclaration,
    Ask,
    Choose,
    Chunk,
    FlowFile,
    FlowHeader,
    Interpolation,
    Reject,
    Say,
    SlotDeclaration,
    StateDeclaration,
    Statement,
    Text,
    TextFor,
    TextIf,
    TextPart,
)
from flowc.dsl.parse import parse
from flowc.dsl.source import SourceFile, Span

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

__all__ = ["Checked", "check_translations"]

WORD: Final = re.compile(r"[^\W\d_]")
TEMPLATE: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found, and the catalogues that were read."""

    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, SourceFile]


def check_translations(project: Project, files: Mapping[str, FlowFile]) -> Checked:
    """FLW803 and FLW804: every text of the project's own files in every locale that the project lists."""
    locales = project.settings.bot.locales if project.settings else ()
    if len(locales) < 2:
        return Checked((), {})
    found: list[Diagnostic] = []
    sources: dict[str, SourceFile] = {}
    for path, file in files.items():
        source = project.source(path)
        texts = dict(_texts(file, source)) if source is not None and not path.startswith(STD) else {}
        header = file.header
        own = header.locale.text if header is not None and header.locale is not None else locales[0]
        for locale in (each for each in locales if each != own and texts):
            at = PurePosixPath(path).with_suffix(f".{locale}.po").as_posix()
            text = project.extra(at)
            if text is None:
                found.append(no_catalogue(file, at, locale, len(texts)))
                continue
            sources[at] = SourceFile(at, text)
            found += _compared(file, texts, sources[at], locale)
    return Checked(tuple(found), sources)


def _texts(file: FlowFile, source: SourceFile | None) -> Iterator[tuple[str, Text]]:
    """What the file may say, as a `msgid`, with its first place (the last pair of a key wins, so from the end)."""
    assert source is not None
    for text in reversed(list(_said(file))):
        written = "".join(_written(part, source) for part in text.parts)
        if WORD.search(TEMPLATE.sub("", written)):
            yield written, text


def _written(part: TextPart, source: SourceFile) -> str:
    match part:
        case Chunk(text):
            return text
        case _:
            return source.text[part.span.start : part.span.end]


def _said(file: FlowFile) -> Iterator[Text]:
    header = file.header
    if isinstance(header, FlowHeader) and header.reply_within is not None and header.reply_within.text is not None:
        yield header.reply_within.text
    for declaration in file.declarations:
        match declaration:
            case SlotDeclaration(ask=ask, reask=reask, checks=checks):
                yield from (text for text in (ask, reask) if text is not None)
                yield from (check.text for check in checks)
            case StateDeclaration(body=body):
                for statement in statements_in(body):
                    yield from _of_statement(statement)
            case AnywhereDeclaration(arms):
                for arm in arms:
                    for statement in statements_in(arm.body):
                        yield from _of_statement(statement)
            case _:
                pass


def _of_statement(statement: Statement) -> Iterator[Text]:
    match statement:
        case Say(texts, buttons, _, links):
            yield from (*texts, *buttons, *(link.label for link in links))
        case Ask(question=question) if question is not None:
            yield question
        case Choose(question=question, show=show):
            yield question
            if show is not None:
                yield show
        case Reject(text=text):
            yield text
        case _:
            return


# ----------------------------------------------------------------------------------------------------------- comparing


def _compared(file: FlowFile, texts: Mapping[str, Text], catalogue: SourceFile, locale: str) -> Iterator[Diagnostic]:
    entries = _entries(catalogue, locale)
    if isinstance(entries, Diagnostic):
        yield entries
        return
    translated: dict[str, str] = {}
    for written, text in sorted(texts.items(), key=lambda each: each[1].span.start):
        entry = entries.get(written)
        if entry is None:
            yield missing(text, catalogue.path, locale)
            continue
        translated[written] = entry[0]
        yield from _differs(text, written, entry, locale)
    yield from _same_buttons(file, texts, translated, entries, locale)


Entry = tuple[str, Span]


def _entries(catalogue: SourceFile, locale: str) -> dict[str, Entry] | Diagnostic:
    """The translations, each with the place of its `msgstr`. What is empty or fuzzy is none."""
    from babel.messages.pofile import PoFileError, read_po

    try:
        read: Catalog = read_po(BytesIO(catalogue.text.encode()), abort_invalid=True)
    except (PoFileError, ValueError) as error:
        return unreadable(catalogue, locale, str(error))
    places = _places(catalogue)
    found: dict[str, Entry] = {}
    for message in read:
        if isinstance(message.id, str) and message.id and isinstance(message.string, str):
            span = next(places, Span(catalogue.path, 0, 0))
            if message.string and not message.fuzzy:
                found[message.id] = message.string, span
    return found


def _places(catalogue: SourceFile) -> Iterator[Span]:
    """The place of each `msgstr` in order, without that of the header and those that are commented out."""
    blocks = re.finditer(r'^msgstr[ \t]+("(?:[^"\\\n]|\\.)*"(?:\n"(?:[^"\\\n]|\\.)*")*)', catalogue.text, re.MULTILINE)
    first = re.search(r'^msgid[ \t]+""\n(?!")', catalogue.text, re.MULTILINE)
    for index, block in enumerate(blocks):
        if index or first is None:
            yield Span(catalogue.path, block.start(1), block.end(1))


def _differs(text: Text, written: str, entry: Entry, locale: str) -> Iterator[Diagnostic]:
    translation, span = entry
    tree = _read(translation)
    if tree is None:
        yield bad_template(span, text, locale)
        return
    before, after = _read(written), tree
    wanted = _placeholders(before) if before is not None else frozenset()
    given = _placeholders(after)
    if wanted != given:
        yield other_placeholders(span, text, locale, sorted(wanted - given), sorted(given - wanted))


Read = tuple[str, tuple[TextPart, ...]]


def _read(written: str) -> Read | None:
    """The parts of a text as it is written between quotes, with the file that they are read from; None where they are
    no template."""
    inner, at = "", 0
    for tag in TEMPLATE.finditer(written):
        inner += _escaped(written[at : tag.start()]) + tag[0]
        at = tag.end()
    source = f'flow text 1.0.0\n\nstate start\n  say "{inner}{_escaped(written[at:])}"\n  end\n'
    parsed = parse(SourceFile("text.flow", source))
    if parsed.diagnostics:
        return None
    said = next(text for text in _said(parsed.file))
    return source, said.parts


def _escaped(characters: str) -> str:
    return "".join(ESCAPES.get(each, each) for each in characters)


def _placeholders(read: Read) -> frozenset[str]:
    """The values that a text shows, as they are written, filters and white space apart."""
    source, parts = read

    def inside(parts: tuple[TextPart, ...]) -> Iterator[str]:
        for part in parts:
            match part:
                case Chunk():
                    pass
                case Interpolation(value):
                    yield re.sub(r"\s+", "", source[value.span.start : value.span.end])
                case TextIf(branches):
                    for branch in branches:
                        yield from inside(branch.parts)
                case TextFor(items=items, parts=inner):
                    yield re.sub(r"\s+", "", source[items.span.start : items.span.end])
                    yield from inside(inner)

    return frozenset(inside(parts))


def _same_buttons(
    file: FlowFile, texts: Mapping[str, Text], translated: Mapping[str, str], entries: Mapping[str, Entry], locale: str
) -> Iterator[Diagnostic]:
    """Two buttons of one reply that a translation makes one."""
    for text in _said_with_buttons(file):
        seen: dict[str, str] = {}
        for button in text.buttons:
            plain = button.plain or ""
            word = translated.get(plain)
            if word is None:
                continue
            if word in seen and seen[word] != plain:
                yield same_button(entries[plain][1], button, locale, seen[word])
            seen[word] = plain


def _said_with_buttons(file: FlowFile) -> Iterator[Say]:
    bodies = [each.body for each in file.declarations if isinstance(each, StateDeclaration)]
    bodies += [arm.body for each in file.declarations if isinstance(each, AnywhereDeclaration) for arm in each.arms]
    for body in bodies:
        yield from (each for each in statements_in(body) if isinstance(each, Say) and len(each.buttons) > 1)


# --------------------------------------------------------------------------------------------------------- diagnostics

MISSING_TRANSLATION: Final = Code("FLW803", "missing-translation", Severity.WARNING, fixed=False)
TRANSLATION_DIFFERS: Final = Code("FLW804", "translation-differs", Severity.ERROR, fixed=False)


def no_catalogue(file: FlowFile, at: str, locale: str, count: int) -> Diagnostic:
    header = file.header
    span = Span(file.path, 0, 0) if header is None else header.name.span
    texts = "one text" if count == 1 else f"{count} texts"
    return Diagnostic(
        MISSING_TRANSLATION,
        f"there is no `{at}`",
        (Label(span, f"{texts} without a translation into `{locale}`"),),
        help=f"write that file, or take `{locale}` out of `locales` in `flowc.toml`",
    )


def missing(text: Text, at: str, locale: str) -> Diagnostic:
    return Diagnostic(
        MISSING_TRANSLATION,
        f"this text has no translation into `{locale}`",
        (Label(text.span, f"not in `{at}`, or empty or fuzzy there"),),
        help=f"add it to `{at}`: `msgid` is what stands between the quotes here",
    )


def unreadable(catalogue: SourceFile, locale: str, why: str) -> Diagnostic:
    number = re.search(r" on (\d+)$|line (\d+)", why)
    line = int(number[1] or number[2]) + 1 if number else 1
    start = sum(len(catalogue.line(each)) + 1 for each in range(1, min(line, catalogue.line_count)))
    return Diagnostic(
        MISSING_TRANSLATION,
        f"`{catalogue.path}` is no catalogue, so nothing of it is said in `{locale}`",
        (Label(Span(catalogue.path, start, start), "cannot be read from here on"),),
        help='each entry is `msgid "…"` and `msgstr "…"`, a longer one continues in quotes on the next line',
    )


def bad_template(span: Span, text: Text, locale: str) -> Diagnostic:
    return Diagnostic(
        TRANSLATION_DIFFERS,
        f"the translation into `{locale}` is no text with `{{{{ }}}}`",
        (Label(span, "a part of it is never closed, or no expression"), Label(text.span, "of this", secondary=True)),
        help="take over the parts in `{{ }}` and `{% %}` as they are",
    )


def other_placeholders(span: Span, text: Text, locale: str, lost: list[str], new: list[str]) -> Diagnostic:
    words = [f"does not show `{each}`" for each in lost] + [f"shows `{each}`" for each in new]
    return Diagnostic(
        TRANSLATION_DIFFERS,
        f"the translation into `{locale}` {' and '.join(words)}",
        (Label(span, "other values than the text has"), Label(text.span, "of this", secondary=True)),
        help="show the same values in every locale",
    )


def same_button(span: Span, button: Text, locale: str, other: str) -> Diagnostic:
    return Diagnostic(
        TRANSLATION_DIFFERS,
        f'in `{locale}` this button says the same as "{other}"',
        (Label(span, "two buttons of one reply"), Label(button.span, "of this", secondary=True)),
        help="give each button its own words",
    )
