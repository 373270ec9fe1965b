"""`flowc.toml` as values, and where in its text a key stands.

The text is read by tomllib and checked by pydantic; neither says where a key is, so `key_span` looks for it.
"""

import re
import tomllib
from collections.abc import Iterable
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from flowc.compiler.suggest import nearest
from flowc.dsl.diagnostic import Code, Diagnostic, Edit, Label, Severity
from flowc.dsl.literals import rate_value
from flowc.dsl.source import SourceFile, Span

RATE: Final = re.compile(r"[0-9]{1,9}/[smhd]")

__all__ = ["Bot", "Environment", "Secret", "ServiceSettings", "Settings", "Understanding", "read_settings"]


SHORTEST_DAYS: Final = 7  # for so long an id is known


class Table(BaseModel):
    """A table of the file: closed and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(Table):
    """`{ env = "NAME" }` or `{ file = "PATH" }`: where a secret is, never the secret."""

    env: str | None = None
    file: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "Secret":
        if (self.env is None) == (self.file is None):
            raise ValueError("give either `env` or `file`")
        return self


class Bot(Table):
    name: str
    main: str
    language: Literal[1] = 1
    locales: tuple[str, ...] = ("en",)
    zone: str = "UTC"
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no time zone `{zone}`; give one such as `Europe/Berlin`") from error
        return zone


class HttpUnderstanding(Table):
    """A classifier that answers JSON (docs/operating.md); what takes longer is not understood."""

    url: str
    bearer: Secret | None = None
    within_ms: Annotated[int, Field(gt=0, le=10_000)] = 500


class Understanding(Table):
    chain: tuple[str, ...] = ("rules",)
    http: HttpUnderstanding | None = None


class ServiceSettings(Table):
    """Where one service is and how it authenticates, in one environment."""

    url: str | None = None
    python: str | None = None
    queue: str | None = None
    bearer: Secret | None = None
    basic: Secret | None = None
    headers: dict[str, Secret | str] = {}
    names: Literal["snake_case", "camelCase"] = "snake_case"
    certificates: str | None = None
    proxy: str | None = None
    max_body: int | None = None


def _rate(text: str) -> str:
    if RATE.fullmatch(text) is None or rate_value(text)[0] == 0:
        raise ValueError(f"`{text}` is no rate; give one such as `200/s` or `30/m`")
    return text


Rate = Annotated[str, AfterValidator(_rate)]


def _age(text: str) -> str:
    days = re.fullmatch(r"([0-9]{1,5})d", text)
    if days is None or int(days[1]) < SHORTEST_DAYS:
        raise ValueError(f"`{text}` is no age; give whole days, {SHORTEST_DAYS}d at least, such as `90d`")
    return text


Age = Annotated[str, AfterValidator(_age)]


class Token(Table):
    """Who may use the server: a token and its role, and how much may come by it. What it leaves out is the
    environment's."""

    token: Secret
    role: Literal["channel", "reader", "operator", "admin"] = "channel"
    limit: Rate | None = None
    limit_per_user: Rate | None = None


class Tracing(Table):
    """Where traces are sent (OTLP over HTTP), and which share of them."""

    endpoint: str
    headers: dict[str, Secret | str] = {}
    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    service: str | None = None


class Environment(Table):
    """`limit` and `limit_per_user` are those of each token, or of a server without tokens. What is older than `keep` is
    removed."""

    store: str = "sqlite:///.flowc/dev.db"
    require_signed: bool = False
    services: dict[str, ServiceSettings] = {}
    tokens: dict[str, Token] = {}
    tracing: Tracing | None = None
    host: str | None = None
    port: int | None = None
    keep: Age = "90d"
    limit: Rate | None = None
    limit_per_user: Rate | None = None


class Check(Table):
    """Severities that differ from the table of codes."""

    severity: dict[str, Literal["error", "warning", "info", "off"]] = {}


class Settings(Table):
    """The whole of `flowc.toml`."""

    bot: Bot
    user: dict[str, str] = {}
    understanding: Understanding = Understanding()
    environments: dict[str, Environment] = {}
    check: Check = Check()


TABLES: Final = (
    Bot,
    Understanding,
    HttpUnderstanding,
    ServiceSettings,
    Token,
    Tracing,
    Environment,
    Check,
    Settings,
    Secret,
)
SENTENCES: Final = {
    "missing": "is missing",
    "string_type": "has to be text",
    "int_type": "has to be a whole number",
    "int_parsing": "has to be a whole number",
    "bool_type": "has to be true or false",
    "bool_parsing": "has to be true or false",
    "dict_type": "has to be a table",
    "tuple_type": "has to be a list",
    "model_type": "has to be a table",
}


def read_settings(source: SourceFile) -> tuple[Settings | None, tuple[Diagnostic, ...]]:
    """The settings in `source`, or None, and what is wrong with them. Unknown keys do not stop the others."""
    try:
        table = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        return None, (_unreadable(source, error),)
    try:
        return Settings.model_validate(table), ()
    except ValidationError as error:
        faults = error.errors(include_url=False)
    extra = {fault["loc"] for fault in faults if fault["type"] == "extra_forbidden"}
    found = tuple(
        _fault(source, tuple(map(str, fault["loc"])), fault["type"], fault["msg"])
        for fault in faults
        if fault["type"] != "missing" or not _misspelled(fault["loc"], extra)
    )
    kept = _without(table, [fault["loc"] for fault in faults if fault["type"] != "missing"])
    try:
        return Settings.model_validate(kept), found
    except ValidationError:
        return None, found


def _misspelled(missing: tuple[int | str, ...], extra: set[tuple[int | str, ...]]) -> bool:
    """Whether what is missing is there under a name that is nearly right: that is one mistake, not two."""
    beside = [str(key[-1]) for key in extra if key[:-1] == missing[:-1]]
    return nearest(str(missing[-1]), beside) is not None


def _without(table: dict[str, object], keys: list[tuple[int | str, ...]]) -> dict[str, object]:
    for *parents, last in keys:
        at: object = table
        for step in parents:
            at = at.get(str(step)) if isinstance(at, dict) else None
        if isinstance(at, dict):
            at.pop(str(last), None)
    return table


def key_span(source: SourceFile, path: tuple[str, ...]) -> Span:
    """Where the key `path` stands in the text; where the file leaves it out, its table; else the beginning."""
    best, best_depth = Span(source.path, 0, 0), 0
    at: tuple[str, ...] = ()
    offset = 0
    for line in source.text.splitlines(keepends=True):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
            at = _steps(header[1])
            found, span = at, Span(source.path, offset + header.start(1), offset + header.end(1))
        elif key := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            found, span = (*at, *_steps(key[1])), Span(source.path, offset + key.start(1), offset + key.end(1))
            inline = re.search(rf"[{{,]\s*({re.escape(path[-1])})\s*=", line) if found == path[:-1] else None
            if inline is not None:
                return Span(source.path, offset + inline.start(1), offset + inline.end(1))
        else:
            found, span = (), best
        if len(found) > best_depth and found == path[: len(found)]:
            best, best_depth = span, len(found)
        offset += len(line)
    return best


def _steps(dotted: str) -> tuple[str, ...]:
    return tuple(step.strip(" \"'") for step in dotted.split("."))


# ------------------------------------------------------------------------------------------------------- diagnostics

UNKNOWN_SETTING: Final = Code("FLW212", "unknown-setting", Severity.ERROR)


def _fault(source: SourceFile, path: tuple[str, ...], kind: str, message: str) -> Diagnostic:
    span = key_span(source, path)
    spelled = ".".join(path)
    if kind == "extra_forbidden":
        return _unknown_key(span, path)
    if kind == "missing":
        where = f"`[{'.'.join(path[:-1])}]`" if len(path) > 1 else "the file"
        written = f"`{path[-1]} = …`" if len(path) > 1 else f"`[{path[-1]}]`"
        return Diagnostic(
            UNKNOWN_SETTING,
            f"the setting `{spelled}` is missing",
            (Label(span, "it belongs here"),),
            help=f"add {written} to {where}",
        )
    if kind in SENTENCES:
        return Diagnostic(UNKNOWN_SETTING, f"the setting `{spelled}` {SENTENCES[kind]}", (Label(span, "this value"),))
    why = message.removeprefix("Value error, ").replace("Input should be", "it has to be").replace("'", "`")
    return Diagnostic(UNKNOWN_SETTING, f"the setting `{spelled}` cannot have this value", (Label(span, why),))


def _unknown_key(span: Span, path: tuple[str, ...]) -> Diagnostic:
    known = sorted({name for table in TABLES for name in table.model_fields})
    near = nearest(path[-1], known)
    where = f"in `[{'.'.join(path[:-1])}]`" if len(path) > 1 else "in this file"
    return Diagnostic(
        UNKNOWN_SETTING,
        f"no setting named `{path[-1]}`",
        (Label(span, f"not a setting {where}"),),
        help=f"did you mean `{near}`?" if near else None,
        edits=(Edit(span, near),) if near and span.end - span.start == len(path[-1]) else (),
    )


def _unreadable(source: SourceFile, error: tomllib.TOMLDecodeError) -> Diagnostic:
    place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
    line = int(place[1]) if place else source.line_count
    start = sum(len(source.line(number)) + 1 for number in range(1, line))
    at = start + (int(place[2]) - 1 if place else 0)
    message = re.sub(r"\s*\(at .*\)$", "", str(error))
    return Diagnostic(
        UNKNOWN_SETTING,
        f"`{source.path}` is not TOML",
        (Label(Span(source.path, at, at), message[:1].lower() + message[1:]),),
    )


def unknown_adapter(span: Span, adapter: str, known: tuple[str, ...]) -> Diagnostic:
    near = nearest(adapter, known)
    return Diagnostic(
        UNKNOWN_SETTING,
        f"no adapter named `{adapter}`",
        (Label(span, "nobody provides it"),),
        help=f"did you mean `{near}`?" if near else f"there are {', '.join(f'`{name}`' for name in known)}",
        edits=(Edit(span, near),) if near else (),
    )


def no_main_flow(source: SourceFile, main: str, known: Iterable[str], *, is_there: bool) -> Diagnostic:
    span = key_span(source, ("bot", "main"))
    near = nearest(main, known)
    return Diagnostic(
        UNKNOWN_SETTING,
        f"`{main}` is no flow" if is_there else f"there is no file `{main}`",
        (Label(span, "the main flow of the bot"),),
        help=f"did you mean `{near}`?" if near else "give the path of the main flow, relative to this file",
    )


def no_such_service(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    near = nearest(name, known)
    return Diagnostic(
        UNKNOWN_SETTING,
        f"no flow declares a service named `{name}`",
        (Label(span, "nothing to configure"),),
        help=f"did you mean `{near}`?" if near else "remove it, or declare the service",
    )


def unknown_user_type(span: Span, name: str, written: str) -> Diagnostic:
    return Diagnostic(
        UNKNOWN_SETTING,
        f"`{written}` is no type for `user.{name}`",
        (Label(span, "this field of the user"),),
        help="a field of the user has a built-in type, such as `text`, `integer` or `pii text`",
    )
