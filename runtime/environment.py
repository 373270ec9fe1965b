"""One environment of a bot, as the engine takes it: where it stores, where its services are, who understands. Read
once, at the edge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flowc.runtime.policy.limits import Rates
from flowc.runtime.services.settings import ServiceSettings
from flowc.runtime.understanding.open import ClassifierSettings


@dataclass(frozen=True, slots=True)
class Environment:
    """`[environments.NAME]`. `store` is `memory:` or `sqlite:///PATH`, a relative path from `folder`. `chain` names the
    providers of understanding, in the order they are asked. `rates` bound what each tenant may send, `rates_of` those
    that have their own. What is older than `keep_ms` is removed; None: nothing is."""

    name: str = "dev"
    store: str = "memory:"
    services: Mapping[str, ServiceSettings] = field(default_factory=dict)
    chain: tuple[str, ...] = ("rules",)
    classifier: ClassifierSettings | None = None
    folder: Path = Path()
    rates: Rates = field(default_factory=Rates)
    rates_of: Mapping[str, Rates] = field(default_factory=dict)
    keep_ms: int | None = None
