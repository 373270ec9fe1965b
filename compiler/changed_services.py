"""What changed in the contracts of services, and in the numbers of their policies."""

from collections.abc import Iterator

import msgspec

from flowc.compiler.change import BOT, Change, field_changes
from flowc.compiler.types import spelled
from flowc.runtime.program import Operation, Program, Service
from flowc.runtime.types import Type

__all__ = ["service_changes"]


def service_changes(old: Program, new: Program) -> Iterator[Change]:
    """The services that the bot calls; an operation is named `SERVICE.OPERATION`."""
    for name in [*old.services, *(name for name in new.services if name not in old.services)]:
        before, after = old.services.get(name), new.services.get(name)
        if before is None:
            yield Change(BOT, "operation", "added", name, f"the service `{name}` is new", "minor")
        elif after is None:
            yield Change(BOT, "operation", "removed", name, f"the service `{name}` is gone", "minor")
        else:
            yield from _service(before, after)


def _service(old: Service, new: Service) -> Iterator[Change]:
    name = old.name
    if (old.adapter, old.settings) != (new.adapter, new.settings):
        text = f"`{name}` is reached in another way (`via {new.adapter}`)"
        yield Change(BOT, "operation", "changed", name, text, "minor")
    if old.policy != new.policy:
        yield Change(BOT, "policy", "changed", name, f"`{name}` has other limits: {_differences(old, new)}", "patch")
    for each in [*old.operations, *(each for each in new.operations if each not in old.operations)]:
        before, after, full = old.operations.get(each), new.operations.get(each), f"{name}.{each}"
        if before is None:
            yield Change(BOT, "operation", "added", full, f"the operation `{full}` is new", "minor")
        elif after is None:
            yield Change(BOT, "operation", "removed", full, f"the operation `{full}` is gone", "minor")
        else:
            yield from _operation(full, before, after)


def _differences(old: Service, new: Service) -> str:
    return _numbers(old.policy, new.policy)


def _numbers(old: msgspec.Struct, new: msgspec.Struct) -> str:
    """The fields of two policies that differ."""
    fields = [
        f"{name} {_shown(getattr(new, name))}, was {_shown(getattr(old, name))}"
        for name in old.__struct_fields__
        if getattr(old, name) != getattr(new, name)
    ]
    return "; ".join(fields)


def _shown(value: object) -> str:
    """A number, or the numbers of a part of a policy."""
    if isinstance(value, msgspec.Struct):
        return "/".join(_shown(getattr(value, name)) for name in value.__struct_fields__)
    return "none" if value is None else str(value)


def _operation(name: str, old: Operation, new: Operation) -> Iterator[Change]:
    def changed(text: str) -> Change:
        return Change(BOT, "operation", "changed", name, text, "minor")

    if old.kind != new.kind:
        yield changed(f"`{name}` is a {new.kind}, was a {old.kind}")
    for text in field_changes(old.parameters, new.parameters):
        yield changed(f"`{name}`: {text}")
    if old.result != new.result:
        yield changed(f"`{name}` answers `{_type(new.result)}`, was `{_type(old.result)}`")
    yield from _outcomes(name, old, new)
    if (old.http, old.settings) != (new.http, new.settings):
        yield changed(f"`{name}` is requested in another way")
    if _carrier(old) != _carrier(new):
        yield changed(f"`{name}` sends its key in another way")
    remembered = [None if each.key is None else each.key.remembered_ms for each in (old, new)]
    if old.policy != new.policy or old.own != new.own or remembered[0] != remembered[1]:
        text = _numbers(old.policy, new.policy) or "limits of its own, or how long its key is remembered"
        yield Change(BOT, "policy", "changed", name, f"`{name}` has other limits: {text}", "patch")


def _outcomes(name: str, old: Operation, new: Operation) -> Iterator[Change]:
    for outcome in (each for each in new.outcomes if each not in old.outcomes):
        yield Change(BOT, "outcome", "added", name, f"`{name}` may now come to `{outcome}`", "minor")
    for outcome in (each for each in old.outcomes if each not in new.outcomes):
        yield Change(BOT, "outcome", "removed", name, f"`{name}` no longer comes to `{outcome}`", "minor")
    if old.failures != new.failures and set(old.outcomes) == set(new.outcomes):
        yield Change(BOT, "outcome", "changed", name, f"a failure of `{name}` tells other things", "minor")


def _carrier(operation: Operation) -> tuple[object, ...]:
    key = operation.key
    return () if key is None else (key.carrier, key.name, key.keeps_refusals)


def _type(of: Type | None) -> str:
    return "nothing" if of is None else spelled(of)
