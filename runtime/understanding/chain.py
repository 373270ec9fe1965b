"""The chain of providers: each is asked until one is sure enough, and what was found on the way is kept.

`rules` comes first and without a wait. A provider that is late, cannot answer or knows nothing costs its `within`
at most, never the turn: what nobody understands is not understood.
"""

from collections.abc import Sequence

from flowc.runtime.kernel.events import Found, Understood
from flowc.runtime.services.port import Clock
from flowc.runtime.types import Text
from flowc.runtime.understanding.port import Asking, Heard, Provider, Undecided
from flowc.runtime.understanding.rules import Rules
from flowc.runtime.values import plain_type

__all__ = ["Chain"]


class Chain:
    """Rules, then `others` in their order."""

    def __init__(self, rules: Rules, others: Sequence[Provider], clock: Clock) -> None:
        self._rules = rules
        self._others = tuple(others)
        self._clock = clock

    def hear(self, heard: Heard, asking: Asking) -> Understood | None:
        """As `understand`, where the rules are sure enough or all that there is; else None."""
        best = self._rules.hear(heard, asking)
        return best if not self._others or is_sure(best, asking) else None

    async def understand(self, heard: Heard, asking: Asking) -> Understood:
        """What the first provider that is sure enough says; else the surest of what was said. Values of all are
        kept, the earlier provider's where two found one for the same slot."""
        best = self._rules.hear(heard, asking)
        for provider in self._others:
            if is_sure(best, asking):
                break
            answer = await self._asked(provider, heard, asking)
            if answer is not None:
                best = merged(best, answer)
        return best

    async def _asked(self, provider: Provider, heard: Heard, asking: Asking) -> Understood | None:
        """The provider's answer; None where it had none in time."""
        try:
            with self._clock.timeout(provider.within_s):
                return await provider.understand(heard, asking)
        except Undecided:
            pass
        return None


def is_sure(understood: Understood, asking: Asking) -> bool:
    """Whether the surest intent is above the confidence of the flow that asks, or the question is answered: a value
    wins over any intent, except where it is plain text."""
    return surest(understood) > asking.confidence or is_answer(understood, asking)


def is_answer(understood: Understood, asking: Asking) -> bool:
    """Whether a value was found for the slot that is asked."""
    asked = asking.asked
    if asked is None or plain_type(asked.type) == Text():
        return False
    return any(asked.name in names_of(found) for found in understood.found)


def merged(before: Understood, answer: Understood) -> Understood:
    """The intents of the surer one, and the values of both."""
    known = {name for found in before.found for name in names_of(found)}
    added = tuple(found for found in answer.found if not known.intersection(names_of(found)))
    surer = answer if surest(answer) > surest(before) else before
    return Understood(surer.intents, (*before.found, *added), surer.provider)


def surest(understood: Understood) -> float:
    return understood.intents[0].confidence if understood.intents else 0.0


def names_of(found: Found) -> tuple[str, ...]:
    """The slots that a value may be for."""
    return found.slots if found.slot is None else (found.slot,)
