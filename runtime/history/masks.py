"""What may be shown of a conversation: values by the marks of their types, texts without the marked values in them.

Two nets, for each has holes. A value is shown by its type, and one whose type is not known is not shown. And each
marked value that comes by is remembered, so that a text that repeats it (a message, a reply, a backend's words) is
shown without it.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from flowc.runtime.durations import spelled_duration
from flowc.runtime.program import Builtin, Each, Expression, Flow, Get, Local, Program, Template, Variable, Words
from flowc.runtime.types import Basic, Field, ListOf, Marked, Number, Optional, Record, Text, Type
from flowc.runtime.values import Money, Value

__all__ = ["MASK", "Masks", "is_marked", "type_of"]

MASK: Final = "•••"
LONGEST: Final = 100  # characters of a value that are shown
SHORTEST: Final = 2  # of a value that is looked for in texts
SHORTEST_WORD: Final = 4  # of one word of it

NAMES_OF_USER: Final = {"locale": Text(), "zone": Text(), "channel": Text()}  # its id and name are marked


class Masks:
    """Of one conversation: it remembers the marked values of it. `program` is the version that it runs just now."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def under(self, program: Program) -> None:
        """What follows is of another version, whose records may differ."""
        self._program = program

    # ----------------------------------------------------------------------------------------------------------- values

    def shown(self, type: Type | None, value: Value) -> str:
        """A value in one line. Without a type only none, true and false are."""
        written = self._written(type, value)
        return written if len(written) <= LONGEST else written[: LONGEST - 1] + "…"

    def _written(self, type: Type | None, value: Value) -> str:
        match type, value:
            case _, None:
                return "none"
            case None, bool():
                return "true" if value else "false"
            case ((None | Marked()), _):
                return MASK
            case Optional(inner), _:
                return self._written(inner, value)
            case ListOf(item), tuple():
                return f"[{', '.join(self._written(item, each) for each in value)}]"
            case Record(name), dict():
                fields = {field.name: field.type for field in self._program.records[name]}
                return f"{{{', '.join(f'{key}: {self._written(fields.get(key), of)}' for key, of in value.items())}}}"
            case _, str():
                return f'"{self.text(value)}"'
            case _:
                return plain(value)

    def learn(self, type: Type | None, value: Value) -> None:
        """Remembers what is marked in a value."""
        match type, value:
            case (None, _) | (_, None):
                pass
            case Marked(), _:
                self._remember(value)
            case Optional(inner), _:
                self.learn(inner, value)
            case ListOf(item), tuple():
                for each in value:
                    self.learn(item, each)
            case Record(name), dict():
                self.learn_fields(self._program.records[name], value)

    def learn_fields(self, fields: tuple[Field, ...], values: Mapping[str, Value]) -> None:
        for field in fields:
            self.learn(field.type, values.get(field.name))

    def learn_text(self, said: str) -> None:
        """A text that is private as a whole."""
        self._remember(said)

    def _remember(self, value: Value) -> None:
        match value:
            case bool():
                return  # `true` in a text is not it
            case tuple():
                for each in value:
                    self._remember(each)
            case dict():
                for each in value.values():
                    self._remember(each)
            case str():
                words = [word for word in re.findall(r"[^\W_]+", value) if len(word) >= SHORTEST_WORD]
                self._known.update([" ".join(value.split()), value.strip(), *words])
            case _:
                self._known.add(plain(value))
        self._pattern = None

    # ------------------------------------------------------------------------------------------------------------ texts

    def text(self, said: str) -> str:
        """A text without the marked values that are known."""
        if self._pattern is None:
            known = sorted((each for each in self._known if len(each) >= SHORTEST), key=lambda each: (-len(each), each))
            either = "|".join(map(re.escape, known)) or r"(?!)"
            self._pattern = re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)
        return self._pattern.sub(MASK, said)

    def reply(self, said: str, flow: Flow, state: str) -> str:
        """A reply. Where it may be one that shows a marked value, only the flow's own words of it are shown."""
        for template in masked_templates(flow, state):
            if re.fullmatch(pattern_of(template), said, re.DOTALL):
                return "".join(part.text if isinstance(part, Words) else MASK for part in template.parts)
        return self.text(said)


def plain(value: Value) -> str:
    """A value as people write it."""
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case timedelta():
            return spelled_duration(round(value.total_seconds() * 1000))
        case Money(amount, currency):
            return f"{amount} {currency}"
        case datetime() | date() | time():
            return value.isoformat()
        case str() | int() | Decimal():
            return str(value)
        case _:
            return MASK


def is_marked(type: Type | None, records: Mapping[str, tuple[Field, ...]]) -> bool:
    """Whether a value of this type has something marked in it, or nobody knows."""
    match type:
        case None | Marked():
            return True
        case Optional(inner) | ListOf(inner):
            return is_marked(inner, records)
        case Record(name):
            return any(isinstance(field.type, Marked) for field in records[name])
        case _:
            return False


# ------------------------------------------------------------------------------------------------------------ templates


def masked_templates(flow: Flow, state: str) -> list[Template]:
    """The texts that show a marked value and may have been said in that state: those of its code, of the handlers for
    an arm, of the slots everywhere."""
    found = [text for text in _texts_of_slots(flow) if text.masked]
    entries = sorted((each.entry, name) for name, each in flow.states.items())
    ends = {name: after for (_, name), (after, _) in zip(entries, [*entries[1:], (len(flow.code), "")], strict=True)}
    begin, end = (flow.states[state].entry, ends[state]) if state in ends else (0, len(flow.code))
    for instruction in flow.code[begin:end]:
        found += [text for text in _texts_in(instruction) if text.masked]
    return found


def _texts_of_slots(flow: Flow) -> list[Template]:
    several = [(slot.ask, slot.reask, *(check.text for check in slot.checks)) for slot in flow.slots.values()]
    return [text for texts in several for text in texts if text is not None]


def _texts_in(instruction: object) -> list[Template]:
    """Every template in an instruction, whichever field it is in: a new kind of text is masked by itself."""
    match instruction:
        case Template():
            return [instruction]
        case tuple() | list():
            return [text for each in instruction for text in _texts_in(each)]
        case _ if hasattr(instruction, "__struct_fields__"):
            return [text for name in instruction.__struct_fields__ for text in _texts_in(getattr(instruction, name))]
        case _:
            return []


def pattern_of(template: Template) -> str:
    return "".join(re.escape(part.text) if isinstance(part, Words) else ".*" for part in template.parts)


# ------------------------------------------------------------------------------------------------ types of what is read


def type_of(expression: Expression, flow: Flow, program: Program, locals: Mapping[str, Type]) -> Type | None:
    """The type of a variable or field; None where that is not known."""
    match expression:
        case Variable(name):
            return flow.variables.get(name)
        case Local(name):
            return locals.get(name)
        case Builtin("today" | "now"):
            return Basic("date")
        case Get(Builtin("message"), "intent"):
            return Text()
        case Get(Builtin("message"), "confidence"):
            return Number()
        case Get(Builtin("user"), field):
            declared = {each.name: each.type for each in program.user_fields}
            return NAMES_OF_USER.get(field) or declared.get(field)
        case Get(Local("error"), "kind" | "service" | "operation"):
            return Text()
        case Get(Local(name), field) if name not in locals:
            return _field_of_local(name, field, flow, program)
        case Get(target, field) | Each(target, field):
            return _field(type_of(target, flow, program, locals), field, program, is_each=isinstance(expression, Each))
        case _:
            return None


def _field_of_local(name: str, field: str, flow: Flow, program: Program) -> Type | None:
    """Of an event or a failure of that name; None where two of them do not agree."""
    several = [flow.events[name].fields] if name in flow.events else []
    for service in program.services.values():
        for operation in service.operations.values():
            several += [failure.fields for failure in operation.failures if failure.name == name]
    types = {each.type for fields in several for each in fields if each.name == field}
    return types.pop() if len(types) == 1 else None


def _field(of: Type | None, name: str, program: Program, *, is_each: bool) -> Type | None:
    match of:
        case Optional(inner):
            return _field(inner, name, program, is_each=is_each)
        case Marked(mark, inner):
            found = _field(inner, name, program, is_each=is_each)
            return None if found is None else Marked(mark, found)
        case ListOf(item) if is_each:
            found = _field(item, name, program, is_each=False)
            return None if found is None else ListOf(found)
        case Record(record):
            return next((field.type for field in program.records[record] if field.name == name), None)
        case _:
            return None
