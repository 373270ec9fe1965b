"""Expressions as closures over an `Env`, made once when a program is loaded (0.8 µs for a condition, where a tree
walk takes 5)."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Final, assert_never, cast
from zoneinfo import ZoneInfo

from msgspec import Struct

from flowc.runtime.kernel.events import User
from flowc.runtime.kernel.functions import FUNCTIONS, get, local_time, text
from flowc.runtime.kernel.position import Message
from flowc.runtime.program import (
    Apply,
    Builtin,
    Constant,
    Each,
    Expression,
    Get,
    Local,
    MakeList,
    MakeRecord,
    Render,
    Template,
    Variable,
)
from flowc.runtime.values import Value

Evaluate = Callable[["Env"], Value]
_FIELDS_OF_USER: Final = ("id", "name", "locale", "channel")
_NOBODY: Final = User("")
_NO_MESSAGE: Final = Message()
_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)


class Env(Struct, eq=False):
    """What an expression may read. Belongs to one turn, which a `Running` is; `variables` and `locals` are those of
    the frame that runs. The built-in records are made when they are read, which is seldom."""

    now: datetime
    zone: ZoneInfo
    currency: str | None
    started: datetime
    conversation: str
    user: User
    message: Message
    variables: Mapping[str, Value]
    locals: Mapping[str, Value]
    loops: int

    @property
    def locale(self) -> str:
        """That of what is said."""
        return "en"

    @property
    def today(self) -> date:
        """The day in the user's zone."""
        return self.now.astimezone(self.zone).date()

    def user_record(self) -> Mapping[str, Value]:
        return {**self.user.declared, **{field: getattr(self.user, field) for field in _FIELDS_OF_USER}}

    def message_record(self) -> Mapping[str, Value]:
        said = self.message
        return {"text": said.text, "intent": said.intent, "confidence": Decimal(str(said.confidence))}

    def conversation_record(self) -> Mapping[str, Value]:
        return {"id": self.conversation, "started": self.started}


def outside(locals: Mapping[str, Value], zone: ZoneInfo, currency: str | None) -> Env:
    """What an expression may read that belongs to no conversation."""
    return Env(_NO_TIME, zone, currency, _NO_TIME, "", _NOBODY, _NO_MESSAGE, {}, locals, 0)


RenderLoader = Callable[[Template], Callable[[Env], str]]


def evaluator(expression: Expression, render: RenderLoader) -> Evaluate:
    """The closure of an expression; `render` loads the texts in it."""
    match expression:
        case Constant():
            constant = constant_value(expression)
            return lambda env: constant
        case Variable(name=name):
            return lambda env: env.variables.get(name)
        case Local(name=name):
            return lambda env: env.locals.get(name)
        case Builtin(name=name):
            return _builtin(name)
        case Get(target=Builtin(name="user"), field=field) if field in _FIELDS_OF_USER:
            known = attrgetter(field)  # without making the whole record
            return lambda env: cast("Value", known(env.user))
        case Get(target=Variable(name=name), field=field):
            return lambda env: get(env.variables.get(name), field)
        case Get(target=target, field=field):
            return _get(evaluator(target, render), field)
        case Each(target=target, field=field):
            return _each(evaluator(target, render), field)
        case Apply(function=function, arguments=arguments):
            return _apply(function, [evaluator(argument, render) for argument in arguments])
        case MakeList(items=items):
            parts = [evaluator(item, render) for item in items]
            return lambda env: tuple([part(env) for part in parts])
        case MakeRecord(fields=fields):
            named = [(field.name, evaluator(field.value, render)) for field in fields]
            return lambda env: {name: value(env) for name, value in named}
        case Render(template=template):
            return render(template)
        case _:
            assert_never(expression)


def constant_value(constant: Constant) -> Value:
    """The value of a literal."""
    value = constant.value
    match constant.kind:
        case "number":
            return Decimal(str(value))
        case "date":
            return date.fromisoformat(str(value))
        case "time":
            return time.fromisoformat(str(value))
        case "duration":
            return timedelta(milliseconds=int(value or 0))
        case "none" | "boolean" | "integer" | "text":
            return value


def _builtin(name: str) -> Evaluate:
    match name:
        case "user":
            return Env.user_record
        case "message":
            return Env.message_record
        case "conversation":
            return Env.conversation_record
        case "today":
            return lambda env: env.today
        case _:
            return lambda env: env.now


def _get(target: Evaluate, field: str) -> Evaluate:
    def evaluate(env: Env) -> Value:
        record = target(env)
        return get(record, field)

    return evaluate


def _each(target: Evaluate, field: str) -> Evaluate:
    def evaluate(env: Env) -> Value:
        records = target(env)
        return tuple([get(record, field) for record in records]) if isinstance(records, tuple) else ()

    return evaluate


def _apply(function: str, arguments: list[Evaluate]) -> Evaluate:
    match function, arguments:
        case "and", [left, right]:
            return lambda env: bool(left(env)) and bool(right(env))
        case "or", [left, right]:
            return lambda env: bool(left(env)) or bool(right(env))
        case "is_none", [only]:
            return lambda env: only(env) is None
        case "is_not_none", [only]:
            return lambda env: only(env) is not None
        case "time", [only]:
            return lambda env: local_time(only(env), env.zone)
        case "text", [only]:
            return lambda env: text(only(env), env.zone)
    apply = FUNCTIONS[function]
    match arguments:
        case [only]:
            return lambda env: apply(only(env))
        case [left, right]:
            return lambda env: apply(left(env), right(env))
        case _:
            return lambda env: apply(*[argument(env) for argument in arguments])
