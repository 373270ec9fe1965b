"""Opens the understanding of an environment: the providers that its chain names."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from flowc.runtime.errors import Fault, FlowcError
from flowc.runtime.program import Program
from flowc.runtime.services.port import Clock
from flowc.runtime.understanding.chain import Chain
from flowc.runtime.understanding.rules import Rules

__all__ = ["PROVIDERS", "ClassifierSettings", "ProviderUnknown", "open_understanding"]

PROVIDERS = ("rules", "http")


@dataclass(frozen=True, slots=True)
class ClassifierSettings:
    """`[understanding.http]`: where the classifier is, how we are known to it, and how long it is waited for."""

    url: str
    bearer: str | None = field(default=None, repr=False)
    within_s: float = 0.5


class ProviderUnknown(FlowcError):  # noqa: N818  # a leaf is named by the fact
    """The chain names a provider that nobody offers, or one that is not configured."""

    fault: ClassVar[Fault] = "caller"

    def __init__(self, name: str) -> None:
        known = ", ".join(f"`{each}`" for each in PROVIDERS)
        sentence = f"there is no provider of understanding `{name}`: [understanding] chain may name {known}"
        if name in PROVIDERS:
            sentence = (
                f"the chain names `{name}`, and nothing says where it is: add [understanding.{name}] with its url"
            )
        super().__init__(sentence)
        self.name = name


@asynccontextmanager
async def open_understanding(
    program: Program, names: Sequence[str], clock: Clock, classifier: ClassifierSettings | None = None
) -> AsyncIterator[Chain]:
    """The chain of `names`; `rules` is always its first. Raises ProviderUnknown."""
    for name in names:
        if name not in PROVIDERS or (name == "http" and classifier is None):
            raise ProviderUnknown(name)
    if classifier is None or "http" not in names:
        yield Chain(Rules(program), (), clock)
        return
    from flowc.runtime.services.endpoint import Endpoint  # an HTTP client takes a while to load
    from flowc.runtime.understanding.http import HttpProvider

    headers = {} if classifier.bearer is None else {"authorization": f"Bearer {classifier.bearer}"}
    endpoint = Endpoint(classifier.url, headers=headers)
    async with endpoint.opened():
        yield Chain(Rules(program), (HttpProvider(program, endpoint, within_s=classifier.within_s),), clock)
