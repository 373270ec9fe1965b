"""Where the services of an environment are and how we are known to them: what `flowc.toml` says, never the flow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from flowc.runtime.program import Service
from flowc.runtime.values import Names


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """`[environments.NAME.services.SERVICE]`. `python` replaces the adapter that the flow names, for development."""

    url: str | None = None
    bearer: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    python: str | None = None
    names: Literal["snake_case", "camelCase"] = "snake_case"

    @property
    def spelling(self) -> Names:
        return "camel" if self.names == "camelCase" else "snake"


def address_problem(service: Service, settings: ServiceSettings, environment: str) -> str | None:
    """One sentence about an `http` service that cannot be reached as it is configured."""
    where = f"[environments.{environment}.services.{service.name}]"
    if settings.url is None:
        return f"service `{service.name}` has no address: add `url = …` under {where} in flowc.toml"
    if not _is_address(settings.url):
        return (
            f"the address of service `{service.name}` is not an http or https address without query and fragment: "
            f"correct `url` under {where} in flowc.toml"
        )
    return None


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_complete = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_complete and not parts.query and not parts.fragment
