"""What the tree alone shows to be out of place, missing or reserved. Needs no other file and no meaning of a name."""

from flowc.dsl.diagnostic import Diagnostic
from flowc.dsl.nodes import FlowFile

__all__ = ["placement"]


def placement(file: FlowFile) -> tuple[Diagnostic, ...]:
    return ()
