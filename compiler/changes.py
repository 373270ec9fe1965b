"""What changed from one program to the next: in the graph, not in the lines. For people, and for the smallest honest
version."""

from collections.abc import Iterator

import msgspec

from flowc.compiler.change import BOT, Change, field_changes
from flowc.compiler.changed_flows import flow_changes
from flowc.compiler.changed_services import service_changes
from flowc.runtime.program import Program

__all__ = ["changes"]


def changes(old: Program, new: Program) -> tuple[Change, ...]:
    """Every change, flow by flow, then what belongs to the whole bot; empty where both do the same."""
    found = tuple(_changes(old, new))
    if not found and _content(old) != _content(new):
        text = "only the order of declarations, or what `migrate` says, changed"
        return (Change(BOT, "order", "changed", new.bot, text, "patch"),)
    return found


def _changes(old: Program, new: Program) -> Iterator[Change]:
    for name in [*old.flows, *(name for name in new.flows if name not in old.flows)]:
        if name not in new.flows:
            yield Change(name, "flow", "removed", name, f"the flow `{name}` is gone", "minor")
        elif name not in old.flows:
            yield Change(name, "flow", "added", name, f"the flow `{name}` is new", "minor")
        else:
            yield from flow_changes(old.flows[name], new.flows[name])
    yield from service_changes(old, new)
    yield from _records(old, new)
    yield from _settings(old, new)


def _records(old: Program, new: Program) -> Iterator[Change]:
    for name, before in old.records.items():
        for text in field_changes(before, new.records.get(name, before)):
            shown = name.partition("@")[0]
            yield Change(BOT, "variable", "changed", shown, f"`{shown}`: {text}", "minor")


def _settings(old: Program, new: Program) -> Iterator[Change]:
    """What `flowc.toml` says about the bot itself."""
    if old.main != new.main:
        text = f"conversations begin with `{new.main}`, not with `{old.main}`"
        yield Change(BOT, "setting", "changed", "main", text, "minor")
    for name in ("zone", "currency"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            text = f"`{name}` is {after or 'not set'}, was {before or 'not set'}"
            yield Change(BOT, "setting", "changed", name, text, "minor")
    for text in field_changes(old.user_fields, new.user_fields):
        yield Change(BOT, "setting", "changed", "user", f"`user`: {text}", "minor")
    if old.locales != new.locales:
        yield Change(BOT, "setting", "changed", "locales", f"the locales are {', '.join(new.locales)}", "patch")


def _content(program: Program) -> bytes:
    """The program without its versions, and without what is worked out from the rest."""
    flows = {name: msgspec.structs.replace(flow, version="") for name, flow in program.flows.items()}
    return msgspec.msgpack.encode(msgspec.structs.replace(program, flows=flows, version="", first_words_ms=0))
