"""Chats and single events against the kernel alone, as `flowc test` plays them.

A message without `as` is taken for the intent that has it as an example.
"""

from datetime import datetime

from flowc.compiler.chats import Script
from flowc.compiler.play import CONVERSATION, START, Playing, play
from flowc.runtime.kernel import Asking, LoadedProgram, load
from flowc.runtime.kernel.events import MessageReceived, Opened, RankedIntent, Understood, User
from flowc.runtime.kernel.heard import fold
from flowc.runtime.program import Program

__all__ = ["CONVERSATION", "START", "Playing", "new", "opened", "play_script", "says"]


def exactly(text: str, asking: Asking, now: datetime) -> Understood:
    for candidate in asking.candidates:
        for example in candidate.intent.examples:
            if all(isinstance(part, str) for part in example) and fold("".join(map(str, example))) == fold(text):
                return Understood((RankedIntent(candidate.intent.name, 1.0),))
    return Understood()


def new(loaded: LoadedProgram, user: User | None = None) -> Playing:
    """A conversation before its first event."""
    return Playing(loaded.program, loaded, exactly, user or User("u-1"))


def opened(loaded: LoadedProgram, user: User | None = None) -> Playing:
    """A conversation that its channel opened."""
    playing = new(loaded, user)
    playing.feed(Opened(playing.moment(), CONVERSATION, playing.user))
    return playing


def says(playing: Playing, text: str, *intents: str) -> None:
    """The user says `text`, which means `intents`."""
    understood = Understood(tuple(RankedIntent(name, 1.0) for name in intents))
    playing.feed(MessageReceived(playing.moment(), CONVERSATION, playing.user, text, understood))


def play_script(program: Program, script: Script) -> None:
    """Plays a script; fails at the step that does not hold."""
    loaded = load(program, main=script.flow, arguments=script.arguments)
    played = play(program, loaded, script, exactly)
    assert played.failure is None, played.failure
