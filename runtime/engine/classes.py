"""The priority class of what a conversation does next."""

from flowc.runtime.engine.stored import Body, ExternalBody, MessageBody, OpenedBody
from flowc.runtime.engine.surroundings import Surroundings
from flowc.runtime.engine.turn import moment_at
from flowc.runtime.kernel.beginning import opening_class
from flowc.runtime.kernel.events import Moment, User
from flowc.runtime.program import PriorityClass
from flowc.runtime.store.rows import Row


def class_of(around: Surroundings, row: Row, body: Body | None) -> PriorityClass:
    """Of one that runs, that of the state where it stands; of one that begins with this event, what the bot says about
    new ones."""
    if not row.is_new:
        return row.priority
    user = body.user if isinstance(body, MessageBody | OpenedBody | ExternalBody) else None
    moment = Moment(moment_at(around.store.clock.now_ms()), 0)
    return opening_class(around.current.loaded, moment, row.address, user or User(id=row.address))
