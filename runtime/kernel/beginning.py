"""What can be said of a conversation before it begins."""

from flowc.runtime.kernel.events import Moment, User
from flowc.runtime.kernel.loaded import LoadedProgram
from flowc.runtime.kernel.running import begun
from flowc.runtime.program import PriorityClass


def opening_class(loaded: LoadedProgram, moment: Moment, conversation: str, user: User) -> PriorityClass:
    """The class of a new conversation: that of the main flow's header, whose conditions read only who it is and what
    time."""
    running = begun(loaded, moment, conversation, user)
    for rule in loaded.main.priorities:
        if rule.when is None or running.evaluate(rule.when, {}, {}):
            return rule.priority
    return "normal"
