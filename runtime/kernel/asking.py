"""`ask` and `reject`: questions about slots, one at a time, as often as `tries` says."""

from collections.abc import Callable, Mapping
from functools import partial

from flowc.runtime.kernel.checks import failed_check
from flowc.runtime.kernel.heard import normalised, read_answer
from flowc.runtime.kernel.loaded import AskWait, Code, ListenWait, LoadedSlot
from flowc.runtime.kernel.running import LiveFrame, Running
from flowc.runtime.kernel.texts import TextOf
from flowc.runtime.kernel.words import misfit, words_for
from flowc.runtime.types import Basic, Choice
from flowc.runtime.values import Value


def ask(wait: AskWait) -> Code:
    return partial(_ask, wait, {slot.name: partial(_question, wait, slot) for slot in wait.slots})


def _ask(wait: AskWait, questions: Mapping[str, Callable[[Running], None]], running: Running) -> int:
    """Waits for the first slot without a value; with all of them the flow goes on."""
    frame = running.top
    variables = frame.run.variables
    _settle(running, frame)
    for name in wait.waits:
        if name not in variables:
            frame.wait = wait.waits[name]
            return running.at_wait(questions[name])
    frame.wait = ""
    return wait.next


def _settle(running: Running, frame: LiveFrame) -> None:
    """The arm that may have led here is over."""
    frame.back = ""
    if frame.locals:
        frame.locals = {}
        running.locals = frame.locals


def listen(wait: ListenWait) -> Code:
    def run(running: Running) -> int:
        frame = running.top
        _settle(running, frame)
        frame.wait = wait.wait
        return running.at_wait(None)

    return run


def _question(wait: AskWait, slot: LoadedSlot, running: Running) -> None:
    text = wait.question or slot.ask
    if text is not None:
        running.say(text(running), _buttons(running, slot))


def _buttons(running: Running, slot: LoadedSlot) -> tuple[str, ...]:
    """The values of a choice or boolean."""
    match slot.type:
        case Choice(values=values):
            return values
        case Basic(name="boolean"):
            words = words_for(running.locale)
            return words.yes, words.no
        case _:
            return ()


def slot_of_wait(wait: AskWait, name: str) -> LoadedSlot:
    """The slot that the question is about, by the stored name of the wait."""
    if len(wait.slots) == 1:
        return wait.slots[0]
    return next((slot for slot in wait.slots if wait.waits[slot.name] == name), wait.slots[0])


def answer_of(running: Running, slot: LoadedSlot, heard: Value, text: str) -> Value:
    """What a message answers to the question about a slot that is not plain text: what was found, else its words;
    none when it does not fit."""
    if heard is not None:
        return heard
    return read_answer(slot, text, words_for(running.locale), running.loaded.shapes)


def plain_answer(slot: LoadedSlot, heard: Value, text: str) -> Value:
    """The same for a slot of plain text: what was found for it, else the whole message."""
    return normalised(slot, heard if heard is not None else text) or None


def not_answered(running: Running, wait: AskWait, slot: LoadedSlot, answer: Value) -> bool:
    """Uses a try; asks again while there are some. `answer` fits the type and failed a check, or is none."""
    frame = running.top
    if not _use_try(frame, slot):
        return False
    failed = failed_check(running, frame.run, slot, answer) if answer is not None else None
    text = failed.text if failed is not None else slot.reask
    if text is None:
        said = misfit(slot.slot, words_for(running.locale))
    else:
        said = str(running.evaluate(text, frame.run.variables, {slot.name: answer}))
    running.say(said, _buttons(running, slot))
    return True


def _use_try(frame: LiveFrame, slot: LoadedSlot) -> bool:
    """Whether another answer may be taken. When none may, the tries begin anew for whoever comes back."""
    tries = frame.run.tries
    used = tries.get(slot.name, 0) + 1
    if used >= slot.slot.tries:
        tries.pop(slot.name, None)
        return False
    tries[slot.name] = used
    return True


def reject(slot: str, text: TextOf, pc: int) -> Code:
    return partial(_reject, slot, text, pc)


def _reject(name: str, text: TextOf, pc: int, running: Running) -> int:
    """As after an answer that does not fit: one try of its `ask` is used. With none left `taking` goes to its
    `else`."""
    frame = running.top
    running.say(text(running))
    frame.run.variables.pop(name, None)
    frame.failures = {}
    _settle(running, frame)
    flow = frame.run.flow
    wait = flow.asks[pc]
    frame.wait = wait.waits[name]
    if _use_try(frame, flow.slots[name]):
        return running.at_wait(None)
    return running.give_up()
