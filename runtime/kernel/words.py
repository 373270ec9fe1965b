"""What the runtime says by itself, where a flow leaves the words out: by language, English where we have none."""

from dataclasses import dataclass
from typing import Final

from flowc.runtime.program import Slot
from flowc.runtime.types import Basic, Choice, Integer, Number
from flowc.runtime.values import plain_type

__all__ = ["DefaultWords", "misfit", "words_for"]


@dataclass(frozen=True, slots=True)
class DefaultWords:
    """`misfits` says by the name of a type what an answer should look like; `fillers` are words that choose nothing."""

    yes: str
    no: str
    yes_words: frozenset[str]
    no_words: frozenset[str]
    ordinals: tuple[frozenset[str], ...]
    last: frozenset[str]
    fillers: frozenset[str]
    choose_again: str
    fault: str
    not_understood: str
    one_of: str
    between: str
    misfits: dict[str, str]


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


def _places(listed: str) -> tuple[frozenset[str], ...]:
    return tuple([_words(place) for place in listed.split(",")])


_ENGLISH: Final = DefaultWords(
    yes="Yes",
    no="No",
    yes_words=_words("yes y yeah yep yup sure ok okay correct right true"),
    no_words=_words("no n nope nah wrong false"),
    ordinals=_places(
        "first 1st, second 2nd, third 3rd, fourth 4th, fifth 5th, sixth 6th, seventh 7th, eighth 8th, ninth 9th,"
        "tenth 10th"
    ),
    last=_words("last"),
    fillers=_words("the a an one please i want take would like with for to go option choose pick ll d it is"),
    choose_again="Please choose one of these.",
    fault="Sorry, something went wrong on our side. Please try again.",
    not_understood="Sorry, I did not understand that.",
    one_of="Please answer with one of: {values}.",
    between="Please give me a number from {low} to {high}.",
    misfits={
        "text": "Sorry, that does not look right. Please try again.",
        "integer": "Please give me a whole number.",
        "number": "Please give me a number.",
        "boolean": "Please answer yes or no.",
        "date": "Please give me a date, such as 24 December.",
        "time": "Please give me a time, such as 9:30.",
        "datetime": "Please give me a date and a time.",
        "duration": "Please tell me how long, such as 30 minutes.",
        "money": "Please give me an amount of money.",
        "email": "Please give me an e-mail address.",
        "phone": "Please give me a phone number.",
        "url": "Please give me a web address.",
    },
)

_GERMAN: Final = DefaultWords(
    yes="Ja",
    no="Nein",
    yes_words=_words("ja j jo jawohl klar gern gerne ok okay genau richtig stimmt"),
    no_words=_words("nein n nee nö falsch"),
    ordinals=_places(
        "erste ersten erster erstes, zweite zweiten zweiter zweites, dritte dritten dritter drittes,"
        "vierte vierten vierter viertes, fünfte fünften fünfter fünftes, sechste sechsten sechster sechstes,"
        "siebte siebten siebter siebtes, achte achten achter achtes, neunte neunten neunter neuntes,"
        "zehnte zehnten zehnter zehntes"
    ),
    last=_words("letzte letzten letzter letztes"),
    fillers=_words("der die das den dem ein eine einen bitte ich möchte nehme will hätte gern gerne mit für option es"),
    choose_again="Bitte wählen Sie eine dieser Möglichkeiten.",
    fault="Entschuldigung, bei uns ist etwas schiefgegangen. Bitte versuchen Sie es noch einmal.",
    not_understood="Entschuldigung, das habe ich nicht verstanden.",
    one_of="Bitte antworten Sie mit einem davon: {values}.",
    between="Bitte nennen Sie eine Zahl von {low} bis {high}.",
    misfits={
        "text": "Entschuldigung, das passt nicht. Bitte versuchen Sie es noch einmal.",
        "integer": "Bitte nennen Sie eine ganze Zahl.",
        "number": "Bitte nennen Sie eine Zahl.",
        "boolean": "Bitte antworten Sie mit Ja oder Nein.",
        "date": "Bitte nennen Sie ein Datum, zum Beispiel 24. Dezember.",
        "time": "Bitte nennen Sie eine Uhrzeit, zum Beispiel 9:30.",
        "datetime": "Bitte nennen Sie Datum und Uhrzeit.",
        "duration": "Bitte sagen Sie, wie lange, zum Beispiel 30 Minuten.",
        "money": "Bitte nennen Sie einen Betrag.",
        "email": "Bitte nennen Sie eine E-Mail-Adresse.",
        "phone": "Bitte nennen Sie eine Telefonnummer.",
        "url": "Bitte nennen Sie eine Internetadresse.",
    },
)

_LANGUAGES: Final = {"en": _ENGLISH, "de": _GERMAN}


def words_for(locale: str) -> DefaultWords:
    """The words of a locale such as `de` or `de-AT`."""
    return _LANGUAGES.get(locale[:2].lower(), _ENGLISH)


def misfit(slot: Slot, words: DefaultWords) -> str:
    """What is said when an answer does not fit the type of a slot without `reask`."""
    match plain_type(slot.type):
        case Choice(values=values):
            return words.one_of.format(values=", ".join(values))
        case Integer(low=int() as low, high=int() as high):
            return words.between.format(low=low, high=high)
        case Number(low=str() as low, high=str() as high):
            return words.between.format(low=low, high=high)
        case Integer():
            return words.misfits["integer"]
        case Number():
            return words.misfits["number"]
        case Basic(name=name):
            return words.misfits[name]
        case _:
            return words.misfits["text"]
