"""What changed in one flow.

States are matched by name, else by shape (`flowc.compiler.shapes`). Whatever else differs between two matched states
is named too, so that no change goes unsaid.
"""

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final

from flowc.compiler.change import Action, Change, Subject, field_changes
from flowc.compiler.picture import Picture, picture
from flowc.compiler.shapes import Shape, renamed, shapes
from flowc.compiler.spelling import spelled_template
from flowc.compiler.types import spelled
from flowc.runtime.durations import spelled_duration
from flowc.runtime.program import Ask, Choose, End, Flow, Listen, Slot, Template

__all__ = ["flow_changes"]

LONGEST: Final = 60  # letters of a text in a report
Edge = tuple[str, str, str]  # box, kind, label


def flow_changes(old: Flow, new: Flow) -> Iterator[Change]:
    """What differs between two versions of a flow, from the large to the small."""
    names = renamed(old, new)
    yield from _states(old, new, names)
    yield from _edges(old, new, names)
    yield from _questions(old, new, names)
    yield from _outcomes(old, new)
    yield from _variables(old, new)
    yield from _intents(old, new)
    yield from _events(old, new)
    yield from _header(old, new)
    yield from _slots(old, new)


def _change(flow: Flow, subject: Subject, action: Action, name: str, text: str) -> Change:
    return Change(flow.name, subject, action, name, text, "minor")


def _number(flow: Flow, subject: Subject, name: str, text: str) -> Change:
    return Change(flow.name, subject, "changed", name, text, "patch")


# ------------------------------------------------------------------------------------------------------------- states


def _states(old: Flow, new: Flow, names: Mapping[str, str]) -> Iterator[Change]:
    for name, to in names.items():
        text = f"the state `{name}` is `{to}` now"
        yield Change(old.name, "state", "renamed", name, text, "minor", to)
    came = set(new.states) - set(old.states) - set(names.values())
    for name in (name for name in old.states if name not in new.states and name not in names):
        yield _change(old, "state", "removed", name, f"the state `{name}` is gone")
    for name in (name for name in new.states if name in came):
        yield _change(old, "state", "added", name, f"the state `{name}` is new")
    before, after = shapes(old, names), shapes(new)
    for name, shape in before.items():
        to = names.get(name, name)
        if to in after:
            yield from _shape(old, to, shape, after[to])
    if names.get(old.start, old.start) != new.start:
        yield _change(old, "state", "changed", new.start, f"it begins in `{new.start}`, not in `{old.start}`")


def _shape(flow: Flow, name: str, old: Shape, new: Shape) -> Iterator[Change]:
    if old.lines != new.lines:
        yield _change(flow, "state", "changed", name, f"what happens in `{name}` changed")
    yield from _texts(flow, name, old.texts, new.texts)
    if len(old.numbers) == len(new.numbers):
        for (what, before), (_, after) in zip(old.numbers, new.numbers, strict=True):
            if before != after:
                yield _number(flow, "bound", name, f"`{name}`: {_bound(what, before, after)}")


def _bound(what: str, old: int, new: int) -> str:
    match what:
        case "after_ms":
            return f"silence is {spelled_duration(new)}, was {spelled_duration(old)}"
        case "within_ms":
            return f"the job has {spelled_duration(new)}, had {spelled_duration(old)}"
        case _:
            return f"`resume` up to {new} times, was {old}"


def _texts(flow: Flow, name: str, old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[Change]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for action, first, end, begin, last in matcher.get_opcodes():
        if action != "equal":
            for before, after in zip_longest(old[first:end], new[begin:last]):
                yield _number(flow, "text", name, f"`{name}` {_said(before, after)}")


def _said(old: str | None, new: str | None) -> str:
    match old, new:
        case None, str(text):
            return f"also says {_short(text)}"
        case str(text), None:
            return f"no longer says {_short(text)}"
        case _:
            return f"says {_short(new or '')}, was {_short(old or '')}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 2].rstrip() + '…"'


# -------------------------------------------------------------------------------------------------------------- edges


def _edges(old: Flow, new: Flow, names: Mapping[str, str]) -> Iterator[Change]:
    """What leads elsewhere, once for each box and label."""
    before, after = _targets(picture(old), names), _targets(picture(new), {})
    boxes = {name for name, _, _ in before} & {name for name, _, _ in after}
    for edge in [*before, *(edge for edge in after if edge not in before)]:
        box, _, label = edge
        was, now = before.get(edge, ()), after.get(edge, ())
        if box not in boxes or set(was) == set(now):
            continue
        on = f"`{box}`" + (f" on `{label}`" if label else "")
        if not was:
            yield _change(old, "edge", "added", box, f"{on} goes to {_listed(now)}")
        elif not now:
            yield _change(old, "edge", "removed", box, f"{on} no longer goes to {_listed(was)}")
        else:
            yield _change(old, "edge", "changed", box, f"{on} goes to {_listed(now)}, was {_listed(was)}")


def _targets(drawn: Picture, names: Mapping[str, str]) -> dict[Edge, tuple[str, ...]]:
    """Where each label of each box leads, without the numbers in labels."""
    found: dict[Edge, list[str]] = {}
    texts = [names.get(box.text, box.text) if box.kind == "state" else box.text for box in drawn.boxes]
    for arrow in drawn.arrows:
        for label in arrow.labels or ("",):
            words = "silence" if label.startswith("silence ") else label.partition(", after ")[0]
            found.setdefault((texts[arrow.source], arrow.kind, words), []).append(texts[arrow.target])
    return {edge: tuple(dict.fromkeys(targets)) for edge, targets in found.items()}


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(f"`{name}`" for name in names)


# ---------------------------------------------------------------------------------------------- questions, outcomes


def _questions(old: Flow, new: Flow, names: Mapping[str, str]) -> Iterator[Change]:
    """Waits for the user that are gone or new, in states that both versions have."""
    before = {_moved(wait, names): wait for wait, at in old.waits.items() if _is_question(old, at)}
    after = {wait: wait for wait, at in new.waits.items() if _is_question(new, at)}
    kept = {names.get(state, state) for state in old.states} & set(new.states)
    for wait, was in before.items():
        if wait not in after and wait.partition(".")[0] in kept:
            yield _change(old, "question", "removed", was, f"`{was}` is gone")
    for wait in after:
        if wait not in before and wait.partition(".")[0] in kept:
            yield _change(old, "question", "added", wait, f"`{wait}` is new")


def _is_question(flow: Flow, at: int) -> bool:
    return isinstance(flow.code[at], Ask | Choose | Listen)


def _moved(wait: str, names: Mapping[str, str]) -> str:
    state = wait.partition(".")[0]
    return names.get(state, state) + wait.removeprefix(state)


def _outcomes(old: Flow, new: Flow) -> Iterator[Change]:
    before, after = _ends(old), _ends(new)
    for name in sorted(after - before):
        yield _change(old, "outcome", "added", name, f"may now end with `{name}`")
    for name in sorted(before - after):
        yield _change(old, "outcome", "removed", name, f"no longer ends with `{name}`")
    for text in field_changes(old.takes, new.takes):
        yield _change(old, "outcome", "changed", "takes", f"takes: {text}")
    for text in field_changes(old.gives, new.gives):
        yield _change(old, "outcome", "changed", "gives", f"gives: {text}")


def _ends(flow: Flow) -> frozenset[str]:
    return frozenset(each.outcome for each in flow.code if isinstance(each, End) and each.outcome is not None)


# ------------------------------------------------------------------------------------- variables, slots, what is heard


def _variables(old: Flow, new: Flow) -> Iterator[Change]:
    for name, before in old.variables.items():
        after = new.variables.get(name)
        if after is not None and after != before:
            text = f"`{name}` is `{spelled(after)}`, was `{spelled(before)}`"
            yield _change(old, "variable", "changed", name, text)


def _slots(old: Flow, new: Flow) -> Iterator[Change]:
    for name, before in old.slots.items():
        after = new.slots.get(name)
        if after is not None:
            yield from _slot(old, before, after)


def _slot(flow: Flow, old: Slot, new: Slot) -> Iterator[Change]:
    name = old.name
    questions = ((old.ask, new.ask), (old.reask, new.reask))
    for before, after in questions:
        if _spelled(before) != _spelled(after):
            text = f"the question for `{name}` {_said(_spelled(before), _spelled(after))}"
            yield _number(flow, "text", name, text)
    if old.tries != new.tries:
        yield _number(flow, "bound", name, f"`{name}` takes {new.tries} tries, was {old.tries}")
    if old.words != new.words:
        yield _number(flow, "text", name, f"other words stand for the values of `{name}`")
    conditions = [tuple(check.condition for check in slot.checks) for slot in (old, new)]
    if conditions[0] != conditions[1]:
        yield _change(flow, "question", "changed", name, f"what is checked of `{name}` changed")
    elif [_spelled(check.text) for check in old.checks] != [_spelled(check.text) for check in new.checks]:
        yield _number(flow, "text", name, f"what is said about a wrong `{name}` changed")


def _spelled(template: Template | None) -> str | None:
    return None if template is None else spelled_template(template)


def _intents(old: Flow, new: Flow) -> Iterator[Change]:
    for name in [*old.intents, *(name for name in new.intents if name not in old.intents)]:
        before, after = old.intents.get(name), new.intents.get(name)
        if before is None:
            yield _change(old, "intent", "added", name, f"the intent `{name}` is new")
        elif after is None:
            yield _change(old, "intent", "removed", name, f"the intent `{name}` is gone")
        elif before.slots != after.slots:
            yield _change(old, "intent", "changed", name, f"the examples of `{name}` name other slots")
        elif before != after:
            yield _number(old, "intent", name, f"`{name}` has other examples")


def _events(old: Flow, new: Flow) -> Iterator[Change]:
    for name in [*old.events, *(name for name in new.events if name not in old.events)]:
        before, after = old.events.get(name), new.events.get(name)
        if before is None:
            yield _change(old, "event", "added", name, f"the event `{name}` is new")
        elif after is None:
            yield _change(old, "event", "removed", name, f"the event `{name}` is gone")
        else:
            for text in field_changes(before.fields, after.fields):
                yield _change(old, "event", "changed", name, f"the event `{name}`: {text}")


def _header(old: Flow, new: Flow) -> Iterator[Change]:
    """The numbers and words of the header."""
    if old.reply_within_ms != new.reply_within_ms:
        before, after = (_time(each.reply_within_ms) for each in (old, new))
        yield _number(old, "policy", "reply within", f"`reply within` is {after}, was {before}")
    if _spelled(old.reply_within_text) != _spelled(new.reply_within_text):
        yield _number(old, "text", "reply within", "what is said when a reply takes long changed")
    if old.confidence != new.confidence:
        text = f"`confidence` is {new.confidence or 'its caller’s'}, was {old.confidence or 'its caller’s'}"
        yield _number(old, "policy", "confidence", text)
    if old.priorities != new.priorities:
        yield _number(old, "policy", "priority", "its priority changed")
    if old.merge_within_ms != new.merge_within_ms:
        yield _number(old, "policy", "while busy", "what happens to messages of a busy conversation changed")
    if old.locale != new.locale:
        yield _number(old, "policy", "locale", f"its locale is {new.locale or 'its caller’s'}")


def _time(ms: int | None) -> str:
    return "its caller’s" if ms is None else spelled_duration(ms)
