"""The values that a flow's slots may have, compiled to be found in messages.

A value inside a longer message is identified by its type alone: a text by its pattern, a date by how dates are
written, a choice by its words. What nobody could tell from ordinary words is not looked for there, only taken as an
answer: plain text, yes and no, and patterns that any words fit. Where two readings overlap, the slot being asked comes
first, then the reading that holds the other, then the more special type.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, time

import re2
from msgspec import Struct

from flowc.runtime.kernel.events import Found
from flowc.runtime.program import Slot
from flowc.runtime.types import Basic, Choice, Integer, Number, Text
from flowc.runtime.understanding import amounts, contacts, dates
from flowc.runtime.understanding.fold import Word, fold
from flowc.runtime.understanding.forms import AFTER, BEFORE, Form, Setting
from flowc.runtime.understanding.language import Language
from flowc.runtime.values import Value, fits, pattern_fits, plain_type

MOST_HITS = 8  # of one form in a message
MOST_BYTES_OF_HINTS = 64 * 1024 * 1024
_ORDINARY = (
    *("order", "Order", "hello", "my", "a", "I", "it", "the", "parcel", "cancel", "please", "no", "two words"),
    *("where is my order", "I would like to know where my parcel is, please"),
)
_RANK_OF_PATTERNS, _RANK_OF_CHOICES, _RANK_OF_OTHERS = range(3)

Span = tuple[int, int]
Spans = tuple[Span, ...]
Hit = tuple[Value, Spans]  # a moment stands in two places: its date and its time


class Kind(Struct, frozen=True):
    """The slots whose values are written alike, and the forms in which they are. The lowest `rank` is the most special
    type."""

    name: str
    rank: int
    slots: tuple[Slot, ...]
    forms: tuple[int, ...]  # their numbers in the lexicon


class Reading(Struct, frozen=True):
    """What stretches of a message may mean, and for which slots."""

    value: Value
    slots: tuple[str, ...]
    rank: int
    spans: Spans
    is_loose: bool = False  # phone numbers reach over whatever has digits

    def holds(self, other: "Reading") -> bool:
        """Whether the other is a part of this, and this is more."""
        if self.is_loose or length(self.spans) <= length(other.spans):
            return False
        return all(any(begin <= start and end <= stop for begin, stop in self.spans) for start, end in other.spans)


class Hints:
    """One set of the hints of all forms, which says in a microsecond that a message has none of them.

    Many patterns of an author with letters of all scripts can be more than RE2 has room for, when the set is made or
    when it meets a message: then every form may be there. That it had no room it says by leaving out the last hint,
    which any text has."""

    __slots__ = ("_all", "_set")

    def __init__(self, hints: Iterable[str]) -> None:
        options = re2.Options()
        options.max_mem = MOST_BYTES_OF_HINTS
        options.log_errors = False
        self._set: re2.Set | None = re2.Set.SearchSet(options)
        self._all = frozenset([self._set.Add(hint) for hint in hints])
        self._set.Add("")
        try:
            self._set.Compile()
        except re2.error:
            self._set = None

    def present(self, encoded: bytes) -> frozenset[int]:
        """The numbers of the forms that may be in a text."""
        if not self._all:
            return self._all
        found = None if self._set is None else self._set.Match(encoded)
        return self._all if found is None else self._all.intersection(found)


class Scan:
    """The values of forms in one text. Each form is looked for once, in the bytes of UTF-8 that RE2 reads."""

    __slots__ = ("_encoded", "_forms", "_hits", "_is_ascii", "present", "setting")

    def __init__(
        self, forms: Sequence[tuple[Form, re2._Regexp]], present: frozenset[int], encoded: bytes, setting: Setting
    ) -> None:
        self.setting = setting
        self.present = present
        self._forms = forms
        self._encoded = encoded
        self._is_ascii = encoded.isascii()
        self._hits: dict[int, list[Hit]] = {}

    def hits(self, numbers: Iterable[int]) -> list[Hit]:
        """Of the forms with these numbers, in the order of the message; of two that begin together the longer first."""
        found = [hit for number in numbers if number in self.present for hit in self._of(number)]
        return sorted(found, key=_in_order) if len(found) > 1 else found

    def _of(self, number: int) -> list[Hit]:
        found = self._hits.get(number)
        if found is None:
            found = self._hits[number] = list(self._look(*self._forms[number]))
        return found

    def _look(self, form: Form, pattern: re2._Regexp) -> Iterator[Hit]:
        at = 0
        for _ in range(MOST_HITS):
            match = pattern.search(self._encoded, at)
            if match is None:
                return
            start, end = match.span(1)
            value = form.read(tuple((group or b"").decode() for group in match.groups()), self.setting)
            if value is not None:
                yield value, ((self._place(start), self._place(end)),)
            at = max(end, at + 1)
            if at >= len(self._encoded):
                return

    def _place(self, offset: int) -> int:
        return offset if self._is_ascii else len(self._encoded[:offset].decode())


def _in_order(hit: Hit) -> Span:
    start, end = hit[1][0]
    return start, -end


def length(spans: Spans) -> int:
    return sum(end - start for start, end in spans)


def is_apart(spans: Spans, others: Iterable[Span]) -> bool:
    """Whether none overlaps another."""
    return all(end <= begin or start >= stop for begin, stop in others for start, end in spans)


class Lexicon:
    """What can be found for the slots of one flow in one language."""

    def __init__(self, slots: Sequence[Slot], language: Language, currency: str | None) -> None:
        self._forms: list[tuple[Form, re2._Regexp]] = []
        self._numbers: dict[str, int] = {}
        self._dates = self._add(dates.date_forms(language)) if _has(slots, "date", "datetime") else ()
        self._times = self._add(dates.time_forms(language)) if _has(slots, "time", "datetime") else ()
        self._kinds = tuple(self._compile(slots, language, currency))
        self._phrases = _phrases(slots)
        self._longest: dict[str, int] = {}  # phrase that begins with a word
        for phrase in self._phrases:
            self._longest[phrase[0]] = max(len(phrase), self._longest.get(phrase[0], 0))
        self._longest_choice = max((sum(map(len, phrase)) + len(phrase) for phrase in self._phrases), default=0)
        self._hints = Hints(form.hint for form, _ in self._forms)

    # ------------------------------------------------------------------------------------------- inside a message

    def scan(self, text: str, setting: Setting) -> Scan | None:
        """The forms that may be in a text; None where no value can be, as in most."""
        encoded = text.encode()
        present = self._hints.present(encoded)
        return Scan(self._forms, present, encoded, setting) if present or self._phrases else None

    def find(
        self, scan: Scan, words: Callable[[], Sequence[Word]], asked: str | None, taken: Sequence[Span]
    ) -> Iterator[Found]:
        """What only its type identifies, outside of the places that are `taken`."""
        readings = list(self._readings(scan, words))

        def order(each: Reading) -> tuple[bool, bool, int, Spans]:
            is_part = any(other.holds(each) for other in readings)
            return asked not in each.slots, is_part, each.rank, each.spans

        spans = list(taken)
        for each in sorted(readings, key=order):
            if is_apart(each.spans, spans):
                spans += each.spans
                yield Found(each.value, None, each.slots, each.spans[0][0], each.spans[-1][1])

    def _readings(self, scan: Scan, words: Callable[[], Sequence[Word]]) -> Iterator[Reading]:
        for kind in self._kinds if scan.present else ():
            for value, spans in self._hits(kind, scan):
                names = tuple(slot.name for slot in kind.slots if fits(slot.type, value, scan.setting.shapes))
                if names:
                    yield Reading(value, names, kind.rank, spans, kind.name == "phone")
        if self._phrases:
            yield from self._choices(words())

    def _hits(self, kind: Kind, scan: Scan) -> list[Hit]:
        hits = scan.hits(kind.forms)
        return [*hits, *self._moments(scan)] if kind.name == "datetime" else hits

    def _moments(self, scan: Scan) -> Iterator[Hit]:
        """A date and the time nearest to it."""
        times = scan.hits(self._times)
        for day, (at,) in scan.hits(self._dates) if times else ():
            apart = [hit for hit in times if is_apart(hit[1], (at,))]
            clock, (its,) = min(apart, key=lambda hit: _gap(hit[1][0], at), default=(None, (at,)))
            if isinstance(day, date) and isinstance(clock, time):
                moment = dates.moment(day, clock, scan.setting)
                if moment is not None:
                    yield moment, (min(at, its), max(at, its))

    def _choices(self, words: Sequence[Word]) -> Iterator[Reading]:
        """Values of choices by their words, the longest first; none for a slot of which two values are named."""
        named: dict[str, dict[str, Span]] = {}
        at = 0
        while at < len(words):
            length, meanings = self._phrase_at(words, at)
            for slot, value in meanings:
                named.setdefault(slot, {}).setdefault(value, (words[at].start, words[at + length - 1].end))
            at += max(1, length)
        slots: dict[tuple[str, Span], list[str]] = {}
        for slot, values in named.items():
            if len(values) == 1:
                slots.setdefault(next(iter(values.items())), []).append(slot)
        for (value, span), its_slots in slots.items():
            yield Reading(value, tuple(its_slots), _RANK_OF_CHOICES, (span,))

    def _phrase_at(self, words: Sequence[Word], at: int) -> tuple[int, Sequence[tuple[str, str]]]:
        for length in range(min(self._longest.get(words[at].text, 0), len(words) - at), 0, -1):
            meanings = self._phrases.get(tuple([word.text for word in words[at : at + length]]))
            if meanings is not None:
                return length, meanings
        return 0, ()

    # ------------------------------------------------------------------------------------------------ a whole text

    def choice(self, slot: Slot, said: str) -> str | None:
        """The value of a choice by its words."""
        if len(said) > 4 * self._longest_choice + 64:  # folding leaves out at most what is no word
            return None
        meanings = self._phrases.get(tuple(fold(said).split()), ())
        return next((value for name, value in meanings if name == slot.name), None)

    def covering(self, slot: Slot, said: str, setting: Setting) -> Value:
        """The value of a form that takes the whole text."""
        kind = next((kind for kind in self._kinds if slot in kind.slots), None)
        if kind is None:
            return None
        scan = self.scan(said, setting)
        hits = [] if scan is None else self._hits(kind, scan)
        return next((value for value, spans in hits if (spans[0][0], spans[-1][1]) == (0, len(said))), None)

    # ------------------------------------------------------------------------------------------------- compilation

    def _compile(self, slots: Sequence[Slot], language: Language, currency: str | None) -> Iterator[Kind]:
        """From the most to the least special."""
        patterns = dict.fromkeys(pattern for slot in slots if (pattern := _pattern(slot)) is not None)
        for pattern in patterns:
            its_slots = tuple(slot for slot in slots if _pattern(slot) == pattern)
            yield Kind(
                "text", _RANK_OF_PATTERNS, its_slots, () if _is_broad(pattern) else self._add((_pattern_form(pattern),))
            )
        others: tuple[tuple[str, Callable[[], tuple[Form, ...]]], ...] = (
            ("email", contacts.email_forms),
            ("url", contacts.url_forms),
            ("money", lambda: amounts.money_forms(language, currency)),
            ("datetime", dates.moment_forms),
            ("date", lambda: ()),
            ("time", lambda: ()),
            ("duration", lambda: amounts.duration_forms(language)),
            ("phone", contacts.phone_forms),
        )
        for rank, (name, forms) in enumerate(others, _RANK_OF_OTHERS):
            its_slots = tuple(slot for slot in slots if _has((slot,), name))
            if its_slots:
                known = {"date": self._dates, "time": self._times}.get(name, ())
                yield Kind(name, rank, its_slots, known or self._add(forms()))
        numbers = tuple(slot for slot in slots if isinstance(plain_type(slot.type), Integer | Number))
        if numbers:
            yield Kind("number", _RANK_OF_OTHERS + len(others), numbers, self._add(amounts.number_forms()))

    def _add(self, forms: Iterable[Form]) -> tuple[int, ...]:
        numbers = []
        for form in forms:
            number = self._numbers.setdefault(form.pattern, len(self._forms))
            if number == len(self._forms):
                self._forms.append((form, re2.compile(form.pattern, _quiet())))
            numbers.append(number)
        return tuple(numbers)


def _quiet() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    return options


def _gap(one: Span, other: Span) -> int:
    return max(one[0] - other[1], other[0] - one[1])


def _has(slots: Iterable[Slot], *names: str) -> bool:
    types = (plain_type(slot.type) for slot in slots)
    return any(isinstance(each, Basic) and each.name in names for each in types)


def _pattern(slot: Slot) -> str | None:
    plain = plain_type(slot.type)
    return plain.pattern if isinstance(plain, Text) else None


def _is_broad(pattern: str) -> bool:
    """Whether ordinary words fit a pattern: inside a message it would be found everywhere."""
    return any(pattern_fits(pattern, word) for word in _ORDINARY)


def _pattern_form(pattern: str) -> Form:
    return Form(f"{BEFORE}({pattern}){AFTER}", pattern, lambda groups, _: groups[0] or None)


def _phrases(slots: Iterable[Slot]) -> dict[tuple[str, ...], list[tuple[str, str]]]:
    """Which value of which slot some folded words mean."""
    phrases: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for slot in slots:
        plain = plain_type(slot.type)
        if not isinstance(plain, Choice):
            continue
        also = [(word, each.value) for each in slot.words for word in each.words]
        for phrase, value in (*((value, value) for value in plain.values), *also):
            meanings = phrases.setdefault(tuple(fold(phrase).split()) or (phrase,), [])
            if (slot.name, value) not in meanings:
                meanings.append((slot.name, value))
    return phrases
