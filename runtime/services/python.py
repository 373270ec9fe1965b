"""The `python` adapter: an async class whose methods are the operations.

    class Crm:
        async def customer(self, id: str) -> dict[str, str]:
            raise Failed("not_found")

A method takes the operation's parameters by name: values of the language as `flowc.runtime.values` describes them, a
record as a dict, or as the dataclass or msgspec Struct that its annotation names. What it returns is checked like JSON.
A parameter `idempotency_key` gets the key of a `key auto` write, the one that `key field NAME` names gets that of such
a write. A class with `__aenter__` and `__aexit__` is opened with the server and closed with it.
"""

import importlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import get_type_hints

import msgspec

from flowc.runtime.policy.verdict import Answered, Broken, Declared, Misshaped, RawAnswer, Rejected, TimedOut
from flowc.runtime.program import Operation, Service
from flowc.runtime.services.port import AttemptRequest
from flowc.runtime.services.settings import ServiceSettings
from flowc.runtime.values import Malformed, Money, Names, Shapes, Value, from_json, to_json

_PLAIN = (date, datetime, time, timedelta, Decimal)

Method = Callable[..., Awaitable[object]]


class Failed(Exception):  # noqa: N818 - named for who raises it
    """A business failure that the operation declares: `raise Failed("too_late", since=order.shipped_at)`."""

    def __init__(self, name: str, message: str = "", **fields: object) -> None:
        super().__init__(name)
        self.name = name
        self.message = message
        self.fields = fields


class PythonAdapter:
    """The operations of one object."""

    def __init__(self, target: object, methods: Mapping[str, "Bound"], shapes: Shapes, names: Names) -> None:
        self._target = target
        self._methods = methods
        self._shapes = shapes
        self._names: Names = names

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        if isinstance(self._target, AbstractAsyncContextManager):
            async with self._target:
                yield
        else:
            yield

    async def attempt(self, request: AttemptRequest) -> RawAnswer:
        bound = self._methods[request.operation.name]
        try:
            arguments = bound.arguments(request)
        except msgspec.ValidationError:
            return Rejected("an argument does not fit the annotation of its parameter")
        try:
            returned = await bound.method(**arguments)
        except Failed as failure:
            return self._declared(request.operation, failure)
        except TimeoutError:
            return TimedOut("the method raised TimeoutError")
        except Exception as error:  # noqa: BLE001 - other people's code: whatever it raises, it may have been done
            return Broken(f"the method raised {type(error).__name__}")
        return self._answered(request.operation, returned)

    def _answered(self, operation: Operation, returned: object) -> RawAnswer:
        if operation.result is None:
            return Answered()
        try:
            return Answered(from_json(operation.result, _plain(returned), self._shapes, names=self._names))
        except Malformed as error:
            place = f" at `{error.path}`" if error.path else ""
            return Misshaped(f"what the method returned does not fit the type{place}")
        except (TypeError, ValueError):
            return Misshaped(f"the method returned a {type(returned).__name__}")

    def _declared(self, operation: Operation, failure: Failed) -> RawAnswer:
        declared = {each.name: each for each in operation.failures}.get(failure.name)
        if declared is None:
            return Broken(f"the method raised Failed({failure.name!r}), which the operation does not declare")
        fields: dict[str, Value] = {}
        for field in declared.fields:
            try:
                fields[field.name] = from_json(field.type, _plain(failure.fields.get(field.name)), self._shapes)
            except (Malformed, TypeError, ValueError):
                # A refusal all the same: the method says that it did not do it.
                return Rejected(f"`{failure.name}`, but its field `{field.name}` does not fit")
        return Declared(failure.name, fields, failure.message)


@dataclass(frozen=True, slots=True)
class Bound:
    """A method, what its annotations say of its parameters, and the parameter that takes the key."""

    method: Method
    annotations: Mapping[str, object]
    key_parameter: str | None

    def arguments(self, request: AttemptRequest) -> dict[str, object]:
        """The keyword arguments. Raises msgspec.ValidationError."""
        arguments = {name: self._converted(name, value) for name, value in request.arguments.items()}
        if self.key_parameter is not None:
            arguments[self.key_parameter] = request.key
        return arguments

    def _converted(self, name: str, value: Value) -> object:
        annotation = self.annotations.get(name)
        if annotation is None or not _holds_records(value):
            return value
        return msgspec.convert(value, annotation)


def _holds_records(value: Value) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, tuple) and any(_holds_records(item) for item in value))


def load_python(
    service: Service, settings: ServiceSettings, shapes: Shapes, environment: str
) -> PythonAdapter | tuple[str, ...]:
    """The adapter, or a sentence for each thing that is wrong with its class."""
    where = f"`python` under [environments.{environment}.services.{service.name}] in flowc.toml"
    if settings.python is None:
        return (f'service `{service.name}` has no class: add {where}, such as "backends.crm:Crm"',)
    loaded = _imported(settings.python)
    if isinstance(loaded, str):
        return (f"service `{service.name}` cannot use {settings.python}: {loaded}; correct {where}",)
    try:
        target = loaded()
    except Exception as error:  # noqa: BLE001 - other people's code
        return (f"service `{service.name}`: {settings.python}() raised {type(error).__name__}: {error}",)
    problems = [problem for each in service.operations.values() for problem in _problems(each, target)]
    if problems:
        return tuple(f"service `{service.name}`: {settings.python} {problem}" for problem in problems)
    methods = {name: _bound(operation, target) for name, operation in service.operations.items()}
    return PythonAdapter(target, methods, shapes, settings.spelling)


def _imported(path: str) -> type | str:
    """The class at a module path, or why there is none."""
    module_name, colon, class_name = path.partition(":")
    if not colon or not module_name or not class_name:
        return 'it is written "module.path:Class"'
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # noqa: BLE001 - importing runs other people's code
        return f"importing `{module_name}` raised {type(error).__name__}: {error}"
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        return f"module `{module_name}` has no class `{class_name}`"
    return found


def _problems(operation: Operation, target: object) -> list[str]:
    """What keeps a method from being the operation."""
    method = getattr(target, operation.name, None)
    if method is None:
        return [f"has no method `{operation.name}`"]
    if not inspect.iscoroutinefunction(method):
        return [f"has `{operation.name}`, which is not `async def`"]
    parameters = inspect.signature(method).parameters
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        return []
    taken = {each.name for each in operation.parameters}
    missing = [name for name in taken if name not in parameters]
    more = [
        name
        for name, each in parameters.items()
        if each.default is inspect.Parameter.empty
        and each.kind is not inspect.Parameter.VAR_POSITIONAL
        and name not in taken | {_key_name(operation)}
    ]
    return [f"has `{operation.name}` without the parameter `{name}`" for name in sorted(missing)] + [
        f"has `{operation.name}` with the parameter `{name}`, which the operation does not have" for name in more
    ]


def _bound(operation: Operation, target: object) -> Bound:
    method: Method = getattr(target, operation.name)
    try:
        hints = get_type_hints(method)
    except (NameError, TypeError):
        hints = {}  # annotations that only a type checker can read: records stay dicts
    name = _key_name(operation)
    return Bound(method, hints, name if name in inspect.signature(method).parameters else None)


def _key_name(operation: Operation) -> str | None:
    if operation.key is None:
        return None
    return operation.key.name if operation.key.carrier == "field" else "idempotency_key"


def _plain(returned: object) -> object:
    """What a method returned as decoded JSON."""
    return _json(msgspec.to_builtins(returned, builtin_types=_PLAIN))


def _json(value: object) -> object:
    match value:
        case dict():
            return {str(key): _json(item) for key, item in value.items()}
        case list() | tuple():
            return [_json(item) for item in value]
        case date() | time() | timedelta() | Money():
            return to_json(value)
        case _:
            return value
