"""The `rules` provider: examples word for word, examples with places for slots, and values by their types.

Always the first of a chain: what it finds is certain, and costs microseconds. Examples of all flows are indexed when a
program is loaded; values are looked for with the slots of the flow that is asking.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from flowc.runtime.kernel.events import Found, RankedIntent, Understood
from flowc.runtime.program import Program, Slot
from flowc.runtime.types import Text
from flowc.runtime.understanding.answers import loosely, whole
from flowc.runtime.understanding.examples import Captured, Named, Pattern, Tries, compile_examples, lay
from flowc.runtime.understanding.fold import Word, fold, words
from flowc.runtime.understanding.forms import Setting
from flowc.runtime.understanding.language import Language, language
from flowc.runtime.understanding.lexicon import Lexicon, Span
from flowc.runtime.understanding.port import Asking, Heard
from flowc.runtime.values import Shapes, Value, plain_type

CERTAIN = 1.0
LIKELY = 0.9  # an example with a place that any words may stand in

MOST_WORDS_OF_A_PATTERN = 60
MOST_LEXICONS = 256
MOST_PREPARED = 4_096
MOST_KNOWN = 64  # messages of one wait


class Rules:
    """Understands by the examples and slots of a program."""

    name = "rules"

    def __init__(self, program: Program) -> None:
        self._program = program
        self._examples = compile_examples(program.flows.values())
        self._shapes = Shapes(program.records, program.zone, program.currency)
        self._lexicon = lru_cache(maxsize=MOST_LEXICONS)(self._make_lexicon)
        self._prepared = lru_cache(maxsize=MOST_PREPARED)(self._prepare)
        for flow in program.flows.values():
            for locale in {flow.locale or "en", *program.locales}:
                self._lexicon(flow.name, language(locale).locale)

    def hear(self, heard: Heard, asking: Asking) -> Understood:
        """What a message says, as far as the rules know."""
        here = self._prepared(asking)
        known = here.known.get(heard.text)
        if known is not None:
            return known
        message = _Message(encodable(heard.text))
        setting = Setting(heard.now, here.zone, here.language, self._shapes)
        matches = self._matches(message, here, setting)
        found = [each for _, values, _ in matches for each in values] if matches else []
        taken: list[Span] = [(each.start, each.end) for each in found if each.end] if found else []
        asked = asking.asked
        answer = None  # to a question about plain text anything would be one: the kernel decides
        if asked is not None and not here.asks_plain_text:
            answer = whole(here.lexicon, asked, message.text, setting)
        if asked is not None and answer is not None:
            found.append(_of_all(message, asked, answer))
        if answer is None or isinstance(answer, bool):  # other values may follow a yes; no other answer leaves room
            scan = here.lexicon.scan(message.text, setting)
            if scan is not None:
                found += here.lexicon.find(scan, message.words, here.asked_name, taken)
            if matches and asked is None and not found and (scan is None or not scan.present):
                return here.learn(heard.text, Understood(_ranked(matches, here), (), self.name))
        if asked is not None and answer is None and not matches and not any(asked.name in each.slots for each in found):
            value = loosely(asked, message.text, message.words(), setting)
            found += () if value is None else (_of_all(message, asked, value),)
        return Understood(_ranked(matches, here), tuple(found), self.name) if matches or found else _NOTHING

    def _prepare(self, asking: Asking) -> "_Prepared":
        its_language = language(asking.locale)
        return _Prepared(
            {(each.flow, each.intent.name): each.distance for each in asking.candidates},
            _zone(asking.zone),
            its_language,
            self._lexicon(asking.flow, its_language.locale),
            None if asking.asked is None else asking.asked.name,
            asking.asked is not None and plain_type(asking.asked.type) == Text(),
            {},
        )

    # ------------------------------------------------------------------------------------------------------ intents

    def _matches(
        self, message: "_Message", here: "_Prepared", setting: Setting
    ) -> list[tuple[Named, list[Found], float]]:
        """The examples of candidates that the message is, with the values of their places."""
        matches: list[tuple[Named, list[Found], float]] = []
        if len(message.text) <= self._examples.longest_message:
            folded = fold(message.text)
            matches = [
                (each.named, self._fixed_values(each.named, each.values, setting), CERTAIN)
                for each in self._examples.whole(folded)
                if each.named in here.distances
            ]
            if not self._examples.may_begin(folded):
                return matches
        spoken = message.words()
        if not spoken or len(spoken) > MOST_WORDS_OF_A_PATTERN:
            return matches
        exact, tries = {named for named, _, _ in matches}, Tries()
        for pattern in self._examples.beginning(spoken):
            if pattern.named in exact or pattern.named not in here.distances:
                continue
            match = self._laid(pattern, message, setting, tries)
            if match is not None:
                matches.append(match)
        return matches

    def _laid(
        self, pattern: Pattern, message: "_Message", setting: Setting, tries: Tries
    ) -> tuple[Named, list[Found], float] | None:
        flow = pattern.named[0]

        def fits(slot: str, start: int, end: int) -> tuple[Value] | None:
            return self._place(flow, slot, message.text[start:end], setting)

        placed = lay(pattern, message.words(), fits, tries)
        if placed is None:
            return None
        certain = all(not self._is_plain(flow, place.slot) for place in placed)
        return pattern.named, _founds(placed), CERTAIN if certain else LIKELY

    def _place(self, flow: str, name: str, said: str, setting: Setting) -> tuple[Value] | None:
        """What words in a place mean; the whole of them is the value."""
        slot = self._program.flows[flow].slots.get(name)
        if slot is None:
            return (said,)
        value = whole(self._lexicon(flow, setting.language.locale), slot, said, setting)
        return None if value is None else (value,)

    def _fixed_values(self, named: Named, values: Sequence[tuple[str, str]], setting: Setting) -> list[Found]:
        flow = named[0]
        found = []
        for slot, said in values:
            value = self._place(flow, slot, said, setting)
            if value is not None:
                found.append(Found(value[0], slot, (slot,)))
        return found

    def _is_plain(self, flow: str, name: str) -> bool:
        slot = self._program.flows[flow].slots.get(name)
        return slot is None or plain_type(slot.type) == Text()

    # ------------------------------------------------------------------------------------------------------- values

    def _make_lexicon(self, flow: str, locale: str) -> Lexicon:
        slots = tuple(self._program.flows[flow].slots.values())
        return Lexicon(slots, language(locale), self._program.currency)


_NOTHING = Understood(provider="rules")


class _Prepared(Struct, frozen=True):
    """What is the same for all messages at a wait. `distances` of the intents that somebody takes.

    `known` are messages that are examples without any value, as they came: what they say does not depend on when. They
    are the buttons that users press and `yes` and `no`, and nothing of what users tell of themselves."""

    distances: Mapping[Named, int]
    zone: ZoneInfo
    language: Language
    lexicon: Lexicon
    asked_name: str | None
    asks_plain_text: bool
    known: dict[str, Understood]

    def learn(self, text: str, understood: Understood) -> Understood:
        if len(self.known) >= MOST_KNOWN:
            self.known.clear()
        self.known[text] = understood
        return understood


class _Message:
    """A message and its words, which are looked at only when something asks for them."""

    __slots__ = ("_words", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._words: list[Word] | None = None

    def words(self) -> list[Word]:
        if self._words is None:
            self._words = words(self.text)
        return self._words


def encodable(text: str) -> str:
    """A text with `?` for each half of a character, which JSON can bring and no pattern reads."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _of_all(message: _Message, asked: Slot, value: Value) -> Found:
    return Found(value, asked.name, (asked.name,), 0, len(message.text))


def _founds(placed: Mapping[Captured, Value]) -> list[Found]:
    return [Found(value, place.slot, (place.slot,), place.start, place.end) for place, value in placed.items()]


def _ranked(matches: Sequence[tuple[Named, list[Found], float]], here: _Prepared) -> tuple[RankedIntent, ...]:
    """Surest first, then the nearest scope."""
    if len(matches) < 2:
        return tuple([RankedIntent(named[1], confidence) for named, _, confidence in matches])
    surest: dict[str, tuple[float, int]] = {}
    for named, _, confidence in matches:
        rank = (-confidence, here.distances[named])
        surest[named[1]] = min(surest.get(named[1], rank), rank)
    return tuple(RankedIntent(name, -rank[0]) for name, rank in sorted(surest.items(), key=lambda item: item[1]))


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
