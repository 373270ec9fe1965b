"""Statements that neither wait nor call: say, set, clear, mark, and where control goes inside a flow."""

from collections.abc import Mapping, Sequence

from flowc.runtime.kernel.evaluate import Evaluate
from flowc.runtime.kernel.events import ReplyLink
from flowc.runtime.kernel.functions import equal
from flowc.runtime.kernel.loaded import Code
from flowc.runtime.kernel.running import Running
from flowc.runtime.kernel.texts import TextOf, TextsOf
from flowc.runtime.values import Value


def say(texts: Sequence[TextOf], next: int) -> Code:
    """Says the text, or one of several."""
    if len(texts) == 1:
        return _say_plain(texts[0], next)

    def run(running: Running) -> int:
        running.say(texts[running.draw(len(texts))](running))
        return next

    return run


def _say_plain(text: TextOf, next: int) -> Code:
    def run(running: Running) -> int:
        running.say(text(running))
        return next

    return run


def say_with(
    texts: Sequence[TextOf],
    attached: tuple[TextsOf, TextsOf, Sequence[tuple[TextOf, TextOf]]],
    next: int,
) -> Code:
    """Says a text with buttons, images and links."""
    buttons, images, links = attached

    def run(running: Running) -> int:
        text = texts[running.draw(len(texts)) if len(texts) > 1 else 0]
        running.say(
            text(running),
            buttons(running),
            images(running),
            tuple([ReplyLink(label(running), url(running)) for label, url in links]) if links else (),
        )
        return next

    return run


def assign(name: str, value: Evaluate, next: int) -> Code:
    def run(running: Running) -> int:
        running.top.run.variables[name] = value(running)
        running.grown = True
        return next

    return run


def clear(names: Sequence[str], next: int) -> Code:
    def run(running: Running) -> int:
        variables = running.top.run.variables
        for name in names:
            variables.pop(name, None)
        return next

    return run


def mark(milestone: TextOf, next: int) -> Code:
    def run(running: Running) -> int:
        running.note("mark", running.top, milestone(running))
        return next

    return run


def jump(to: int) -> Code:
    return lambda running: to


def branch(condition: Evaluate, next: int, otherwise: int) -> Code:
    return lambda running: next if condition(running) else otherwise


def match_values(subject: Evaluate, cases: Sequence[tuple[Value, int]], otherwise: int) -> Code:
    """To the first case that equals. Texts, which most are, by one look into a table."""
    if all(isinstance(value, str) for value, _ in cases):
        table: Mapping[object, int] = dict(reversed(cases))
        return lambda running: _in_table(table, subject(running), otherwise)

    def run(running: Running) -> int:
        value = subject(running)
        for case, to in cases:
            if isinstance(case, bool) is isinstance(value, bool) and equal(case, value):
                return to
        return otherwise

    return run


def _in_table(table: Mapping[object, int], value: Value, otherwise: int) -> int:
    return table.get(value, otherwise) if isinstance(value, str) else otherwise
