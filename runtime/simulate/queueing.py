"""A backend as a queue: so many places, served in the order of arrival, each for a time that is drawn.

Who gives up does not shorten the queue: what was asked for is done all the same, as most servers do. So the end of a
call is known when it arrives, and a call is one timer, not a task at the backend.
"""

from bisect import bisect
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import accumulate
from random import Random

from flowc.runtime.policy.verdict import Answered, Broken, RawAnswer, TimedOut
from flowc.runtime.services.port import AttemptRequest, Clock
from flowc.runtime.services.samples import sample
from flowc.runtime.services.scripted import Fails, raw_failure
from flowc.runtime.simulate.profile import Operating
from flowc.runtime.values import Shapes, Value

__all__ = ["QueueingBackend"]


@dataclass(slots=True)
class QueueingBackend:
    """An adapter. `busy_s` is the service time that it gave in each second; `waits_s` what its calls waited for a
    place there."""

    operations: Mapping[str, Operating]
    places: float
    shapes: Shapes
    clock: Clock
    rng: Random
    busy_s: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    waits_s: list[float] = field(default_factory=list)
    _ends: list[float] = field(default_factory=list)
    _samples: dict[str, Value] = field(default_factory=dict)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield

    async def attempt(self, request: AttemptRequest) -> RawAnswer:
        operating = self.operations.get(request.operation.name, Operating())
        now = self.clock.now()
        ends = self._ends_of(now, operating.latency.drawn(self.rng))
        raw = self._answer(request, operating)
        # What times out is not told apart from what takes longer than anybody waits for.
        await self.clock.sleep(max(ends - now, 2 * request.timeout_s if isinstance(raw, TimedOut) else 0.0))
        return raw

    def _ends_of(self, now: float, takes_s: float) -> float:
        """When a call that arrives now is done."""
        begins = now
        while self._ends and self._ends[0] <= now:
            heappop(self._ends)
        if len(self._ends) >= self.places:
            begins = heappop(self._ends)
        heappush(self._ends, begins + takes_s)
        self.waits_s.append(begins - now)
        self._note_busy(begins, begins + takes_s)
        return begins + takes_s

    def _note_busy(self, begins: float, ends: float) -> None:
        at = begins
        while at < ends:
            until = min(ends, int(at) + 1.0)
            self.busy_s[int(at)] += until - at
            at = until

    def _answer(self, request: AttemptRequest, operating: Operating) -> RawAnswer:
        drawn = self.rng.random()
        if operating.fails:
            at = bisect(list(accumulate(share for _, share in operating.fails)), drawn)
            if at < len(operating.fails):
                return self._failure(request, operating.fails[at][0])
        if operating.answers:
            return Answered(self.rng.choice(operating.answers))
        return Answered(self._made_up(request))

    def _failure(self, request: AttemptRequest, kind: str) -> RawAnswer:
        """What the attempt comes to; the policies decide what that is for the call."""
        match kind:
            case "unavailable" if request.operation.kind == "read":
                return Broken("as the profile says")
            case _:
                return raw_failure(Fails(kind), request.operation)

    def _made_up(self, request: AttemptRequest) -> Value:
        """A value of the operation's type, made once."""
        operation = request.operation
        if operation.result is None:
            return None
        if operation.name not in self._samples:
            self._samples[operation.name] = sample(operation.result, self.shapes, operation.name)
        return self._samples[operation.name]
