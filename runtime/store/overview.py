"""What an operator asks of a store and tells it, as values: deployments, counts, lists, pauses, servers."""

from typing import Literal

from msgspec import Struct

from flowc.runtime.kernel.events import CommandKey
from flowc.runtime.program import PriorityClass
from flowc.runtime.store.rows import Address, Dead, Digest, ServerId

CensusKind = Literal["wait", "job", "inbox", "dead"]
DeploymentKind = Literal["deploy", "canary", "promote", "abort", "rollback"]


class NewDeployment(Struct, frozen=True):
    """`share` in percent of new conversations, for a canary."""

    bot: str
    version: str
    digest: Digest
    kind: DeploymentKind
    by: str
    revision: str = ""
    share: int = 100


class Deployment(Struct, frozen=True):
    """Numbered from 1, without a gap. `state`: `stable` and `canary` are live, `past` no longer takes anybody."""

    number: int
    at_ms: int
    what: NewDeployment
    state: Literal["stable", "canary", "past"]


class Census(Struct, frozen=True):
    """How many live conversations stand at a wait (or outstanding commands at a place), by deployment, and since
    when the oldest does. Of events in inboxes, and of those that are set aside, `place` is the kind; deployment 0."""

    kind: CensusKind
    deployment: int
    place: str
    priority: PriorityClass
    count: int
    oldest_ms: int


class Summary(Struct, frozen=True):
    """A conversation as an operator lists it."""

    address: Address
    incarnation: int
    turn: int
    at_ms: int
    deployment: int
    wait: str
    priority: PriorityClass
    jobs: int
    ended: bool
    waiting: int


class DeadEvent(Struct, frozen=True):
    address: Address
    incarnation: int
    turn: int
    at_ms: int
    dead: Dead


class Pruned(Struct, frozen=True):
    """What a slice of pruning removed, and the cursor of the next one. `is_over`: nothing old is left."""

    turns: int
    conversations: int
    late: int
    cursor: str
    is_over: bool


class Doubt(Struct, frozen=True):
    """A command that was outstanding in the backup from which the store goes on since `begun_ms`. `is_outstanding`:
    its result did not come since then."""

    address: Address
    key: CommandKey
    service: str
    operation: str
    created_ms: int
    backup_ms: int
    begun_ms: int
    is_outstanding: bool


class Pause(Struct, frozen=True):
    """A service that an operator paused (`rate` None), or lets out at `rate` a second after it."""

    service: str
    by: str
    at_ms: int
    rate: int | None = None


class Report(Struct, frozen=True):
    """A server that lives, and whether it can run a prepared bundle; `problem` says why not."""

    server: ServerId
    at_ms: int
    digest: Digest | None = None
    problem: str | None = None
