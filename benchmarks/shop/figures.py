"""What a run came to, in figures."""

from dataclasses import dataclass
from typing import Final, Literal

from shop.arrivals import Phase
from shop.load import Answer

from flowc.runtime.simulate.summary import percentile

PATIENCE_S: Final = 5.0  # an answer that comes later is none
SOONEST: Final = ("urgent", "high", "normal")  # whose latency says that all is as before
MARGIN_S: Final = 0.1

Bot = Literal["coupled", "flowc"]


@dataclass(frozen=True, slots=True)
class Ran:
    """A bot against arrivals. `enquiries`: when, of the run's seconds, work that was put off was done, `drained_s` how
    long that took after the last answer. Of the `asked_whether_told` promises, so many were `told` to their users.
    `cpu_s` of the bot; `late_s` is how late the load was, at the 95th percentile: what the machine adds to every wait
    at least."""

    name: str
    phases: tuple[Phase, ...]
    answers: tuple[Answer, ...]
    enquiries: tuple[float, ...] = ()
    deferred: int = 0
    drained_s: float = 0.0
    told: int = 0
    asked_whether_told: int = 0
    cpu_s: float = 0.0
    late_s: float = 0.0

    @property
    def seconds(self) -> float:
        return sum(phase.seconds for phase in self.phases)

    @property
    def peak(self) -> tuple[float, float]:
        """When it begins and ends."""
        return self.phases[0].seconds, self.phases[0].seconds + self.phases[1].seconds


def within(ran: Ran, begins_s: float, ends_s: float) -> list[Answer]:
    """What was asked in that time."""
    return [each for each in ran.answers if begins_s <= each.at_s < ends_s]


def good_times(ran: Ran) -> list[float]:
    """When a true answer was given: in time, or as it was promised."""
    answered = [
        each.at_s + each.done_s
        for each in ran.answers
        if each.ending in ("fresh", "cached") and each.done_s <= PATIENCE_S
    ]
    return answered + list(ran.enquiries)


def goodput(ran: Ran, begins_s: float, ends_s: float) -> float:
    """True answers a second."""
    return sum(begins_s <= at < ends_s for at in good_times(ran)) / (ends_s - begins_s)


def failed_conversations(ran: Ran) -> tuple[int, int, int]:
    """Conversations in which something failed, of those that were admitted, and those that were refused."""
    endings: dict[str, set[str]] = {}
    for each in ran.answers:
        endings.setdefault(each.conversation, set()).add(each.ending)
    admitted = [each for each in endings.values() if "refused" not in each]
    return sum("failed" in each for each in admitted), len(admitted), len(endings) - len(admitted)


def recovery_s(ran: Ran) -> float | None:
    """After how many seconds of calm the p95 of the last 5 s is, for good, what it was before the peak."""
    calm, peak, after = (phase.seconds for phase in ran.phases)
    usual = p95_of_soonest(ran, calm / 4, calm)
    limit = max(2 * usual, usual + MARGIN_S)
    late = [at for at in range(int(after) - 5) if p95_of_soonest(ran, calm + peak + at, calm + peak + at + 5) > limit]
    recovered = late[-1] + 1 if late else 0
    return recovered if recovered < int(after) - 5 else None


def p95_of_soonest(ran: Ran, begins_s: float, ends_s: float) -> float:
    return percentile([each.done_s for each in within(ran, begins_s, ends_s) if each.priority in SOONEST], 95)


def waits_at_the_peak(ran: Ran, priority: str | None = None) -> list[float]:
    """Until the first words, of everybody who was not refused."""
    return [
        each.first_s
        for each in within(ran, *ran.peak)
        if each.ending != "refused" and priority in (None, each.priority)
    ]


def average_s(ran: Ran) -> float:
    """Of the waits at the peak."""
    waits = waits_at_the_peak(ran)
    return sum(waits) / len(waits)
