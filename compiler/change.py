"""One change from a program to the next, as a value."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from flowc.compiler.types import spelled
from flowc.runtime.types import Field

__all__ = ["BOT", "Action", "Change", "Subject", "field_changes"]

Subject = Literal[
    "flow", "state", "edge", "question", "outcome", "text", "policy", "bound",
    "variable", "intent", "event", "operation", "setting", "order",
]  # fmt: skip
Action = Literal["added", "removed", "changed", "renamed"]
BOT: Final = ""


@dataclass(frozen=True, slots=True)
class Change:
    """`flow` is empty for what belongs to the whole bot; `name` is that of what changed, `text` says how, in words. A
    `patch` changes words or numbers, a `minor` what happens. A state that was renamed is `to` now."""

    flow: str
    subject: Subject
    action: Action
    name: str
    text: str
    level: Literal["patch", "minor"]
    to: str | None = None


def field_changes(old: Iterable[Field], new: Iterable[Field]) -> Iterator[str]:
    """How two lists of fields differ, in words."""
    before, after = ({field.name: spelled(field.type) for field in fields} for fields in (old, new))
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after:
            yield f"`{name}` is gone"
        elif name not in before:
            yield f"`{name}: {after[name]}` is new"
        elif before[name] != after[name]:
            yield f"`{name}` is `{after[name]}`, was `{before[name]}`"
