"""Who is admitted when more comes than can be served: admission by queueing delay.

Overloaded is measured, not guessed from utilisation: in two windows of 100 ms running, each with 5 messages or more,
even the quickest of a lane waited over 20 ms for a place to run. (The average would see a burst, the processor's load
would see a machine that is used well; and who waits for a backend holds no place, so that one slow backend does not
shed the others' users.) The form is that of DAGOR (Zhou et al., "Overload Control for Scaling WeChat Microservices",
2018), which sheds WeChat's load, with CoDel's minimum in place of its mean.

What is refused is everything below one mark on one ladder: bulk, low, new normal, running normal, new high; running
high and urgent are not refused but stored, and answered with words. Each rung is divided by a hash of the user, so a
user is in or out for as long as the mark stands, and nobody lower is admitted while someone higher is refused. An
overloaded window raises the mark by 3 % of the messages that are still admitted (by as many times more as they wait
longer than 20 ms, by none while the wait gets shorter); any other lowers it by 2 %. Where nothing comes it falls by
itself, so that nothing keeps the server in the state of overload but load. With these numbers four times the load that
can be served leaves 95 % of the best goodput, after a wait of 1.2 s at its begin (tests/policy/test_admission.py).
"""

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, Literal

from flowc.runtime.policy.lanes import LANES
from flowc.runtime.program import PriorityClass

WINDOW_S: Final = 0.1
LEAST_MESSAGES: Final = 5
LONGEST_WAIT_S: Final = 0.02
RAISED: Final = 0.03
MOST_RAISED: Final = 20.0  # times that, when the wait is so many times the bound
LOWERED: Final = 0.02
FALLING: Final = 0.9  # of the wait of the window before

STEPS: Final = 64  # of a rung
RUNGS: Final = 6
TOP: Final = RUNGS * STEPS
STORED: Final = 5 * STEPS  # from this rung on nobody is refused
REACH: Final = (TOP, 4 * STEPS, 2 * STEPS)  # how far the wait of a lane may raise the mark: it refuses nobody above it
IDLE_STEPS: Final = 8  # the mark falls by in a window in which nobody came
LEAST_RETRY_S: Final = 2.0
SPREAD: Final = 0.5
SHUFFLED_S: Final = 3600  # after which other users are the first to be refused

Decision = Literal["admit", "store", "refuse"]


def step_of(priority: PriorityClass, user: str, now_s: float, *, is_new: bool) -> int:
    """Where a message stands on the ladder. `is_new`: it begins a conversation."""
    name = f"{int(now_s // SHUFFLED_S)} {user}".encode()
    return rung_of(priority, is_new=is_new) * STEPS + blake2b(name, digest_size=1).digest()[0] % STEPS


def rung_of(priority: PriorityClass, *, is_new: bool) -> int:
    match priority:
        case "bulk":
            return 0
        case "low":
            return 1
        case "normal":
            return 2 if is_new else 3
        case "high":
            return 4 if is_new else 5
        case "urgent":
            return 5


@dataclass(slots=True)
class Window:
    """What a lane saw in the window that runs, and whether the one before was overloaded, with which wait."""

    messages: int = 0
    quickest_s: float = float("inf")
    was_slow: bool = False
    before_s: float = 0.0

    @property
    def is_slow(self) -> bool:
        return self.messages >= LEAST_MESSAGES and self.quickest_s > LONGEST_WAIT_S

    @property
    def waits_on(self) -> bool:
        """Slow again, and its wait is not getting shorter."""
        return self.was_slow and self.is_slow and self.quickest_s >= FALLING * self.before_s

    def end(self) -> None:
        self.was_slow, self.before_s = self.is_slow, self.quickest_s
        self.messages, self.quickest_s = 0, float("inf")


@dataclass(slots=True)
class Admission:
    """Times are seconds of one clock. `is_calm`: all are admitted, and nothing need be asked."""

    mark: int = 0
    is_calm: bool = True
    _ends_at: float = 0.0
    _lanes: tuple[Window, ...] = field(default_factory=lambda: (Window(), Window(), Window()))
    _came: list[int] = field(default_factory=lambda: [0] * TOP)  # in this window, by step; while not calm

    def began(self, priority: PriorityClass, waited_s: float, now: float) -> None:
        """A message was given its place to run."""
        if now >= self._ends_at:
            self._roll(now)
        window = self._lanes[LANES[priority]]
        window.messages += 1
        if waited_s < window.quickest_s:
            window.quickest_s = waited_s

    def decide(self, step: int, now: float) -> Decision:
        """What becomes of a message. To be asked only where it is not calm."""
        if now >= self._ends_at:
            self._roll(now)
        self._came[step] += 1
        if step >= self.mark:
            return "admit"
        return "store" if step >= STORED else "refuse"

    def retry_after_s(self, draw: float) -> float:
        """When to come back; `draw` is uniform in [0, 1). Spread, so that those who were refused together do not."""
        return LEAST_RETRY_S * (1 + self.mark / STEPS) * (1 - SPREAD + 2 * SPREAD * draw)

    def _roll(self, now: float) -> None:
        """Ends the window that ran, and those in which nothing happened."""
        self._judge()
        idle = int((now - self._ends_at) / WINDOW_S)
        while idle > 0 and not self.is_calm:
            self._judge()
            idle -= 1
        self._ends_at = now + WINDOW_S

    def _judge(self) -> None:
        slow = [lane for lane, window in enumerate(self._lanes) if window.is_slow]
        again = [self._lanes[lane] for lane in slow if self._lanes[lane].waits_on]
        reach = max([REACH[lane] for lane in slow], default=0)
        if again and self.mark < reach:
            times = min(max(window.quickest_s for window in again) / LONGEST_WAIT_S, MOST_RAISED)
            self._raise(reach, RAISED * times)
        elif self.mark > reach:
            self._lower(reach)
        for window in self._lanes:
            window.end()
        self.is_calm = self.mark == 0 and not slow
        if any(self._came):
            self._came = [0] * TOP

    def _raise(self, reach: int, share: float) -> None:
        """Refuses so large a share of those who are still admitted, one step at least."""
        admitted = sum(self._came[self.mark : reach])
        left = max(1.0, share * admitted) if admitted else 0.0
        while self.mark < reach and left > 0:
            left -= self._came[self.mark]
            self.mark += 1

    def _lower(self, reach: int) -> None:
        """Admits so large a share of those who came again, one step at least."""
        came = sum(self._came)
        if came == 0:
            self.mark = max(reach, self.mark - IDLE_STEPS)
            return
        left = max(1.0, LOWERED * came)
        while self.mark > reach and left > 0:
            self.mark -= 1
            left -= self._came[self.mark]
