"""Opens the understanding of an environment: the providers that its chain names."""

from collections.abc import Sequence
from typing import ClassVar

from flowc.runtime.errors import Fault, FlowcError
from flowc.runtime.program import Program
from flowc.runtime.services.port import Clock
from flowc.runtime.understanding.chain import Chain
from flowc.runtime.understanding.rules import Rules

__all__ = ["PROVIDERS", "ProviderUnknown", "open_understanding"]

PROVIDERS = ("rules",)


class ProviderUnknown(FlowcError):  # noqa: N818  # a leaf is named by the fact
    """The chain names a provider that nobody offers."""

    fault: ClassVar[Fault] = "caller"

    def __init__(self, name: str) -> None:
        known = ", ".join(f"`{each}`" for each in PROVIDERS)
        super().__init__(f"there is no provider of understanding `{name}`: [understanding] chain may name {known}")
        self.name = name


def open_understanding(program: Program, names: Sequence[str], clock: Clock) -> Chain:
    """The chain of `names`; `rules` is always its first. Raises ProviderUnknown."""
    for name in names:
        if name not in PROVIDERS:
            raise ProviderUnknown(name)
    return Chain(Rules(program), (), clock)
