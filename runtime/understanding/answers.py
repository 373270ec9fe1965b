"""The answer to a question: what only being asked makes a value.

To "how many guests?" `two` is a number, to "shall I cancel it?" `yes, please` is true; in any other message they are
words like others.
"""

from collections.abc import Sequence

from flowc.runtime.kernel.words import words_for
from flowc.runtime.program import Slot
from flowc.runtime.types import Basic, Choice, Integer, Number, Text
from flowc.runtime.understanding import amounts, dates
from flowc.runtime.understanding.fold import Word, words
from flowc.runtime.understanding.forms import Setting
from flowc.runtime.understanding.language import Language
from flowc.runtime.understanding.lexicon import Lexicon
from flowc.runtime.values import Value, fits, pattern_fits, plain_type

MOST_WORDS_OF_A_NUMBER = 8
MOST_WORDS_OF_YES = 8
_ENDS_YES = frozenset(",.;:!–—")


def whole(lexicon: Lexicon, slot: Slot, text: str, setting: Setting) -> Value:
    """The value that the whole of a text is for a slot; None when it is none."""
    said = text.strip()
    value = _whole(lexicon, slot, said, setting)
    if value is None and (plain := said.rstrip(" .,;:!?")) != said:
        value = _whole(lexicon, slot, plain, setting)
    if isinstance(plain_type(slot.type), Text):  # its pattern has been tried, which is what costs most (4 µs)
        return value
    return value if value is not None and fits(slot.type, value, setting.shapes) else None


def _whole(lexicon: Lexicon, slot: Slot, said: str, setting: Setting) -> Value:
    match plain_type(slot.type):
        case Text(pattern=pattern):
            return said if said and (pattern is None or pattern_fits(pattern, said)) else None
        case Choice():
            return lexicon.choice(slot, said)
        case Basic(name="boolean"):
            return _yes_or_no(said, setting.language)
        case Integer() | Number() if (number := setting.language.numbers.get(said.casefold())) is not None:
            return number
        case Basic(name="time") if (hour := dates.bare_hour(said, setting.language)) is not None:
            return hour
        case Basic(name="date") if (day := dates.bare_day(said, setting)) is not None:
            return day
        case Basic(name="money") if (amount := amounts.bare_money(said, setting)) is not None:
            return amount
        case _:
            return lexicon.covering(slot, said, setting)


def _yes_or_no(said: str, language: Language) -> bool | None:
    """`yes`, `yes please`, and `yes, but later`; not `no idea` and `right after lunch`."""
    spoken = words(said, MOST_WORDS_OF_YES)
    if not spoken:
        return None
    known = words_for(language.locale)
    for meaning, its_words in ((True, known.yes_words), (False, known.no_words)):
        if spoken[0].text in its_words:
            is_all = all(word.text in its_words or word.text in language.courtesies for word in spoken[1:])
            return meaning if is_all or said[spoken[0].end :].lstrip()[:1] in _ENDS_YES else None
    return None


def loosely(slot: Slot, text: str, spoken: Sequence[Word], setting: Setting) -> Value:
    """What a message that holds no value as it is written elsewhere may still mean as the answer about a slot."""
    match plain_type(slot.type):
        case Integer() | Number():
            value: Value = _number_word(spoken, setting.language)
        case Basic(name="date" | "time" | "datetime" as kind):
            value = dates.by_library(kind, text, setting)
        case _:
            return None
    return value if value is not None and fits(slot.type, value, setting.shapes) else None


def _number_word(spoken: Sequence[Word], language: Language) -> int | None:
    """`for two please`. One and none are words of too many other sentences: `one moment`."""
    if len(spoken) > MOST_WORDS_OF_A_NUMBER:
        return None
    numbers = {number for word in spoken if (number := language.numbers.get(word.text, 0)) > 1}
    return numbers.pop() if len(numbers) == 1 else None
