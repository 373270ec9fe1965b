"""The priority class of what a conversation does next."""

from flowc.runtime.engine.stored import Body, ExternalBody, MessageBody, OpenedBody
from flowc.runtime.engine.surroundings import Surroundings
from flowc.runtime.engine.turn import moment_at
from flowc.runtime.kernel.beginning import opening_class
from flowc.runtime.kernel.events import Moment, User
from flowc.runtime.program import PriorityClass
from flowc.runtime.store.port import RANK
from flowc.runtime.store.rows import Row


def class_of(around: Surroundings, row: Row, body: Body | None) -> PriorityClass:
    """Of one that runs, that of the state where it stands; of one that begins with this event, what the bot says about
    new ones."""
    if not row.is_new:
        return row.priority
    user = body.user if isinstance(body, MessageBody | OpenedBody | ExternalBody) else None
    moment = Moment(moment_at(around.store.clock.now_ms()), 0)
    return opening_class(around.current.loaded, moment, row.address, user or User(id=row.address))


def known_class(around: Surroundings, row: Row | None) -> PriorityClass:
    """The same, as far as it is known without a look-up; each turn asks."""
    return row.priority if row is not None and not row.is_new else _usual_opening(around)


def lent_class(around: Surroundings, row: Row | None) -> PriorityClass:
    """The class of a message that has to wait for what its own conversation does: the higher one of that and of what
    the bot's conversations begin with."""
    own, opening = known_class(around, row), _usual_opening(around)
    return own if RANK[own] < RANK[opening] else opening


def _usual_opening(around: Surroundings) -> PriorityClass:
    """The class that the bot's conversations begin with, where that is the same for all."""
    rules = around.current.loaded.main.priorities
    return rules[0].priority if rules and rules[0].when is None else "normal"
