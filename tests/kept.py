"""What formatting must keep of a text: everything but white space."""

from flowc.dsl.format import format_source
from flowc.dsl.layout import scan
from flowc.dsl.nodes import shape
from flowc.dsl.parse import Parsed, ParsedChat, parse, parse_chat
from flowc.dsl.source import SourceFile

STRUCTURE = {"_NEWLINE", "_INDENT", "_DEDENT"}


def keeps_everything(before: SourceFile) -> None:
    after = SourceFile(before.path, formatted(before))
    assert formatted(after) == after.text
    assert tokens(after) == tokens(before)
    assert comments(after) == comments(before)
    assert shape(parsed(after).file) == shape(parsed(before).file)
    assert "\r\n" not in after.text
    assert not after.text or (after.text.endswith("\n") and not after.text.endswith("\n\n"))


def formatted(text: SourceFile) -> str:
    answer = format_source(text)
    assert answer.diagnostics == ()
    assert answer.changed == (answer.text != text.text)
    return answer.text


def parsed(text: SourceFile) -> Parsed | ParsedChat:
    return parse_chat(text) if text.path.endswith(".chat") else parse(text)


def tokens(text: SourceFile) -> list[tuple[str, str]]:
    """All but white space and the indentation of blocks, which is compared in the trees."""
    tokens = scan(text).tokens
    return [(each.type, "" if each.type in STRUCTURE or each.text.startswith('"""') else each.text) for each in tokens]


def comments(text: SourceFile) -> list[str]:
    return [each.text.rstrip() for each in scan(text).comments]
