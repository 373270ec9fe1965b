"""The kernel: what a conversation does when something happens. Pure: no clock, no randomness, nothing outside its
arguments."""

from flowc.runtime.kernel.advance import advance
from flowc.runtime.kernel.answer import Asking, Candidate, Step
from flowc.runtime.kernel.load import load
from flowc.runtime.kernel.loaded import LoadedProgram
from flowc.runtime.kernel.position import Position
from flowc.runtime.kernel.understand import asking

__all__ = ["Asking", "Candidate", "LoadedProgram", "Position", "Step", "advance", "asking", "load"]
