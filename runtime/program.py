"""The compiled bot: tables only, frozen, and the format that the compiler targets and a bundle stores.

A flow is flat code: a tuple of instructions that name each other by index (`Target`). The kernel loads it into closures
(`flowc.runtime.kernel.load`). Nothing here needs a source, a parser or a graph library. A wait is stored by its name
(`STATE.listen`, `STATE.ask.SLOT` …), never by its index, so that stored conversations survive edits; in `anywhere`
the arm's pattern stands for the state: `on agent.do.helpdesk`.

Changing the meaning of anything here is a new `FORMAT` (see `flowc.runtime.bundle`).
The file is long because it is that format, whole.
"""

from typing import Literal

from msgspec import Struct

from flowc.runtime.types import Field, Type

Target = int  # index into Flow.code
PriorityClass = Literal["urgent", "high", "normal", "low", "bulk"]

# -------------------------------------------------------------------------------------------------------- expressions


class Constant(Struct, frozen=True, tag="constant"):
    """A literal. `value` is a text for number (decimal), date, time (ISO 8601); milliseconds for duration."""

    kind: Literal["none", "boolean", "integer", "number", "text", "date", "time", "duration"]
    value: bool | int | str | None


class Variable(Struct, frozen=True, tag="variable"):
    """A slot, variable or parameter of the running flow; `none` where it has no value."""

    name: str


class Local(Struct, frozen=True, tag="local"):
    """A name of the arm that runs or of the template around it: `error`, a failure or an event (a record of its
    fields), the `x` of `on done x`, the item of a template's `for` or of `show`, the new value in a slot's
    `check`."""

    name: str


class Builtin(Struct, frozen=True, tag="builtin"):
    """`user`, `message`, `conversation` (records), `now`, `today`."""

    name: Literal["user", "message", "conversation", "now", "today"]


class Get(Struct, frozen=True, tag="get"):
    """A field of a record; `none` of `none`."""

    target: "Expression"
    field: str


class Each(Struct, frozen=True, tag="each"):
    """The list of one field of a list of records."""

    target: "Expression"
    field: str


class Apply(Struct, frozen=True, tag="apply"):
    """An operator or function. `function` is one of `FUNCTIONS`; `and`, `or` stop early."""

    function: str
    arguments: tuple["Expression", ...]


class MakeList(Struct, frozen=True, tag="make_list"):
    items: tuple["Expression", ...]


class MakeRecord(Struct, frozen=True, tag="make_record"):
    fields: tuple["Argument", ...]


class Render(Struct, frozen=True, tag="render"):
    """A text with template parts as a value."""

    template: "Template"


Expression = Constant | Variable | Local | Builtin | Get | Each | Apply | MakeList | MakeRecord | Render


class Argument(Struct, frozen=True):
    name: str
    value: Expression


# Operators are typed by their values at run time: `add` is number + number, money + money, text + text, list + list,
# date/datetime + duration, duration + duration; `subtract` and the others alike.
FUNCTIONS = frozenset(
    [
        *("and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "in", "not_in", "is_none", "is_not_none"),
        *("add", "subtract", "multiply", "divide", "negate"),
        *("len", "first", "at", "sum", "min", "max", "round", "abs", "lower", "upper", "trim"),
        *("contains", "starts_with", "ends_with", "number", "text", "days", "hours", "minutes", "weekday", "time"),
    ]
)

# -------------------------------------------------------------------------------------------------------------- texts


class Filter(Struct, frozen=True):
    """`date`, `time`, `money`, `number`, `title`, `join`, `default`, with arguments."""

    name: str
    arguments: tuple[Expression, ...] = ()


class Words(Struct, frozen=True, tag="words"):
    text: str


class Show(Struct, frozen=True, tag="show"):
    value: Expression
    filters: tuple[Filter, ...] = ()


class TextBranch(Struct, frozen=True):
    """`condition` None for `else`."""

    condition: Expression | None
    parts: "tuple[TemplatePart, ...]"


class TextIf(Struct, frozen=True, tag="if"):
    branches: tuple[TextBranch, ...]


class TextFor(Struct, frozen=True, tag="for"):
    variable: str
    items: Expression
    parts: "tuple[TemplatePart, ...]"


TemplatePart = Words | Show | TextIf | TextFor


class Template(Struct, frozen=True):
    """A text of the flow. `id` numbers the texts of a bot from 0, `masked` says that a pii value is shown in it."""

    id: int
    parts: tuple[TemplatePart, ...]
    masked: bool = False


# ---------------------------------------------------------------------------------------------------------------- arms


class Guarded(Struct, frozen=True):
    """Where an arm begins, if `when` holds."""

    to: Target
    when: Expression | None = None


class ChangeArm(Struct, frozen=True):
    """`on change a, b`."""

    slots: tuple[str, ...]
    to: Target
    when: Expression | None = None


class SilenceArm(Struct, frozen=True):
    after_ms: int
    to: Target
    when: Expression | None = None


class WaitArms(Struct, frozen=True):
    """Arms of an `ask`, `choose` or `listen`, or of `anywhere` (`changes` empty). Guarded ones in the order they
    are tried."""

    intents: dict[str, tuple[Guarded, ...]] = {}
    events: dict[str, tuple[Guarded, ...]] = {}
    changes: tuple[ChangeArm, ...] = ()
    silences: tuple[SilenceArm, ...] = ()
    otherwise: Target | None = None


class FailureArms(Struct, frozen=True):
    """Arms of a call: `named` by failure or outcome kind (`unknown` among them); `otherwise` is every failure
    except unknown."""

    named: dict[str, Target] = {}
    otherwise: Target | None = None


class Anywhere(Struct, frozen=True):
    """`failure` and `unknown` also take what a deferred job's arms leave."""

    arms: WaitArms = WaitArms()
    failure: Target | None = None
    unknown: Target | None = None


# -------------------------------------------------------------------------------------------------------- instructions


class Link(Struct, frozen=True):
    label: Template
    url: Template


class Say(Struct, frozen=True, tag="say"):
    """One of `texts` (drawn from the turn's seed) with what goes with it. Then the next instruction."""

    texts: tuple[Template, ...]
    buttons: tuple[Template, ...] = ()
    images: tuple[Template, ...] = ()
    links: tuple[Link, ...] = ()


class Ask(Struct, frozen=True, tag="ask"):
    """Waits at `STATE.ask.SLOT` for each slot of `slots` without a value. `wait` is `STATE.ask`; when all have
    one: `next`. An arm that does not leave ends in a Jump back to this instruction (the compiler emits it)."""

    wait: str
    slots: tuple[str, ...]
    question: Template | None
    arms: WaitArms
    next: Target


class Choose(Struct, frozen=True, tag="choose"):
    """Waits at `wait` = `STATE.choose.NAME`. `show` is over `Local(name)`; None: the item is a text."""

    wait: str
    name: str
    items: Expression
    question: Template
    show: Template | None
    arms: WaitArms
    empty: Target
    next: Target


class Listen(Struct, frozen=True, tag="listen"):
    """Waits at `wait` = `STATE.listen`. `say` is the index of the Say directly before it, which `resume` repeats."""

    wait: str
    arms: WaitArms
    say: Target | None


class Reject(Struct, frozen=True, tag="reject"):
    """Says `text`, forgets the slot's value, uses one of its tries and goes on at the Ask at `ask`."""

    slot: str
    text: Template
    ask: Target


class Call(Struct, frozen=True):
    """One call of a service. `place` is `STATE.SERVICE.OP`, unique in its flow for writes (for reads a number
    follows a repetition)."""

    place: str
    service: str
    operation: str
    arguments: tuple[Argument, ...]
    target: str | None = None


class Reads(Struct, frozen=True, tag="reads"):
    """Reads that run together. Results are assigned, failures kept for the `Failed` instructions that follow, one
    a call. After a `say` of the same turn the turn ends first and the reads are a turn of their own, at the first
    call's place."""

    calls: tuple[Call, ...]


class Failed(Struct, frozen=True, tag="failed"):
    """If the call at `place` failed: to its arm, or to the nearest `anywhere` that takes it; else the next instruction.
    An arm that does not leave ends in a Jump to the next `Failed` (the compiler emits it)."""

    place: str
    arms: FailureArms


class Write(Struct, frozen=True, tag="write"):
    """A write: the turn ends, the command runs, its result is a turn of its own. Then as `Failed`."""

    call: Call
    arms: FailureArms


class Defer(Struct, frozen=True, tag="defer"):
    """A durable job at `call.place` = `STATE.defer.SERVICE.OP` (a number follows a repetition). Its arms run as an
    interruption over the variables as they are now. `done_name` is the `x` of `on done x`."""

    call: Call
    priority: PriorityClass | None
    within_ms: int
    done: Target | None
    done_name: str | None
    failed: Target | None
    unknown: Target | None


class Do(Struct, frozen=True, tag="do"):
    """Runs another flow at `wait` = `STATE.do.FLOW`. `target` is set by a plain end; other outcomes go to their
    arm, or (`handoff` without one) end this flow too."""

    wait: str
    flow: str
    arguments: tuple[Argument, ...]
    target: str | None
    outcomes: dict[str, Target]
    next: Target


class Jump(Struct, frozen=True, tag="jump"):
    to: Target


class Branch(Struct, frozen=True, tag="branch"):
    """The next instruction if `condition` holds, else `otherwise`."""

    condition: Expression
    otherwise: Target


class Case(Struct, frozen=True):
    value: Constant
    to: Target


class Match(Struct, frozen=True, tag="match"):
    """To the case that equals, else `otherwise` (always given; unreachable where the cases cover the type)."""

    subject: Expression
    cases: tuple[Case, ...]
    otherwise: Target


class Assign(Struct, frozen=True, tag="assign"):
    name: str
    value: Expression


class Clear(Struct, frozen=True, tag="clear"):
    names: tuple[str, ...]


class Goto(Struct, frozen=True, tag="goto"):
    state: str


class Resume(Struct, frozen=True, tag="resume"):
    """Back to the interrupted or not understood wait; after `up_to` times running, `then`."""

    up_to: int | None = None
    then: str | None = None


class Handoff(Struct, frozen=True, tag="handoff"):
    """Waits at `wait` = `STATE.handoff` for people. Without arms the flow ends with outcome `handoff` when they
    close it."""

    wait: str
    queue: Template
    returned: Target | None
    unavailable: Target | None


class End(Struct, frozen=True, tag="end"):
    """A plain end (None) gives the flow's results."""

    outcome: str | None = None


class Mark(Struct, frozen=True, tag="mark"):
    milestone: Template


Instruction = (
    Say
    | Ask
    | Choose
    | Listen
    | Reject
    | Reads
    | Failed
    | Write
    | Defer
    | Do
    | Jump
    | Branch
    | Match
    | Assign
    | Clear
    | Goto
    | Resume
    | Handoff
    | End
    | Mark
)

# --------------------------------------------------------------------------------------------------- flows and intents


class Check(Struct, frozen=True):
    """A further condition of a slot over `Local(slot name)`, and what is said when it does not hold."""

    condition: Expression
    text: Template


class ChoiceWords(Struct, frozen=True):
    value: str
    words: tuple[str, ...]


class Slot(Struct, frozen=True):
    name: str
    type: Type
    ask: Template | None
    reask: Template | None
    tries: int
    checks: tuple[Check, ...] = ()
    words: tuple[ChoiceWords, ...] = ()


class ExampleSlot(Struct, frozen=True):
    """`{slot}`, or `{slot: value}`."""

    name: str
    value: str | None = None


class Intent(Struct, frozen=True):
    """Examples are words and places of slots, in order."""

    name: str
    examples: tuple[tuple[str | ExampleSlot, ...], ...]

    @property
    def slots(self) -> frozenset[str]:
        """The slots that its examples name."""
        return frozenset(part.name for example in self.examples for part in example if isinstance(part, ExampleSlot))


class Event(Struct, frozen=True):
    name: str
    fields: tuple[Field, ...]


class PriorityRule(Struct, frozen=True):
    priority: PriorityClass
    when: Expression | None = None


class State(Struct, frozen=True):
    name: str
    entry: Target
    priority: PriorityRule | None = None


class Migration(Struct, frozen=True):
    """`states` old name to new name; `sets` in order."""

    major: int
    minor: int | None
    states: dict[str, str]
    sets: tuple[Argument, ...]


class Flow(Struct, frozen=True):
    """One flow. `variables` has every slot, variable and parameter with its type (`T?` where it may be none).
    `stored` names for each wait the variables that a later state can still read; the others are dropped when a
    conversation is stored there."""

    name: str
    version: str
    takes: tuple[Field, ...]
    gives: tuple[Field, ...]
    locale: str | None
    reply_within_ms: int | None
    reply_within_text: Template | None
    confidence: str | None
    priorities: tuple[PriorityRule, ...]
    start: str
    merge_within_ms: int | None
    variables: dict[str, Type]
    slots: dict[str, Slot]
    intents: dict[str, Intent]
    events: dict[str, Event]
    states: dict[str, State]
    anywhere: Anywhere
    code: tuple[Instruction, ...]
    waits: dict[str, Target]  # the instruction of each wait by its stored name; an Ask stands here once for each slot
    stored: dict[str, tuple[str, ...]]
    migrations: tuple[Migration, ...] = ()


# ------------------------------------------------------------------------------------------------------------- services


class Retry(Struct, frozen=True):
    """`attempts` more after the first; wait i is drawn from 0 to min(cap, base·2^(i−1))."""

    attempts: int
    base_ms: int
    cap_ms: int


class Breaker(Struct, frozen=True):
    percent: int
    calls: int
    open_ms: int


class RateLimit(Struct, frozen=True):
    count: int
    per_s: int


class Policy(Struct, frozen=True):
    """The effective numbers of one operation, defaults filled in (docs/language.md, Services)."""

    timeout_ms: int
    within_ms: int
    retry: Retry
    cache_ms: int | None = None


class ServicePolicy(Struct, frozen=True):
    """What a service's operations share."""

    breaker: Breaker
    places: int
    limit: RateLimit | None = None
    limit_per_user: RateLimit | None = None


class OwnPolicy(Struct, frozen=True):
    """What one operation says for itself; None where its service's holds, which it then shares with the others."""

    breaker: Breaker | None = None
    places: int | None = None
    limit: RateLimit | None = None
    limit_per_user: RateLimit | None = None


class Key(Struct, frozen=True):
    """How a write's idempotency key travels; `carrier` auto is the header Idempotency-Key."""

    carrier: Literal["auto", "header", "field"]
    name: str | None
    remembered_ms: int
    keeps_refusals: bool


class Failure(Struct, frozen=True):
    """A declared business failure; `status` None for adapters without one."""

    name: str
    fields: tuple[Field, ...]
    status: int | None
    when_path: tuple[str, ...] | None
    when_equals: str | None


class HttpRequest(Struct, frozen=True):
    """`path` has `{parameter}` places. Header and body expressions are over `Local(parameter)`."""

    method: str
    path: str
    headers: tuple[Argument, ...] = ()
    body: Expression | None = None
    answer: tuple[str, ...] = ()


class Operation(Struct, frozen=True):
    """`outcomes` are the kinds beside ok, in the order of the language reference."""

    name: str
    kind: Literal["read", "write"]
    parameters: tuple[Field, ...]
    result: Type | None
    policy: Policy
    key: Key | None
    failures: tuple[Failure, ...]
    outcomes: tuple[str, ...]
    http: HttpRequest | None = None
    settings: tuple[Argument, ...] = ()  # adapter lines
    own: OwnPolicy | None = None


class Service(Struct, frozen=True):
    name: str
    adapter: str
    policy: ServicePolicy
    operations: dict[str, Operation]
    settings: tuple[Argument, ...] = ()


# -------------------------------------------------------------------------------------------------------------- program


class Program(Struct, frozen=True):
    """A whole bot: its main flow, all flows it reaches with `do`, the services they call and the records they use.
    `first_words_ms`: how long the calls may take that lie between any message and its first reply."""

    bot: str
    main: str
    version: str
    flows: dict[str, Flow]
    services: dict[str, Service]
    records: dict[str, tuple[Field, ...]]
    user_fields: tuple[Field, ...]
    locales: tuple[str, ...]
    zone: str
    currency: str | None
    first_words_ms: int = 0
