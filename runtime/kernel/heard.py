"""What a message says: values for slots, and an answer read from its words where understanding found none."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from flowc.runtime.kernel.events import Found
from flowc.runtime.kernel.loaded import LoadedFlow, LoadedSlot
from flowc.runtime.kernel.words import DefaultWords
from flowc.runtime.types import Basic, Choice, Integer, ListOf, Number, Record, Text
from flowc.runtime.values import Malformed, Shapes, Value, fits, from_json

_INTEGER: Final = re.compile(r"[+-]?\d{1,18}")
_NUMBER: Final = re.compile(r"[+-]?\d{1,18}([.,]\d{1,12})?")


def fold(text: str) -> str:
    """A text for comparing: without case, punctuation at its ends and repeated white space."""
    return " ".join(text.casefold().split()).strip(" .,;:!?'\"()")


def tokens(text: str) -> list[str]:
    """The words of a text, without case and punctuation."""
    return re.findall(r"\w+", text.casefold())


def contains_words(text: str, part: str) -> bool:
    """Whether the words of `part` stand in `text`, next to each other."""
    words = tokens(part)
    return bool(words) and f" {' '.join(words)} " in f" {' '.join(tokens(text))} "


def heard_values(flow: LoadedFlow, found: Iterable[Found], asked: str | None, shapes: Shapes) -> dict[str, Value]:
    """The values that a message gives to the slots of a flow, by name; of two for one slot the first. A value that
    only its type identifies is for the slot being asked, else for the one slot of that type, else for none."""
    heard: dict[str, Value] = {}
    typed: dict[str, Value] = {}
    for each in found:
        named = each.slot is not None
        name = each.slot if each.slot is not None else _slot_of_type(flow, each, asked)
        slot = flow.slots.get(name) if name is not None else None
        if slot is None:
            continue
        value = normalised(slot, each.value)
        if fits(slot.type, value, shapes):
            (heard if named else typed).setdefault(slot.name, value)
    return {**typed, **heard}


def _slot_of_type(flow: LoadedFlow, found: Found, asked: str | None) -> str | None:
    if asked is not None and asked in found.slots and not flow.slots[asked].is_plain:
        return asked
    fitting = [name for name in found.slots if name in flow.slots and not flow.slots[name].is_plain]
    return fitting[0] if len(fitting) == 1 else None


def said_values(found: Iterable[Found], heard: Mapping[str, Value]) -> dict[str, Value]:
    """What a message said by the names of slots, those of other flows included: what a flow that is called may take
    over."""
    named = {each.slot: each.value for each in found if each.slot is not None}
    return {**named, **heard}


def normalised(slot: LoadedSlot, value: Value) -> Value:
    """A value with the other words of a choice replaced by the value that they are for, and a text trimmed."""
    if not isinstance(value, str):
        return value
    trimmed = value.strip()
    return slot.words.get(fold(trimmed), trimmed) if slot.words else trimmed


def read_answer(slot: LoadedSlot, text: str, words: DefaultWords, shapes: Shapes) -> Value:
    """The answer to a question about a slot that is the whole message, or the one value of a choice that it contains;
    none where there is none. Slots of plain text are not read here."""
    value = _read(slot, text.strip(), words, shapes)
    return value if value is not None and fits(slot.type, value, shapes) else None


def _read(slot: LoadedSlot, text: str, words: DefaultWords, shapes: Shapes) -> Value:
    match slot.type:
        case Choice():
            return _read_choice(slot, text)
        case Basic(name="boolean"):
            folded = fold(text)
            return True if folded in words.yes_words else False if folded in words.no_words else None
        case Basic():
            return _read_basic(slot, text, shapes)
        case Integer():
            return int(text) if _INTEGER.fullmatch(text) else None
        case Number():
            return _from_json_number(slot, text, shapes) if _NUMBER.fullmatch(text) else None
        case Text():
            return text
        case ListOf() | Record() | _:
            return None


def _read_choice(slot: LoadedSlot, text: str) -> Value:
    whole = slot.words.get(fold(text))
    if whole is not None:
        return whole
    contained = {value for word, value in slot.words.items() if contains_words(text, word)}
    return contained.pop() if len(contained) == 1 else None


def _read_basic(slot: LoadedSlot, text: str, shapes: Shapes) -> Value:
    try:
        return from_json(slot.type, text, shapes)
    except Malformed:
        return None


def _from_json_number(slot: LoadedSlot, text: str, shapes: Shapes) -> Value:
    try:
        return from_json(slot.type, float(text.replace(",", ".")), shapes)
    except Malformed:
        return None
