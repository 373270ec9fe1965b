"""Executes a compiled program: conversations that survive whatever happens to the process.

`Engine`, `Message` and `Failed` are loaded when they are asked for: the compiler needs only the program's format.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowc.runtime.engine.engine import Engine
    from flowc.runtime.engine.message import Message
    from flowc.runtime.services.python import Failed

__all__ = ["Engine", "Failed", "Message"]

_HOMES = {
    "Engine": "flowc.runtime.engine.engine",
    "Failed": "flowc.runtime.services.python",
    "Message": "flowc.runtime.engine.message",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(_HOMES[name]), name)
