"""A profile: what is known of a bot's users and backends before it is deployed. Read from TOML; each mistake is one
sentence that says where it is and what may stand there.

    [users]
    arrivals = [{ for = "30s", rate = 1 }, { for = "1m", rate = 5 }, { for = "1m", rate = 1 }]
    think = { p50 = "6s", p95 = "15s" }

    [[says]]
    share = 3
    texts = ["where is my order", "AB123456", "no"]

    [services.crm]
    at_once = 6
    latency = { p50 = "140ms", p95 = "260ms" }
    fails = { unavailable = 0.01 }
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import exp, inf, log
from pathlib import Path
from random import Random
from typing import ClassVar, Final

from flowc.runtime.errors import Fault, FlowcError
from flowc.runtime.json_form import from_json
from flowc.runtime.program import Operation, Program, Service
from flowc.runtime.types import Type
from flowc.runtime.values import Malformed, Shapes, Value

__all__ = ["Delay", "Mix", "Operating", "Profile", "ProfileWrong", "Stretch", "profile_of", "read_profile"]

DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)")
UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
Z95: Final = 1.6448536269514722  # of the normal distribution


class ProfileWrong(FlowcError):  # noqa: N818 - named by the fact
    """The profile cannot be used."""

    fault: ClassVar[Fault] = "caller"


@dataclass(frozen=True, slots=True)
class Delay:
    """A time in seconds: log-normal by its median and its 95th percentile, constant where they are equal."""

    p50_s: float
    p95_s: float

    def drawn(self, rng: Random) -> float:
        if self.p95_s <= self.p50_s or self.p50_s <= 0:
            return self.p50_s
        return exp(rng.gauss(log(self.p50_s), (log(self.p95_s) - log(self.p50_s)) / Z95))


@dataclass(frozen=True, slots=True)
class Stretch:
    """So many seconds in which users begin at that rate, relative to the other stretches."""

    seconds: float
    rate: float


@dataclass(frozen=True, slots=True)
class Mix:
    """What some of the users say, one message after the other, and what the channel knows of them."""

    texts: tuple[str, ...]
    share: float = 1.0
    user: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operating:
    """How an operation answers: how long it takes, how often it fails how, and with which values. A value is made up
    from its type where none is given."""

    latency: Delay = Delay(0.1, 0.25)
    fails: tuple[tuple[str, float], ...] = ()
    answers: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """`at_once` by service: how many calls it works on; who finds no place waits there. `known`: of so many different
    users each is one. `waits_for_reply`: a user writes on only when the last message was answered. `turn_s`: of the one
    processor that a server uses, a turn."""

    arrivals: tuple[Stretch, ...] = (Stretch(60.0, 1.0),)
    think: Delay = Delay(8.0, 20.0)
    waits_for_reply: bool = True
    known: int | None = None
    says: tuple[Mix, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    at_once: Mapping[str, float] = field(default_factory=dict)
    operations: Mapping[tuple[str, str], Operating] = field(default_factory=dict)
    turn_s: float = 0.0003

    @property
    def seconds(self) -> float:
        return sum(stretch.seconds for stretch in self.arrivals)


def read_profile(path: Path, program: Program) -> Profile:
    """The profile in a file. Raises ProfileWrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ProfileWrong(f"`{path}` cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ProfileWrong(f"`{path}` is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    try:
        return profile_of(tomllib.loads(text), program)
    except tomllib.TOMLDecodeError as error:
        raise ProfileWrong(f"`{path}` is not TOML: {error}") from error
    except ProfileWrong as error:
        raise ProfileWrong(f"`{path}`: {error}") from error


def profile_of(table: Mapping[str, object], program: Program) -> Profile:
    """The profile of a TOML document. Raises ProfileWrong."""
    root = Table(table, "")
    users = root.table("users")
    services = root.table("services")
    server = root.table("server")
    root.none_but("users", "says", "values", "services", "server")
    server.none_but("turn")
    users.none_but("arrivals", "think", "waits_for_reply", "known")
    at_once: dict[str, float] = {}
    operations: dict[tuple[str, str], Operating] = {}
    for name in services.keys:
        if name not in program.services:
            raise ProfileWrong(f"the bot has no service `{name}`; it has {_listed(program.services)}")
        at_once[name], of_service = _service(services.table(name), program.services[name], program)
        operations |= of_service
    known = users.number("known", 1, None)
    waits = users.value("waits_for_reply", bool, "true or false", default=True)
    return Profile(
        tuple(_stretch(each) for each in users.tables("arrivals")) or Profile().arrivals,
        users.delay("think", Profile().think),
        bool(waits),
        None if known is None else int(known),
        tuple(_mix(each, program) for each in root.tables("says")),
        {name: root.table("values").texts(name) for name in root.table("values").keys},
        at_once,
        operations,
        server.duration_s("turn") if server.keys else Profile().turn_s,
    )


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the document, at `path`. Every reader raises ProfileWrong."""

    entries: Mapping[str, object]
    path: str

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.entries)

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def none_but(self, *known: str) -> None:
        for name in self.entries:
            if name not in known:
                raise ProfileWrong(f"`{self.at(name)}` is unknown here; known are {_listed(known)}")

    def value(self, name: str, kind: type | tuple[type, ...], words: str, default: object = None) -> object:
        found = self.entries.get(name, default)
        if found is not default and (not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool)):
            raise ProfileWrong(f"`{self.at(name)}` is {_shown(found)}; it is written as {words}")
        return found

    def table(self, name: str) -> "Table":
        found = self.entries.get(name, {})
        if not isinstance(found, dict):
            raise ProfileWrong(f"`{self.at(name)}` is {_shown(found)}; it is a table")
        return Table(found, self.at(name))

    def tables(self, name: str) -> tuple["Table", ...]:
        found = self.entries.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise ProfileWrong(f"`{self.at(name)}` is {_shown(found)}; it is a list of tables")
        return tuple(Table(each, f"{self.at(name)}[{number}]") for number, each in enumerate(found))

    def texts(self, name: str) -> tuple[str, ...]:
        found = self.entries.get(name, [])
        if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
            raise ProfileWrong(f"`{self.at(name)}` is {_shown(found)}; it is a list of texts, at least one")
        return tuple(found)

    def number(self, name: str, least: float, default: float | None) -> float | None:
        found = self.entries.get(name)
        if found is None:
            return default
        if isinstance(found, bool) or not isinstance(found, int | float) or not least <= found < inf:
            raise ProfileWrong(f"`{self.at(name)}` is {_shown(found)}; it is a number from {least:g}")
        return float(found)

    def duration_s(self, name: str) -> float:
        found = self.entries.get(name)
        matched = DURATION.fullmatch(found) if isinstance(found, str) else None
        if matched is None:
            what = "missing" if found is None else _shown(found)
            raise ProfileWrong(f'`{self.at(name)}` is {what}; it is a time, such as "150ms" or "2s"')
        return float(matched[1]) * UNITS_S[matched[2]]

    def delay(self, name: str, default: Delay) -> Delay:
        """A constant time, or a median and a 95th percentile."""
        if name not in self.entries:
            return default
        if not isinstance(self.entries[name], dict):
            constant = self.duration_s(name)
            return Delay(constant, constant)
        table = self.table(name)
        table.none_but("p50", "p95")
        delay = Delay(table.duration_s("p50"), table.duration_s("p95"))
        if delay.p95_s < delay.p50_s:
            raise ProfileWrong(f"`{table.at('p95')}` is less than its p50")
        return delay


def _stretch(table: Table) -> Stretch:
    table.none_but("for", "rate")
    stretch = Stretch(table.duration_s("for"), table.number("rate", 0, 1.0) or 0.0)
    if stretch.seconds <= 0:
        raise ProfileWrong(f"`{table.at('for')}` is nothing; a stretch lasts a while")
    return stretch


def _mix(table: Table, program: Program) -> Mix:
    table.none_but("share", "texts", "user")
    user = table.table("user")
    declared = {field.name: field for field in program.user_fields}
    user.none_but("name", "locale", "zone", "channel", *declared)
    shapes = Shapes(program.records, program.zone, program.currency)
    known: dict[str, Value] = {}
    for name in user.keys:
        if name in declared:
            known[name] = _fitting(declared[name].type, user.entries[name], shapes, user.at(name))
        else:
            known[name] = str(user.value(name, str, "a text"))
    return Mix(table.texts("texts"), table.number("share", 0, 1.0) or 0.0, known)


def _service(table: Table, service: Service, program: Program) -> tuple[float, dict[tuple[str, str], Operating]]:
    """Its places, and how each of its operations answers: what it says itself, else what the service says."""
    own = {name for name in table.keys if name in service.operations}
    table.none_but("at_once", "latency", "fails", *sorted(service.operations))
    places = table.number("at_once", 1, inf) or inf
    of_all = table.delay("latency", Operating().latency)
    answering: dict[tuple[str, str], Operating] = {}
    for name, operation in service.operations.items():
        mine = table.table(name) if name in own else Table({}, table.at(name))
        mine.none_but("latency", "fails", "answers")
        fails = _fails(mine if "fails" in mine.keys else table, service, operation)
        answers = _answers(mine, operation, program)
        answering[service.name, name] = Operating(mine.delay("latency", of_all), fails, answers)
    return places, answering


def _fails(table: Table, service: Service, operation: Operation) -> tuple[tuple[str, float], ...]:
    """The shares of the failures that this operation can have."""
    found = table.table("fails")
    possible = (*(failure.name for failure in operation.failures), *operation.outcomes)
    anywhere = {
        each for one in service.operations.values() for each in (*one.outcomes, *(f.name for f in one.failures))
    }
    found.none_but(*sorted(anywhere))
    shares = {kind: found.number(kind, 0, 0.0) or 0.0 for kind in found.keys}
    if sum(shares.values()) > 1:
        raise ProfileWrong(f"`{found.path}` comes to more than 1: each is a share of the calls")
    return tuple((kind, share) for kind, share in shares.items() if kind in possible)


def _answers(table: Table, operation: Operation, program: Program) -> tuple[Value, ...]:
    found = table.entries.get("answers", [])
    if not isinstance(found, list):
        raise ProfileWrong(f"`{table.at('answers')}` is {_shown(found)}; it is a list of answers")
    if found and operation.result is None:
        raise ProfileWrong(f"`{table.at('answers')}` cannot be: the operation answers nothing")
    shapes = Shapes(program.records, program.zone, program.currency)
    return tuple(
        _fitting(operation.result, each, shapes, f"{table.at('answers')}[{number}]")
        for number, each in enumerate(found)
        if operation.result is not None
    )


def _fitting(type: Type, value: object, shapes: Shapes, path: str) -> Value:
    try:
        return from_json(type, value, shapes)
    except Malformed as error:
        raise ProfileWrong(f"`{path}` does not fit its type: {error}") from error


def _shown(found: object) -> str:
    text = f'"{found}"' if isinstance(found, str) else str(found)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
