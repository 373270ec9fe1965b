"""Which arm takes what happens at a wait for the user: a message, an event, a silence, or a message that nobody takes.

The nearest scope wins: the arms of the statement, then the `anywhere` of its flow, then that of each caller. An arm
of the statement runs in its frame; an arm of `anywhere` on top of the wait.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from flowc.runtime.kernel.asking import answer_of, not_answered, plain_answer, slot_of_wait
from flowc.runtime.kernel.checks import failed_check, passing
from flowc.runtime.kernel.choosing import not_chosen, take_choice
from flowc.runtime.kernel.evaluate import Evaluate
from flowc.runtime.kernel.events import EventReceived, MessageReceived, RankedIntent
from flowc.runtime.kernel.fault import Fault
from flowc.runtime.kernel.heard import heard_values, said_values
from flowc.runtime.kernel.loaded import (
    STOP,
    AskWait,
    ChooseWait,
    LoadedArm,
    LoadedArms,
    LoadedSlot,
    UserWait,
)
from flowc.runtime.kernel.position import Message, Said
from flowc.runtime.kernel.running import LiveFrame, LiveRun, Running
from flowc.runtime.kernel.words import words_for
from flowc.runtime.values import Value

_ABSENT: Final = object()
LONGEST_SMALL: Final = 1_000  # letters of a message that need not be weighed


def user_wait(running: Running) -> UserWait:
    """The wait where the conversation stands, for the user."""
    frame = running.top
    wait = frame.run.flow.waits.get(frame.wait)
    if isinstance(wait, UserWait):
        return wait
    raise Fault(f"no wait for the user is named `{frame.wait}`")


# ----------------------------------------------------------------------------------------------------------- messages


def take(running: Running, event: MessageReceived) -> int:
    """Where the flow goes on with a message."""
    taken = _message(running, event, first=False).take()
    return taken if taken is not None else _not_understood(running, event)


def first(running: Running) -> int:
    """Where the flow goes on with the first message or event of the conversation, at the first wait.

    Where only `else` or a plain text slot would take a message and something has been said, what was said is the
    answer."""
    pending = running.pending
    unsaid = running.unsaid
    running.pending = running.unsaid = None
    running.bind(running.top)
    if pending is None:
        return STOP
    if isinstance(pending.event, EventReceived):
        if unsaid is not None:
            unsaid(running)
        return take_event(running, pending.event)
    taken = _message(running, pending.event, first=True).take()
    if taken is not None:
        return taken
    if unsaid is not None:
        unsaid(running)
        return STOP
    if running.spoke or pending.answered:
        return STOP
    return _not_understood(running, pending.event)


def set_before_start(running: Running, run: LiveRun, event: MessageReceived) -> None:
    """What the first message says is set before the start state runs."""
    found = event.understood.found
    heard = heard_values(run.flow, found, None, running.loaded.shapes)
    empty = {name: value for name, value in heard.items() if name not in run.variables}
    run.variables.update(passing(running, run, empty))
    _keep_said(running, run, event, heard)


def _keep_said(running: Running, run: LiveRun, event: MessageReceived, heard: Mapping[str, Value]) -> None:
    """Keeps what a message said in the run that takes it."""
    found = event.understood.found
    run.said = Said(event.text, said_values(found, heard)) if found else Said(event.text)
    if found or len(event.text) > LONGEST_SMALL:
        running.grown = True


class _Message(Struct, eq=False):
    """One message at one wait."""

    running: Running
    event: MessageReceived
    first: bool
    wait: UserWait
    slot: LoadedSlot | None
    frame: LiveFrame
    run: LiveRun
    found: dict[str, Value]
    values: dict[str, Value]
    intents: Sequence[RankedIntent]

    def take(self) -> int | None:
        """Changes come before answers and intents; a value that fits the slot asked wins over an intent, but for
        plain text."""
        wait, slot = self.wait, self.slot
        to = self._as_change() if self.values and wait.arms.changes else None
        if to is None and slot is not None and not slot.is_plain:
            to = self._as_answer()
        elif to is None and isinstance(wait, ChooseWait) and not self.first:
            to = self._as_choice(wait)
        if to is None and self.intents:
            to = self._as_intent()
        if to is None and slot is not None and slot.is_plain and not self.first:
            to = self._as_plain_text()
        return to

    def _as_change(self) -> int | None:
        variables = self.run.variables
        for slots, arm in self.wait.arms.changes:
            given = any(name in self.values and variables.get(name, _ABSENT) != self.values[name] for name in slots)
            if given and (arm.when is None or self._holds(arm.when, self.run, self.values)):
                self._set(self.run, self.values)
                self._understood(None)
                return begin_arm(self.running, arm, {})
        return None

    def _as_answer(self) -> int | None:
        slot, wait = self.slot, self.wait
        if slot is None or not isinstance(wait, AskWait):
            return None
        if self.first and slot.name in self.run.said.values:  # set once already, and forgotten since
            return None
        answer = answer_of(self.running, slot, self.found.get(slot.name), self.event.text)
        return self._answered(wait, slot, answer)

    def _as_plain_text(self) -> int | None:
        slot, wait = self.slot, self.wait
        if slot is None or not isinstance(wait, AskWait):
            return None
        return self._answered(wait, slot, plain_answer(slot, self.found.get(slot.name), self.event.text))

    def _answered(self, wait: AskWait, slot: LoadedSlot, answer: Value) -> int | None:
        if answer is None or failed_check(self.running, self.run, slot, answer) is not None:
            return None
        self._set(self.run, {**self._sets(self.run, self.values, wait.names), slot.name: answer})
        self._understood(None)
        self.running.note("arm", self.frame, "answer")
        return wait.pc

    def _as_choice(self, wait: ChooseWait) -> int | None:
        to = take_choice(self.running, wait, self.event.text)
        if to is not None:
            self._set(self.run, self._sets(self.run, self.values, frozenset()))
            self._understood(None)
        return to

    def _as_intent(self) -> int | None:
        running = self.running
        for ranked in self.intents:
            for run, arms, inside in scopes(running, self.wait):
                for arm in arms.intents.get(ranked.name, ()):
                    sets = self._sets_of_intent(run, ranked.name)
                    is_free = inside or not running.is_running(run, arm)
                    if is_free and (arm.when is None or self._holds(arm.when, run, sets, ranked)):
                        self._set(run, sets)
                        self._understood(ranked)
                        return begin_arm(running, arm, {}) if inside else running.interrupt(run, arm, {})
        return None

    def _sets_of_intent(self, run: LiveRun, intent: str) -> dict[str, Value]:
        """An intent also changes the slots that its examples name."""
        if not self.event.understood.found:
            return {}
        changed = run.flow.intent_slots.get(intent, frozenset())
        if run is self.run:
            asked = self.wait.names if isinstance(self.wait, AskWait) else frozenset()
            return self._sets(run, self.values, changed | asked)
        named = [each for each in self.event.understood.found if each.slot is not None]
        values = heard_values(run.flow, named, None, self.running.loaded.shapes)
        return self._sets(run, passing(self.running, run, values), changed)

    def _sets(self, run: LiveRun, values: Mapping[str, Value], changed: frozenset[str]) -> dict[str, Value]:
        """What the message sets: slots without a value, and those of `changed`. A first message was set before the
        start."""
        if not values or (self.first and run is self.run):
            return {}
        return {name: value for name, value in values.items() if name in changed or name not in run.variables}

    def _holds(
        self, condition: Evaluate, run: LiveRun, sets: Mapping[str, Value], ranked: RankedIntent | None = None
    ) -> bool:
        self._read_as(ranked)
        return bool(self.running.evaluate(condition, {**run.variables, **sets}, {}))

    def _read_as(self, ranked: RankedIntent | None) -> None:
        """Makes `message` what the flow reads."""
        chosen = ranked or (self.intents[0] if self.intents else None)
        text = self.event.text
        message = Message(text, chosen.name, chosen.confidence) if chosen is not None else Message(text)
        self.running.message = message

    def _set(self, run: LiveRun, sets: Mapping[str, Value]) -> None:
        """The message is taken by `run`: sets what it sets, and keeps what was said."""
        if sets:
            run.variables.update(sets)
        _keep_said(self.running, run, self.event, self.found if run is self.run else {})

    def _understood(self, ranked: RankedIntent | None) -> None:
        self._read_as(ranked)
        self.frame.resumed = 0

    def fill(self) -> None:
        """Nobody takes the message: still it fills what is empty, but for the slot that was asked and not answered."""
        self._read_as(None)
        asked = self.slot.name if self.slot is not None else None
        values = {name: value for name, value in self.values.items() if name != asked}
        self._set(self.run, self._sets(self.run, values, frozenset()))

    def wrong_answer(self) -> Value:
        """What fits the type of the slot asked and failed its check; none when nothing fits its type."""
        slot = self.slot
        if slot is None:
            return None
        heard = self.found.get(slot.name)
        if slot.is_plain:
            return plain_answer(slot, heard, self.event.text)
        return answer_of(self.running, slot, heard, self.event.text)


def _message(running: Running, event: MessageReceived, *, first: bool) -> _Message:
    frame, wait = running.top, user_wait(running)
    run = frame.run
    slot = slot_of_wait(wait, frame.wait) if isinstance(wait, AskWait) else None
    found = event.understood.found
    asked = slot.name if slot is not None else None
    heard = heard_values(run.flow, found, asked, running.loaded.shapes) if found else {}
    values = passing(running, run, heard) if heard else {}
    intents: Sequence[RankedIntent] = event.understood.intents
    if intents:
        least = running.confidence(run)
        if intents[-1].confidence < least:  # the least sure is the last
            intents = [ranked for ranked in intents if ranked.confidence >= least]
    return _Message(running, event, first, wait, slot, frame, run, heard, values, intents)


def _not_understood(running: Running, event: MessageReceived) -> int:
    """Asks again while there are tries; then `else`."""
    message = _message(running, event, first=False)
    message.fill()
    match message.wait:
        case AskWait() as wait if message.slot is not None:
            asked_again = not_answered(running, wait, message.slot, message.wrong_answer())
        case ChooseWait() as wait:
            asked_again = not_chosen(running, wait)
        case _:
            asked_again = False
    return STOP if asked_again else otherwise(running)


def otherwise(running: Running) -> int:
    """The nearest `else`."""
    for run, arms, inside in scopes(running, user_wait(running)):
        arm = arms.otherwise
        if arm is not None and (inside or not running.is_running(run, arm)):
            running.note("fallback", running.top, arm.name)
            return begin_arm(running, arm, {}) if inside else running.interrupt(run, arm, {})
    running.note("fallback", running.top)
    running.say(words_for(running.locale).not_understood)
    return running.stop("user")


# -------------------------------------------------------------------------------------------------------------- scopes


def scopes(running: Running, wait: UserWait) -> Iterator[tuple[LiveRun, LoadedArms, bool]]:
    """The arms in reach, nearest first; the last says whether they are of the statement itself."""
    frame = running.top
    yield frame.run, wait.arms, True
    for run in running.callers(frame.run):
        yield run, run.flow.anywhere, False


def begin_arm(running: Running, arm: LoadedArm, locals: dict[str, Value]) -> int:
    """Begins an arm of the statement where the conversation waits."""
    frame = running.top
    running.note("arm", frame, arm.name)
    frame.back = frame.wait
    frame.locals = locals
    return arm.to


def _first_free(
    running: Running, run: LiveRun, arms: Iterable[LoadedArm], locals: Mapping[str, Value], *, inside: bool
) -> LoadedArm | None:
    """The first arm whose guard holds and that does not run already."""
    for arm in arms:
        if not inside and running.is_running(run, arm):
            continue
        if arm.when is None or running.evaluate(arm.when, run.variables, locals):
            return arm
    return None


# -------------------------------------------------------------------------------------------------- events and silence


def take_event(running: Running, event: EventReceived) -> int:
    """Where the flow goes on with an external event; nowhere when no flow that runs has an arm for it."""
    locals: dict[str, Value] = {event.name: event.fields}
    for run, arms, inside in scopes(running, user_wait(running)):
        arm = _first_free(running, run, arms.events.get(event.name, ()), locals, inside=inside)
        if arm is not None:
            return begin_arm(running, arm, locals) if inside else running.interrupt(run, arm, locals)
    running.note("unhandled", running.top, event.name)
    return STOP


def take_silence(running: Running, after_ms: int) -> int:
    """Where the flow goes on when the user was silent for so long."""
    inside_first = list(_silences(running, after_ms))
    running.silenced = (*running.silenced, *[key for key, _, _, _ in inside_first])
    for _, run, arms, inside in inside_first:
        arm = _first_free(running, run, arms, {}, inside=inside)
        if arm is not None:
            return begin_arm(running, arm, {}) if inside else running.interrupt(run, arm, {})
    return STOP


def _silences(running: Running, after_ms: int) -> Iterator[tuple[str, LiveRun, tuple[LoadedArm, ...], bool]]:
    for key, after, (run, arms, inside) in silences(running):
        if after == after_ms and key not in running.silenced:
            yield key, run, arms.silences[after], inside


def silences(running: Running) -> Iterator[tuple[str, int, tuple[LiveRun, LoadedArms, bool]]]:
    """The silence arms in reach, nearest first: a stored name, the time, and whose they are."""
    wait = user_wait(running)
    for scope in scopes(running, wait):
        run, arms, inside = scope
        for after_ms in arms.silences:
            yield f"{run.flow.name}/{wait.wait if inside else 'anywhere'}/{after_ms}", after_ms, scope
