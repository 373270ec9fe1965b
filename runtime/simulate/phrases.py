"""What simulated users say: mostly what the conversation waits for, and noise.

Understanding is simulated too: what a text means was decided when it was drawn, so that the same text always means
the same, on every server.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Final

from flowc.runtime.kernel import Asking, LoadedProgram, Position, asking
from flowc.runtime.kernel.events import Found, RankedIntent, Understood
from flowc.runtime.program import Slot
from flowc.runtime.services.samples import NoSample
from flowc.runtime.simulate.values import drawn
from flowc.runtime.understanding.port import Heard
from flowc.runtime.values import Shapes

NOISE: Final = ("hm", "why?", "1", "the second one", "???", "")
NOISY: Final = 0.15  # how often somebody says something else than what was asked
POISON: Final = "poison"  # a message over which understanding itself fails
PROVIDER: Final = "simulated"


@dataclass(slots=True)
class Phrases:
    """The texts of one simulated world."""

    loaded: LoadedProgram
    shapes: Shapes
    poison: float = 0.0  # how often
    _meanings: dict[str, Understood] = field(default_factory=dict)

    def draw(self, position: Position | None, rng: Random, now: datetime) -> str:
        """What somebody says where the conversation stands there."""
        wanted = asking(self.loaded, position)
        chance = rng.random()
        if chance < self.poison:
            return POISON
        if rng.random() < NOISY:
            return self._beside_the_point(wanted, rng, now)
        if wanted.asked is not None:
            return self._value(wanted.asked, rng, now)
        if wanted.offered:
            return rng.choice(wanted.offered)
        return self._intent(wanted, rng, now) if wanted.candidates else rng.choice(NOISE)

    def _beside_the_point(self, wanted: Asking, rng: Random, now: datetime) -> str:
        """What was not asked for: an intent from further away, a value for another slot, noise."""
        chance = rng.random()
        if wanted.candidates and chance < 0.4:
            return self._intent(wanted, rng, now, nearest=False)
        if wanted.slots and chance < 0.7:
            return self._value(rng.choice(wanted.slots), rng, now)
        return rng.choice(NOISE)

    async def understand(self, heard: Heard, asking: Asking) -> Understood:
        """As `hear`, for who waits."""
        return self.hear(heard, asking)

    def hear(self, heard: Heard, _asking: Asking) -> Understood:
        """What was meant. Raises RuntimeError over a poisoned text."""
        if heard.text == POISON:
            raise RuntimeError(POISON)
        return self._meanings.get(heard.text, Understood(provider=PROVIDER))

    def _value(self, slot: Slot, rng: Random, now: datetime) -> str:
        try:
            value = drawn(slot.type, self.shapes, rng, now, slot.name)
        except NoSample:
            return slot.name
        text = f"{slot.name} is {value}"
        self._meanings[text] = Understood((), (Found(value, slot.name),), PROVIDER)
        return text

    def _intent(self, wanted: Asking, rng: Random, now: datetime, *, nearest: bool = True) -> str:
        near = [each for each in wanted.candidates if each.distance == 0] if nearest else []
        candidate = rng.choice(near or wanted.candidates)
        text, found = candidate.intent.name, self._said_along(wanted.slots, rng, now)
        if found:
            text += f" ({found[0].slot} {found[0].value})"
        self._meanings[text] = Understood((RankedIntent(candidate.intent.name, 1.0),), found, PROVIDER)
        return text

    def _said_along(self, slots: Sequence[Slot], rng: Random, now: datetime) -> tuple[Found, ...]:
        """Mostly none."""
        if not slots or rng.random() < 0.8:
            return ()
        slot = rng.choice(slots)
        try:
            return (Found(drawn(slot.type, self.shapes, rng, now, slot.name), slot.name),)
        except NoSample:
            return ()
