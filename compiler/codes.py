"""Every code of every pass, gathered. The constants stand beside the passes that report them."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType
from typing import Final

from flowc.dsl.diagnostic import Code

__all__ = ["all_codes"]

PACKAGES: Final = ("flowc.dsl", "flowc.compiler")


@cache
def all_codes() -> tuple[Code, ...]:
    """The codes in order of their ids. Loads every module of the language and the compiler."""
    found = {code for module in _modules() for code in vars(module).values() if isinstance(code, Code)}
    return tuple(sorted(found, key=lambda code: (code.id, code.name)))


def _modules() -> Iterator[ModuleType]:
    for name in PACKAGES:
        package = import_module(name)
        yield package
        for module in walk_packages(package.__path__, f"{name}."):
            yield import_module(module.name)
