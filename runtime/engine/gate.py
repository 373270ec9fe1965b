"""Who may come in: the limits of tenants and users, the hard bounds, and admission when there is too much to do.

While there is neither a limit nor too much to do the gate is open, and nobody asks. A repetition of what is known is
let through: it is answered from what was recorded.
"""

from typing import Final

from flowc.runtime.engine.classes import class_of
from flowc.runtime.engine.errors import Overloaded, TooBusy, Unavailable
from flowc.runtime.engine.pending import Pending
from flowc.runtime.engine.session import Session
from flowc.runtime.engine.stored import MessageBody, OpenedBody
from flowc.runtime.engine.surroundings import Surroundings
from flowc.runtime.errors import StoreUnavailable
from flowc.runtime.policy.admission import Decision, step_of
from flowc.runtime.store.rows import Loaded, Wanted

MOST_WAITING: Final = 10_000  # conversations in line; beyond it memory decides, and nobody comes in
FULL_S: Final = 5.0
TOLD_EVERY_S: Final = 10.0


class Gate:
    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._refused = 0
        self._told_at = float("-inf")

    @property
    def is_open(self) -> bool:
        around = self._around
        return around.admission.is_calm and around.limits is None and around.line.waiting < MOST_WAITING

    async def pass_in(self, session: Session, pending: Pending) -> Decision:
        """`admit`, or `store`: to be stored and answered with words. Raises TooBusy, Overloaded, Unavailable."""
        if session.knows(pending):
            return "admit"
        refusal: TooBusy | Overloaded | None = self._over_limit(session, pending)
        if refusal is None and self._around.line.waiting >= MOST_WAITING:
            refusal = overloaded("too much waits here already", self._spread(FULL_S))
        if refusal is not None:
            if (await self._loaded(session, pending)).repetition is None:
                self._note(refusal)
                raise refusal
            return "admit"
        if self._around.admission.is_calm or not isinstance(pending.body, MessageBody | OpenedBody):
            return "admit"
        return await self._decided(session, pending)

    async def _decided(self, session: Session, pending: Pending) -> Decision:
        """What admission says to a message."""
        row = session.guess.row
        if row is None:
            loaded = await self._loaded(session, pending)
            if loaded.repetition is not None:
                return "admit"
            row = loaded.row
        around, admission = self._around, self._around.admission
        priority = class_of(around, row, pending.body)
        step = step_of(priority, user_of(session, pending), around.store.clock.now_ms() / 1000, is_new=row.is_new)
        decision = admission.decide(step, around.time.now())
        around.metrics.admissions.add(priority, decision)
        if decision == "refuse":
            refusal = overloaded("there is too much to do just now", admission.retry_after_s(self._draw()))
            self._note(refusal)
            raise refusal
        return decision

    def _over_limit(self, session: Session, pending: Pending) -> TooBusy | None:
        limits = self._around.limits
        if limits is None or not isinstance(pending.body, MessageBody | OpenedBody):
            return None
        wait_s = limits.wait_s(pending.owner, user_of(session, pending), self._around.time.now())
        if wait_s <= 0:
            return None
        return TooBusy(f"more came than is allowed: send it again in {max(1, round(wait_s))} s", max(wait_s, 1.0))

    async def _loaded(self, session: Session, pending: Pending) -> Loaded:
        try:
            return (await self._around.store.load([Wanted(session.address, event=pending.hash)]))[0]
        except StoreUnavailable as error:
            raise Unavailable(str(error)) from error

    def _spread(self, seconds: float) -> float:
        return seconds * (0.5 + self._draw())

    def _draw(self) -> float:
        return (self._around.seed() & 0xFFFF) / 0x10000

    def _note(self, refusal: TooBusy | Overloaded) -> None:
        """One line in the log for many: there is too much to do already."""
        self._refused += 1
        now = self._around.time.now()
        if isinstance(refusal, Overloaded) and now - self._told_at >= TOLD_EVERY_S:
            facts = {
                "refused": self._refused,
                "waiting": self._around.line.waiting,
                "mark": self._around.admission.mark,
            }
            self._around.log("warning", "overloaded", facts)
            self._refused, self._told_at = 0, now


def overloaded(why: str, retry_after_s: float) -> Overloaded:
    return Overloaded(f"{why}: send it again in {round(retry_after_s)} s, with the same id", retry_after_s)


def user_of(session: Session, pending: Pending) -> str:
    """Whose message it is, as far as the channel says; else one conversation is one user."""
    user = pending.body.user if isinstance(pending.body, MessageBody | OpenedBody) else None
    return session.address if user is None else user.id
