"""The `http` provider: any service that answers JSON.

    POST {"text": "where is my order", "locale": "en", "asked": null,
          "intents": [{"name": "track", "examples": ["track my order", "where is {order_id}"]}],
          "slots": ["order_id"]}
    200  {"intents": [{"name": "track", "confidence": 0.93}], "values": {"order_id": "AB123456"}}

Only what was asked for counts: an intent that is no candidate, a slot that the flow does not have and a value that does
not fit its slot are dropped. An answer of another form is none.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct, ValidationError, convert

from flowc.runtime.kernel.events import Found, RankedIntent, Understood
from flowc.runtime.program import ExampleSlot, Program, Slot
from flowc.runtime.services.endpoint import Endpoint, NoAnswer
from flowc.runtime.understanding.port import Asking, Heard, Undecided
from flowc.runtime.values import Malformed, Shapes, from_json


class Ranked(Struct, frozen=True):
    """An intent of the answer."""

    name: str
    confidence: float


class Answer(Struct, frozen=True):
    """The answer; what it has besides is dropped."""

    intents: tuple[Ranked, ...] = ()
    values: dict[str, object] = {}


class HttpProvider:
    """Understands by asking an endpoint, which has to be open."""

    name = "http"

    def __init__(self, program: Program, endpoint: Endpoint, *, within_s: float = 0.5) -> None:
        self._endpoint = endpoint
        self._shapes = Shapes(program.records, program.zone, program.currency)
        self.within_s = within_s

    async def understand(self, heard: Heard, asking: Asking) -> Understood:
        """What the endpoint says. Raises Undecided."""
        try:
            answer = convert(await self._endpoint.ask(question(heard, asking)), Answer)
        except NoAnswer as error:
            raise Undecided(str(error)) from error
        except ValidationError as error:
            raise Undecided("the answer has another form") from error
        return Understood(_ranked(answer, asking), _founds(answer.values, asking.slots, self._shapes), self.name)


def question(heard: Heard, asking: Asking) -> Mapping[str, object]:
    """What is posted."""
    return {
        "text": heard.text,
        "locale": asking.locale,
        "asked": None if asking.asked is None else asking.asked.name,
        "intents": [
            {"name": each.intent.name, "examples": [_written(example) for example in each.intent.examples]}
            for each in asking.candidates
        ],
        "slots": [slot.name for slot in asking.slots],
    }


def _written(example: Sequence[str | ExampleSlot]) -> str:
    """An example as its author wrote it."""
    return "".join(part if isinstance(part, str) else _place(part) for part in example)


def _place(part: ExampleSlot) -> str:
    return f"{{{part.name}}}" if part.value is None else f"{{{part.name}: {part.value}}}"


def _ranked(answer: Answer, asking: Asking) -> tuple[RankedIntent, ...]:
    candidates = {each.intent.name for each in asking.candidates}
    ranked = [
        RankedIntent(each.name, min(1.0, max(0.0, each.confidence)))
        for each in answer.intents
        if each.name in candidates
    ]
    return tuple(sorted(ranked, key=lambda each: -each.confidence))


def _founds(values: Mapping[str, object], slots: Sequence[Slot], shapes: Shapes) -> tuple[Found, ...]:
    found = []
    for slot in slots:
        said = values.get(slot.name)
        if said is None:
            continue
        try:
            found.append(Found(from_json(slot.type, said, shapes), slot.name, (slot.name,)))
        except Malformed:
            continue
    return tuple(found)
