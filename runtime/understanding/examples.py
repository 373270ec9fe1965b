"""Examples of intents, compiled once: whole messages by their folded text, and patterns with places for slots.

A message is an example when their words are equal. In `where is {order_id}` the words around the place must be equal,
and what stands in it must be a value of the slot. Patterns are found by their first or last word, so a message costs
what its own words cost, not what all examples do.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from flowc.runtime.program import ExampleSlot, Flow
from flowc.runtime.understanding.fold import Word, fold
from flowc.runtime.values import Value

MOST_PLACES_TRIED = 200  # values of places in one message, over all ways to lay patterns with several places

Named = tuple[str, str]  # flow, intent


class Captured(Struct, frozen=True):
    """What stands in a place of an example: its slot, and its words in the message."""

    slot: str
    start: int
    end: int


class Pattern(Struct, frozen=True):
    """An example with places: `parts` are runs of folded words, or the name of a slot."""

    named: Named
    parts: tuple[tuple[str, ...] | str, ...]


class Fixed(Struct, frozen=True):
    """An example without places, or with values in them: `{order_id: AB123456}`."""

    named: Named
    values: tuple[tuple[str, str], ...] = ()


class Examples(Struct):
    """The examples of all flows of a program."""

    fixed: dict[str, list[Fixed]] = {}
    by_first: dict[str, list[Pattern]] = {}
    by_last: dict[str, list[Pattern]] = {}  # those that begin with a place
    bare: list[Pattern] = []  # those that are only places
    longest: int = 0

    def whole(self, folded: str) -> Sequence[Fixed]:
        """The examples that a folded message is, word for word."""
        return self.fixed.get(folded, ())

    @property
    def longest_message(self) -> int:
        """No message of more characters is an example without places: folding leaves out at most what is no word."""
        return 4 * self.longest + 64

    def may_begin(self, folded: str) -> bool:
        """Whether a message of these words may be an example with places."""
        if self.bare:
            return True
        first, last = folded.partition(" ")[0], folded.rpartition(" ")[2]
        return first in self.by_first or last in self.by_last

    def beginning(self, words: Sequence[Word]) -> Iterator[Pattern]:
        """The patterns that a message may be, by its first and last word."""
        yield from self.by_first.get(words[0].text, ())
        yield from self.by_last.get(words[-1].text, ())
        yield from self.bare


def compile_examples(flows: Iterable[Flow]) -> Examples:
    """The index of the examples of these flows."""
    examples = Examples()
    for flow in flows:
        for intent in flow.intents.values():
            for example in intent.examples:
                _add(examples, (flow.name, intent.name), example)
    return examples


def _add(examples: Examples, named: Named, example: Sequence[str | ExampleSlot]) -> None:
    places = [part for part in example if isinstance(part, ExampleSlot)]
    if all(place.value is not None for place in places):
        text = "".join(part if isinstance(part, str) else part.value or "" for part in example)
        values = tuple((place.name, place.value or "") for place in places)
        examples.fixed.setdefault(fold(text), []).append(Fixed(named, values))
        examples.longest = max(examples.longest, len(text))
    if places:
        _add_pattern(examples, Pattern(named, _parts(example)))


def _parts(example: Sequence[str | ExampleSlot]) -> tuple[tuple[str, ...] | str, ...]:
    folded = [tuple(fold(part).split()) if isinstance(part, str) else part.name for part in example]
    # Punctuation between two places is no word, but they are two places all the same.
    return tuple(part for part in folded if part and _is_words(part))


def _is_words(part: tuple[str, ...] | str) -> bool:
    return isinstance(part, str) or any(each.isalnum() for word in part for each in word)


def _add_pattern(examples: Examples, pattern: Pattern) -> None:
    first, last = pattern.parts[0], pattern.parts[-1]
    if isinstance(first, tuple):
        examples.by_first.setdefault(first[0], []).append(pattern)
    elif isinstance(last, tuple):
        examples.by_last.setdefault(last[-1], []).append(pattern)
    else:
        examples.bare.append(pattern)


Fits = Callable[[str, int, int], "tuple[Value] | None"]


class Tries(Struct):
    """How many values of places may still be tried for a message."""

    left: int = MOST_PLACES_TRIED

    def take(self) -> bool:
        self.left -= 1
        return self.left >= 0


def lay(pattern: Pattern, words: Sequence[Word], fits: Fits, tries: Tries) -> Mapping[Captured, Value] | None:
    """The values of a pattern's places when the message has its words; `fits` says what a place's words are."""
    placed = _lay(pattern.parts, words, 0, fits, tries)
    return None if placed is None else dict(placed)


def _lay(
    parts: Sequence[tuple[str, ...] | str], words: Sequence[Word], at: int, fits: Fits, tries: Tries
) -> list[tuple[Captured, Value]] | None:
    if not parts:
        return [] if at == len(words) else None
    part, rest = parts[0], parts[1:]
    if isinstance(part, tuple):
        return _lay(rest, words, at + len(part), fits, tries) if _stand(part, words, at) else None
    for end in _ends(rest, words, at):
        if not tries.take():
            return None
        start_at, end_at = words[at].start, words[end - 1].end
        value = fits(part, start_at, end_at)
        if value is not None and (after := _lay(rest, words, end, fits, tries)) is not None:
            return [(Captured(part, start_at, end_at), value[0]), *after]
    return None


def _stand(part: Sequence[str], words: Sequence[Word], at: int) -> bool:
    return len(words) - at >= len(part) and all(words[at + n].text == word for n, word in enumerate(part))


def _ends(rest: Sequence[tuple[str, ...] | str], words: Sequence[Word], at: int) -> Iterable[int]:
    """Where a place that begins at `at` may end: before the next words of the pattern, or at the end."""
    if not rest:
        return (len(words),) if at < len(words) else ()
    following = rest[0]
    if isinstance(following, str):
        return range(at + 1, len(words))
    return (end for end in range(at + 1, len(words)) if _stand(following, words, end))
