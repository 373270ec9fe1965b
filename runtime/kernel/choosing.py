"""`choose`: at most ten items are offered; taken are the number, the place, the label, or words that only one label
has."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Final

from flowc.runtime.kernel.events import Transition
from flowc.runtime.kernel.functions import text
from flowc.runtime.kernel.heard import contains_words, fold, tokens
from flowc.runtime.kernel.loaded import ChooseWait, Code
from flowc.runtime.kernel.running import LiveFrame, Running
from flowc.runtime.kernel.words import DefaultWords, words_for
from flowc.runtime.values import Value

MOST_OFFERED: Final = 10
TRIES: Final = 3


def choose(wait: ChooseWait) -> Code:
    return partial(_choose, wait)


def _choose(wait: ChooseWait, running: Running) -> int:
    frame = running.top
    frame.back = ""
    frame.locals = {}
    running.bind(frame)
    items = wait.items(running)
    if not isinstance(items, tuple) or not items:
        running.transitions.append(Transition("arm", frame.run.flow.name, wait.wait, "on empty"))
        return wait.empty
    named = _named_already(running, frame, labels(running, wait, items))
    if named is not None:
        return _take(running, wait, items[named])
    frame.offered = items[:MOST_OFFERED]
    frame.wait = wait.wait
    running.grown = True
    return running.at_wait(partial(_offer, wait))


def _named_already(running: Running, frame: LiveFrame, offered: Sequence[str]) -> int | None:
    """The one item whose label is in the last message that this flow handled, else its caller."""
    for run in running.callers(frame.run):
        if run.said.text:
            return _contained(run.said.text, offered)
    return None


def _contained(message: str, offered: Sequence[str]) -> int | None:
    """The one label in a message; of two, one inside the other, the longer."""
    found = [place for place, label in enumerate(offered) if contains_words(message, label)]
    longest = [
        place
        for place in found
        if not any(other != place and contains_words(offered[other], offered[place]) for other in found)
    ]
    return longest[0] if len(longest) == 1 else None


def labels(running: Running, wait: ChooseWait, items: Sequence[Value]) -> tuple[str, ...]:
    """How items are shown."""
    frame = running.top
    if wait.show is None:
        return tuple([text(item, running.zone) for item in items])
    show = wait.show
    return tuple([str(running.evaluate(show, frame.run.variables, {wait.name: item})) for item in items])


def show_again(running: Running, wait: ChooseWait) -> int:
    """What `resume` does: the same items, as they were offered."""
    frame = running.top
    frame.wait = wait.wait
    _offer(wait, running)
    return running.stop("user")


def _offer(wait: ChooseWait, running: Running) -> None:
    running.say(wait.question(running), labels(running, wait, running.top.offered))


def _take(running: Running, wait: ChooseWait, item: Value) -> int:
    frame = running.top
    frame.run.variables[wait.name] = item
    frame.wait = ""
    frame.offered = ()
    frame.run.tries.pop(wait.wait, None)
    running.grown = True
    return wait.next


def take_choice(running: Running, wait: ChooseWait, message: str) -> int | None:
    """Where the flow goes on when a message picks an item that is offered."""
    frame = running.top
    picked = pick(message, labels(running, wait, frame.offered), words_for(running.locale))
    if picked is None:
        return None
    running.note("arm", frame, "answer")
    return _take(running, wait, frame.offered[picked])


def not_chosen(running: Running, wait: ChooseWait) -> bool:
    """Uses a try; offers the list again while there are some."""
    frame = running.top
    used = frame.run.tries.get(wait.wait, 0) + 1
    if used >= TRIES:
        frame.run.tries.pop(wait.wait, None)
        return False
    frame.run.tries[wait.wait] = used
    running.say(words_for(running.locale).choose_again, labels(running, wait, frame.offered))
    return True


_NUMBER: Final = re.compile(r"(?:#|nr\.?|no\.?|number|nummer)?\s*(\d{1,2})[.)]?")


def pick(message: str, offered: Sequence[str], words: DefaultWords) -> int | None:
    """The index of the label that a message means."""
    folded = fold(message)
    same = [place for place, label in enumerate(offered) if fold(label) == folded]
    if len(same) == 1:
        return same[0]
    number = _NUMBER.fullmatch(folded)
    if number is not None:
        place = int(number[1]) - 1
        return place if 0 <= place < len(offered) else None
    for found in (
        _ordinal(message, len(offered), words),
        _contained(message, offered),
        _by_words(message, offered, words),
    ):
        if found is not None:
            return found
    return None


def _ordinal(message: str, count: int, words: DefaultWords) -> int | None:
    """The place that a message names and says nothing else."""
    said = [token for token in tokens(message) if token not in words.fillers]
    if len(said) != 1:
        return None
    if said[0] in words.last:
        return count - 1
    return next((place for place, names in enumerate(words.ordinals[:count]) if said[0] in names), None)


def _by_words(message: str, offered: Sequence[str], words: DefaultWords) -> int | None:
    """The label that alone has some words of a message. At least half of what is said must be of that label, else every
    sentence with such a word in it would be a choice."""
    said = {token for token in tokens(message) if token not in words.fillers}
    parts = [said & set(tokens(label)) for label in offered]
    telling = {word for word in said if sum(word in part for part in parts) == 1}
    fitting = [place for place, part in enumerate(parts) if part & telling]
    return fitting[0] if len(fitting) == 1 and 2 * len(parts[fitting[0]]) >= len(said) else None
