"""Who comes when and says what, from a profile and a seed. Pure: the same seed, the same crowd."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Final

from flowc.runtime.kernel.events import User
from flowc.runtime.simulate.profile import Mix, Profile, ProfileWrong

__all__ = ["Visit", "crowd"]

PLACE: Final = re.compile(r"\{(\w+)\}")
KNOWN: Final = ("name", "locale", "zone", "channel")


@dataclass(frozen=True, slots=True)
class Visit:
    """A conversation that begins `at_s`; each message comes with the seconds before it, counted from the last reply,
    or from the last message where `is_open`: then its user does not wait for replies."""

    at_s: float
    conversation: str
    user: User
    messages: tuple[tuple[float, str], ...]
    is_open: bool = False


def crowd(profile: Profile, users: int, seed: int) -> tuple[Visit, ...]:
    """`users` visits in the order in which they begin. Raises ProfileWrong where the profile has nothing to say."""
    rng = Random(seed)
    if not profile.says or sum(mix.share for mix in profile.says) <= 0:
        raise ProfileWrong("nobody says anything: add [[says]] with texts and a share")
    if sum(stretch.rate * stretch.seconds for stretch in profile.arrivals) <= 0:
        raise ProfileWrong("nobody comes: a rate of `users.arrivals` is more than 0")
    begins = sorted(_moment(profile, rng) for _ in range(users))
    choice = _chosen(profile.says)
    return tuple(_visit(profile, choice(rng), at_s, number, rng) for number, at_s in enumerate(begins, 1))


def _moment(profile: Profile, rng: Random) -> float:
    """A moment, with the density that the stretches say."""
    left = rng.random() * sum(stretch.seconds * stretch.rate for stretch in profile.arrivals)
    began = 0.0
    for stretch in profile.arrivals:
        weight = stretch.seconds * stretch.rate
        if left < weight:
            return began + left / stretch.rate
        left -= weight
        began += stretch.seconds
    return began


def _chosen(mixes: Sequence[Mix]) -> Callable[[Random], Mix]:
    sums = list(accumulate(mix.share for mix in mixes))
    return lambda rng: rng.choices(mixes, cum_weights=sums)[0]


def _visit(profile: Profile, mix: Mix, at_s: float, number: int, rng: Random) -> Visit:
    who = f"user-{number if profile.known is None else rng.randrange(profile.known) + 1}"
    known = {name: str(mix.user[name]) for name in KNOWN if name in mix.user}
    declared = {name: value for name, value in mix.user.items() if name not in KNOWN}
    user = User(id=who, declared=dict(declared), **known)
    said = tuple(
        (0.0 if index == 0 else profile.think.drawn(rng), _filled(text, profile.values, rng))
        for index, text in enumerate(mix.texts)
    )
    return Visit(at_s, f"visit-{number}", user, said, is_open=not profile.waits_for_reply)


def _filled(text: str, values: Mapping[str, tuple[str, ...]], rng: Random) -> str:
    """The text with a value for each `{name}` that has some."""
    return PLACE.sub(lambda found: rng.choice(values[found[1]]) if found[1] in values else found[0], text)
