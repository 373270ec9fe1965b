"""A trail as a `.chat` that goes it again: what backends answer, what the user does, and what the bot says to that.

What the bot says is not remembered but played, so that the chat holds when it is run, and shows where it does not get
on.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, assert_never

from flowc.compiler.chats import EventStep, PassStep, PeopleStep, SayStep, script_chats
from flowc.compiler.coverage import Goal, reached_by
from flowc.compiler.explore import Explored, Trail, nothing_understood
from flowc.compiler.play import CONVERSATION, Made, Playing, Unmet, play, shown
from flowc.compiler.possible import Input
from flowc.dsl.format import format_source
from flowc.dsl.parse import parse_chat
from flowc.dsl.source import SourceFile
from flowc.runtime.durations import spelled_duration
from flowc.runtime.kernel import LoadedProgram
from flowc.runtime.kernel.events import CallFailure, CallResult, Opened, Succeeded
from flowc.runtime.program import Program
from flowc.runtime.values import Value, to_json

__all__ = ["Chats", "missing_chats"]

HELD: Final = "explored.chat"


class Chats:
    """Writes chats of one bot; `loaded` is its program with the flow that the trails begin with as its main one."""

    def __init__(self, program: Program, loaded: LoadedProgram, arguments: Mapping[str, Value]) -> None:
        self._program = program
        self._loaded = loaded
        given = ", ".join(f"{name}: {literal(value)}" for name, value in arguments.items())
        self._of = f"{loaded.main.name}({given})" if given else loaded.main.name

    def chat(self, trail: Trail, title: str, *, slow: bool = False) -> str:
        """The text of a chat. `slow`: every call takes as long as it may."""
        made = [each for step in trail.steps for each in step.made]
        lines = [f"chat {shown(title)} of {self._of}", *self._given(made, slow=slow)]
        playing = Playing(self._program, self._loaded, nothing_understood)
        for each in made:
            playing.stubs.setdefault((each.service, each.operation), []).append(
                (each.result, self._delay(each, slow=slow))
            )
        try:
            for step in trail.steps:
                lines += self._step(step.happened, playing)
            lines += _calls(playing)
            lines += _end(playing)
        except Unmet as unmet:
            lines += [*_replies(playing), f"# here: {unmet.message}"]
        text = lines[0] + "\n" + "".join(f"  {line}\n" for line in lines[1:])
        return format_source(SourceFile(HELD, text)).text

    def played(self, trail: Trail) -> Playing:
        """The conversation at the end of the trail, as far as it gets."""
        playing = Playing(self._program, self._loaded, nothing_understood)
        for each in (made for step in trail.steps for made in step.made):
            playing.stubs.setdefault((each.service, each.operation), []).append((each.result, 0))
        try:
            for step in trail.steps:
                for _ in self._step(step.happened, playing):
                    pass
        except Unmet:  # so far, then
            return playing
        return playing

    def _step(self, happened: Input | None, playing: Playing) -> Iterator[str]:
        if happened is None:
            playing.feed(Opened(playing.moment(), CONVERSATION, playing.user))
        else:
            yield spelled_input(happened)
            playing.act(happened)
        yield from _replies(playing)

    def _delay(self, made: Made, *, slow: bool) -> int:
        operation = self._program.services[made.service].operations[made.operation]
        return operation.policy.within_ms if slow else 0

    def _given(self, made: list[Made], *, slow: bool) -> Iterator[str]:
        """One line for each operation, with all its answers in order; the last one stays."""
        by_operation: dict[tuple[str, str], list[Made]] = {}
        for each in made:
            by_operation.setdefault((each.service, each.operation), []).append(each)
        for (service, operation), results in by_operation.items():
            while len(results) > 1 and results[-1].result == results[-2].result:
                results.pop()
            delay = self._delay(results[0], slow=slow)
            after = f" after {spelled_duration(delay)}" if delay else ""
            yield f"given {service}.{operation} " + ", then ".join(f"{answer(each.result)}{after}" for each in results)

    def holds(self, text: str) -> bool:
        """Whether the chat holds when it is run."""
        scripts, problems = script_chats(parse_chat(SourceFile(HELD, text)).file, self._program)
        loaded = [replace(self._loaded, arguments=dict(each.arguments)) for each in scripts]
        played = [
            play(self._program, each, script, nothing_understood) for each, script in zip(loaded, scripts, strict=True)
        ]
        return not problems and bool(played) and all(each.failure is None for each in played)


def missing_chats(chats: Chats, explored: Explored, missing: Iterable[Goal]) -> tuple[str, ...]:
    """Chats that reach what is `missing` and was explored: as few as taking the most useful one each time gives."""
    left = {goal for goal in missing if goal in explored.goals}
    trails = {goal: explored.goals[goal] for goal in left}
    reached = {trail: chats_goals(chats, trail) & left for trail in dict.fromkeys(trails.values())}
    written: list[str] = []
    while left and reached:
        best = max(reached, key=lambda trail: (len(reached[trail] & left), -len(trail.steps)))
        new = reached.pop(best) & left
        if not new:
            break
        title = "explored: " + min(goal.words for goal in new)
        text = chats.chat(best, title)
        if chats.holds(text):
            written.append(text)
            left -= new
    return tuple(written)


def chats_goals(chats: Chats, trail: Trail) -> set[Goal]:
    """What the whole trail reaches."""
    playing = chats.played(trail)
    return reached_by(playing.transitions, playing.outcomes)


def spelled_input(happened: Input) -> str:
    """The line of a chat."""
    match happened:
        case SayStep(text, meaning):
            values = {} if meaning is None else {each.slot: each.value for each in meaning.found if each.slot}
            intent = "" if meaning is None or not meaning.intents else meaning.intents[0].name
            inside = ", ".join(f"{name}: {literal(value)}" for name, value in values.items())
            understood = f"{intent}({inside})" if inside else intent or "none"
            return f"user {shown(text)} as {understood}"
        case PassStep(ms):
            return f"after {spelled_duration(ms)}"
        case EventStep(name, fields):
            inside = ", ".join(f"{key}: {literal(value)}" for key, value in fields.items() if value is not None)
            return f"event {name}({inside})" if inside else f"event {name}"
        case PeopleStep(said):
            return f"handoff {said}"
        case _:
            assert_never(happened)


def answer(result: CallResult) -> str:
    match result:
        case Succeeded(value):
            return f"-> {literal(value)}"
        case CallFailure(kind, _, fields):
            inside = ", ".join(f"{name}: {literal(value)}" for name, value in fields.items())
            return f"fails {kind}({inside})" if inside else f"fails {kind}"
        case _:
            assert_never(result)


def literal(value: Value) -> str:
    """A value as a chat has it."""
    return _json(to_json(value))


def _json(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case str():
            return shown(value)
        case list() | tuple():
            return f"[{', '.join(_json(each) for each in value)}]"
        case dict():
            return "{" + ", ".join(f"{name}: {_json(each)}" for name, each in value.items()) + "}"
        case _:
            return str(value)


def _replies(playing: Playing) -> list[str]:
    lines = [f"bot {shown(reply.text)}" for reply in playing.replies]
    playing.replies = []
    return lines


def _calls(playing: Playing) -> Iterator[str]:
    """The writes, as they were made."""
    for command in playing.writes:
        inside = ", ".join(f"{name}: {literal(value)}" for name, value in command.arguments.items())
        yield f"calls {command.service}.{command.operation}({inside})"


def _end(playing: Playing) -> Iterator[str]:
    position = playing.position
    if position is None:
        return
    if position.ended:
        yield "ends" if position.outcome is None else f"ends {position.outcome}"
    elif any(position.state in flow.states for flow in playing.program.flows.values()):
        yield f"state {position.state}"
