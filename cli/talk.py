"""The two ways of `flowc chat` to have a conversation: with the engine and the real services, or simulated."""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from flowc.cli.terminal import Stop

if TYPE_CHECKING:
    from flowc.compiler.play import Playing
    from flowc.runtime import Engine
    from flowc.runtime.engine.message import Sent, Turn
    from flowc.runtime.program import Program
    from flowc.runtime.types import Type
    from flowc.runtime.values import Value

__all__ = ["Answer", "LiveTalk", "StubTalk", "Talk"]

MASK = "•••"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, as JSON objects; `state` is waiting, ended or handoff."""

    replies: tuple[dict[str, object], ...]
    state: str
    body: dict[str, object]
    took_s: float = 0.0


class Talk(Protocol):
    """One conversation."""

    async def open(self) -> Answer: ...

    async def say(self, text: str) -> Answer: ...

    async def pass_time(self, ms: int) -> Answer: ...

    async def where(self) -> Sequence[str]:
        """Lines that say where it is and what it knows, pii masked."""
        ...

    async def why(self) -> Sequence[str]:
        """Lines that say how the last message was understood and what followed."""
        ...

    def later(self) -> AsyncIterator[dict[str, object]]:
        """Replies as they leave, whoever caused them."""
        ...


class LiveTalk:
    """A conversation with the engine of an environment."""

    def __init__(self, engine: "Engine", program: "Program", conversation: str) -> None:
        self._engine = engine
        self._program = program
        self._conversation = conversation
        self._last: Turn | None = None

    async def open(self) -> Answer:
        return self._answer(await self._engine.open_conversation(self._conversation), 0.0)

    async def say(self, text: str) -> Answer:
        from flowc.runtime import Message

        began = time.monotonic()
        turn = await self._engine.handle(Message(self._conversation, text))
        return self._answer(turn, time.monotonic() - began)

    async def pass_time(self, ms: int) -> Answer:
        raise Stop("time passes by itself here", help="with --stub, /after lets it pass")

    def _answer(self, turn: "Turn", took_s: float) -> Answer:
        from flowc.runtime.channels.bodies import turn_json

        self._last = turn
        return Answer(
            tuple(reply_of(sent) for sent in turn.replies), turn.state, turn_json(turn, self._conversation), took_s
        )

    async def where(self) -> Sequence[str]:
        found = await self._engine.conversation(self._conversation)
        flow = found.waits[-1].partition("/")[0] if found.waits else self._program.main
        types = self._program.flows[flow].variables
        knows = [f"  {name} = {masked(value, types.get(name))}" for name, value in found.variables.items()]
        return [f"{found.state} at {' > '.join(found.waits) or 'nothing'} (turn {found.turn})", *knows]

    async def why(self) -> Sequence[str]:
        turn = self._last
        if turn is None:
            return ["nothing was said yet"]
        places = [f"  said in {sent.flow}.{sent.state}: {sent.text.splitlines()[0]}" for sent in turn.replies]
        return [f"understood as {turn.intent or 'no intent'}", *places]

    async def later(self) -> AsyncIterator[dict[str, object]]:
        recorded = await self._engine.recorded(self._conversation)
        after = recorded[-1].id if recorded else None
        async for sent in self._engine.replies(self._conversation, after=after):
            yield reply_of(sent)


def reply_of(sent: "Sent") -> dict[str, object]:
    from flowc.runtime.channels.bodies import reply_json

    return reply_json(sent)


class StubTalk:
    """A simulated conversation: backends answer with values made from their types, time passes when it is told to."""

    def __init__(self, playing: "Playing") -> None:
        self._playing = playing
        self._passed = 0

    async def open(self) -> Answer:
        from flowc.runtime.kernel.events import Opened

        self._playing.feed(Opened(self._playing.moment(), "chat", self._playing.user))
        return self._answer()

    async def say(self, text: str) -> Answer:
        from flowc.compiler.chats import SayStep
        from flowc.dsl.source import Span

        self._passed = len(self._playing.transitions)
        self._playing.act(SayStep(text, None, Span("", 0, 0)))
        return self._answer()

    async def pass_time(self, ms: int) -> Answer:
        self._passed = len(self._playing.transitions)
        self._playing.pass_time(self._playing.now + timedelta(milliseconds=ms))
        return self._answer()

    def _answer(self) -> Answer:
        from flowc.runtime.channels.bodies import content_json

        replies = tuple(content_json(reply) for reply in self._playing.replies)  # without ids: nothing is stored
        self._playing.replies.clear()
        position = self._playing.position
        state = "ended" if position is None or position.ended else "waiting"
        if position is not None and position.expects == "people":
            state = "handoff"
        body: dict[str, object] = {"conversation": "chat", "replies": list(replies), "state": state}
        return Answer(replies, state, body)

    async def where(self) -> Sequence[str]:
        position = self._playing.position
        if position is None or not position.frames:
            return [self._playing.whereabouts()]
        runs = {run.serial: run for run in position.runs}
        run = runs[position.frames[-1].run]
        types = self._playing.program.flows[run.flow].variables
        knows = [f"  {name} = {masked(value, types.get(name))}" for name, value in run.variables.items()]
        clock = f"{self._playing.now:%Y-%m-%d %H:%M:%S} UTC"
        return [f"{position.expects} at {' > '.join(position.waits)}, {clock}", *knows]

    async def why(self) -> Sequence[str]:
        passed = self._playing.transitions[self._passed :]
        return [f"{one.kind} {one.flow}.{one.place} {one.detail}".rstrip() for one in passed] or [
            "nothing happened yet"
        ]

    async def later(self) -> AsyncIterator[dict[str, object]]:
        none: tuple[dict[str, object], ...] = ()
        for reply in none:
            yield reply


def masked(value: "Value | object", type: "Type | None") -> str:
    """A value as it may be shown: what is marked, or not known to be unmarked, is not."""
    from flowc.runtime.types import Marked, Optional

    match type:
        case Marked() | None:
            return MASK
        case Optional(inner):
            return "none" if value is None else masked(value, inner)
        case _:
            return repr(value)
