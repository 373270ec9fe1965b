"""An environment of flowc.toml as the runtime takes it: secrets read, paths made whole. The one place that reads
them."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flowc.cli.terminal import Stop

if TYPE_CHECKING:
    from flowc.compiler.project import Project
    from flowc.compiler.settings import Environment as Settings
    from flowc.compiler.settings import HttpUnderstanding, Secret, ServiceSettings
    from flowc.compiler.settings import Token as TokenSettings
    from flowc.runtime.channels.tokens import Token
    from flowc.runtime.environment import Environment
    from flowc.runtime.policy.limits import Rates
    from flowc.runtime.services.settings import ServiceSettings as Service
    from flowc.runtime.telemetry.exporting import TracingSettings
    from flowc.runtime.understanding.open import ClassifierSettings

__all__ = ["environment_of", "settings_of", "tokens_of", "tracing_of"]


DAY_MS = 24 * 3600 * 1000


def settings_of(project: "Project", name: str) -> "Settings":
    """The table `[environments.NAME]`."""
    found = project.settings
    if found is None:
        raise Stop("this needs a project with a flowc.toml", help="make one: flowc init mybot")
    if name not in found.environments:
        known = ", ".join(f"`{each}`" for each in found.environments) or "none"
        raise Stop(f"flowc.toml has no environment `{name}`", help=f"it has: {known}; choose one with --env")
    return found.environments[name]


def environment_of(project: "Project", name: str) -> "Environment":
    """The environment `name` of the project, with its secrets. FLOWC_STORE overrides the store."""
    from flowc.runtime.environment import Environment

    settings = settings_of(project, name)
    understanding = project.settings.understanding if project.settings else None
    folder = project.root or Path.cwd()
    if any(table.python for table in settings.services.values()) and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))  # where `python = "backends.crm:Crm"` is looked for
    return Environment(
        name,
        os.environ.get("FLOWC_STORE") or settings.store,
        {service: service_of(service, table, folder) for service, table in settings.services.items()},
        understanding.chain if understanding else ("rules",),
        None if understanding is None or understanding.http is None else classifier_of(understanding.http, folder),
        folder,
        rates_of(settings),
        {token: rates_of(table) for token, table in settings.tokens.items()},
        int(settings.keep.removesuffix("d")) * DAY_MS,
    )


def rates_of(table: "Settings | TokenSettings") -> "Rates":
    """How much may come, as `limit` and `limit_per_user` of a table say."""
    from flowc.dsl.literals import rate_value
    from flowc.runtime.policy.limits import Rates
    from flowc.runtime.program import RateLimit

    return Rates(
        None if table.limit is None else RateLimit(*rate_value(table.limit)),
        None if table.limit_per_user is None else RateLimit(*rate_value(table.limit_per_user)),
    )


def classifier_of(table: "HttpUnderstanding", folder: Path) -> "ClassifierSettings":
    """Where the classifier of `[understanding.http]` is. FLOWC_UNDERSTANDING_URL overrides its address."""
    from flowc.runtime.understanding.open import ClassifierSettings

    return ClassifierSettings(
        os.environ.get("FLOWC_UNDERSTANDING_URL") or table.url,
        None if table.bearer is None else secret(table.bearer, "bearer of the classifier", folder),
        table.within_ms / 1000,
    )


def service_of(name: str, table: "ServiceSettings", folder: Path) -> "Service":
    """Where a service is. FLOWC_SERVICE_NAME_URL overrides its address."""
    from flowc.runtime.services.settings import ServiceSettings

    where = f"service `{name}`"
    headers = {
        key: value if isinstance(value, str) else secret(value, f"header `{key}` of {where}", folder)
        for key, value in table.headers.items()
    }
    return ServiceSettings(
        url=os.environ.get(f"FLOWC_SERVICE_{name.upper()}_URL") or table.url,
        bearer=None if table.bearer is None else secret(table.bearer, f"bearer of {where}", folder),
        headers=headers,
        python=table.python,
        names=table.names,
    )


def tokens_of(settings: "Settings", folder: Path) -> tuple["Token", ...]:
    """The tokens of the server, hashed."""
    from flowc.runtime.channels.tokens import Token, hashed

    return tuple(
        Token(name, hashed(secret(table.token, f"token `{name}`", folder)), table.role)
        for name, table in settings.tokens.items()
    )


def tracing_of(settings: "Settings", folder: Path) -> "TracingSettings | None":
    """Where traces go."""
    from flowc.runtime.telemetry.exporting import TracingSettings

    table = settings.tracing
    if table is None:
        return None
    headers = {
        key: value if isinstance(value, str) else secret(value, f"header `{key}` of tracing", folder)
        for key, value in table.headers.items()
    }
    return TracingSettings(table.endpoint, headers, table.share, table.service)


def secret(place: "Secret", what: str, folder: Path) -> str:
    """The secret that a setting names. Stops where it is not there."""
    if place.env is not None:
        value = os.environ.get(place.env, "")
        if not value:
            raise Stop(f"{what} is not set", help=f"set the environment variable {place.env}")
        return value
    path = folder / (place.file or "")
    try:
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"{what} cannot be read from `{path}`", help="correct `file` in flowc.toml") from error
    if not value:
        raise Stop(f"{what}: `{path}` is empty", help="put the secret into the file")
    return value
